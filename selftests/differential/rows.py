# SPDX-License-Identifier: GPL-2.0
"""The events of coherence.py: commands, and how a packet by the old decision looks."""
import copy
import os
import socket
import time

from .nl import Fail
from .pkt import ETH, VNET, mac, packed
from .topo import lladdr

IP = VNET + ETH
LEASE = 1000        # ms
SWEEP = 1500        # ms, with several CPUs
BEHIND = 300        # packets sent behind the event


class Row:
    """event: a function that is told the Bench and returns commands; old: is this packet,
    behind the event, one by the old decision? keeps: none may be missing; lease, sweep: the bound
    is one; long: packets are sent for longer than a lease; answers: of real servers, and not
    requests; before: commands, before the first packet; xdp: promised of XDP too; hook: of the
    hook, and not the kernel's affair before it; topo: as a Topology has it.
    Sets ms, the bound in ms, for packets."""

    def __init__(self, name, event, old=None, keeps=False, lease=False, sweep=False, long=False,
                 answers=False, before="true", xdp=True, hook=True, **topo):
        self.name, self.event, self.old = name, event, old
        self.keeps, self.topo = keeps, topo
        self.ms = LEASE if lease else SWEEP if sweep else 0
        self.long = self.ms or long
        self.answers, self.before = answers, before
        self.xdp, self.hook = xdp, hook

    def bound(self):
        return {0: "0 packets", LEASE: "one lease", SWEEP: "one sweep"}[self.ms]


# --- what is old ---

def at_server(i):
    """To real server i."""
    def old(bench, dev, raw):
        return dev == bench.topo.rs[i][1] and raw[IP + 16:IP + 20] == packed(bench.topo.rs[i][0])
    return old


def anything(_, dev, _raw):
    return dev != "c0"


def to_mac(number, by="s0"):
    return lambda bench, dev, raw: dev == by and raw[VNET:VNET + 6] == mac(lladdr(number))


def longer(length):
    return lambda bench, dev, raw: dev == "s0" and len(raw) - IP > length


def device(name):
    return lambda bench, dev, raw: dev == name


def outer_port(port):
    return lambda bench, dev, raw: dev[0] == "s" and raw[IP + 22:IP + 24] == port.to_bytes(2, "big")


def outer_df(_, dev, raw):
    return dev[0] == "s" and raw[IP + 6] & 0x40


def old_port(_, dev, raw):
    """An answer of the first service."""
    return dev == "c0" and raw[IP + 20:IP + 22] == (80).to_bytes(2, "big")


def unchanged(_, dev, raw):
    """A datagram whose payload no rule has changed."""
    return dev[0] == "s" and raw[IP + 28:IP + 32] != b"ABCD"


def moved(bench, dev, raw):
    """A request to another real server than that of its connection."""
    for conn in bench.trace.conns:
        if raw[IP + 12:IP + 16] == conn.c.src and \
           raw[IP + 20:IP + 22] == conn.c.sport.to_bytes(2, "big"):
            return dev != conn.seen_dev
    return False


def old_leg(bench, dev, raw):
    """An answer by the leg that its client's packets do not take any more."""
    return to_mac(bench.moving.get(raw[IP + 16:IP + 20]), "c0")(bench, dev, raw) \
        if raw[IP + 16:IP + 20] in bench.moving else False


def other_gateway(number):
    """An answer to a client by the gateway that it does not take any more."""
    return lambda bench, dev, raw: \
        to_mac(number, "c0")(bench, dev, raw) and raw[IP + 16:IP + 20] in bench.moving


# --- events ---

def removed(bench):
    return "ipvsadm " + bench.topo.real(0, 1, "-d").split(" -w ")[0]


def back(bench):
    return "ipvsadm " + bench.topo.real(0, 1, "-a")


def flapping(bench):
    return "; ".join([removed(bench), back(bench)] * 3 + [removed(bench)])


def again(bench):
    return removed(bench) + "; " + back(bench)


def replaced(bench):
    """The same address, another service: with real server 1 alone."""
    t = bench.topo
    return "ipvsadm -D %s; ipvsadm -A %s -s rr; ipvsadm %s" % (t.virtual(), t.virtual(), t.real(1))


