#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Datagrams from one namespace, and how many of them arrive at a device of another.

arrive.py FROM-NS TO-NS DEVICE < LINES      a line each: ADDRESS PORT FROM-PORT COUNT. Prints a
                                            number each: frames that came to the device
                                            with one of these datagrams in them, in whatever
                                            tunnel. Each is waited for before the next is sent,
                                            for a tenth of a second; all of them for a second

One process for all of it: programs are what costs time in an emulated guest.
"""
import ctypes
import os
import select
import socket
import sys
import time

CLONE_NEWNET, ETH_P_ALL, OUTGOING = 0x40000000, 3, 4
libc = ctypes.CDLL(None, use_errno=True)


def enter(name):
    fd = os.open("/run/netns/" + name, os.O_RDONLY)
    if libc.setns(fd, CLONE_NEWNET):
        sys.exit("%s: %s" % (name, os.strerror(ctypes.get_errno())))
    os.close(fd)


def arrived(mark, count, seconds):
    n, end = 0, time.monotonic() + seconds
    while n < count and select.select([wire], [], [], max(0, end - time.monotonic()))[0]:
        data, sender = wire.recvfrom(2048)
        n += sender[2] != OUTGOING and mark in data
    return n


enter(sys.argv[2])
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
wire.bind((sys.argv[3], ETH_P_ALL))
enter(sys.argv[1])
socks = {}
for turn, line in enumerate(sys.stdin):
    to, port, own, count = line.split()
    v6 = socket.AF_INET6 if ":" in to else socket.AF_INET
    if (v6, own) not in socks:
        socks[v6, own] = socket.socket(v6, socket.SOCK_DGRAM)
        socks[v6, own].bind(("", int(own)))
    mark = b"turn %d of arrive.py" % turn
    n = 0
    for _ in range(int(count)):
        socks[v6, own].sendto(mark, (to, int(port)))
        n += arrived(mark, 1, .1)
    print(n + arrived(mark, int(count) - n, 1), flush=True)
