#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""UDP traffic for the tests. ADDR is an IPv4 address or an IPv6 one in brackets.

udp.py serve ADDR:PORT...         echo whatever comes
udp.py ping ADDR:PORT SOCKETS PACKETS [nocheck] [slow] [from=PORT]
                                  on each socket that many datagrams, one at a time,
                                  each answered before the next; nocheck sends them
                                  without a checksum, slow pauses for 5 ms after
                                  each; the sockets have ports from that one on;
                                  SIGINT ends it early
udp.py once ADDR:PORT SECONDS     questions, each from a port of its own, answered before the
                                  next; prints how many
udp.py steady ADDR:PORT SOCKETS RATE
                                  until it is killed, so many datagrams a second, without
                                  waiting for answers; what is late is sent at once
udp.py flood ADDR:PORT SOCKETS FILE
                                  until it is killed, without waiting for answers: some
                                  hundred a second; FILE says how many were sent and
                                  answered, and when the last answer came, in ms of
                                  /proc/uptime
"""
import os
import random
import select
import signal
import socket
import sys
import time

SO_NO_CHECK = 11


def address(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def udp(dest):
    """A socket of its family."""
    return socket.socket(socket.AF_INET6 if dest[0] == "[" else socket.AF_INET, socket.SOCK_DGRAM)


def serve(names):
    poll = select.epoll()
    socks = {}
    for name in names:
        s = udp(name)
        s.bind(address(name))
        socks[s.fileno()] = s
        poll.register(s, select.EPOLLIN)
    while True:
        for fd, _ in poll.poll():
            data, peer = socks[fd].recvfrom(65536)
            socks[fd].sendto(data, peer)


def connected(dest, count, first=0):
    socks = []
    for i in range(count):
        s = udp(dest)
        if first:
            s.bind(("", first + i))
        s.connect(address(dest))
        socks.append(s)
    return socks


def ping(dest, sockets, packets, nocheck, pause, first):
    """Sizes and bytes come from a fixed seed: two runs send the same packets."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rand = random.Random(1)
    good = bad = lost = 0
    socks = connected(dest, sockets, first)
    for s in socks:
        s.settimeout(5)
        if nocheck:
            s.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    try:
        for n in range(packets * sockets):
            s = socks[n % sockets]
            data = b"%d " % n + rand.randbytes(rand.randrange(1400))
            try:
                s.send(data)
                if s.recv(65536) == data:
                    good += 1
                else:
                    bad += 1
            except OSError:
                lost += 1
            if pause:
                time.sleep(pause)
    except KeyboardInterrupt:
        pass
    print("good=%d bad=%d lost=%d" % (good, bad, lost))
    return 0 if good == sockets * packets else 1


def flood(dest, sockets, path):
    socks = connected(dest, sockets)
    sent = received = last = 0
    for s in socks:
        s.setblocking(False)
    while True:
        for s in socks:
            try:
                s.send(b"%d" % sent + b"x" * 60)
                sent += 1
            except OSError:
                pass
            try:
                while s.recv(4096):
                    received += 1
                    last = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
            except OSError:
                pass
        with open(path + ".new", "w") as f:
            f.write("%d %d %d\n" % (sent, received, last))
        os.rename(path + ".new", path)
        time.sleep(0.01)


def steady(dest, sockets, rate):
    socks = connected(dest, sockets)
    for s in socks:
        s.setblocking(False)
    start, n = time.monotonic(), 0
    while True:
        time.sleep(max(start + n / rate - time.monotonic(), 0))
        s = socks[n % sockets]
        n += 1
        try:
            s.send(b"%d" % n)
            while s.recv(4096):
                pass
        except OSError:
            pass


# Ports of "once", by turns: a fast machine would soon draw one again that IPVS still knows. The last
# one is kept from one run to the next.
PORTS = range(2048, 62048)
LAST = os.path.join(os.environ.get("SLB_TMP", "/tmp"), "once-port")


def port_kept(number=None):
    if number is not None:
        with open(LAST, "w", encoding="ascii") as file:
            file.write(str(number))
        return number
    try:
        with open(LAST, encoding="ascii") as file:
            return int(file.read())
    except FileNotFoundError:
        return 0


def next_socket(dest, number):
    """A socket with the next port that is free, and the port's number in PORTS."""
    while True:
        number = (number + 1) % len(PORTS)
        s = udp(dest)
        try:
            s.bind(("", PORTS[number]))
            return s, number
        except OSError:
            s.close()


def once(dest, seconds):
    end = time.monotonic() + seconds
    good, number = 0, port_kept()
    while time.monotonic() < end:
        s, number = next_socket(dest, number)
        s.connect(address(dest))
        s.settimeout(5)
        s.send(b"%d" % good)
        if s.recv(4096) != b"%d" % good:
            return 1
        s.close()
        good += 1
    port_kept(number)
    print(good)
    return 0


if sys.argv[1] == "serve":
    serve(sys.argv[2:])
elif sys.argv[1] == "ping":
    sys.exit(ping(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), "nocheck" in sys.argv,
                  0.005 if "slow" in sys.argv else 0,
                  max([int(a[5:]) for a in sys.argv if a.startswith("from=")] + [0])))
elif sys.argv[1] == "once":
    sys.exit(once(sys.argv[2], float(sys.argv[3])))
elif sys.argv[1] == "steady":
    steady(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
else:
    flood(sys.argv[2], int(sys.argv[3]), sys.argv[4])
