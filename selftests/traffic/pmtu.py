#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Path MTU discovery for the tests, IPv4.

pmtu.py hold ADDR PORT               a UDP socket from that port to ADDR:9, until it is killed:
                                     without one a kernel believes no message about it
pmtu.py tell ADDR PEER PORT MTU      from ADDR, to PEER who has that socket: what is longer
                                     than MTU does not arrive
pmtu.py send ADDR:PORT FROM SIZE N   from that port N packets of SIZE bytes, headers and
                                     all, that nobody may fragment; prints how many are answered
"""
import signal
import socket
import struct
import sys

IP_MTU_DISCOVER = 10
IP_PMTUDISC_PROBE = 3


def hold(addr, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", int(port)))
    s.connect((addr, 9))
    signal.pause()


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def tell(addr, peer, port, mtu):
    quoted = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1500, 1, 0x4000, 64, socket.IPPROTO_UDP, 0,
                         socket.inet_aton(peer), socket.inet_aton(addr))
    quoted += struct.pack("!HHHH", int(port), 9, 1480, 0)
    head = struct.pack("!BBHHH", 3, 4, 0, 0, int(mtu))
    head = struct.pack("!BBHHH", 3, 4, checksum(head + quoted), 0, int(mtu))
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    s.bind((addr, 0))
    s.sendto(head + quoted, (peer, 0))


def send(dest, port, size, count):
    host, dport = dest.rsplit(":", 1)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)
    s.bind(("", int(port)))
    s.settimeout(.3)
    answered = 0
    for _ in range(int(count)):
        s.sendto(bytes(int(size) - 28), (host, int(dport)))
        try:
            answered += len(s.recv(65536)) == int(size) - 28
        except socket.timeout:
            pass
    print(answered)


{"hold": hold, "tell": tell, "send": send}[sys.argv[1]](*sys.argv[2:])
