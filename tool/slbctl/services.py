# SPDX-License-Identifier: GPL-2.0
"""shadowlbctl services: packets that flows served, and why they did not serve the others."""
from . import proc, show, words
from .reasons import REASONS
from .trouble import Trouble

HELP = "packets of each service: served by flows, and the reasons for the others"


def arguments(parser):
    parser.add_argument("service", nargs="?", metavar="SERVICE",
                        help="only this service: 192.0.2.1:80, [2001:db8::1]:80, or a mark")
    parser.add_argument("-b", "--brief", action="store_true", help="a line for each service")


def explain(reasons):
    """Reasons in the form of --json, most frequent first."""
    return [dict(zip(("reason", "packets", "means", "cure"),
                     (name, n, *REASONS.get(name, ("", "")))))
            for name, n in sorted(reasons.items(), key=lambda item: -item[1])]


def reason_lines(reasons):
    """Explained reasons, for people."""
    for reason in reasons:
        yield "%15s  %s%s" % (show.number(reason["packets"]), reason["reason"],
                              ": " + reason["means"] if reason["means"] else "")
        if reason["cure"] not in ("", "none"):
            yield "%15s  cure: %s" % ("", reason["cure"])


def entry(service):
    return {"proto": service.proto, "service": service.service, "served": service.served,
            "slow": service.slow, "share": show.share(service.served, service.slow),
            "reasons": explain(service.reasons)}


def collect(args):
    name = args.service and words.service(args.service)
    found = [entry(service) for service in proc.services() if name in (None, service.service)]
    if name and not found:
        known = name in (virtual.service for virtual in proc.virtuals())
        raise Trouble("%s: %s" % (name, "the service has had no packet yet" if known else
                                  "IPVS has no such service in this network namespace: "
                                  "ipvsadm -L -n"))
    return {"services": found}


def title(service):
    return "other packets" if service["proto"] == "-" else \
        "%(proto)s %(service)s" % service


def text(data, args):
    for service in data["services"]:
        yield "%s: %s of %s packets served by flows" % (
            show.paint(title(service), show.BOLD), show.percent(service["share"]),
            show.number(service["served"] + service["slow"]))
        if not args.brief:
            yield from reason_lines(service["reasons"])
    if not data["services"]:
        yield "no packet of any service has come yet"
