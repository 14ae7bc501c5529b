# SPDX-License-Identifier: GPL-2.0
"""The trace: connections that send what a topology's clients and real servers would, and
some packets that they would not.

A connection knows both ends: what its client sends is addressed to the service; what its
real server sends is addressed to whom the server saw, which the first packet that left
the director tells (learn()). Each first packet carries a number of its connection.
"""
import random

from . import l4
from .pkt import (ETH, NEEDS_CSUM, NO_VNET, GSO_TCP4, GSO_TCP6, GSO_USO, DATA_VALID, SCTP, SYN,
                  TCP, UDP, address, fragments4, fragments6, frame, icmp, icmp6, ip4, ip6,
                  mac, packed, parse, vnet, ICMP, ICMP6, VNET)
from .extras import LABELS
from .topo import MACS, lladdr


class Shot:
    """One frame to inject."""
    __slots__ = ("dev", "data", "what", "conn", "plain", "fair")

    def __init__(self, dev, data, what, conn, plain=False, fair=False):
        self.dev, self.data, self.what, self.conn = dev, data, what, conn
        self.plain = plain              # nothing unusual about it
        self.fair = fair                # and so a flow should serve it

    @property
    def begins(self):
        """Does it have TCP's SYN?"""
        return self.what.startswith("SYN") or \
            self.what.startswith("flags") and bool(int(self.what.split()[1], 16) & SYN)

    def __str__(self):
        return "%s by %s, %s" % (self.what, self.dev, self.conn)


class Side:
    """From where and to where one direction's packets go."""
    __slots__ = ("dev", "smac", "src", "dst", "sport", "dport", "run", "ident", "mtu")

    def __init__(self, dev, smac, src, sport, dst, dport, mtu):
        self.dev, self.smac = dev, smac
        self.src, self.sport, self.dst, self.dport = src, sport, dst, dport
        self.run = 0                    # plain packets since the last unusual one
        self.ident = 1
        self.mtu = mtu


# What may be unusual about a packet, by how often.
UNUSUAL = {
    "tos": 6, "ecn": 4, "ttl1": 3, "ttl2": 3, "options": 3, "fragments": 4, "overlap": 1,
    "bad-ip": 2, "bad-csum": 4, "cut": 3, "padded": 6, "otherhost": 2, "broadcast": 1,
    "other-device": 2, "twice": 5, "big": 5, "df-big": 4, "partial": 8, "gso": 10,
    "valid": 8, "df": 6, "icmp-echo": 2, "icmp-client": 3, "icmp-server": 3,
    "stranger": 3, "protocol": 8,
}
# Those that may not arrive: what follows does not count on them.
LOST = {"ttl1", "options", "fragments", "overlap", "bad-ip", "bad-csum", "cut", "otherhost",
        "broadcast", "other-device", "big", "df-big", "gso", "icmp-client", "stranger",
        "protocol", "inner"}
# Flows serve these like any other.
SERVED = {"ecn", "df", "valid", "partial", "padded", "twice"}
# Conntrack takes these for none of the connection's. With rules that ask for its opinion
# of each packet there are no bad checksums. With masquerading such a packet becomes a
# connection of its own behind IPVS, whose source port is then drawn at random.
UNTRACKED = {"bad-csum", "protocol", "stranger", "overlap", "cut"}


