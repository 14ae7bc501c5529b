# SPDX-License-Identifier: GPL-2.0
"""Programs' commands without the programs: starting one costs a guest as much as a
thousand packets.

ip() takes the lines of "ip -batch", ipvsadm() those of "ipvsadm -R", nft() what "nft -f"
reads; all of them only as much as topo.py and events.py say. In the namespace that this
process is in.
"""
import ctypes
import os
import re
import socket
import struct

from .pkt import mac, packed

REQUEST, ACK, DUMP, CREATE, REPLACE = 1, 4, 0x300, 0x400, 0x100
NEWLINK, SETLINK, NEWADDR, NEWROUTE, DELROUTE, NEWNEIGH, NEWRULE, DELRULE = 16, 19, 20, 24, 25, 28, 32, 33
REFUSAL = {"blackhole": 6, "unreachable": 7, "prohibit": 8}     # of routes and rules
NUD = {"permanent": 0x80, "failed": 0x20, "stale": 4, "reachable": 2}
NETLINK_ROUTE, NETLINK_GENERIC = 0, 16
_header = struct.Struct("=IHHII")


class Fail(Exception):
    """The directors differ, or could not be set up."""


def attr(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def attrs(data):
    """{kind: bytes}"""
    out, at = {}, 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        out[kind & 0x3fff] = data[at + 4:at + length]
        at += length + 3 & ~3
    return out


def u32(number):
    return struct.pack("=I", number)


def u16(number):
    return struct.pack("=H", number)


def message(kind, flags, data, number):
    return _header.pack(16 + len(data), kind, flags | REQUEST, number, 0) + data


def talk(protocol, requests, names):
    """Sends (kind, flags, data) each; what dumps answer. names: for errors."""
    out = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        s.bind((0, 0))
        s.send(b"".join(message(k, f, d, i) for i, (k, f, d) in enumerate(requests)))
        left = len(requests)
        while left:
            data, at = s.recv(1 << 18), 0
            while at + 16 <= len(data):
                length, kind, _, number, _ = _header.unpack_from(data, at)
                if kind in (2, 3):              # an error or an ACK; the end of a dump
                    left -= 1
                    error = -struct.unpack_from("=i", data, at + 16)[0] if kind == 2 else 0
                    if error:
                        raise Fail("%s: %s" % (names[number], os.strerror(error)))
                else:
                    out.append(data[at + 16:at + length])
                at += length + 3 & ~3
    return out


# --- ip ---

def family(raw):
    return socket.AF_INET if len(raw) == 4 else socket.AF_INET6


def prefix(text):
    host, _, length = text.partition("/")
    raw = packed(host)
    return raw, int(length) if length else len(raw) * 8


def pairs(words):
    """{word: the word behind it}; words that stand alone are harmless."""
    return dict(zip(words, words[1:]))


def index(name):
    return socket.if_nametoindex(name)


def ip_address(words):
    raw, length = prefix(words[2])
    return NEWADDR, CREATE, struct.pack("=BBBBI", family(raw), length,
                                        2 if "nodad" in words else 0, 0,
                                        index(pairs(words)["dev"])) + \
        attr(2, raw) + attr(1, raw)


def ip_neighbour(words):
    raw, opts = packed(words[2]), pairs(words)
    return NEWNEIGH, CREATE | REPLACE, struct.pack("=BBHiHBB", family(raw), 0, 0,
                                                   index(opts["dev"]), NUD[opts["nud"]], 0, 1) + \
        attr(1, raw) + attr(2, mac(opts["lladdr"]))


def ip_route(words):
    opts = pairs(words)
    kind = REFUSAL.get(words[2], 1)
    to = words[2] if kind == 1 else words[3]
    hops = " ".join(words).split(" nexthop ")[1:]
    raw, length = (b"", 0) if to == "default" else prefix(to)
    data = struct.pack("=BBBBBBBBI", family(raw or packed(opts["via"])), length, 0,
                       int(opts.get("tos", 0)), int(opts.get("table", 254)), 3, 0, kind, 0)
    if raw:
        data += attr(1, raw)
    if hops:
        data += attr(9, b"".join(map(ip_nexthop, hops)))
    else:
        if "via" in opts:
            data += attr(5, packed(opts["via"]))
        if "dev" in opts:
            data += attr(4, u32(index(opts["dev"])))
    if "mtu" in opts:
        data += attr(8, attr(2, u32(int(opts["mtu"]))))
    if words[1] == "delete":
        return DELROUTE, 0, data
    return NEWROUTE, CREATE | (REPLACE if words[1] == "replace" else 0), data


def ip_nexthop(text):
    opts = pairs(text.split())
    gateway = attr(5, packed(opts["via"]))
    return struct.pack("=HBBi", 8 + len(gateway), 0, 0, index(opts["dev"])) + gateway


def ip_link_add(words):
    """Of type bridge, which does not ask who listens to multicast."""
    info = attr(1, b"bridge\0") + attr(2, attr(23, b"\0"))
    return NEWLINK, CREATE, struct.pack("=BBHiII", 0, 0, 0, 0, 0, 0) + \
        attr(3, words[2].encode() + b"\0") + attr(18, info)


def ip_link(words):
    if words[1] == "add":
        return ip_link_add(words)
    opts = pairs(words)
    if "hairpin" in opts:               # of a port, told to its bridge
        return SETLINK, 0, struct.pack("=BBHiII", socket.AF_BRIDGE, 0, 0, index(words[2]), 0, 0) + \
            attr(12 | 0x8000, attr(4, b"\1"))
    up = 1 if "up" in words else 0
    data = struct.pack("=BBHiII", 0, 0, 0, index(words[2]), up, up)
    if "address" in opts:
        data += attr(1, mac(opts["address"]))
    if "mtu" in opts:
        data += attr(4, u32(int(opts["mtu"])))
    if "master" in opts:
        data += attr(10, u32(index(opts["master"])))
    if "netns" in opts:
        data += attr(28, u32(int(opts["netns"])))
    return NEWLINK, 0, data


def ip_rule(words):
    opts = pairs(words)
    action = REFUSAL.get(words[-1], 1)
    data, lengths = b"", [0, 0]
    for kind, word in ((1, "to"), (2, "from")):
        if word in opts:
            raw, lengths[kind - 1] = prefix(opts[word])
            data += attr(kind, raw)
    fam = family(raw) if data else socket.AF_INET
    if "fwmark" in opts:
        data += attr(10, u32(int(opts["fwmark"])))
    if "flowlabel" in opts:             # and a mask
        data += attr(26, struct.pack(">I", int(opts["flowlabel"]))) + \
            attr(27, struct.pack(">I", 0xfffff))
    data = struct.pack("=BBBBBBBBI", fam, *lengths, 0, int(opts.get("table", 0)), 0, 0, action,
                       0) + data
    return (DELRULE, 0, data) if words[1] == "delete" else (NEWRULE, CREATE, data)


IP = {"address": ip_address, "neighbour": ip_neighbour, "route": ip_route, "link": ip_link,
      "rule": ip_rule}


def ip(text):
    lines = text.splitlines()
    # some need what others make: devices are up before routes lead there
    talk(NETLINK_ROUTE, [(kind, flags | ACK, data) for kind, flags, data in
                         (IP[line.split()[0]](line.split()) for line in lines)], lines)


# --- ipvsadm ---

_ipvs = []
OPS = {"-A": 1, "-D": 3, "-a": 5, "-e": 6, "-d": 7, "-Z": 16, "-C": 17}
STATS = ("conns", "inpkts", "outpkts", "inbytes", "outbytes")


def ipvs_family():
    if not _ipvs:
        answer = talk(NETLINK_GENERIC, [(16, ACK, struct.pack("BBH", 3, 1, 0) +
                                         attr(2, b"IPVS\0"))], ["IPVS"])
        _ipvs.append(struct.unpack("=H", attrs(answer[0][4:])[1])[0])
    return _ipvs[0]


def endpoint(text):
    host, _, port = text.rpartition(":")
    return packed(host.strip("[]")), struct.pack("!H", int(port))


def inet(raw):
    return raw + bytes(16 - len(raw))


def ipvs_service(words, opts):
    out = b""
    if "-f" in opts:
        fam = socket.AF_INET6 if "-6" in words else socket.AF_INET
        out += attr(5, u32(int(opts["-f"])))
    else:
        flag = next(f for f in ("-t", "-u", "--sctp-service") if f in opts)
        raw, port = endpoint(opts[flag])
        fam = family(raw)
        out += attr(2, u16({"-t": 6, "-u": 17, "--sctp-service": 132}[flag]))
        out += attr(3, inet(raw)) + attr(4, port)
    out = attr(1, u16(fam)) + out
    if words[0] == "-A":
        timeout = int(opts.get("-p", 0))
        mask = opts.get("-M", "255.255.255.255" if fam == socket.AF_INET else "128")
        out += attr(6, opts["-s"].encode() + b"\0")
        out += attr(7, struct.pack("=II", 1 if timeout else 0, 0xffffffff))
        out += attr(8, u32(timeout))
        out += attr(9, packed(mask) if "." in mask else u32(int(mask)))
    return attr(1, out)


def ipvs_server(words, opts):
    raw, port = endpoint(opts["-r"])
    out = attr(1, inet(raw)) + attr(2, port) + attr(11, u16(family(raw)))
    if words[0] != "-d":
        method = 0 if "-m" in words else 3 if "-g" in words else 2
        out += attr(3, u32(method)) + attr(4, u32(int(opts["-w"])))
        out += attr(5, u32(int(opts.get("-x", 0)))) + attr(6, u32(int(opts.get("-y", 0))))
        kind = {"ipip": 0, "gue": 1, "gre": 2}[opts.get("--tun-type", "ipip")]
        flags = 1 if "--tun-csum" in words else 2 if "--tun-remcsum" in words else 0
        port = int(opts.get("--tun-port", 0))
        out += attr(13, bytes((kind,))) + attr(14, struct.pack("!H", port))
        out += attr(15, u16(flags))
    return attr(2, out)


def ipvsadm(text):
    requests, names = [], []
    for line in text.splitlines():
        words = line.split()
        opts = pairs(words)
        data = b""
        if words[0] not in ("-C", "-Z"):
            data = ipvs_service(words, opts)
            if "-r" in opts:
                data += ipvs_server(words, opts)
        requests.append((ipvs_family(), ACK, struct.pack("BBH", OPS[words[0]], 1, 0) + data))
        names.append("ipvsadm " + line)
    talk(NETLINK_GENERIC, requests, names)


def counts(raw):
    values = attrs(raw)
    return tuple(struct.unpack("=Q", values[i + 1])[0] for i in range(len(STATS)))


def ipvs_stats():
    """What "ipvsadm -Ln --stats --exact" reads: a line each service and real server."""
    head = struct.pack("BBH", 4, 1, 0)
    out = []
    for answer in talk(NETLINK_GENERIC, [(ipvs_family(), DUMP, head)], ["ipvsadm -L"]):
        service = attrs(attrs(answer[4:])[1])
        key = b"".join(attr(k, service[k]) for k in (1, 2, 3, 4, 5) if k in service)
        name = "FWM %d" % struct.unpack("=I", service[5])[0] if 5 in service else \
            "%d port %d" % (service[2][0], int.from_bytes(service[4], "big"))
        out.append("%s: %s" % (name, line(counts(service[12]))))
        dump = [(ipvs_family(), DUMP, struct.pack("BBH", 8, 1, 0) + attr(1, key))]
        for server in talk(NETLINK_GENERIC, dump, ["ipvsadm -L"]):
            server = attrs(attrs(server[4:])[2])
            size = 4 if server[11][0] == socket.AF_INET else 16
            out.append("  -> %s:%d: %s" %
                       (socket.inet_ntop(server[11][0], server[1][:size]),
                        int.from_bytes(server[2], "big"), line(counts(server[12]))))
    return ordered("\n".join(out))


def ordered(text):
    """Services, each with its real servers behind it, in an order of their own: newer kernels
    hash them by a key that each namespace draws."""
    return "\n".join(sorted(re.split("\n(?!  ->)", text.rstrip("\n"))))


def line(values):
    return " ".join("%s %d" % item for item in zip(STATS, values))


# --- nft ---

def nft(text):
    lib = ctypes.CDLL("libnftables.so.1")
    lib.nft_ctx_new.restype = ctypes.c_void_p
    lib.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    ctx = ctypes.c_void_p(lib.nft_ctx_new(0))
    lib.nft_ctx_buffer_error(ctx)
    try:
        if lib.nft_run_cmd_from_buffer(ctx, text.encode()):
            raise Fail("nft -f: %s" % lib.nft_ctx_get_error_buffer(ctx).decode())
    finally:
        lib.nft_ctx_free(ctx)
