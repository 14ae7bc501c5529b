# SPDX-License-Identifier: GPL-2.0
"""shadowlbctl serve: services that flows serve, or not, whatever the scope says."""
import fcntl

from . import proc, words
from .trouble import Trouble

HELP = "show or set the services that flows serve under any scope but 0, or never"


def arguments(parser):
    parser.add_argument("to", nargs="?", choices=("on", "off", "default"),
                        help="served, not served, or as the scope says")
    parser.add_argument("service", nargs="*", metavar="SERVICE",
                        help="tcp:192.0.2.1:80, udp:[2001:db8::1]:53, fwm:5, fwm6:5; or a service "
                        "of IPVS: 192.0.2.1:80, or a mark")


def written(word):
    """A name of lists. The kernel may write another one: of IPv4 within IPv6."""
    kind, _, rest = word.lower().partition(":")
    if not kind.startswith("fwm"):
        return "%s:%s" % (kind, words.endpoint(rest))
    try:
        return "%s:%d" % (kind, int(rest, 16 if rest.startswith("0x") else 10))
    except ValueError:
        raise Trouble("%s: a firewall mark is a number" % word) from None


def lists():
    return proc.Lists(*({written(word) for word in found} for found in proc.lists()))


def names(word, virtuals):
    """The names in lists of a service on the command line."""
    if proc.is_listed_name(word):
        return {written(word)}
    service = words.service(word)
    found = [virtual for virtual in virtuals if virtual.service == service]
    if not found:
        raise Trouble("IPVS has no service %s in this network namespace: ipvsadm -L -n; to list it "
                      "all the same: %s:%s" % (service, "fwm" if service.isdigit() else "tcp",
                                               service))
    return set().union(*map(proc.listed_names, found))


def change(to, chosen):
    for name, old in lists()._asdict().items():
        new = old | chosen if name == to else old - chosen
        if new != old:
            proc.set_list(name, new)


def collect(args):
    if args.to:
        if not args.service:
            raise Trouble("no service: shadowlbctl serve %s SERVICE..." % args.to)
        lists()                                 # the module is loaded
        known = [] if all(map(proc.is_listed_name, args.service)) else proc.virtuals()
        chosen = set().union(*(names(word, known) for word in args.service))
        with open(proc.KNOBS + "/services_on", "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)    # against another shadowlbctl
            change(args.to, chosen)
    return {name: sorted(found) for name, found in lists()._asdict().items()}


def sets(args):
    return bool(args.to)


def text(data, args):
    del args
    for name, found in data.items():
        yield from ("%-3s %s" % (name, service) for service in found)
    if not any(data.values()):
        yield "no service is listed: the scope holds for all"
