# SPDX-License-Identifier: GPL-2.0
"""Connections of TCP, UDP and SCTP: what each sends next."""
import struct

from . import pkt
from .pkt import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG


class Conn:
    """c: the client's side. s: the real server's, for NAT, once it is known."""

    def __init__(self, trace, number, side):
        self.trace, self.number = trace, number
        self.topo, self.rnd = trace.topo, trace.rnd
        self.c, self.s = side, None
        self.seen = self.outer = self.seen_dev = None
        self.reached = False
        self.settled = False
        self.tries = 0
        self.tos = self.rnd.choice((0, 0, 0, 0x10, 0xb8, 2))
        self.flow_label = self.rnd.choice((0, 0x12345))
        self.length = self.rnd.choice((2, 8, 30, 30))
        self.begin()

    def __str__(self):
        return "%s %d %s:%d" % (self.topo.proto, self.number, pkt.address(self.c.src),
                                self.c.sport)

    def new_tag(self):
        return self.rnd.randrange(1 << 20, 1 << 30) << 2 | 1

    def one(self, side, segment, what):
        """A transport packet that is part of opening or closing."""
        side.run = 0
        return self.trace.dress(side, self.topo.l4, segment, self, what, tos=self.tos)

    def burst(self):
        """Some packets of an open connection, in either direction."""
        shots = []
        for _ in range(self.rnd.choice((1, 2, 4, 6))):
            side = self.s if self.s and self.rnd.random() < .5 else self.c
            shots += self.trace.segment(self, side)
        return shots

    def reply_seen(self):
        """As the client sees a packet of its server: enough of it to be quoted."""
        c = self.c
        keep = self.position()
        segment = self.data(Back(c), 8)
        self.go_back(keep)
        if len(c.src) == 4:
            return pkt.ip4(c.dst, c.src, self.topo.l4, segment)
        return pkt.ip6(c.dst, c.src, self.topo.l4, segment)

    def position(self):
        """Where the connection is in its sequence, for go_back()."""
        return ()

    def go_back(self, position):
        pass

    def again(self):
        """The same ports, a new connection. Conntrack may still know the old one, and
        then draws another port where it masquerades. Once: the old connection ends at
        the next tick, and until then it counts the ICMP errors for the new one, if there
        is no real server for that."""
        self.tries = 1
        if self.topo.snat or not self.topo.reuse or not self.reached:
            self.c.sport += 2000
            self.tries = 0
        self.reached = self.settled = False
        self.s = None
        self.length = self.rnd.choice((2, 8, 30))
        self.begin()
        self.trace.expect(self)


STAMP = b"\1\1\x08\x0a\0\0\0\1\0\0\0\1"
SCALED = b"\2\4\5\xb4\1\3\3\7"       # MSS 1460, windows of 128 times what is said


class Back:
    """A side turned round, for a packet that is never sent."""

    def __init__(self, side):
        self.src, self.dst = side.dst, side.src
        self.sport, self.dport = side.dport, side.sport


