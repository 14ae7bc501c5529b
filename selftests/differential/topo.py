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

from . import extras, nl, rules
from .pkt import SCTP, TCP, UDP, mac

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
        self.edits = {}         # real server: (method, port of GUE), if not those of all
        self.options(rnd)
        for name, value in (force or {}).items():
            setattr(self, name, value)
        self.settle_options()
        self.draw_servers(rnd)

    @property
    def tun_ports(self):
        """Ports of GUE: the one at first, and the one that "ipvsadm -e" may set."""
        return self.tun_port, 7777

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
        self.chain = random.Random(self.seed + .5).random() < .5
        if "SLB_VERIFY" in os.environ:
            self.verify = int(os.environ["SLB_VERIFY"])
        self.xdp = ""                   # or native, or generic
        extras.draw(self)

    def settle_options(self):
        """What does not go together."""
        extras.settle(self)
        if self.service == "anyport" and not self.persistent:
            self.persistent = 300
        # docs/contract.md: a removed server's template lasts for longer
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
        vips = ("10.1.0.100", "10.1.0.101") if self.fam == 4 else ("fd00:1::100", "fd00:1::101")
        # of each service; there is one, but for "shared"
        self.at = [(vips[1], self.vport), (vips[0], self.vport + 2)]
        self.at = ([(vips[0], self.vport)] + self.at[::-1 if self.by_port else 1])[:self.services]
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
                        if k not in ("rnd", "rs", "at", "l4", "extras")) + \
            " extras=" + "+".join(sorted(self.extras))

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
                                 ("xdp-offload", self.xdp and self.offload),
                                 ("cpus", self.cpus))
                 if on]
        return have + sorted(self.extras)

    # --- the network ---

    def ip_batch(self):
        out = ["link set lo up"]
        for n, dev in enumerate(("c0", "s0", "s1")):
            mtu = self.mtu_c if dev == "c0" else self.mtu_s
            out.append("link set %s address 02:00:00:00:00:%02x mtu %d up" % (dev, n + 1, mtu))
            v4, v6 = (("10.1.0", "fd00:1::"), ("10.2.0", "fd00:20::"), ("10.2.1", "fd00:21::"))[n]
            out.append("address add %s.1/24 dev %s" % (v4, dev))
            out.append("address add %s1/64 dev %s nodad" % (v6, dev))
            if self.redirects and self.fam == 6:
                out.append("address add fe80::1/64 dev %s nodad" % dev)
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
        out += self.multipath_routes() if self.multipath else []
        if self.shared:
            out += ["address add 10.1.0.101/32 dev c0", "address add fd00:1::101/128 dev c0 nodad"]
        if self.tos_route:
            out += ["route add 172.16.0.0/16 via 10.1.0.253 tos 16",
                    "route add 10.1.0.0/28 via 10.1.0.253 tos 16"]
        if self.mark_route:
            out += ["rule add fwmark 9 table 90", "rule add from fd00::/15 fwmark 9 table 90",
                    "route add default via 10.1.0.253 dev c0 table 90",
                    "route add default via fd00:1::fd dev c0 table 90"]
        return "\n".join(out) + "\n"

    def bridges(self, director):
        """Inside the namespace. A port takes what the bridge sends, as long as that may be, and what
        came by itself. It has no address, and sends nothing for itself: its bridge would not
        count that."""
        nl.ip("".join("link add %s type bridge mcast_snooping 0\n" % dev for dev in MACS))
        director.sysctl({"ipv6/conf/%s/disable_ipv6" % self.port(dev): 1 for dev in MACS})
        for line in ("master %s mtu 9216 up", "hairpin on"):
            nl.ip("".join("link set %s %s\n" % (self.port(dev), line.replace("%s", dev))
                          for dev in MACS))

    def port(self, dev):
        """The tap device by which dev receives."""
        return dev + "p" if self.bridged else dev

    def multipath_routes(self):
        """By gateways that nothing else goes by."""
        net, to, names = ("10.1.0.", "172.16.0.0/16", ("251", "252")) if self.fam == 4 else \
            ("fd00:1::", "fd00:16::/64", ("fb", "fc"))
        self.gateways = [net + name for name in names]
        return [self.neigh(gw, "c0", 251 + i) for i, gw in enumerate(self.gateways)] + \
            ["route replace %s %s" % (to, " ".join("nexthop via %s dev c0" % gw
                                                   for gw in self.gateways))]

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
                  "ipv4/fib_multipath_use_neigh": int(self.multipath),
                  "netfilter/nf_conntrack_acct": 1, "shadowlb/lease": self.lease,
                  "shadowlb/verify": self.verify}
        for conf in ("all", "default"):
            values.update({"ipv4/conf/%s/rp_filter" % conf: 0,
                           "ipv4/conf/%s/send_redirects" % conf: int(self.redirects),
                           "ipv6/conf/%s/accept_ra" % conf: 0,
                           "ipv6/conf/%s/dad_transmits" % conf: 0,
                           "ipv6/conf/%s/addr_gen_mode" % conf: 1,
                           "ipv6/conf/%s/router_solicitations" % conf: 0})
        return values

    @staticmethod
    def device_sysctls():
        """A neighbour that does not answer is asked again and again, and never given up; one
        that is to be asked has time until the end. Few packets wait: ICMP errors among them
        take memory from those of the other director."""
        values = {"mcast_solicit": 10000, "delay_first_probe_time": 10000,
                  "unres_qlen_bytes": 2304}
        return {"%s/neigh/%s/%s" % (ip, dev, name): value for ip in ("ipv4", "ipv6")
                for dev in MACS for name, value in values.items()}

    # --- IPVS ---

    def virtual(self, service=0):
        if self.fwmark:
            return "-f %d%s" % (self.fwmark, " -6" if self.fam == 6 else "")
        flag = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}[self.proto]
        host, port = self.at[service]
        return "%s %s:%d" % (flag, "[%s]" % host if self.fam == 6 else host,
                             0 if self.service == "anyport" else port)

    def real(self, i, weight=None, op="-a", service=0):
        method, tun_port = self.edits.get(i, (self.method, self.tun_port))
        text, _, drawn = self.rs[i]
        host = "[%s]" % text if ":" in text else text
        port = self.rport
        line = "%s %s -r %s:%d -w %d" % (op, self.virtual(service), host, port,
                                         drawn if weight is None else weight)
        line += {"nat": " -m", "dr": " -g"}.get(method, " -i")
        kind, _, flag = method.partition("-")
        if kind in ("gre", "gue"):
            line += " --tun-type " + kind
            if kind == "gue":
                line += " --tun-port %d" % tun_port
            line += " --tun-%s" % (flag or "nocsum")
        if self.threshold:
            line += " -x 3 -y 2"
        return line

    def reals(self, i, weight, op):
        """A real server of all services; a line each."""
        return "".join(self.real(i, weight, op, n) + "\n" for n in range(self.services))

    def gone(self, i):
        return "".join(line.split(" -w ")[0] + "\n"
                       for line in self.reals(i, 1, "-d").splitlines())

    def ipvs(self):
        lines = []
        for n in range(self.services):
            line = "-A %s -s %s" % (self.virtual(n), self.sched)
            if self.persistent:
                line += " -p %d" % self.persistent
                if self.netmask:
                    line += " -M " + ("255.255.255.248" if self.fam == 4 else "64")
            lines += [line] + [self.real(i, service=n) for i in range(self.servers)]
        return "\n".join(lines) + "\n"

    def setup(self, director, scope):
        if self.batch:
            for dev in MACS:
                director.tap(self.port(dev), self.offload, True, dev)
                director.threaded(self.port(dev))
        with director:
            director.sysctl(self.sysctls())
            for dev in MACS:
                if not self.batch:
                    director.tap(self.port(dev), self.offload, False, dev)
                if not self.gro:
                    director.gro_off(self.port(dev))
            if self.bridged:
                self.bridges(director)
            nl.ip(self.ip_batch())
            director.sysctl(self.device_sysctls())
            nft = rules.table(self)
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
         "egress": False, "chain": False, "mark_route": False, "netmask": False, "xdp": "", "extras": ""}

MACS = {dev: mac("02:00:00:00:00:%02x" % (n + 1)) for n, dev in enumerate(("c0", "s0", "s1"))}
