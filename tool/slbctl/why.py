# SPDX-License-Identifier: GPL-2.0
"""shadowlbctl why: is this connection served, by the hook or by XDP, and if not, why?"""
import time

from . import flows, proc, services, show, words
from .trouble import NO, OK

HELP = "is this connection served, by the hook or by XDP, and if not, why?"


def arguments(parser):
    parser.add_argument("client", metavar="CLIENT",
                        help="address of the client, or address:port")
    parser.add_argument("service", metavar="SERVICE", help="192.0.2.1:80 or [2001:db8::1]:80")
    parser.add_argument("-i", "--interval", type=words.seconds, default=1, metavar="SECONDS",
                        help="time to watch; default 1")


def of_client(client, service):
    """Flows of the client's connections to the service, by key."""
    def fits(flow):
        address, port = proc.split(flow.source if flow.way == "request" else flow.destination)
        return address == client[0] and client[1] in (None, port)

    mine = list(filter(fits, proc.flows()))
    return {(f.proto, f.source, f.destination, f.iif, f.cpu): f
            for f in flows.of_service(lambda: mine, service)}


def meanwhile(flow, before, seconds):
    """Packets that a flow served within these seconds."""
    if before and flow.age >= before.age and flow.packets >= before.packets:
        return flow.packets - before.packets
    return flow.packets if flow.age <= seconds else 0       # made since


def served_by(before, after, cpus):
    """Who served on these CPUs: "XDP", "the hook", both, or None if that is not known."""
    hits = sum(after[cpu]["hits"] - before[cpu]["hits"] for cpu in cpus)
    xdp = sum(after[cpu]["xdp_hits"] - before[cpu]["xdp_hits"] for cpu in cpus)
    if hits <= 0:
        return None
    return "the hook" if xdp <= 0 else "XDP" if xdp >= hits else "XDP and the hook"


def names_of(service, protos):
    """Rows of the service: by address and port, or on any port, else by firewall marks."""
    every = proc.virtuals()
    for name in (service, service.rpartition(":")[0] + ":0"):
        found = [v for v in every if v.service == name and (not protos or v.proto in protos)]
        if found:
            return found
    return [v for v in every if v.proto == "FWM"]


def reasons_of(rows, before, after):
    """Reasons for packets of these services meanwhile; of all of their packets if none came."""
    names = {v.service for v in rows}
    protos = {v.proto for v in rows if v.proto != "FWM"} or {"FWM", "FWM6"}
    was = {(s.proto, s.service): s for s in before}
    grown, ever = {}, {}
    for now in after:
        if now.service not in names or now.proto not in protos:
            continue
        old = was.get((now.proto, now.service), now._replace(reasons={})).reasons
        for name, n in now.reasons.items():
            ever[name] = ever.get(name, 0) + n
            if n > old.get(name, 0):
                grown[name] = grown.get(name, 0) + n - old.get(name, 0)
    return services.explain(grown or ever)[:3], bool(grown)


def not_served(state, service, rows, conns):
    """Why there is no flow, as far as the service and IPVS's connections tell."""
    if not rows:
        return "IPVS has no service %s in this network namespace" % service, \
            "ipvsadm -L -n; another namespace: shadowlbctl --netns NAME why ..."
    if state.scope == 0:
        return "scope is 0", "shadowlbctl scope 1, or 2"
    listed = proc.lists()
    off = [v.service for v in rows if proc.listed_names(v) & listed.off]
    served = any(proc.in_scope(state, listed, v) for v in rows)
    if off and not served:
        return "the service is in net.shadowlb.services_off", \
            "shadowlbctl serve default " + " ".join(off)
    if not served:
        return "scope is 1, and the service has the scheduler %s" % \
            ", ".join({v.scheduler for v in rows}), \
            "shadowlbctl scope 2, or shadowlbctl serve on %s" % service
    if not conns:
        return "IPVS has no connection of this client to %s" % service, \
            "check that packets arrive here: tcpdump"
    if all(conn.proto == "TCP" and conn.state != "ESTABLISHED" for conn in conns):
        return "IPVS's connection is in the state %s" % conns[0].state, \
            "none, if the connection begins or ends"
    return None, None


def look(client, service, state):
    return of_client(client, service), proc.services(), proc.counters_by_cpu(state)


def collect(args):
    service, client = words.endpoint(args.service), words.client(args.client)
    state = proc.state()
    began = time.monotonic()
    was, known, stat = look(client, service, state)
    time.sleep(args.interval)
    now, known_now, stat_now = look(client, service, state)
    seconds = time.monotonic() - began
    grown = {key: meanwhile(flow, was.get(key), seconds) for key, flow in now.items()}
    conns = list(proc.conns(client, service))
    rows = names_of(service, {c.proto for c in conns} | {f.proto for f in now.values()})
    moving = {now[key].cpu for key, n in grown.items() if n}
    reasons, recent = reasons_of(rows, known, known_now)
    data = {"served": bool(moving), "seconds": round(seconds, 3),
            "packets": {way: sum(n for key, n in grown.items() if now[key].way == way)
                        for way in ("request", "reply")},
            "by": served_by(stat, stat_now, moving) if moving else None,
            "why": None, "cure": None, "reasons": reasons, "reasons_recent": recent,
            "flows": [dict(flow._asdict(), packets_meanwhile=grown[key])
                      for key, flow in now.items()],
            "connections": [conn._asdict() for conn in conns]}
    if not moving and now:
        data["why"] = "there are %d flows, and no packet was served in %.3g s: the connection is " \
            "idle, or its packets are not for these flows" % (len(now), seconds)
    elif not moving:
        data["why"], data["cure"] = not_served(state, service, rows, conns)
    return data


def verdict(data):
    if not data["served"]:
        yield "%s: %s" % (show.paint("not served", show.RED), data["why"] or "there is no flow")
        if data["cure"]:
            yield "cure: " + data["cure"]
        return
    yield "%s: %d packets of requests and %d of replies in %.3g s, by %s" % (
        show.paint("served", show.GREEN), data["packets"]["request"], data["packets"]["reply"],
        data["seconds"], data["by"] or "the hook or XDP: no counter grew")


def text(data, args):
    del args
    yield from verdict(data)
    if data["reasons"] and not data["why"] and not data["cure"] or data["flows"]:
        yield "Packets of the service that were not served%s:" % (
            " meanwhile" if data["reasons_recent"] else ", so far")
        yield from services.reason_lines(data["reasons"])
    for conn in data["connections"]:
        yield "IPVS: %(proto)s %(client)s to %(service)s by %(server)s, %(state)s, " \
            "expires in %(expires)d s" % conn
    if data["flows"]:
        header = "WAY SOURCE DESTINATION SERVER IIF OIF STATE CPU PACKETS MEANWHILE".split()
        yield from show.columns(
            header, [(f["way"], f["source"], f["destination"], f["server"], f["iif"], f["oif"],
                      f["state"], f["cpu"], f["packets"], f["packets_meanwhile"])
                     for f in data["flows"]], left=header[:7])


def code(data):
    return OK if data["served"] else NO