def weight(bench):
    return "ipvsadm " + bench.topo.real(0, 0, "-e")


def port(bench):
    t = bench.topo
    line = "; ".join("ipvsadm " + t.real(i, 1, "-e") for i in range(2))
    return line.replace("--tun-port %d" % t.tun_port, "--tun-port 7777")


def rule(text):
    return lambda bench: "nft '" + text.replace("PROTO", bench.topo.proto) + "'"


def late(hook, match="meta l4proto PROTO"):
    return rule("table ip t { chain c { type filter hook %s priority 10; %s drop; }; }" %
                (hook, match))


def forgotten(bench):
    """To the slow path alone the connection is new then, and its packets are dropped."""
    return ("nft 'add table ip t; add chain ip t c { type filter hook prerouting priority -100; }; "
            "add rule ip t c ct state new drop' && conntrack -D -p " + bench.topo.proto)


def newer(bench, choose=max):
    """Each client's port sends a datagram to another service, with the same real server: on the
    CPU of the load, or on another one."""
    t = bench.topo
    cpus = os.sched_getaffinity(0)
    second = t.virtual().replace(":80", ":81")
    bench.command("ipvsadm -A %s -s rr; ipvsadm %s" %
                  (second, t.real(0).replace(t.virtual(), second)))
    os.sched_setaffinity(0, {choose(cpus)})
    for conn in bench.trace.conns:
        side = copy.copy(conn.c)
        side.dport = 81
        bench.director.inject("c0", bench.frame(conn, side))
    os.sched_setaffinity(0, cpus)
    return "true"


def unreachable(*nets):
    return lambda _: "; ".join("ip route add unreachable " + net for net in nets)


def gateway_back(number):
    """It answers again, and is taken for most clients."""
    def event(bench):
        gateway = "10.1.0.%d" % number
        bench.command("ip neigh replace %s lladdr %s dev c0 nud reachable" %
                      (gateway, lladdr(number)))
        bench.moving = {conn.c.src for conn in bench.trace.conns
                        if gateway in bench.command("ip route get %s from 10.1.0.100" %
                                                    socket.inet_ntoa(conn.c.src))}
        if not bench.moving:
            raise Fail("all connections stay at their gateway")
        return "true"
    return event


def legs(bench):
    """The gateway to each client, by number, for packets from the virtual address."""
    return {conn.c.src: int(bench.command("ip route get %s from 10.1.0.100" % socket.inet_ntoa(
        conn.c.src)).split("via 10.1.0.")[1].split()[0]) for conn in bench.trace.conns}


def hashed_otherwise(bench):
    """Another choice of legs, by which a client has another gateway: by addresses, which "ip route
    get" can tell. Of other choices it tells the legs of packets that come with ports."""
    new = legs(bench)
    for choice in ("policy=1", "fields=1", "fields=2"):
        bench.command("sysctl -qw net.ipv4.fib_multipath_hash_policy=3 "
                      "net.ipv4.fib_multipath_hash_" + choice)
        time.sleep(2 * SWEEP / 1000)
        old = {}
        for _, dev, _, raw in bench.out[-BEHIND:]:
            if dev == "c0":
                old[raw[IP + 16:IP + 20]] = raw[VNET + 5] + (raw[VNET + 4] << 8)
        bench.moving = {src: number for src, number in old.items() if new.get(src, number) != number}
        if bench.moving:
            bench.command("sysctl -qw net.ipv4.fib_multipath_hash_policy=0")
            return "true"
    raise Fail("all connections stay at their gateway")


def group_replaced(bench):
    """One gateway is left of a group."""
    bench.moving = {src: number for src, number in legs(bench).items() if number == 251}
    bench.command("ip nexthop replace id 3 group 2")
    return "true"


SERVER0 = "10.2.0.10"
# The clients of Trace, by routes that are better than those of Topology.
CLIENTS4 = ("10.1.0.8/29", "10.1.0.16/29", "172.16.0.0/17")
CLIENTS6 = ("fd00:1::10/125", "fd00:16::/80")
ANSWERS6 = {"answers": True, "fam": 6, "ofam": 6, "servers": 1}
# Answers have another route behind IPVS than before.
REROUTED = ("ip rule add from 10.1.0.100 table 77; ip route add 10.1.0.0/24 dev c0 table 77; "
            "ip route add 172.16.0.0/16 via 10.1.0.254 table 77")
