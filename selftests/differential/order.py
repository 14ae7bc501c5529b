# SPDX-License-Identifier: GPL-2.0
"""The order of packets: which frames belong together, so that none may overtake another.

Of a batch only the order within a connection is promised: flows send before the slow path has
begun. A packet belongs to a connection by its ports, also behind IPv6 extension headers; the
fragments of a packet by the ports of the first, where it can be told which that is.
"""
from .pkt import ETH, GRE, IPIP, IPV6, SCTP, TCP, UDP, VNET, packed

IP = VNET + ETH
OWN4 = {packed(a) for a in ("10.1.0.1", "10.2.0.1", "10.2.1.1", "10.1.0.100", "10.1.0.101",
                            "10.2.0.77")}
HOP, ROUTING, FRAGMENT, DEST = 0, 43, 44, 60


class Head:
    """Of a packet's IP headers: at: behind them all; ident: of a fragment, or else None;
    first: the ports are there."""
    __slots__ = ("src", "dst", "proto", "at", "ident", "first")

    def __init__(self, packet):
        self.ident, self.first = None, True
        if packet[0] >> 4 == 4:
            self.src, self.dst, self.proto = packet[12:16], packet[16:20], packet[9]
            self.at = (packet[0] & 15) * 4
            if packet[6] & 0x3f or packet[7]:
                self.fragment(packet[4:6], packet[6] & 0x1f or packet[7])
            return
        self.src, self.dst, self.proto, self.at = packet[8:24], packet[24:40], packet[6], 40
        while self.proto in (HOP, ROUTING, FRAGMENT, DEST) and len(packet) >= self.at + 8:
            size = 8
            if self.proto == FRAGMENT:
                self.fragment(packet[self.at + 4:self.at + 8],
                              packet[self.at + 2] or packet[self.at + 3] & 0xf8)
            else:
                size += packet[self.at + 1] * 8
            self.proto = packet[self.at]
            self.at += size

    def fragment(self, ident, offset):
        self.ident, self.first = ident, not offset


def inner(packet, head, gue_ports):
    """The packet in a tunnel, or None."""
    at = head.at
    if head.proto in (IPIP, IPV6):
        return packet[at:]
    if head.proto == GRE and len(packet) >= at + 4:
        return packet[at + (8 if packet[at] & 0x80 else 4):]
    if head.proto == UDP and len(packet) > at + 12 and \
            int.from_bytes(packet[at + 2:at + 4], "big") in gue_ports:
        return packet[at + 8 + 4 + (packet[at + 8] & 31) * 4:]
    return None


def stream(raw, gue_ports, firsts):
    """What a frame belongs to. firsts: of fragments, {(addresses, ident): what the first
    belongs to}."""
    packet = raw[IP:]
    name = None
    for _ in range(3):
        if len(packet) < (20 if packet[:1] < b"\x60" else 40):
            break
        head = Head(packet)
        if not head.first:
            name = name or firsts.get((head.src, head.dst, head.ident))
            break
        if name is None and head.ident is not None:
            name = (head.src, head.dst, head.ident)
        deeper = inner(packet, head, gue_ports)
        if deeper is None:
            if head.proto in (TCP, UDP, SCTP) and len(packet) >= head.at + 8:
                found = (head.src, head.dst, head.proto, packet[head.at:head.at + 4])
                if name:
                    firsts[name] = found
                return found
            break
        packet = deeper
    if name in firsts.values():
        return name
    return raw[IP + 12:IP + 20] + (b"" if raw[IP + 12:IP + 16] in OWN4 else raw[IP + 4:IP + 6])


def by_connection(frames, gue_ports):
    """The same frames, those of a connection together, in order."""
    out, firsts = {}, {}
    for raw in frames:
        out.setdefault(stream(raw, gue_ports, firsts), []).append(raw)
    return [raw for key in sorted(out, key=str) for raw in out[key]]
