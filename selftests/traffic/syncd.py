#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Listens to IPVS's connection sync messages (version 1), beside the kernel's daemon.

syncd.py GROUP DEVICE FILE: when the FILE.stop exists, writes "PROTOCOL CLIENT-PORT
MESSAGES" to FILE, a line for each connection. See union ip_vs_sync_conn.
"""
import collections
import os
import socket
import struct
import sys

group, device, path = sys.argv[1:]
index = socket.if_nametoindex(device)
if ":" in group:
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    level, option = socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP
    member = socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", index)
    where = (group, 8848, 0, index)
else:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    level, option = socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP
    member = socket.inet_aton(group) + struct.pack("@4sI", b"", index)
    where = (group, 8848)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(where)
s.setsockopt(level, option, member)
s.settimeout(0.2)
open(path + ".ready", "w").close()
seen = collections.Counter()
while True:
    try:
        data = s.recv(65536)
    except socket.timeout:
        if os.path.exists(path + ".stop"):
            break
        continue
    count, at = data[4], 8
    for _ in range(count):
        at = (at + 3) & ~3
        proto, size, cport = data[at + 1], *struct.unpack_from("!HxxxxxxH", data, at + 2)
        seen[proto, cport] += 1
        at += size & 0xfff
with open(path, "w") as f:
    for (proto, cport), n in sorted(seen.items()):
        f.write("%d %d %d\n" % (proto, cport, n))