# The gateway of nearly all clients' addresses does not answer.
LEGS = "; ".join(
    ["sysctl -qw net.ipv4.fib_multipath_use_neigh=1",
     "ip neigh change 10.1.0.253 dev c0 nud failed"] +
    ["ip route add %s nexthop via 10.1.0.254 weight 1 nexthop via 10.1.0.253 weight 255" % net
     for net in CLIENTS4])
# The gateway of the first default route does not answer. Clients are far.
DEFAULTS = "; ".join(
    ["sysctl -qw net.ipv4.fib_multipath_use_neigh=0",
     "ip neigh change 10.1.0.251 dev c0 nud failed", "ip neigh change 10.1.0.252 dev c0 nud reachable", "ip route del 172.16.0.0/16",
     "ip route add default via 10.1.0.251", "ip route append default via 10.1.0.252"])
# Two legs for all clients.
TWO = "; ".join(["sysctl -qw net.ipv4.fib_multipath_use_neigh=0"] +
                ["ip route add %s nexthop via 10.1.0.251 nexthop via 10.1.0.252" % net
                 for net in CLIENTS4])
# The same by next-hop objects.
GROUP = "; ".join(["sysctl -qw net.ipv4.fib_multipath_use_neigh=0",
                   "ip nexthop add id 1 via 10.1.0.251 dev c0",
                   "ip nexthop add id 2 via 10.1.0.252 dev c0", "ip nexthop add id 3 group 1/2"] +
                  ["ip route add %s nhid 3" % net for net in CLIENTS4])
