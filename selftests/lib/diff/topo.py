# SPDX-License-Identifier: GPL-2.0
"""Topologies: drawn from a seed, told to a director.

                 c0  +----------+  s0   real servers 0, 2, .. (10.2.0.x, fd00:20::x)
    clients  --------| director |-------
    10.1.0.x         |          |  s1   real servers 1, 3, .. (10.2.1.x, fd00:21::x)
    172.16.x.x by    |   VIP    |-------
      10.1.0.254     +----------+         or behind a gateway (10.3.d.x, fd00:3d::x)

Every wire is a tap device of net.py. Clients and real servers are numbers in trace.py,
nobody listens. With one arm, real servers are at c0, in its network.
"""
import os
import random

from . import nl
from .pkt import SCTP, TCP, UDP, mac, packed

# What a topology can be. Seed n takes the n-th, so that every kind has its turn; all
# else is drawn. Inner and outer family differ for tunnels alone.
METHODS = ("nat", "dr", "ipip", "gre", "gre-csum", "gue", "gue-csum", "gue-remcsum")
PROTOS = {"tcp": TCP, "udp": UDP, "sctp": SCTP}


def kinds():
    plain = [(m, f, f, p) for p in ("tcp", "udp", "sctp") for m in ("nat", "dr")
             for f in (4, 6)]
    tunnels = [(m, f, o, p) for p in ("tcp", "udp", "sctp") for m in METHODS[2:]
               for f in (4, 6) for o in (4, 6)]
    # NAT and DR as often as all tunnels together
    every, i = [], 0
    for n, tunnel in enumerate(tunnels):
        every += [plain[i % len(plain)], tunnel]
        i += 1
        if n % 6 == 5:
            every.append(("nat", 4, 4, "tcp" if n % 12 == 5 else "udp"))
    random.Random(0).shuffle(every)
    return every


KINDS = kinds()


def lladdr(number):
    return "02:00:00:01:%02x:%02x" % (number >> 8, number & 255)


