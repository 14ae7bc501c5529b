# SPDX-License-Identifier: GPL-2.0
"""shadowlbctl xdp: attach and detach the program for XDP, list programs."""
import os

from . import devices, libxdp, proc, show
from .doctor_devices import device_findings
from .trouble import Trouble

HELP = "attach the program for XDP to a device, detach it, or show devices"


def arguments(parser):
    parser.add_argument("action", nargs="?", default="show", choices=("show", "attach", "detach"))
    parser.add_argument("device", nargs="*", metavar="DEV")
    parser.add_argument("--mode", choices=tuple(libxdp.MODES), default="native",
                        help="generic works with any device, at the cost of an skb; "
                        "default native")
    parser.add_argument("--object", default=libxdp.OBJECT, metavar="FILE",
                        help="default " + libxdp.OBJECT)


def require_xdp():
    state = proc.state()
    if not state.xdp:
        raise Trouble("this module cannot serve XDP: %s; the netfilter hook serves all the same" %
                      state.no_xdp)


def require_object(args):
    if not os.access(args.object, os.R_OK):
        raise Trouble("%s cannot be read: make bpf-install, or the package shadowlb" % args.object)


def attach(dev, args):
    require_xdp()
    require_object(args)
    if any(map(libxdp.ours, libxdp.programs(dev.index))):
        raise Trouble("%s has the program already: shadowlbctl xdp show" % dev.name)
    libxdp.attach(dev.name, dev.index, args.mode, args.object)


def detach(dev):
    if not libxdp.detach(dev.name, dev.index):
        raise Trouble("%s does not have the program: shadowlbctl xdp show" % dev.name)
    while libxdp.detach(dev.name, dev.index):
        pass


def collect(args):
    named = [devices.device(name) for name in args.device]
    if args.action != "show" and not named:
        raise Trouble("xdp %s: no device given: shadowlbctl xdp %s eth0" %
                      (args.action, args.action))
    for dev in named:
        if args.action == "attach":
            attach(dev, args)
        elif args.action == "detach":
            detach(dev)
    every = devices.devices()
    shown = [dev for dev in every if not args.device or dev.name in args.device]
    return {"devices": [{"device": dev.name,
                         "programs": [program._asdict() for program in
                                      devices.programs(dev) or ()],
                         "attached": devices.attached(dev),
                         "findings": [finding._asdict() for finding in
                                      device_findings(dev, every)]}
                        for dev in shown]}


def sets(args):
    return args.action != "show"


def text(data, args):
    del args
    for dev in data["devices"]:
        others = [program["name"] for program in dev["programs"]
                  if program["name"] not in libxdp.NAMES]
        line = "programs are not known" if dev["attached"] is None else \
            "shadowlb, " + dev["attached"][0] if dev["attached"] else "no program of shadowlb"
        yield "%s: %s%s" % (show.paint(dev["device"], show.BOLD), line,
                            "; others: " + ", ".join(others) if others else "")
        for finding in dev["findings"]:
            yield "    %s" % finding["text"]
            if finding["cure"]:
                yield "    cure: %s" % finding["cure"]
