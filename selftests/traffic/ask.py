#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Datagrams from chosen addresses and ports, one at a time, and what answers them.

ask.py serve ADDR:PORT...     answers each datagram with its text; one that is a number with
                              so many bytes, not to be fragmented, whatever the path's MTU
ask.py < LINES                a line each: FROM TO COUNT TEXT; FROM and TO are ADDR:PORT, IPv6
                              in brackets. Sends COUNT datagrams and waits up to 0.5 s for the
                              answer to each. Prints a line each, such as
                              "40 10.1.0.100:7=39 hello=39": sent, answers by their
                              source, answers by their text, of which 8 bytes are shown.
                              A socket is not connected, and is used again by later lines

"wait N" is a line that waits for N ms, and prints nothing.
"""
import collections
import select
import socket
import sys
import time

IPV6_MTU_DISCOVER, IP_MTU_DISCOVER, PROBE = 23, 10, 3


def split(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def bound(text):
    v6 = text.startswith("[")
    s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP,
                 IPV6_MTU_DISCOVER if v6 else IP_MTU_DISCOVER, PROBE)
    s.bind(split(text))
    return s


def serve(addresses):
    poll = select.poll()
    socks = {}
    for address in addresses:
        s = bound(address)
        socks[s.fileno()] = s
        poll.register(s, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            data, peer = socks[fd].recvfrom(65536)
            try:
                socks[fd].sendto(b"x" * int(data) if data.isdigit() else data, peer)
            except OSError as e:
                print(e, file=sys.stderr)


def ask(sock, to, count, text):
    sources, texts = collections.Counter(), collections.Counter()
    while select.select([sock], [], [], 0)[0]:
        sock.recvfrom(65536)
    for _ in range(count):
        sock.sendto(text, split(to))
        if select.select([sock], [], [], .5)[0]:
            data, peer = sock.recvfrom(65536)
            host = "[%s]" % peer[0] if ":" in peer[0] else peer[0]
            sources["%s:%d" % (host, peer[1])] += 1
            texts[data[:8].decode(errors="replace")] += 1
    return " ".join("%s=%d" % pair for c in (sources, texts) for pair in sorted(c.items()))


def main():
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2:])
    socks = {}
    for line in sys.stdin:
        words = line.split()
        if words[0] == "wait":
            time.sleep(int(words[1]) / 1000)
            continue
        source, to, count, text = words
        if source not in socks:
            socks[source] = bound(source)
        print(count, ask(socks[source], to, int(count), text.encode()), flush=True)


main()
