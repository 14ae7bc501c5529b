# SPDX-License-Identifier: GPL-2.0
"""What happens to a director while traffic goes on, and must hold from the next packet on
(docs/contract.md, Bounds on a stale decision)."""
from . import nl, rules
from .pkt import packed
from .topo import MACS, lladdr

# What flows have served is counted a sweep later at most, and IPVS sums up every 2 s before
# 6.2. Before counters are set to zero, or go to a service made anew, there is a pause, and
# both directors' must agree.
SWEEP = 1.2
COUNTED = 3.4
# With expire_nodest_conn the client's next packet ends a connection whose server is gone, and
# a worker of IPVS's ends all of them, at the next tick. Where that packet has no flow, one
# for answers may hold the connection for a sweep: the test goes on when neither director
# knows one any more. Which comes first, packet or worker, is chance. It matters where the
# packet is dropped for its conntrack entry: then none is sent; and where the server comes
# back at once.
# jiffies, by which flows count leases, may stay behind on a busy machine
LATE = 1


class Event:
    """Commands for both directors, in this order; pause, rest: seconds before and behind
    them; agree: the counters of both must be equal before; hush: each client sends one packet
    behind them; ends: real servers (ALL) to which then there must be no connection any more;
    then: an event that follows without a packet between; revives: real servers come back."""

    ALL = b""

    def __init__(self, name, ip="", ipvs="", nft="", sysctl=None, pause=0.0, rest=0.0,
                 agree=False, hush=False, ends=None, then=None, revives=False):
        self.name, self.ip, self.ipvs, self.nft = name, ip, ipvs, nft
        self.sysctl = sysctl or {}
        self.pause, self.rest, self.agree = pause, rest, agree
        self.hush, self.ends, self.then, self.revives = hush, ends, then, revives

    def apply(self, director):
        with director:
            if self.ip:
                nl.ip(self.ip)
            if self.ipvs:
                nl.ipvsadm(self.ipvs)
            if self.nft:
                nl.nft(self.nft)
            director.sysctl(self.sysctl)

    def __str__(self):
        values = "".join("%s=%s\n" % item for item in self.sysctl.items())
        text = "event: %s %s" % (self.name, (self.ip + self.ipvs + self.nft + values)
                                 .replace("\n", "; "))
        return text + ("then, " + str(self.then) if self.then else "")


class Events:
    def __init__(self, topo):
        self.topo, self.rnd = topo, topo.rnd
        self.gone = set()
        self.late = False
        self.names = ["neighbour", "client-neighbour", "route", "client-route", "mtu", "weight",
                      "server-gone", "server-back", "raw-rule", "late-rule", "pause", "clear",
                      "zero"]
        # what conntrack does not see is acknowledged all the same; XDP comes before rules
        if topo.conntrack or topo.xdp:
            self.names.remove("raw-rule")
        # A connection without its server is rescheduled: with source NAT, by a source port drawn
        # at random; if it begins by a fragment, it has the answers a lease later.
        if topo.snat or topo.shared:
            self.names.remove("server-gone")
            self.names.remove("clear")
        if topo.shared:     # the same for one whose first packet does not leave
            self.names.remove("late-rule")

    def draw(self):
        """The next event, or None."""
        return getattr(self, self.rnd.choice(self.names).replace("-", "_"))()

    def server(self):
        i = self.rnd.randrange(self.topo.servers)
        return i, self.topo.rs[i][0], self.topo.rs[i][1]

    def neighbour(self):
        _, text, dev = self.server()
        if self.topo.gateway:
            text = ("10.2.%s.254" if self.topo.ofam == 4 else "fd00:2%s::fe") % dev[1]
        return Event("neighbour", "neighbour replace %s lladdr %s dev %s nud permanent\n" %
                     (text, lladdr(0x7700 + self.rnd.randrange(200)), dev))

    def client_neighbour(self):
        host = self.rnd.randrange(8)
        text = "10.1.0.%d" % (10 + host) if self.topo.fam == 4 else "fd00:1::%x" % (16 + host)
        return Event("client-neighbour", "neighbour replace %s lladdr %s dev c0 nud permanent\n" %
                     (text, lladdr(0x7600 + host)))

    def route(self):
        _, text, dev = self.server()
        d, gw = dev[1], self.rnd.choice((253, 254))
        if self.topo.onearm:
            return None
        if self.topo.ofam == 4:
            to = "10.3.%s.0/24" % d if self.topo.gateway else text + "/32"
            return Event("route", "route replace %s via 10.2.%s.%d\n" % (to, d, gw))
        to = "fd00:3%s::/64" % d if self.topo.gateway else text + "/128"
        return Event("route", "route replace %s via fd00:2%s::%x\n" % (to, d, gw))

    def client_route(self):
        if self.topo.fam == 4:
            return Event("client-route", "route replace 172.16.0.0/16 via 10.1.0.253\n")
        return Event("client-route", "route replace fd00:16::/64 via fd00:1::fd\n")

    def mtu(self):
        return Event("mtu", "link set %s mtu %d\n" %
                     (self.rnd.choice(sorted(MACS)), self.rnd.choice((1280, 1350, 1500, 2000))))

    def weight(self):
        i, _, _ = self.server()
        if i in self.gone:
            return None
        return Event("weight", ipvs=self.topo.reals(i, self.rnd.choice((0, 0, 2)), "-e"))

    def server_gone(self):
        i, _, _ = self.server()
        if i in self.gone:
            return None
        self.gone.add(i)
        nodest = self.topo.nodest
        return Event("server-gone", ipvs=self.topo.gone(i), hush=nodest and not self.topo.conntrack,
                     ends=packed(self.topo.rs[i][0]) if nodest else None)

    def server_back(self):
        if not self.gone:
            return None
        return Event("server-back", ipvs=self.topo.reals(self.gone.pop(), 1, "-a"),
                     pause=SWEEP, revives=True)

    def raw_rule(self):
        c = self.rnd.choice(sorted(MACS))
        return Event("raw-rule", nft="table inet raw%d { chain pre { type filter hook prerouting "
                     "priority raw; iifname %s meta l4proto %d th sport & 3 == 1 drop; }; }\n" %
                     (self.rnd.randrange(1 << 30), c, self.topo.l4))

    def late_rule(self):
        if self.late or self.topo.lease != 1:
            return None
        self.late = True
        return Event("late-rule", nft="table inet late { chain post { type filter hook "
                     "postrouting priority mangle; meta l4proto %d th dport & 3 == 1 drop; }; }\n" %
                     self.topo.l4, rest=rules.settles(self.topo))

    def zero(self):
        """What is not summed up is not set to zero: by flows a sweep later, by IPVS every
        2 s."""
        return Event("zero", ipvs="-Z\n", pause=COUNTED, agree=True)

    def pause(self):
        return Event("pause", pause=self.rnd.choice((1.2, 2.3)))

    def clear(self):
        """All services go; new ones come at once, or when the connections have ended."""
        if self.rnd.random() < .5:
            return None
        self.gone.clear()
        if self.topo.nodest:
            return Event("clear", ipvs="-C\n", pause=COUNTED, agree=True, ends=Event.ALL,
                         then=Event("anew", ipvs=self.topo.ipvs(), revives=True))
        return Event("clear", ipvs="-C\n" + self.topo.ipvs(), pause=COUNTED, agree=True,
                     revives=True)
