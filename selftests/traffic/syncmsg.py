#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Sends IPVS's backup daemon one connection sync message (version 1) about connections that
it may know already.

syncmsg.py GROUP DEVICE SYNCID TIMEOUT VIP:PORT < lines of "ipvsadm -Lnc"

All settled connections to VIP:PORT that are listed, with TIMEOUT seconds left; masqueraded,
TCP or UDP by the list's own word. See union ip_vs_sync_conn.
"""
import socket
import struct
import sys

group, device, syncid, timeout, service = sys.argv[1:]
PROTO = {"TCP": (6, 1, "ESTABLISHED"), "UDP": (17, 0, "UDP")}


def split(text):
    host, port = text.rsplit(":", 1)
    return socket.inet_aton(host), int(port)


conns = []
for line in sys.stdin:
    words = line.split()
    if len(words) != 6 or words[0] not in PROTO or words[4] != service:
        continue
    proto, state, name = PROTO[words[0]]
    if words[2] != name:
        continue
    (client, cport), (vip, vport), (real, rport) = map(split, words[3:])
    conns.append(struct.pack("!BBHIHHHHII4s4s4s", 0, proto, 36, 0, state, cport, vport, rport,
                             0, int(timeout), client, vip, real))
data = struct.pack("!BBHBbH", 0, int(syncid), 8 + 36 * len(conns), len(conns), 1, 0)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
index = socket.if_nametoindex(device)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
             struct.pack("@4s4si", socket.inet_aton(group), b"", index))
s.sendto(data + b"".join(conns), (group, 8848))
print(len(conns))