class Tcp(Conn):
    """opening -> open -> closing -> closed"""

    def begin(self):
        self.ctag = self.new_tag()
        self.seq = self.ctag                    # the client's next
        self.options = b""
        self.ack = self.new_tag()               # the server's next
        self.state = "syn"

    def position(self):
        return self.seq, self.ack

    def go_back(self, position):
        self.seq, self.ack = position

    def put(self, side, flags, data=b"", **how):
        mine = side is not self.s and side.dst == self.c.dst
        seq, ack = (self.seq, self.ack) if mine else (self.ack, self.seq)
        if self.topo.stamps and not flags & SYN and not how.get("options"):
            how["options"] = STAMP
        raw = pkt.tcp(side.src, side.dst, side.sport, side.dport, seq,
                      ack if flags & ACK else 0, flags, data, **how)
        eat = len(data) + bool(flags & SYN) + bool(flags & FIN)
        if mine:
            self.seq += eat
        else:
            self.ack += eat
        return raw

    def data(self, side, size, bad=False, partial=False):
        at = self.rnd.randrange(256)
        return self.put(side, ACK | (PSH if size else 0), self.trace.payload[at:at + size],
                        bad=bad, partial=partial)

    def acknowledge(self, side):
        """What that side has sent, by the other: else conntrack doubts a RST of its, or takes
        the window for small. It does not where flows have served (docs/contract.md)."""
        if not self.topo.conntrack or not self.s:
            return []
        other = self.c if side is self.s else self.s
        return self.one(other, self.put(other, ACK), "ACK")

    def odd(self, side, size):
        """Flags that are rare, or that mean an end."""
        rnd = self.rnd
        flags, eat = rnd.choice((
            (ACK | URG, 0), (ACK | ECE, 0), (ACK | CWR | PSH, 0), (PSH, 0), (0, 0),
            (SYN, 0), (SYN | ACK, 0), (SYN | FIN, 0), (FIN | PSH | URG, 0),
            (ACK | FIN, 1), (RST, 1), (RST | ACK, 1)))
        before = self.acknowledge(side) if flags & RST else []
        raw = self.put(side, flags, self.trace.payload[:min(size, 40)],
                       urgent=1 if flags & URG else 0,
                       options=rnd.choice((b"", b"\1\1\x08\x0a" + bytes(8))),
                       doff=rnd.choice((None, None, None, None, 4, 15)))
        if eat:
            self.state = "closed" if flags & RST else "closing"
            self.settled = False
        return before + self.trace.dress(side, self.topo.l4, raw, self, "flags %#x" % flags, tos=self.tos)

    def step(self, _):
        if self.state == "syn":
            self.state = "synack"
            self.tries += 1
            self.options = SCALED if self.rnd.random() < .5 else b""
            if self.topo.conntrack:     # which wants to see nothing outside of a window
                self.options = SCALED
            self.seq = self.ctag
            return self.one(self.c, self.put(self.c, SYN, options=self.options), "SYN")
        if self.state == "synack":
            if not self.reached:
                self.state = "syn" if self.tries < 2 else "closed"
                return []
            self.state = "open"
            shots = []
            if self.s:
                shots = self.one(self.s, self.put(self.s, SYN | ACK, options=self.options),
                                 "SYN ACK")
            else:
                self.ack += 1
            shots += self.one(self.c, self.put(self.c, ACK), "ACK") + \
                self.acknowledge(self.c)        # windows of SYN are not scaled
            self.settled = True
            return shots + self.burst()
        if self.state == "open":
            self.length -= 1
            shots = self.burst()
            if self.length <= 0 and self.state == "open":
                shots += self.close()
            return shots
        if self.state == "closing":
            self.state = "closed"
            if self.s:
                return self.one(self.s, self.put(self.s, FIN | ACK), "FIN") + \
                    self.one(self.c, self.put(self.c, ACK), "last ACK")
            return self.one(self.c, self.put(self.c, ACK), "last ACK")
        if self.rnd.random() < .2:
            self.again()
        return []

    def close(self):
        self.settled = False
        if self.rnd.random() < .25:
            self.state = "closed"
            return self.acknowledge(self.c) + \
                self.one(self.c, self.put(self.c, RST | ACK), "RST")
        self.state = "closing"
        shots = self.one(self.c, self.put(self.c, FIN | ACK), "FIN")
        if self.s:                              # half closed: the server goes on
            shots += self.one(self.s, self.put(self.s, ACK), "ACK of FIN")
            shots += self.one(self.s, self.data(self.s, 100), "data behind a FIN")
        return shots


class Udp(Conn):
    def begin(self):
        self.ctag = self.new_tag()
        self.state = "open"

    def data(self, side, size, bad=False, partial=False, **how):
        if self.topo.rewrite:           # that the rule finds what it changes
            size = max(size, 8)
        body = self.ctag.to_bytes(4, "big") + self.trace.payload[:size]
        return pkt.udp(side.src, side.dst, side.sport, side.dport, body, bad=bad,
                       partial=partial, **how)

    def odd(self, side, size):
        rnd = self.rnd
        what = rnd.choice(("no checksum", "no checksum", "empty", "short length", "long length"))
        if what == "no checksum":
            raw = self.data(side, size, nocheck=True)
        elif what == "empty" and not self.topo.rewrite:
            raw = pkt.udp(side.src, side.dst, side.sport, side.dport)
        else:
            raw = self.data(side, size, length=size + 100 if what == "long length" else 4)
        return self.trace.dress(side, self.topo.l4, raw, self, what, tos=self.tos)

    def inner(self, side, size, nocheck):
        """A datagram with a packet inside whose checksum is to be completed, and its own is
        right when that is done, or missing (VXLAN does both). With where in the payload."""
        start, field = 8 + 2 * self.rnd.randrange(20), self.rnd.choice((6, 16))
        body = self.ctag.to_bytes(4, "big") + self.trace.payload[:size + 100]
        at = start + field
        done = body[:at] + pkt.csum(body[start:]).to_bytes(2, "big") + body[at + 2:]
        raw = pkt.udp(side.src, side.dst, side.sport, side.dport, done, nocheck=nocheck)
        return raw[:8] + body, start, field

    def step(self, _):
        if not self.reached:
            self.tries += 1
            return self.one(self.c, self.data(self.c, 20), "first") if self.tries < 4 else []
        self.settled = True
        return self.burst()


