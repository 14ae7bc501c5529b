# SPDX-License-Identifier: GPL-2.0
"""Frames of two directors: equal, but for what IPVS and the kernel draw at random.

MASKS is all that may differ, each with its reason. A masked IPv4 header's checksum is
verified before it is masked with the field.
"""
from .order import IP, OWN4, by_connection
from .pkt import DATA_VALID, NEEDS_CSUM, SCTP, TCP, UDP, VNET, add16, crc32c, csum, pseudo

MASKS = (
    ("virtio_net_hdr.hdr_len",
     "how much of a GSO packet is linear in memory; no property of the packet"),
    ("virtio_net_hdr.flags: DATA_VALID",
     "that somebody has verified a checksum (conntrack does, of SCTP). With flows it may "
     "be missing; where it was added, the checksum must be right"),
    ("IPv4 identification of packets that the director itself is the source of",
     "tunnel headers and ICMP: drawn by ip_select_ident() from a counter that time moves"),
    ("a checksum that a device is to complete, of GRE and GUE with XDP",
     "XDP completes it itself; it must be what the device would write"),
    ("what makes a frame as long as Ethernet wants, with XDP",
     "it came with the frame; without, a device adds it that has a wire"),
    ("IPv6 fragment identification",
     "drawn by ipv6_select_ident(), also where a reassembled packet is forwarded"),
)
# Not compared at all.
DROPPED = (
    ("ICMPv6 133 to 137, 143: router and neighbour discovery, redirects, MLD",
     "sent by timers, and redirects by a rate limit"),
    ("ICMP 5: redirects", "of the packets of a flow only those that prove it again bring one"),
    ("ARP", "neighbours are permanent, or asked by a timer"),
)

NOISE = {133, 134, 135, 136, 137, 143}
ETH_ZLEN = 60


def noise(raw):
    kind = raw[VNET + 12:IP]
    if kind == b"\x86\xdd":
        at = IP + 40
        if raw[IP + 6] == 0:                    # MLD comes with a hop-by-hop option
            at += 8
            return len(raw) > at and raw[IP + 40] == 58 and raw[at] in NOISE
        return raw[IP + 6] == 58 and len(raw) > at and raw[at] in NOISE
    return kind == b"\x08\x06"


def transport(packet):
    """The sum over an unfragmented TCP, UDP or SCTP packet: is it right?"""
    if packet[0] >> 4 == 4:
        at, proto = (packet[0] & 15) * 4, packet[9]
        src, dst, end = packet[12:16], packet[16:20], int.from_bytes(packet[2:4], "big")
    else:
        at, proto, src, dst = 40, packet[6], packet[8:24], packet[24:40]
        end = 40 + int.from_bytes(packet[4:6], "big")
    data = packet[at:end]
    if proto == SCTP:
        return crc32c(data[:8] + bytes(4) + data[12:]) == int.from_bytes(data[8:12], "little")
    return proto in (TCP, UDP) and add16(pseudo(src, dst, proto, len(data)) + data) == 0xffff


def by_xdp(a, b):
    """What the other director sends, with the checksum that a device would complete; and
    what XDP sends, without padding that the other frame has not."""
    if a and b and a[0] & NEEDS_CSUM and not (b[0] & NEEDS_CSUM or a[1]):
        start, offset = (int.from_bytes(a[n:n + 2], "little") for n in (6, 8))
        at = VNET + start + offset
        sum16 = csum(a[VNET + start:]) or 0xffff
        a = bytes((a[0] & ~NEEDS_CSUM,)) + a[1:6] + bytes(4) + a[VNET:at] + \
            sum16.to_bytes(2, "big") + a[at + 2:]
    if a and b and len(a) < len(b) == VNET + ETH_ZLEN:
        b = b[:len(a)]
    return a, b


def same(a, b, tunnel):
    """Are these two frames equal, but for MASKS?"""
    if a == b:
        return True
    if a is None or b is None:
        return False
    if (a[0] ^ b[0]) & DATA_VALID:
        if b[0] & DATA_VALID and not transport(b[IP:]):
            return False
        a, b = (bytes((f[0] & ~DATA_VALID,)) + f[1:] for f in (a, b))
    return masked(a, tunnel) == masked(b, tunnel)


def masked(raw, tunnel):
    """The frame with what may differ set to zero; as it is where the checksum is wrong."""
    if raw[1]:
        raw = raw[:2] + b"\0\0" + raw[4:]
    kind = raw[VNET + 12:IP]
    if kind == b"\x08\0":
        if raw[IP + 12:IP + 16] in OWN4 and (tunnel or raw[IP + 9] in (1, 6)):
            hlen = (raw[IP] & 15) * 4
            if add16(raw[IP:IP + hlen]) == 0xffff:
                return raw[:IP + 4] + b"\0\0" + raw[IP + 6:IP + 10] + b"\0\0" + raw[IP + 12:]
    elif kind == b"\x86\xdd" and raw[IP + 6] == 44:
        return raw[:IP + 44] + bytes(4) + raw[IP + 48:]
    return raw


def first_difference(a, b, topo):
    """None, or (device, index, frame of a or None, frame of b or None)."""
    for dev in sorted(set(a) | set(b)):
        fa, fb = a.get(dev, []), b.get(dev, [])
        if fa == fb:
            continue
        fa = [f for f in fa if not noise(f)]
        fb = [f for f in fb if not noise(f)]
        if topo.batch:
            fa, fb = by_connection(fa, topo.tun_ports), by_connection(fb, topo.tun_ports)
        for i in range(max(len(fa), len(fb))):
            x = fa[i] if i < len(fa) else None
            y = fb[i] if i < len(fb) else None
            if topo.xdp:
                x, y = by_xdp(x, y)
            if not same(x, y, topo.tunnel):
                return dev, i, x, y
    return None
