# SPDX-License-Identifier: GPL-2.0
"""Events of topologies with extras (extras.py), by dice of their own: what the slow path asks
at each packet (docs/contract.md) changes, and what is done can be undone later."""
import random

from . import rules
from .events import LATE, Event
from .extras import LABELS, rules_of_labels
from .nl import REFUSAL
from .topo import MACS, METHODS, lladdr


class Changes:
    def __init__(self, topo, gone):
        self.topo, self.gone = topo, gone   # gone: numbers of removed real servers
        self.rnd = random.Random(topo.seed * 48271 + 5)
        self.undo = []                  # events
        self.failed = set()             # neighbours that were dead once
        self.names = []
        if topo.multipath:
            self.names += ["dead"] * 3 + ["stale"]
        if topo.routing:
            self.names += ["dead", "forwarding", "forwarding", "rule", "rule", "unreachable"]
        if topo.edited:
            self.names += ["edit"] * 3
        if topo.labels and topo.routing and rules_of_labels() and not topo.multipath:
            self.names += ["label"] * 3
        if topo.routing and topo.method == "nat":
            self.names += ["narrow"] * 2
        if topo.rewrite == "late":
            self.names += ["rewrite"] * 3
        if topo.notrack == "event":
            self.names += ["notrack"] * 3

    def due(self):
        return self.names and self.rnd.random() < .3

    def draw(self):
        """The next event, or None."""
        if self.undo and self.rnd.random() < .5:
            return self.undo.pop(self.rnd.randrange(len(self.undo)))
        return getattr(self, self.rnd.choice(self.names))()

    def once(self, name):
        self.names = [n for n in self.names if n != name]

    # --- neighbours ---

    def neighbour(self):
        """Address and device of one that packets go to."""
        t, rnd = self.topo, self.rnd
        if t.multipath and rnd.random() < .8:
            return rnd.choice(t.gateways), "c0"
        if rnd.random() < .5:
            return self.client(False), "c0"
        text, dev, _ = rnd.choice(t.rs)
        if t.gateway:
            text = ("10.2.%s.254" if t.ofam == 4 else "fd00:2%s::fe") % dev[1]
        return text, dev

    def is_now(self, where, state):
        return "neighbour replace %s lladdr %s dev %s nud %s\n" % \
            (where[0], lladdr(0x7500 + self.rnd.randrange(200)), where[1], state)

    def dead(self):
        """Packets to it wait until it is back, or take the other leg of an IPv4 route: at once.
        They come back a lease later."""
        where = self.neighbour()
        self.failed.add(where)
        self.undo.append(Event("neighbour-back", ip=self.is_now(where, "permanent"),
                               rest=self.back(where)))
        return Event("neighbour-dead", ip=self.is_now(where, "failed"))

    def back(self, where):
        """How long packets may take the other leg of an IPv4 route when this neighbour is back."""
        leg = self.topo.fam == 4 and self.topo.multipath and where in self.failed
        return (self.topo.lease + LATE) * leg

    def stale(self):
        """Back, too, if it was dead."""
        where = self.neighbour()
        return Event("neighbour-stale", ip=self.is_now(where, "stale"), rest=self.back(where))

    # --- routing ---

    def client(self, far):
        host = self.rnd.randrange(8)
        if far:
            return "172.16.%d.%d" % (host & 1, host + 1) if self.topo.fam == 4 else \
                "fd00:16::%x" % (host + 1)
        return "10.1.0.%d" % (10 + host) if self.topo.fam == 4 else "fd00:1::%x" % (16 + host)

    def forwarding(self):
        """The switch of all devices, and of one: IPv6 knows the former alone."""
        names = ["ipv4/ip_forward", "ipv4/conf/all/forwarding"] if self.topo.fam == 4 else \
            ["ipv6/conf/all/forwarding"] * 2
        names += ["ipv%d/conf/%s/forwarding" % (self.topo.fam, self.rnd.choice(sorted(MACS)))]
        name = self.rnd.choice(names)
        self.undo.append(Event("forwarding-on", sysctl={name: 1}))
        return Event("forwarding-off", sysctl={name: 0})

    def rule(self):
        t, rnd = self.topo, self.rnd
        far = "172.16.0.0/16" if t.fam == 4 else "fd00:16::/64"
        clients = [far, self.client(False), self.client(True)]
        who = rnd.choice(["from " + t.at[0][0], "to " + rnd.choice(clients),
                          "to " + rnd.choice(clients), "from " + rnd.choice(t.rs)[0],
                          "to " + rnd.choice(t.rs)[0]])
        what = rnd.choice(sorted(REFUSAL) + ["table 91"])
        route = self.other_way(who) if what == "table 91" else ""
        line = "rule %%s %s %s\n" % (who, what)
        self.undo.append(Event("rule-gone", ip=line % "delete"))
        return Event("rule", ip=route + line % "add")

    def label(self):
        """A policy rule for an IPv6 flow label."""
        who = "to fd00:16::/64 flowlabel %d" % self.rnd.choice(LABELS)
        line = "rule %%s %s table 91\n" % who
        self.undo.append(Event("label-gone", ip=line % "delete"))
        return Event("label", ip=self.other_way(who) + line % "add")

    @staticmethod
    def other_way(who):
        return "route replace default via %s dev c0 table 91\n" % \
            ("fd00:1::fd" if ":" in who else "10.1.0.253")

    def narrow(self):
        """Answers come by a route with a small MTU, and IPVS gives them another one; once."""
        self.once("narrow")
        t = self.topo
        to, gateway, mtu = ("172.16.0.0/16", "10.1.0.254", self.rnd.choice((600, 1000))) \
            if t.fam == 4 else ("fd00:16::/64", "fd00:1::fe", 1280)
        way = "route replace %s via %s" % (to, gateway)
        rule = "rule %%s from %s table 91\n" % t.at[0][0]
        self.undo.append(Event("wide", ip=way + "\n" + rule % "delete"))
        return Event("narrow", ip="%s mtu %d\n" % (way, mtu) + self.other_way(to) + rule % "add")

    def unreachable(self):
        """The route to a client; once each."""
        host = self.client(self.rnd.random() < .5)
        line = "route %%s %s %s\n" % (self.rnd.choice(sorted(REFUSAL)), host)
        if any(host in event.ip for event in self.undo if event.name == "reachable"):
            return None
        self.undo.append(Event("reachable", ip=line % "delete"))
        return Event("unreachable", ip=line % "add")

    # --- tunnels ---

    def edit(self):
        t, rnd = self.topo, self.rnd
        i = rnd.randrange(t.servers)
        kinds = [m for m in METHODS if m not in ("nat", "dr")]
        if t.xdp:               # leaves ports to the hook
            kinds = [m for m in kinds if m.startswith("gue") == t.method.startswith("gue")]
        how = rnd.choice(kinds), rnd.choice(t.tun_ports)
        if i in self.gone:
            return None
        t.edits[i] = how
        return Event("edit", ipvs=t.reals(i, None, "-e"))

    # --- rules ---

    def rewrite(self):
        self.once("rewrite")
        return Event("rewrite", nft=rules.rewrite(self.topo), rest=rules.settles(self.topo))

    def notrack(self):
        self.once("notrack")
        return Event("notrack", nft=rules.notrack(self.topo))
