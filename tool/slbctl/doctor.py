# SPDX-License-Identifier: GPL-2.0
"""shadowlbctl doctor: does all of this machine work with shadowlb?"""
import platform
import time

from . import VERSION, devices, doctor_boot, doctor_rules, proc, services, show, top, words
from .doctor_devices import device_findings
from .finding import bad, note, ok
from .trouble import NO, OK, Trouble

HELP = "look for whatever keeps packets from being served, with cures"

# Slow packets of a service in a second, below which nothing is concluded.
ENOUGH = 10
# Reasons that belong to each connection, and need no cure.
NORMAL = ("learned", "renewed", "miss_flags", "miss_none", "miss_paused", "miss_lease",
          "miss_unrelated", "skip_scope", "skip_unsettled")


def arguments(parser):
    parser.add_argument("-i", "--interval", type=words.seconds, default=1, metavar="SECONDS",
                        help="time for which counters are watched; default 1")


def module(state):
    loaded, scheduler = proc.version(), proc.version("ip_vs_shadow")
    if loaded != VERSION:
        yield bad("module", "the loaded module is version %s, this program %s" %
                  (loaded, VERSION), "shadowlbctl reload")
    elif scheduler != loaded:
        yield note("module", "the scheduler ip_vs_shadow is version %s, shadowlb %s" %
                   (scheduler, loaded), "\"Upgrades\" in operate.md")
    else:
        yield ok("module", "shadowlb %s on Linux %s" % (loaded, platform.release()))
    if state.xdp:
        yield ok("xdp", "possible: the module has BTF")
    else:
        yield note("xdp", "not possible: %s; the netfilter hook serves" % state.no_xdp)


def scope(state):
    try:
        virtuals = proc.virtuals()
    except Trouble:
        virtuals = []
    if not virtuals:
        yield bad("scope", "IPVS has no service in this network namespace",
                  "ipvsadm -A ..., or look elsewhere: shadowlbctl --netns NAME doctor")
        return
    listed = proc.lists()
    fit = [v for v in virtuals if proc.in_scope(state, listed, v)]
    if not fit:
        yield bad("scope", "scope is %d, and none of %d services is served" %
                  (state.scope, len(virtuals)),
                  "shadowlbctl scope 2, or scope 1 and shadowlbctl serve on SERVICE")
    elif not state.hooked:
        yield bad("scope", "services are in scope, and no hook is registered",
                  "look into the kernel's log: dmesg")
    else:
        yield ok("scope", "%d of %d services in scope" % (len(fit), len(virtuals)))


def memory(state, grown):
    tables = state.tables["all"]
    text = "%s flows in %s slots, %s" % (
        show.number(tables["narrow_used"] + tables["wide_used"]),
        show.number(tables["narrow"] + tables["wide"]), show.size(tables["bytes"]))
    largest = max(max(t["narrow"], t["wide"]) for cpu, t in state.tables.items() if cpu != "all")
    if grown["skip_full"] and largest >= state.flows:
        yield bad("memory", text + ": a table is at its limit (skip_full)",
                  "options shadowlb flows=%d in /etc/modprobe.d/shadowlb.conf, then "
                  "shadowlbctl reload" % (2 * state.flows))
    elif grown["skip_full"] > ENOUGH:
        yield note("memory", text + ": %s packets found no room (skip_full), in tables that may "
                   "grow" % show.number(grown["skip_full"]),
                   "none, if that is over soon; otherwise memory lacks: the limit of the memory "
                   "cgroup of the process that created the namespace")
    elif grown["skip_table"] and not tables["narrow"] + tables["wide"]:
        yield bad("memory", "there is no table (skip_table)",
                  "raise the limit of the memory cgroup of the process that created the namespace")
    else:
        yield ok("memory", text)


def verified(stat, grown):
    text = "%s of %s compared packets differ from the slow path" % (
        show.number(stat["differs"]), show.number(stat["verified"]))
    if grown["differs"]:
        yield bad("verify", text, "if no rule or sysctl had just changed: shadowlbctl scope 0, and "
                  "report a bug with the output of perf trace -e shadowlb:slb_differ")
    elif stat["differs"]:
        yield note("verify", text + "; none in this interval")
    elif stat["verified"]:
        yield ok("verify", text)


def conntrack():
    if proc.sysctl("net/ipv4/vs/conntrack", "0") == "0":
        return
    count = int(proc.sysctl("net/netfilter/nf_conntrack_count", "0"))
    limit = int(proc.sysctl("net/netfilter/nf_conntrack_max", "0"))
    if limit and count * 10 > limit * 9:
        yield bad("conntrack", "%d of %d entries are in use" % (count, limit),
                  "sysctl -w net.netfilter.nf_conntrack_max=%d" % (2 * limit))
    else:
        yield ok("conntrack", "IPVS uses conntrack: %d of %d entries" % (count, limit))


def unserved(before, after, seconds):
    """Services that are hardly served now, for a reason that can be cured."""
    was = {(s.proto, s.service): s for s in before}
    for now in after:
        rate = top.service_rate(was.get((now.proto, now.service)), now, seconds)
        reasons = [item for item in rate["reasons"].items() if item[0] not in NORMAL]
        if now.proto == "-" or not reasons or rate["slow"] < ENOUGH or rate["share"] >= 50:
            continue
        if reasons[0][1] * 4 > rate["slow"]:
            explained = services.explain(dict(reasons[:1]))[0]
            finding = "flows serve %s %% of the packets; most often %s: %s" % (
                rate["share"], explained["reason"], explained["means"])
            if explained["cure"] in ("", "none"):
                yield note("%s %s" % (now.proto, now.service), finding)
            else:
                yield bad("%s %s" % (now.proto, now.service), finding, explained["cure"])


def collect(args):
    before, known, began = proc.total(proc.counters()), proc.services(), time.monotonic()
    time.sleep(args.interval)
    state, stat, services_now = proc.state(), proc.total(proc.counters()), proc.services()
    seconds = max(time.monotonic() - began, 1e-6)
    grown = {name: n - before[name] for name, n in stat.items()}
    every = devices.devices()
    xdp = any(devices.attached(dev) != [] for dev in every)
    found = [*module(state), *doctor_boot.findings(), *scope(state), *memory(state, grown), *verified(stat, grown),
             *conntrack(), *(finding for dev in every for finding in device_findings(dev, every)),
             *doctor_rules.findings(state, xdp), *unserved(known, services_now, seconds)]
    return {"findings": [finding._asdict() for finding in found]}


COLOURS = {"ok": show.GREEN, "note": show.YELLOW, "bad": show.RED}


def text(data, args):
    del args
    for finding in data["findings"]:
        yield "%s %s: %s" % (show.paint(finding["level"].ljust(4), COLOURS[finding["level"]]),
                             finding["topic"], finding["text"])
        if finding["cure"]:
            yield "     cure: %s" % finding["cure"]


def code(data):
    return NO if any(finding["level"] == "bad" for finding in data["findings"]) else OK