GUE = {"method": "gue", "tun_port": 5555}
ROWS = (
    Row("real server removed", removed, at_server(0)),
    Row("real server removed, direct routing", removed, device("s0"), method="dr"),
    Row("real server removed, added and removed, three times", flapping, at_server(0)),
    Row("real server removed and added again: packets missing", again, keeps=True),
    Row("service deleted", lambda b: "ipvsadm -D " + b.topo.virtual(), anything),
    Row("service replaced by another at its address", replaced, at_server(0)),
    Row("all services cleared", lambda b: "ipvsadm -C", anything),
    Row("weight set to 0: packets missing", weight, keeps=True),
    Row("tunnel's port edited", port, outer_port(5555), **GUE),
    Row("route replaced", lambda b: "ip route replace %s via 10.2.0.253" % SERVER0,
        to_mac(512)),
    Row("route removed", lambda b: "ip route del 10.2.0.0/24 dev s0", device("s0")),
    Row("MTU lowered", lambda b: "ip link set s0 mtu 68", longer(68)),
    Row("device down", lambda b: "ip link set s0 down", device("s0")),
    Row("device renamed: packets missing", lambda b: "ip link set s0 name t0 || true",
        keeps=True),        # before 6.2 a device that is up keeps its name
    Row("device moved to another namespace", lambda b: "ip link set s0 netns 1", device("s0")),
    Row("device removed", lambda b: "ip link del s0", device("s0")),
    Row("neighbour's MAC changed", lambda b: "ip neigh replace %s lladdr 02:00:00:00:99:99 dev s0 "
        "nud permanent" % SERVER0, to_mac(512)),
    Row("neighbour fails", lambda b: "ip neigh change %s dev s0 nud failed" % SERVER0, to_mac(512)),
    Row("IPv6 forwarding switched off", lambda b: "sysctl -qw net.ipv6.conf.all.forwarding=0",
        device("c0"), **ANSWERS6),
    Row("IPv6 policy rule added", lambda b: "ip -6 rule add from fd00:1::100 prohibit",
        device("c0"), **ANSWERS6),
    Row("client made unreachable", unreachable(*CLIENTS4), device("c0"), answers=True, servers=1),
    Row("client made unreachable, IPv6", unreachable(*CLIENTS6), device("c0"), **ANSWERS6),
    Row("MTU of an answer's first route lowered", lambda b:
        "ip route replace 10.1.0.0/24 dev c0 mtu 68; "
        "ip route replace 172.16.0.0/16 via 10.1.0.254 mtu 68", device("c0"), answers=True,
        before=REROUTED, servers=1),
    Row("newer connection with the same answers", newer, old_port, answers=True, xdp=False,
        servers=1, proto="udp"),
    Row("newer connection with the same answers, on another CPU", lambda b: newer(b, min),
        old_port, answers=True, lease=True, xdp=False, servers=1, proto="udp"),
    Row("the same, where a rule may decide", lambda b: newer(b, min),
        old_port, answers=True, lease=True, xdp=False, servers=1, proto="udp", chain=True),
    Row("better IPv6 route to the clients deleted", lambda b: "; ".join(
        "ip -6 route del %s dev s1" % net for net in CLIENTS6), device("s1"), lease=True,
        before="; ".join("ip -6 route add %s via fd00:21::fe dev s1" % net for net in CLIENTS6),
        **ANSWERS6),
    Row("the same, where a rule may decide, IPv6", lambda b: "; ".join(
        "ip -6 route del %s dev s1" % net for net in CLIENTS6), device("s1"), lease=True,
        before="; ".join("ip -6 route add %s via fd00:21::fe dev s1" % net for net in CLIENTS6),
        chain=True, **ANSWERS6),
    Row("gateway of a multipath route answers again", gateway_back(253), other_gateway(254),
        answers=True, lease=True, before=LEGS, servers=1),
    Row("gateway of the first default route answers again", gateway_back(251), other_gateway(252),
        answers=True, lease=True, before=DEFAULTS, servers=1, extras="multipath"),
    Row("legs of a multipath route chosen otherwise", hashed_otherwise, old_leg, answers=True,
        sweep=True, before=TWO, servers=1, extras="multipath"),
    Row("group of next-hop objects replaced", group_replaced, old_leg, answers=True, before=GROUP,
        servers=1, extras="multipath"),
    Row("reverse path filter switched on", lambda b: "sysctl -qw net.ipv4.conf.c0.rp_filter=1",
        anything, lease=True,
        before="; ".join("ip route add %s via 10.2.1.254" % net for net in CLIENTS4)),
    Row("timeouts of IPVS lowered to 60 s: packets missing or elsewhere", lambda b:
        "ipvsadm --set 60 60 60", moved, keeps=True, long=True),
    Row("timeouts of IPVS lowered and raised: packets missing or elsewhere", lambda b:
        "ipvsadm --set 60 60 60; ipvsadm --set 900 120 300", moved, keeps=True, long=True),
    Row("rule added to raw", rule("table ip t { chain c { type filter hook prerouting priority "
                                  "raw; meta l4proto PROTO drop; }; }"), anything, xdp=False),
    Row("rule added to ingress", rule("table netdev t { chain c { type filter hook ingress device "
                                      "c0 priority 0; meta l4proto PROTO drop; }; }"), anything,
        xdp=False),
    Row("notrack added to raw", rule(
        "table ip t { chain p { type filter hook postrouting priority 300; "
        "ct state untracked drop; }; "
        "chain c { type filter hook prerouting priority raw; meta l4proto PROTO notrack; }; }"),
        anything, xdp=False, conntrack=True, ct_rules=True),
    Row("payload rewritten at INPUT", rule(
        "table ip t { chain c { type filter hook input priority mangle; udp dport 80 "
        "@th,64,32 set 0x41424344; }; }"), unchanged, proto="udp"),
    Row("rule added to INPUT", late("input"), anything),
    Row("rule added to POST_ROUTING", late("postrouting", 'oifname "s*" meta l4proto PROTO'),
        anything),
    Row("net.ipv4.vs.pmtu_disc switched off", lambda b: "sysctl -qw net.ipv4.vs.pmtu_disc=0",
        outer_df, lease=True, method="ipip"),
    Row("conntrack entry deleted", forgotten, anything, conntrack=True, ct_rules=True),
    Row("IPv6 switched off at the clients' device", lambda b:
        "sysctl -qw net.ipv6.conf.c0.disable_ipv6=1", anything, hook=False, fam=6, method="ipip"),
    Row("scope switched off: hits behind it", lambda b: "sysctl -qw net.shadowlb.scope=0",
        keeps=True),
    Row("module removed: packets missing", lambda b: "rmmod shadowlb", keeps=True,
        xdp=False),         # its program holds it
)
