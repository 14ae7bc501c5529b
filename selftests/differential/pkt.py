# SPDX-License-Identifier: GPL-2.0
"""Bytes: builds frames, and reads those that come back.

A frame is what a tap device takes and gives: a virtio_net_hdr of 10 bytes, an Ethernet
header, the packet. scapy is for decoding what differs (report.py), it is too slow here.
"""
import socket
import struct

TCP, UDP, SCTP, ICMP, ICMP6 = 6, 17, 132, 1, 58
IPIP, IPV6, GRE = 4, 41, 47
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128

VNET = 10
ETH = 14
NO_VNET = bytes(VNET)
NEEDS_CSUM, DATA_VALID = 1, 2
GSO_TCP4, GSO_UFO, GSO_TCP6, GSO_USO, GSO_ECN = 1, 3, 4, 5, 0x80

_ip4 = struct.Struct("!BBHHHBBH4s4s")
_ip6 = struct.Struct("!IHBB16s16s")
_tcp = struct.Struct("!HHIIBBHHH")
_udp = struct.Struct("!HHHH")
_vnet = struct.Struct("<BBHHHH")


def packed(text):
    """An address as bytes, of either family."""
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def address(raw):
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def add16(data):
    """The one's complement sum of 16-bit words: 2**16 is 1 when 65535 is 0."""
    if len(data) & 1:
        data += b"\0"
    value = int.from_bytes(data, "big")
    return value % 65535 or (65535 if value else 0)


def csum(data):
    return ~add16(data) & 0xffff


_crc = []
for _n in range(256):
    for _ in range(8):
        _n = _n >> 1 ^ (0x82f63b78 if _n & 1 else 0)
    _crc.append(_n)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ _crc[(crc ^ byte) & 255]
    return crc ^ 0xffffffff


def pseudo(src, dst, proto, length):
    if len(src) == 4:
        return src + dst + struct.pack("!BBH", 0, proto, length)
    return src + dst + struct.pack("!IxxxB", length, proto)


def tcp(src, dst, sport, dport, seq, ack, flags, data=b"", window=8192, options=b"",
        urgent=0, partial=False, bad=False, doff=None):
    doff = (20 + len(options)) // 4 if doff is None else doff
    seg = _tcp.pack(sport, dport, seq & 0xffffffff, ack & 0xffffffff, doff << 4, flags,
                    window, 0, urgent) + options + data
    return _fill(src, dst, TCP, seg, 16, partial, bad)


def udp(src, dst, sport, dport, data=b"", partial=False, bad=False, nocheck=False,
        length=None):
    seg = _udp.pack(sport, dport, 8 + len(data) if length is None else length, 0) + data
    if nocheck:
        return seg
    return _fill(src, dst, UDP, seg, 6, partial, bad)


def _fill(src, dst, proto, seg, at, partial, bad):
    head = pseudo(src, dst, proto, len(seg))
    if partial:
        check = add16(head)
    else:
        check = csum(head + seg)
        if not check and proto == UDP:
            check = 0xffff
    if bad:
        check = (check ^ 0x0101) or 1
    return seg[:at] + check.to_bytes(2, "big") + seg[at + 2:]


def sctp(sport, dport, vtag, chunks, bad=False):
    head = struct.pack("!HHI", sport, dport, vtag)
    crc = crc32c(head + b"\0\0\0\0" + chunks) ^ (1 if bad else 0)
    return head + struct.pack("<I", crc) + chunks


def chunk(kind, data=b"", flags=0):
    length = 4 + len(data)
    return struct.pack("!BBH", kind, flags, length) + data + bytes(-length % 4)


def icmp(kind, code, rest, data):
    raw = struct.pack("!BBH", kind, code, 0) + rest + data
    return raw[:2] + csum(raw).to_bytes(2, "big") + raw[4:]


def icmp6(src, dst, kind, code, rest, data):
    raw = struct.pack("!BBH", kind, code, 0) + rest + data
    check = csum(pseudo(src, dst, ICMP6, len(raw)) + raw)
    return raw[:2] + check.to_bytes(2, "big") + raw[4:]


