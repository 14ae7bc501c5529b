# SPDX-License-Identifier: GPL-2.0
"""shadowlbctl flows: the flows, filtered. Nothing is kept: there may be millions."""
import itertools
import json

from . import proc, words

HELP = "the flows, all or by address, port, service, real server, method, device"
METHODS = "masq route ipip gre gue".split()
ROW = "%-5s %-21s %-21s %-8s %-7s %-6s %-21s %-8s %7s %7s %10s %3s %s"


def arguments(parser):
    parser.add_argument("-a", "--address", help="source, destination or real server")
    parser.add_argument("-p", "--port", help="port of source, destination or real server")
    parser.add_argument("-s", "--service", metavar="SERVICE",
                        help="destination of requests: 192.0.2.1:80, [2001:db8::1]:80; "
                        "replies to the same clients are listed, too")
    parser.add_argument("-r", "--server", metavar="SERVER",
                        help="real server: an address, or address:port")
    parser.add_argument("-m", "--method", choices=METHODS, help="forwarding method")
    parser.add_argument("-d", "--device", metavar="DEV", help="device of ingress or egress")
    parser.add_argument("-w", "--way", choices=("request", "reply"), help="direction")
    parser.add_argument("-n", "--count", type=words.count, metavar="N", help="at most N flows")


def ends(flow):
    return (flow.source, flow.destination, flow.server)


def conditions(args):
    """Functions of a flow that must all be true."""
    if args.address:
        want = words.address(args.address)
        yield lambda f: want in (proc.split(end)[0] for end in ends(f))
    if args.port is not None:
        port = words.port(args.port)
        yield lambda f: port in (proc.split(end)[1] for end in ends(f))
    if args.server and words.is_endpoint(args.server):
        endpoint = words.endpoint(args.server)
        yield lambda f: f.server == endpoint
    elif args.server:
        server = words.address(args.server)
        yield lambda f: proc.split(f.server)[0] == server
    if args.method:
        yield lambda f: f.method == args.method
    if args.device:
        yield lambda f: args.device in (f.iif, f.oif)
    if args.way:
        yield lambda f: f.way == args.way


def of_service(read, service):
    """Requests to a service, and replies to their clients from the same real servers.

    read: returns an iterator over flows. Called twice.
    """
    pairs = {(f.proto, f.source, f.server) for f in read()
             if f.way == "request" and f.destination == service}
    return (f for f in read() if (f.destination == service if f.way == "request" else
                                  (f.proto, f.destination, f.server) in pairs))


def select(args):
    """The flows that fit. Whatever is wrong is found before the first flow is returned."""
    flows = of_service(proc.flows, words.endpoint(args.service)) if args.service else proc.flows()
    for condition in list(conditions(args)):
        flows = filter(condition, flows)
    flows = itertools.islice(flows, args.count)
    first = list(itertools.islice(flows, 1))
    return itertools.chain(first, flows)


def stream(args):
    """Text, or JSON, in pieces."""
    flows = select(args)
    if not args.json:
        yield (ROW % tuple(name.upper() for name in proc.Flow._fields)) + "\n"
        for flow in flows:
            yield (ROW % flow) + "\n"
        return
    yield '{"flows": ['
    for n, flow in enumerate(flows):
        yield (", " if n else "") + json.dumps(flow._asdict())
    yield "]}\n"
