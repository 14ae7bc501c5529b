# SPDX-License-Identifier: GPL-2.0
"""shadowlbctl metrics: counters and gauges in the text format of Prometheus."""
import os

from . import devices, proc
from .trouble import NotLoaded, Trouble

HELP = "counters and gauges in the text format of Prometheus"

# In the environment: the network namespace that was asked for, a label of all metrics.
NETNS = "SHADOWLBCTL_NETNS"


def arguments(parser):
    parser.add_argument("-o", "--output", metavar="FILE", help="write this file, at once: for the "
                        "textfile collector of Prometheus' node exporter")


def by_reason(stat, prefix):
    return [({"reason": name.removeprefix(prefix)}, n) for name, n in stat.items()
            if name.startswith(prefix) and name != "xdp_hits"]


def one(value):
    """A sample without labels."""
    return [({}, value)]


def xdp_devices():
    """Devices with the program for XDP, as far as they are known."""
    try:
        return [({"device": dev.name, "mode": mode}, 1) for dev in devices.devices()
                for mode in set(devices.attached(dev) or ())]
    except Trouble:
        return []


def up(value):
    return ("up", "gauge", "Whether the module is loaded.", one(value))


def families(state, stat, services):
    """Metrics: name, type, help, samples. A sample is labels and a value."""
    tables = state.tables["all"]
    named = [({"proto": s.proto, "service": s.service}, s) for s in services]
    return [
        up(1),
        ("info", "gauge", "Version of the module.", [({"version": proc.version() or ""}, 1)]),
        ("scope", "gauge", "net.shadowlb.scope.", one(state.scope)),
        ("lease_seconds", "gauge", "net.shadowlb.lease.", one(state.lease)),
        ("hooked", "gauge", "Whether hooks are registered.", one(state.hooked)),
        ("xdp_possible", "gauge", "Whether the module can serve XDP.", one(state.xdp)),
        ("xdp_attached", "gauge", "Devices with the program for XDP.", xdp_devices()),
        ("flows", "gauge", "Flows in use.",
         [({"table": name}, tables[name + "_used"]) for name in ("narrow", "wide")]),
        ("flow_slots", "gauge", "Slots for flows, of all CPUs.",
         [({"table": name}, tables[name]) for name in ("narrow", "wide")]),
        ("flow_slots_max", "gauge", "Most slots of a table of a CPU.", one(state.flows)),
        ("memory_bytes", "gauge", "Memory for flows.", one(tables["bytes"])),
        ("sweep_seconds", "gauge", "Longest last sweep of all CPUs.",
         one(tables["sweep_us"] / 1e6)),
        ("bh_off_seconds", "gauge", "Longest time with bottom halves off in the last sweep.",
         one(tables["bh_off_us"] / 1e6)),
        ("epochs_total", "counter", "Changes of rules after which flows prove themselves again.",
         one(state.epochs)),
        ("served_packets_total", "counter", "Packets served by flows, those of XDP included.",
         one(stat["hits"])),
        ("xdp_served_packets_total", "counter", "Packets served by flows in XDP.",
         one(stat["xdp_hits"])),
        ("missed_packets_total", "counter", "Packets that the hook left to the slow path.",
         by_reason(stat, "miss_")),
        ("skipped_packets_total", "counter", "Packets of IPVS by which no flow was made.",
         by_reason(stat, "skip_")),
        ("xdp_passed_frames_total", "counter", "Frames that XDP left to the hook.",
         by_reason(stat, "xdp_")),
        ("flow_events_total", "counter", "Flows made, proved again, evicted, ended.",
         [({"event": name}, stat[name]) for name in ("learned", "renewed", "rechecked", "evicted",
                                                         "ended")]),
        ("verified_packets_total", "counter", "Packets compared with the slow path.",
         one(stat["verified"])),
        ("differing_packets_total", "counter", "Compared packets with another outcome.",
         one(stat["differs"])),
        ("service_served_packets_total", "counter", "Packets of a service served by flows.",
         [(labels, s.served) for labels, s in named]),
        ("service_slow_packets_total", "counter", "Packets of a service not served, by reason.",
         [(dict(labels, reason=reason), n) for labels, s in named
          for reason, n in sorted(s.reasons.items())]),
    ]


def remove(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def collect(args):
    if args.output and args.json:
        raise Trouble("--output writes the text format: without --json")
    try:
        found = families(proc.state(), proc.total(proc.counters()), proc.services())
    except NotLoaded:
        found = [up(0)]
    except BaseException:
        if args.output:
            remove(args.output)     # values of the past are worse than none
        raise
    netns = {"netns": os.environ[NETNS]} if NETNS in os.environ else {}
    return {"metrics": [{"name": "shadowlb_" + name, "type": kind, "help": text,
                         "samples": [{"labels": {**netns, **labels}, "value": value}
                                     for labels, value in samples]}
                        for name, kind, text, samples in found]}


def escaped(value):
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def sample(name, labels, value):
    pairs = ",".join('%s="%s"' % (label, escaped(text)) for label, text in labels.items())
    return "%s%s %s" % (name, "{%s}" % pairs if pairs else "", value)


def lines(data):
    for metric in data["metrics"]:
        yield "# HELP %(name)s %(help)s" % metric
        yield "# TYPE %(name)s %(type)s" % metric
        for entry in metric["samples"]:
            yield sample(metric["name"], entry["labels"], entry["value"])


def text(data, args):
    """The metrics, or nothing if a file gets them. The file is never seen half written."""
    if not args.output:
        yield from lines(data)
        return
    temporary = "%s.%d" % (args.output, os.getpid())
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines(data))
        os.replace(temporary, args.output)
    except OSError as error:
        remove(temporary)
        raise Trouble("%s cannot be written: %s" % (args.output, error.strerror)) from None