class Topology:
    """Everything drawn but the trace. The text of it is repr()."""

    def __init__(self, seed, force=None):
        self.seed = seed
        self.rnd = rnd = random.Random(seed * 2654435761 + 1)
        self.method, self.fam, self.ofam, self.proto = KINDS[seed % len(KINDS)]
        self.options(rnd)
        for name, value in (force or {}).items():
            setattr(self, name, value)
        self.settle_options()
        self.draw_servers(rnd)

    def options(self, rnd):
        def maybe(p):
            return rnd.random() < p

        self.service = rnd.choices(("addr", "fwmark", "anyport"), (7, 2, 1))[0]
        self.persistent = rnd.choice((0, 0, 0, 60, 300))
        self.netmask = maybe(.5)
        self.threshold = maybe(.1)
        self.sched = rnd.choice(("rr", "wrr", "sh", "mh", "rr"))
        self.servers = rnd.randint(1, 5)
        self.conntrack = maybe(.3)
        self.snat = rnd.choice(("", "", "masquerade", "snat"))
        self.mark = maybe(.15)          # without a meaning to IPVS
        self.mark_route = maybe(.5)
        # clients are reached by another way, by DSCP
        self.tos_route = maybe(.5 if (self.method, self.fam) == ("nat", 4) else .2)
        self.ct_rules = maybe(.1)
        self.dscp_rule = maybe(.05)
        self.onearm = maybe(.1)
        self.gateway = maybe(.25)
        self.offload = maybe(.6)
        self.batch = maybe(.2)          # many packets at once: lists, GRO
        self.gro = maybe(.5)
        self.pmtu_disc = maybe(.7)
        self.nodest = maybe(.5)
        self.sloppy = maybe(.3)
        self.schedule_icmp = maybe(.2)
        self.fwd_priority = maybe(.5)
        self.lease = rnd.choice((10, 10, 10, 1))
        self.spice = rnd.choice((.02, .1, .25))
        self.mtu_c = rnd.choice((1500, 1500, 1500, 9000, 1400))
        self.mtu_s = rnd.choice((1500, 1500, 1500, 9000, 1400, 1300))
        self.events = maybe(.4)
        self.conns = rnd.choice((3, 8, 12))
        self.vport = rnd.choice((80, 53, 5060, 443))
        self.rport = rnd.choice((self.vport, 8080))
        self.tun_port = rnd.choice((6080, 5555, 1, 65535))
        # by dice of their own: older seeds stay what they were
        self.verify = random.Random(self.seed).choice((0, 0, 0, 0, 1, 3))
        self.egress = self.mark or random.Random(-self.seed).random() < .2
        if "SLB_VERIFY" in os.environ:
            self.verify = int(os.environ["SLB_VERIFY"])
        self.xdp = ""                   # or native, or generic

    def settle_options(self):
        """What does not go together."""
        if self.service == "anyport" and not self.persistent:
            self.persistent = 300
        # docs/design.md: a removed server's template lasts for longer
        self.nodest = self.nodest and not self.persistent
        self.tunnel = self.method not in ("nat", "dr")
        self.fwmark = 7 if self.service == "fwmark" else 0
        if self.service != "addr" or self.method != "nat":
            self.rport = self.vport if self.service == "addr" else 0
        if not self.conntrack or self.method != "nat":
            self.snat = ""
        if self.fwmark:
            self.mark = False
        if self.proto == "sctp":        # some states last for 2 s, and servers change then
            self.threshold = False
        self.reuse = not self.threshold     # of ports: the old connection ends at a tick
        if self.xdp:                    # frames from XDP meet no egress hook
            self.egress = False
        self.mark_route = self.mark_route and self.mark and self.method == "nat" and not self.snat
        if self.onearm:
            self.gateway = False
            self.mtu_s = self.mtu_c

    def draw_servers(self, rnd):
        self.l4 = PROTOS[self.proto]
        self.vip = packed("10.1.0.100" if self.fam == 4 else "fd00:1::100")
        self.rs = []
        for i in range(self.servers):
            d = i % 2
            net = 3 if self.gateway else 2
            if self.onearm:
                text = "10.1.0.%d" % (200 + i) if self.ofam == 4 else "fd00:1::%x" % (512 + i)
            elif self.ofam == 4:
                text = "10.%d.%d.%d" % (net, d, 10 + i)
            else:
                text = "fd00:%d%d::%x" % (net, d, 16 + i)
            self.rs.append((text, "c0" if self.onearm else "s%d" % d,
                            rnd.choice((1, 1, 2, 3)) if i else 1))

    def __str__(self):
        return " ".join("%s=%s" % (k, v) for k, v in sorted(vars(self).items())
                        if k not in ("rnd", "rs", "vip", "l4"))

    # --- for the coverage table ---

    def row(self):
        fam = "%d" % self.fam if self.fam == self.ofam else "%din%d" % (self.fam, self.ofam)
        return self.method, fam, self.proto

    def features(self):
        """Each may keep flows from serving it (expect.py)."""
        have = [self.method, "ipv%d" % self.fam, self.proto]
        if self.tunnel:
            have.append("tunnel")
        if self.ofam != self.fam:
            have.append("mixed")
        have += [n for n, on in (("fwmark", self.fwmark), ("conntrack", self.conntrack),
                                 ("snat", self.snat), ("anyport", self.service == "anyport"),
                                 ("persistent", self.persistent), ("mark", self.mark),
                                 ("dscp-rule", self.dscp_rule), ("ct-rules", self.ct_rules),
                                 ("onearm", self.onearm), ("batch", self.batch),
                                 ("xdp-offload", self.xdp and self.offload))
                 if on]
        return have

    # --- the network ---

    def ip_batch(self):
        out = ["link set lo up"]
        for n, dev in enumerate(("c0", "s0", "s1")):
            mtu = self.mtu_c if dev == "c0" else self.mtu_s
            out.append("link set %s address 02:00:00:00:00:%02x mtu %d up" % (dev, n + 1, mtu))
            v4, v6 = (("10.1.0", "fd00:1::"), ("10.2.0", "fd00:20::"), ("10.2.1", "fd00:21::"))[n]
            out.append("address add %s.1/24 dev %s" % (v4, dev))
            out.append("address add %s1/64 dev %s nodad" % (v6, dev))
            for host in (253, 254):
                out.append(self.neigh("%s.%d" % (v4, host), dev, n * 256 + host))
                out.append(self.neigh("%s%x" % (v6, host), dev, n * 256 + host))
        out += ["address add 10.1.0.100/32 dev c0", "address add fd00:1::100/128 dev c0 nodad",
                "address add 10.2.0.77/32 dev s0", "address add fd00:20::77/128 dev s0 nodad",
                "route add 172.16.0.0/16 via 10.1.0.254",
                "route add fd00:16::/64 via fd00:1::fe"]
        for d in range(2):
            out.append("route add 10.3.%d.0/24 via 10.2.%d.254" % (d, d))
            out.append("route add fd00:3%d::/64 via fd00:2%d::fe" % (d, d))
        for i in range(16):
            out.append(self.neigh("10.1.0.%d" % (10 + i), "c0", 10 + i))
            out.append(self.neigh("fd00:1::%x" % (16 + i), "c0", 10 + i))
        for i, (text, dev, _) in enumerate(self.rs):
            if not self.gateway:
                out.append(self.neigh(text, dev, 512 + i))
        if self.tos_route:
            out += ["route add 172.16.0.0/16 via 10.1.0.253 tos 16",
                    "route add 10.1.0.0/28 via 10.1.0.253 tos 16"]
        if self.mark_route:
            out += ["rule add fwmark 9 table 90", "rule add from fd00::/15 fwmark 9 table 90",
                    "route add default via 10.1.0.253 dev c0 table 90",
                    "route add default via fd00:1::fd dev c0 table 90"]
        return "\n".join(out) + "\n"

    @staticmethod
    def neigh(text, dev, number):
        return "neighbour add %s lladdr %s dev %s nud permanent" % (text, lladdr(number), dev)

    def sysctls(self):
        values = {"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1,
                  "ipv4/icmp_ratemask": 0, "ipv4/icmp_ratelimit": 0,
                  "ipv6/icmp/ratelimit": 0, "ipv6/icmp/ratemask": "0-0",
                  "ipv4/ip_forward_update_priority": int(self.fwd_priority),
                  "ipv4/vs/conntrack": int(self.conntrack),
                  "ipv4/vs/pmtu_disc": int(self.pmtu_disc),
                  "ipv4/vs/expire_nodest_conn": int(self.nodest),
                  "ipv4/vs/sloppy_tcp": int(self.sloppy),
                  "ipv4/vs/sloppy_sctp": int(self.sloppy),
                  "ipv4/vs/schedule_icmp": int(self.schedule_icmp),
                  "netfilter/nf_conntrack_acct": 1, "shadowlb/lease": self.lease,
                  "shadowlb/verify": self.verify}
        for conf in ("all", "default"):
            values.update({"ipv4/conf/%s/rp_filter" % conf: 0,
                           "ipv4/conf/%s/send_redirects" % conf: 0,
                           "ipv6/conf/%s/accept_ra" % conf: 0,
                           "ipv6/conf/%s/dad_transmits" % conf: 0,
                           "ipv6/conf/%s/addr_gen_mode" % conf: 1,
                           "ipv6/conf/%s/router_solicitations" % conf: 0})
        return values

    def nft(self):
        """Nothing, if nothing is needed: nft loads conntrack."""
        out = []
        ip = "ip" if self.fam == 4 else "ip6"
        vip = "10.1.0.100" if self.fam == 4 else "fd00:1::100"
        if self.fwmark or self.mark:
            out.append("chain c5 { type filter hook prerouting priority mangle; "
                       "%s daddr %s meta mark set %d" % (ip, vip, self.fwmark or 9))
            if self.mark:
                out.append("iifname \"s*\" meta mark set 9")
            out.append("}")
        if self.snat:
            what = "masquerade" if self.snat == "masquerade" else \
                "snat to " + ("10.2.0.77" if self.fam == 4 else "fd00:20::77")
            names = '"c0"' if self.onearm else '"s*"'
            out.append("chain c4 { type nat hook postrouting priority srcnat; "
                       "oifname %s meta l4proto %s %s; }" %
                       (names, self.l4, what))
        if self.ct_rules:
            out.append("chain c1 { type filter hook forward priority filter; "
                       "ct state invalid counter drop; }")
            out.append("chain c2 { type filter hook input priority filter; "
                       "ct state established counter accept; }")
        if self.dscp_rule:
            out.append("chain c3 { type filter hook postrouting priority mangle; "
                       "%s dscp set af21; }" % ip)
        tables = ["table %s t {\n%s\n}\n" % (ip, "\n".join(out))] if out else []
        if self.egress:
            tables.append("table netdev e {\n%s\n}\n" % "\n".join(map(self.tell, MACS)))
        return "".join(tables)

    @staticmethod
    def tell(dev):
        """Mark and priority of what leaves, for whoever reads its source address."""
        rules = ["meta mark %d @ll,56,8 set %d" % (mark, mark) for mark in (7, 9)]
        rules += ["meta priority 0:%d @ll,64,8 set %d" % (i, i) for i in (2, 4, 6)]
        return "chain %s { type filter hook egress device %s priority 0; %s; }" % \
            (dev, dev, "; ".join(rules))

    # --- IPVS ---

    def virtual(self):
        if self.fwmark:
            return "-f %d%s" % (self.fwmark, " -6" if self.fam == 6 else "")
        flag = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}[self.proto]
        port = 0 if self.service == "anyport" else self.vport
        host = "10.1.0.100" if self.fam == 4 else "[fd00:1::100]"
        return "%s %s:%d" % (flag, host, port)

    def real(self, i, weight=None, op="-a"):
        text, _, drawn = self.rs[i]
        host = "[%s]" % text if ":" in text else text
        port = self.rport
        line = "%s %s -r %s:%d -w %d" % (op, self.virtual(), host, port,
                                         drawn if weight is None else weight)
        line += {"nat": " -m", "dr": " -g"}.get(self.method, " -i")
        kind, _, flag = self.method.partition("-")
        if kind in ("gre", "gue"):
            line += " --tun-type " + kind
            if kind == "gue":
                line += " --tun-port %d" % self.tun_port
            line += " --tun-%s" % (flag or "nocsum")
        if self.threshold:
            line += " -x 3 -y 2"
        return line

    def ipvs(self):
        line = "-A %s -s %s" % (self.virtual(), self.sched)
        if self.persistent:
            line += " -p %d" % self.persistent
            if self.netmask:
                line += " -M " + ("255.255.255.248" if self.fam == 4 else "64")
        return "\n".join([line] + [self.real(i) for i in range(self.servers)]) + "\n"

    def setup(self, director, scope):
        if self.batch:
            for dev in MACS:
                director.tap(dev, self.offload, True)
                director.threaded(dev)
        with director:
            director.sysctl(self.sysctls())
            for dev in MACS:
                if not self.batch:
                    director.tap(dev, self.offload, False)
                if not self.gro:
                    director.gro_off(dev)
            nl.ip(self.ip_batch())
            nft = self.nft()
            if nft:
                nl.nft(nft)
            nl.ipvsadm(self.ipvs())
            # in both: any program has the stack copy packets, which shows in how it
            # fragments them; without flows it lets all of them by
            for dev in MACS if self.xdp else ():
                director.xdp(dev, self.xdp)
            director.sysctl({"shadowlb/scope": scope})


# Nothing unusual: for tests that say what they want.
PLAIN = {"method": "nat", "fam": 4, "ofam": 4, "proto": "tcp", "service": "addr", "servers": 2,
         "persistent": 0, "threshold": False, "sched": "rr", "conntrack": False, "snat": "",
         "mark": False, "tos_route": False, "ct_rules": False, "dscp_rule": False,
         "onearm": False, "gateway": False, "offload": False, "batch": False, "nodest": False,
         "sloppy": False, "schedule_icmp": False, "lease": 10, "spice": 0, "mtu_c": 1500,
         "mtu_s": 1500, "events": False, "conns": 3, "vport": 80, "rport": 80, "verify": 0,
         "egress": False, "mark_route": False, "netmask": False, "xdp": ""}

MACS = {dev: mac("02:00:00:00:00:%02x" % (n + 1)) for n, dev in enumerate(("c0", "s0", "s1"))}
