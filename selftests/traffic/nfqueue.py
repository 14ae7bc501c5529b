#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Accepts whatever is queued to user space.

nfqueue.py NUMBER FILE: binds that queue, makes FILE, and writes to it how many packets it
has accepted, at each.
"""
import socket
import struct
import sys

NETLINK_NETFILTER, SUBSYSTEM = 12, 3
PACKET, VERDICT, CONFIG = 0, 1, 2


def attr(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def message(kind, queue, flags, *attrs):
    body = struct.pack("!BBH", 0, 0, queue) + b"".join(attrs)
    return struct.pack("=IHHII", 16 + len(body), SUBSYSTEM << 8 | kind, flags, 0, 0) + body


def packet_ids(data):
    """Of the queued packets in what was received."""
    while len(data) >= 16:
        size, kind = struct.unpack_from("=IH", data)
        at = 20
        while kind == SUBSYSTEM << 8 | PACKET and at + 4 <= size:
            length, what = struct.unpack_from("=HH", data, at)
            if what & 0x7fff == 1:
                yield struct.unpack_from("!I", data, at + 4)[0]
            at += (length + 3) & ~3
        data = data[(size + 3) & ~3:]


queue, path = int(sys.argv[1]), sys.argv[2]
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
s.bind((0, 0))
# bind; of each packet nothing but its number
for attrs in (attr(1, struct.pack("!BBH", 1, 0, 0)), attr(2, struct.pack("!IB", 0, 1))):
    s.send(message(CONFIG, queue, 5, attrs))
    error, = struct.unpack_from("=i", s.recv(65536), 16)
    if error:
        sys.exit("queue %d: error %d" % (queue, error))
count = 0
while True:
    with open(path, "w") as f:
        f.write("%d\n" % count)
    for number in packet_ids(s.recv(65536)):
        s.send(message(VERDICT, queue, 1, attr(2, struct.pack("!II", 1, number))))
        count += 1
