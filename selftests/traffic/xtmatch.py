#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What iptables does, without iptables: adds rules with matches of x_tables to a chain of
nftables (iptables-nft), and has the kernel make the filter table of x_tables (iptables-legacy).

xtmatch.py nft TABLE CHAIN MATCH REVISION INFO [PROTOCOL]: a rule; INFO in hexadecimal
xtmatch.py legacy
"""
import ctypes
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from differential.nl import attr, message

ACK, CREATE, APPEND, NESTED = 4, 0x400, 0x800, 0x8000
NFTABLES, BEGIN, END, NEWRULE = 10, 0x10, 0x11, 6
IPT_SO_GET_INFO = 64


def text(kind, string):
    return attr(kind, string.encode() + b"\0")


def be32(kind, number):
    return attr(kind, struct.pack("!I", number))


def nest(kind, *inner):
    return attr(kind | NESTED, b"".join(inner))


def generic(family, resource=0):
    return struct.pack("!BBH", family, 0, resource)


def add(table, chain, match, revision, info, protocol=""):
    # the kernel aligns what it knows of a match to 8 bytes
    info = bytes.fromhex(info)
    info += bytes(-len(info) % 8)
    data = nest(2, text(1, match), be32(2, int(revision)), attr(3, info))
    rule = text(1, table) + text(2, chain) + nest(4, nest(1, text(1, "match"), data))
    if protocol:
        rule += nest(5, be32(1, int(protocol)), be32(2, 0))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as s:
        s.bind((0, 0))
        s.settimeout(20)
        s.send(message(BEGIN, 0, generic(0, NFTABLES), 0) +
               message(NFTABLES << 8 | NEWRULE, ACK | CREATE | APPEND,
                       generic(socket.AF_INET) + rule, 1) +
               message(END, 0, generic(0, NFTABLES), 2))
        error = -struct.unpack_from("=i", s.recv(1 << 16), 16)[0]
    if error:
        sys.exit("%s: %s" % (match, os.strerror(error)))


def legacy():
    info = ctypes.create_string_buffer(b"filter", 84)
    size = ctypes.c_uint32(84)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.getsockopt(s.fileno(), socket.IPPROTO_IP, IPT_SO_GET_INFO, info,
                           ctypes.byref(size)):
            sys.exit("the filter table: %s" % os.strerror(ctypes.get_errno()))


if sys.argv[1] == "nft":
    add(*sys.argv[2:])
else:
    legacy()
