# SPDX-License-Identifier: GPL-2.0
"""shadowlbctl status: the module, its knobs, and sums over all CPUs."""
from . import devices, proc, show

HELP = "the module, its knobs, flows and packets, in a few lines"


def arguments(parser):
    del parser


def collect(args):
    del args
    state = proc.state()
    stat = proc.total(proc.counters())
    modes = {dev.name: devices.attached(dev) for dev in devices.devices()}
    listed = proc.lists()
    slow = sum(n for name, n in stat.items() if name.startswith("miss_"))
    return {
        "version": proc.version(),
        "scope": state.scope, "lease": state.lease, "verify": state.verify,
        "services_on": len(listed.on), "services_off": len(listed.off),
        "hooked": bool(state.hooked),
        "xdp": bool(state.xdp), "xdp_missing": state.no_xdp or None,
        "xdp_devices": [name for name, found in modes.items() if found],
        "xdp_unknown": [name for name, found in modes.items() if found is None],
        "flows_max": state.flows,
        "flows": state.tables["all"]["narrow_used"] + state.tables["all"]["wide_used"],
        "slots": state.tables["all"]["narrow"] + state.tables["all"]["wide"],
        "bytes": state.tables["all"]["bytes"],
        "served": stat["hits"], "served_by_xdp": stat["xdp_hits"], "slow": slow,
        "share": show.share(stat["hits"], slow),
        "learned": stat["learned"], "verified": stat["verified"], "differs": stat["differs"],
    }


def scope_text(scope, hooked):
    text = ("off", "services scheduled by shadow", "every service of IPVS")[scope]
    return text if hooked or not scope else text + ": there is none in this network namespace"


def text(data, args):
    del args
    if data["xdp_devices"]:
        xdp = "at " + ", ".join(data["xdp_devices"])
    else:
        xdp = "possible, at no device" if data["xdp"] else "not possible: " + data["xdp_missing"]
    if data["xdp_unknown"]:
        xdp += "; not known at %s: apt-get install libxdp1, as root" % \
            ", ".join(data["xdp_unknown"])
    rows = [
        ("module", "shadowlb %s" % data["version"]),
        ("scope", "%d (%s)" % (data["scope"], scope_text(data["scope"], data["hooked"]))),
        ("lease", "%d s" % data["lease"]),
        ("verify", "one in %s" % show.number(data["verify"]) if data["verify"] else "off"),
        ("xdp", xdp),
        ("flows", "%s in %s slots, %s" % (show.number(data["flows"]), show.number(data["slots"]),
                                          show.size(data["bytes"]))),
        ("served", "%s packets, %s by XDP" % (show.number(data["served"]),
                                              show.number(data["served_by_xdp"]))),
        ("slow path", "%s packets, other traffic included" % show.number(data["slow"])),
    ]
    if data["verified"] or data["differs"]:
        rows.append(("verified", "%s packets, %s differ" % (show.number(data["verified"]),
                                                            show.number(data["differs"]))))
    if data["services_on"] or data["services_off"]:
        rows.insert(2, ("listed", "%d services to be served, %d not: shadowlbctl serve" %
                        (data["services_on"], data["services_off"])))
    for name, value in rows:
        yield "%-10s %s" % (name, value)