class Sctp(Conn):
    DATA, INIT, INIT_ACK, SACK, HEARTBEAT, HEARTBEAT_ACK = 0, 1, 2, 3, 4, 5
    ABORT, SHUTDOWN, SHUTDOWN_ACK, ERROR, COOKIE, COOKIE_ACK, DONE = 6, 7, 8, 9, 10, 11, 14

    def begin(self):
        self.ctag = self.new_tag()              # the client's verification tag
        self.stag = self.new_tag()
        self.tsn = 1
        self.state = "init"

    def put(self, side, chunks, vtag=None, bad=False):
        mine = side is not self.s and side.dst == self.c.dst
        if vtag is None:
            vtag = self.stag if mine else self.ctag
        return pkt.sctp(side.sport, side.dport, vtag, chunks, bad)

    def init(self, tag):
        return struct.pack("!IIHHI", tag, 65536, 10, 10, 1)

    def data(self, side, size, bad=False, partial=False):
        self.tsn += 1
        if self.rnd.random() < .3:
            body = pkt.chunk(self.SACK, struct.pack("!IIHH", self.tsn, 65536, 0, 0))
        else:
            body = pkt.chunk(self.DATA, struct.pack("!IHHI", self.tsn, 0, self.tsn & 0xffff, 0) +
                             self.trace.payload[:size + 1], 3)
        return self.put(side, body, bad=bad)

    def odd(self, side, size):
        kind = self.rnd.choice((self.HEARTBEAT, self.HEARTBEAT_ACK, self.ERROR, self.ABORT,
                                self.COOKIE_ACK, 192, self.SHUTDOWN))
        if kind in (self.ABORT, self.SHUTDOWN):
            self.settled = False
            self.state = "closed" if kind == self.ABORT else "closing"
        raw = self.put(side, pkt.chunk(kind, b"\0\1\0\x08abcd"))
        return self.trace.dress(side, self.topo.l4, raw, self, "chunk %d" % kind, tos=self.tos)

    def step(self, _):
        c, s, chunk = self.c, self.s, pkt.chunk
        if self.state == "init":
            self.state = "init-ack"
            self.tries += 1
            return self.one(c, self.put(c, chunk(self.INIT, self.init(self.ctag)), 0), "INIT")
        if self.state == "init-ack":
            if not self.reached:
                self.state = "init" if self.tries < 2 else "closed"
                return []
            self.state = "cookie"
            shots = []
            if s:
                shots = self.one(s, self.put(s, chunk(self.INIT_ACK, self.init(self.stag) +
                                                      b"\0\7\0\x08cook")), "INIT ACK")
            shots += self.one(c, self.put(c, chunk(self.COOKIE, b"cook")), "COOKIE ECHO")
            if s:
                shots += self.one(s, self.put(s, chunk(self.COOKIE_ACK)), "COOKIE ACK")
            self.state = "open"
            self.settled = True
            return shots + self.burst()
        if self.state == "open":
            self.length -= 1
            shots = self.burst()
            if self.length <= 0 and self.state == "open":
                self.state, self.settled = "closing", False
                shots += self.one(c, self.put(c, chunk(self.SHUTDOWN, b"\0\0\0\1")), "SHUTDOWN")
            return shots
        if self.state == "closing":
            self.state = "closed"
            shots = []
            if s:
                shots = self.one(s, self.put(s, chunk(self.SHUTDOWN_ACK)), "SHUTDOWN ACK")
            return shots + self.one(c, self.put(c, chunk(self.DONE)), "SHUTDOWN COMPLETE")
        if self.rnd.random() < .2:
            self.again()
        return []