def ip4(src, dst, proto, data, ttl=64, tos=0, ident=0, frag=0, options=b"", bad=False,
        length=None):
    ihl = 5 + len(options) // 4
    head = _ip4.pack(0x40 | ihl, tos, ihl * 4 + len(data) if length is None else length,
                     ident, frag, ttl, proto, 0, src, dst) + options
    check = csum(head) ^ (0x1010 if bad else 0)
    return head[:10] + check.to_bytes(2, "big") + head[12:] + data


def ip6(src, dst, proto, data, ttl=64, tos=0, flow=0, length=None):
    return _ip6.pack(6 << 28 | tos << 20 | flow, len(data) if length is None else length,
                     proto, ttl, src, dst) + data


def vnet(flags=0, gso=0, hdr_len=0, size=0, start=0, offset=0):
    return _vnet.pack(flags, gso, hdr_len, size, start, offset)


def frame(dst, src, packet, head=NO_VNET):
    return head + dst + src + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\0") + packet


def fragments4(packet, cuts):
    """An IPv4 packet without options, cut behind these bytes of data (each a multiple
    of 8)."""
    head, data, out = packet[:20], packet[20:], []
    ends = [c for c in cuts if 0 < c < len(data)] + [len(data)]
    start = 0
    for end in ends:
        frag = start // 8 | (0 if end == len(data) else 0x2000)
        piece = data[start:end]
        h = head[:2] + (20 + len(piece)).to_bytes(2, "big") + head[4:6] + \
            frag.to_bytes(2, "big") + head[8:10] + b"\0\0" + head[12:]
        out.append(h[:10] + csum(h).to_bytes(2, "big") + h[12:] + piece)
        start = end
    return out


def fragments6(packet, cuts, ident):
    head, data, out = packet[:40], packet[40:], []
    ends = [c for c in cuts if 0 < c < len(data)] + [len(data)]
    start = 0
    for end in ends:
        piece = struct.pack("!BxHI", head[6], start | (0 if end == len(data) else 1),
                            ident) + data[start:end]
        out.append(head[:4] + len(piece).to_bytes(2, "big") + b"\x2c" + head[7:] + piece)
        start = end
    return out


class Seen:
    """What a frame carries: addresses of the packet inside all tunnels, ports, and the
    number by which its connection is known (trace.py)."""
    __slots__ = ("src", "dst", "proto", "sport", "dport", "tag", "packet", "outer")


def parse(raw, gue_ports):
    """A Seen, or None if this is no first packet of a connection, or none of ours."""
    packet = outer = raw[VNET + ETH:]
    for _ in range(3):
        if len(packet) < 20:
            return None
        if packet[0] >> 4 == 4:
            if packet[6] & 0x1f or packet[7]:
                return None
            proto, at = packet[9], (packet[0] & 15) * 4
            src, dst = packet[12:16], packet[16:20]
        elif packet[0] >> 4 == 6 and len(packet) >= 40:
            proto, at = packet[6], 40
            src, dst = packet[8:24], packet[24:40]
        else:
            return None
        if proto in (IPIP, IPV6):
            packet = packet[at:]
        elif proto == GRE and len(packet) >= at + 4:
            packet = packet[at + (8 if packet[at] & 0x80 else 4):]
        elif proto == UDP and len(packet) > at + 12 and \
                int.from_bytes(packet[at + 2:at + 4], "big") in gue_ports:
            packet = packet[at + 8 + 4 + (packet[at + 8] & 31) * 4:]
        else:
            break
    if len(packet) < at + 8:
        return None
    seen = Seen()
    seen.src, seen.dst, seen.proto = src, dst, proto
    seen.sport, seen.dport = struct.unpack_from("!HH", packet, at)
    if proto == TCP:
        seen.tag = int.from_bytes(packet[at + 4:at + 8], "big")
    elif proto == UDP:
        seen.tag = int.from_bytes(packet[at + 8:at + 12], "big")
    elif proto == SCTP and len(packet) >= at + 20:
        seen.tag = int.from_bytes(packet[at + 16:at + 20], "big")
    else:
        return None
    seen.packet, seen.outer = packet, outer
    return seen