class Trace:
    """All connections of a topology, and the frames they send next."""

    def __init__(self, topo):
        self.topo = topo
        self.rnd = topo.rnd
        self.tags = {}
        self.unlearned = False
        self.conns = []
        names, weights = zip(*UNUSUAL.items())
        self.names, self.weights = names, weights
        self.payload = self.rnd.randbytes(66000)
        # by dice of its own, see extras.py
        self.dice = random.Random(topo.seed * 69621 + 3)
        self.relabel = random.Random(topo.seed * 16807 + 7)
        self.often = ["options"] * topo.ext + ["inner"] * topo.inner
        for i in range(topo.conns):
            self.conns.append(self.connection(i))

    def connection(self, i):
        t, rnd = self.topo, self.rnd
        far = rnd.random() < .3 or t.multipath or t.routing and self.dice.random() < .4
        host = rnd.randrange(8)
        if far:
            src = packed("172.16.%d.%d" % (host & 1, host + 1) if t.fam == 4
                         else "fd00:16::%x" % (host + 1))
            smac = mac(lladdr(254))
        else:
            src = packed("10.1.0.%d" % (10 + host) if t.fam == 4 else "fd00:1::%x" % (16 + host))
            smac = mac(lladdr(10 + host))
        port = t.vport
        if t.service != "addr" and rnd.random() < .5:
            port = t.vport + 1
        sport = 20000 + i * 7 + rnd.randrange(7)
        vip, at = t.at[i % t.services]
        if i % t.services:              # the client's port is that of the connection before
            mate = self.conns[-1].c
            smac, src, sport = mate.smac, mate.src, mate.sport
        side = Side("c0", smac, src, sport, packed(vip), at if t.services > 1 else port, t.mtu_c)
        conn = {TCP: l4.Tcp, UDP: l4.Udp, SCTP: l4.Sctp}[t.l4](self, i, side)
        conn.start = 0 if i < 2 or rnd.random() < .5 else rnd.randrange(6)
        self.expect(conn)
        return conn

    def expect(self, conn):
        """A connection's tags; again when it begins anew."""
        self.tags[conn.ctag] = conn
        self.unlearned = True

    # --- what the director's output tells ---

    def learn(self, out):
        """out: {device: [frame]}, as sent by the director without flows."""
        if not self.unlearned:
            return
        t = self.topo
        for dev, frames in out.items():
            for raw in frames:
                seen = parse(raw, t.tun_ports)
                conn = seen and self.tags.get(seen.tag)
                if not conn or seen.proto != t.l4 or seen.dst == conn.c.src:
                    continue
                conn.seen = seen.packet
                conn.seen_dev = dev
                conn.outer = seen.outer
                conn.reached = True
                if t.method == "nat":
                    mtu = t.mtu_c if dev == "c0" else t.mtu_s
                    conn.s = Side(dev, raw[VNET:VNET + 6], seen.dst, seen.dport, seen.src,
                                  seen.sport, mtu)
        self.unlearned = any(not c.reached for c in self.conns)

    # --- frames ---

    def dress(self, side, proto, segment, conn, what, **how):
        """Shots for one transport packet, sent plainly, or unusually as how says."""
        make = self.ip4 if len(side.src) == 4 else self.ip6
        return make(side, proto, segment, conn, what, **how)

    def emit(self, side, packet, conn, what, head=NO_VNET, dst=None, dev=None, tail=b""):
        dev = dev or side.dev
        data = frame(dst or MACS[dev], side.smac, packet, head) + tail
        return Shot(dev, data, what, conn)

    def ip4(self, side, proto, segment, conn, what, ttl=64, tos=0, options=b"", cuts=None,
            bad_ip=False, df=True, ext=0, **how):
        side.ident = side.ident + 1 & 0xffff
        packet = ip4(side.src, side.dst, proto, segment, ttl, tos, side.ident,
                     0x4000 if df and not cuts else 0, options, bad_ip)
        pieces = fragments4(packet, cuts) if cuts else [packet]
        return [self.emit(side, piece, conn, what, **how) for piece in pieces]

    def ip6(self, side, proto, segment, conn, what, ttl=64, tos=0, options=b"", cuts=None,
            bad_ip=False, df=True, ext=0, **how):
        side.ident = side.ident + 1 & 0xffff
        if options:                     # PadN in an extension header
            kind = 0 if ext & 1 else 60
            segment = bytes((proto, 0, 1, 4, 0, 0, 0, 0)) + segment
            proto = kind
        # as a sender does that tries another path
        if self.topo.labels and self.relabel.random() < .1:
            conn.flow_label = self.relabel.choice(LABELS)
        packet = ip6(side.src, side.dst, proto, segment, ttl, tos,
                     conn.flow_label, len(segment) + 8 if bad_ip else None)
        pieces = fragments6(packet, cuts, side.ident) if cuts else [packet]
        return [self.emit(side, piece, conn, what, **how) for piece in pieces]

    def segment(self, conn, side):
        """One packet of data from that side: mostly plain."""
        rnd, t = self.rnd, self.topo
        unusual = ""
        if conn.settled and rnd.random() < t.spice:
            unusual = rnd.choices(self.names, self.weights)[0]
        if self.often and conn.settled and self.dice.random() < .15:
            unusual = self.dice.choice(self.often)
        size = rnd.choice((0, 1, 40, 200, 600, side.mtu - 200)) if rnd.random() < .8 else \
            rnd.randrange(side.mtu - 150)
        # both links, and the tunnel's headers
        size = min(size, t.mtu_s - 250, t.mtu_c - 250)
        if t.proto == "sctp":
            size = min(size, 200)
        if unusual:
            keep = conn.position()
            shots = self.unusual(unusual, conn, side, size)
            if unusual in LOST:
                conn.go_back(keep)
            if unusual in SERVED and conn.settled and side.run:
                for shot in shots:
                    shot.fair = True
            else:
                side.run = 0
            return shots
        shots = self.dress(side, t.l4, conn.data(side, size), conn, "data", tos=conn.tos)
        shots[0].plain = True
        shots[0].fair = conn.settled and side.run >= 1
        side.run += 1
        return shots

    def unusual(self, name, conn, side, size):
        rnd, t = self.rnd, self.topo
        small = min(t.mtu_c, t.mtu_s)
        head = 40 + (20 if len(side.src) == 4 else 40)
        how = {"tos": conn.tos}
        if name == "icmp-echo":
            return self.echo(conn)
        if name == "bad-csum" and t.ct_rules or t.snat and name in UNTRACKED:
            name = "df"
        # masquerading ends the connection of a frame that leaves by another device: its own port
        if t.bridged and t.snat == "masquerade" and name in ("otherhost", "broadcast"):
            name = "df"
        if name in ("icmp-client", "icmp-server"):
            return self.error(conn, name == "icmp-server")
        if name == "stranger":
            return self.stranger(conn, side)
        if name in ("protocol", "inner"):
            return conn.odd(side, size) if name == "protocol" else self.inner(conn, side, size)
        if name == "tos":
            how["tos"] = rnd.choice((0, 0xb8, 0x10, 0x08, 0x28))
        elif name == "ecn":
            how["tos"] = conn.tos & ~3 | rnd.randrange(1, 4)
        elif name in ("ttl1", "ttl2"):
            how["ttl"] = int(name[3])
        elif name == "options":
            # NOPs; record route; a source route, which is refused
            how["options"] = rnd.choice((b"\1\1\1\0", b"\7\7\4\0\0\0\0\0",
                                         b"\x83\7\4\x0a\1\0\5\0"))
            how["ext"] = rnd.randrange(2)
        elif name in ("fragments", "overlap"):
            size = max(size, 300)
            cut = rnd.randrange(1, 30) * 8
            how["cuts"] = [cut, cut + 8 * rnd.randrange(1, 9)][:rnd.randint(1, 2)]
        elif name == "bad-ip":
            how["bad_ip"] = True
        elif name == "otherhost":
            how["dst"] = b"\2\0\0\0\x99\1"
        elif name == "broadcast":
            how["dst"] = b"\xff" * 6
        elif name == "other-device":
            how["dev"] = rnd.choice([d for d in MACS if d != side.dev])
        elif name == "padded":
            how["tail"] = bytes(rnd.randrange(1, 46))
        elif name in ("big", "df-big"):
            size = rnd.choice((small - head, small - head + 1, small - head - 60, side.mtu - head,
                               small - head - 28))
            how["df"] = name == "df-big"
        elif name == "df":
            how["df"] = False
        elif name == "valid":
            how["head"] = vnet(DATA_VALID)
        if name in ("partial", "gso"):
            return self.offloaded(conn, side, size, name == "gso", how)
        segment = conn.data(side, size, bad=name == "bad-csum")
        shots = self.dress(side, t.l4, segment, conn, name, **how)
        if name == "cut":
            raw = shots[0].data
            shots[0].data = raw[:VNET + ETH + rnd.choice((0, 1, 19, 20, 24, 28, 39, 40, 44, 60))]
        elif name == "twice":
            shots *= 2
        elif name == "overlap" and len(shots) > 1:
            shots.insert(1, shots[0])
        elif name == "fragments" and rnd.random() < .3:
            shots.reverse()
        return shots

    def offloaded(self, conn, side, size, gso, how):
        t, rnd = self.topo, self.rnd
        if t.proto == "sctp":
            return self.dress(side, t.l4, conn.data(side, size), conn, "data", **how)
        iph = 20 if t.fam == 4 else 40
        thl, at = (20 + len(l4.STAMP) * t.stamps, 16) if t.proto == "tcp" else (8, 6)
        kind = mss = 0
        what = "partial"
        if gso:
            what = "gso"
            mss = rnd.choice((t.mtu_c - iph - 60, 536, 1000, side.mtu - iph - thl))
            mss = min(mss, side.mtu - iph - thl)
            size = mss * rnd.randint(1, min(12, 50000 // mss)) + rnd.randrange(1, mss)
            kind = GSO_USO if t.proto == "udp" else GSO_TCP4 if t.fam == 4 else GSO_TCP6
        how["head"] = vnet(NEEDS_CSUM, kind, ETH + iph + thl if gso else 0, mss, ETH + iph, at)
        return self.dress(side, t.l4, conn.data(side, size, partial=True), conn, what, **how)

    def inner(self, conn, side, size):
        """A checksum to be completed, that is not the packet's own."""
        nocheck = self.dice.random() < .5
        segment, start, field = conn.inner(side, size, nocheck)
        at = ETH + (20 if self.topo.fam == 4 else 40) + 8 + start
        return self.dress(side, UDP, segment, conn, "inner%s" % (" without its own" * nocheck),
                          tos=conn.tos, head=vnet(NEEDS_CSUM, start=at, offset=field))

    def echo(self, conn):
        """Half of them to the service, half to where it does not listen."""
        c = conn.c
        raw = self.payload[:56]
        if len(c.src) == 4:
            return self.dress(c, ICMP, icmp(8, 0, b"\0\1\0\1", raw), conn, "icmp-echo")
        return self.dress(c, ICMP6, icmp6(c.src, c.dst, 128, 0, b"\0\1\0\1", raw), conn,
                          "icmp-echo")

    def error(self, conn, server):
        """Somebody on the way says of a packet that it did not arrive."""
        rnd = self.rnd
        if server:
            packet, dev = conn.outer, conn.seen_dev
        else:
            packet, dev = conn.reply_seen(), "c0"
        if not packet:
            return []
        mtu = rnd.choice((1280, 1400, 576))
        v4 = packet[0] >> 4 == 4
        if v4:
            kind, code = rnd.choice(((3, 4), (3, 3), (3, 1), (11, 0)))
            router = packed("10.2.0.254" if server else "10.1.0.254")
            dst = packet[12:16]
            raw = icmp(kind, code, b"\0\0" + mtu.to_bytes(2, "big"),
                       packet[:rnd.choice((28, 68, 128))])
            out = ip4(router, dst, ICMP, raw, 60)
        else:
            kind, code = rnd.choice(((2, 0), (1, 4), (1, 3), (3, 0)))
            router = packed("fd00:20::fe" if server else "fd00:1::fe")
            dst = packet[8:24]
            raw = icmp6(router, dst, kind, code, mtu.to_bytes(4, "big"),
                        packet[:rnd.choice((64, 96, 200))])
            out = ip6(router, dst, ICMP6, raw, 60)
        data = frame(MACS[dev], mac(lladdr(254)), out)
        return [Shot(dev, data, "icmp-error %d/%d from %s" % (kind, code, address(router)), conn)]

    def stranger(self, conn, side):
        """A packet of a connection that never was."""
        odd = Side(side.dev, side.smac, side.src, side.sport + 9000, side.dst, side.dport, side.mtu)
        return self.dress(odd, self.topo.l4, conn.data(odd, 20), conn, "stranger")

    # --- the order of things ---

    def round(self, number):
        """All that is sent before anybody looks again."""
        shots = []
        conns = [c for c in self.conns if c.start <= number]
        self.rnd.shuffle(conns)
        for conn in conns:
            shots += conn.step(number)
        return shots

    def one_each(self):
        """One packet of each client, whatever it did before."""
        shots = []
        for conn in self.conns:
            if conn.reached:
                shots += self.dress(conn.c, self.topo.l4, conn.data(conn.c, 20), conn, "alive?")
                conn.c.run = 0
                if conn.s:
                    conn.s.run = 0
        return shots
