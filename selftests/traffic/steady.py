#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Connections, kept open and told what to do.

steady.py FIFO BASE tcp|udp=HOST:PORT... connects to each, from port BASE and those that
follow, and prints these. Then it obeys the lines of FIFO, and answers each with "ok" or what went wrong:

each N       N requests on each, in turn, each answered before the next
keep MS      likewise until the next line comes, with a pause of MS before each turn
close N      close the last N, and wait for the other side to have closed too

A request is "GET /4k" of HTTP, or a datagram for an echo.
"""
import http.client
import select
import socket
import sys
import time


class Tcp:
    def __init__(self, dest, port):
        self.http = http.client.HTTPConnection(dest, timeout=20, source_address=("", port))
        self.http.auto_open = 0
        self.http.connect()
        self.sock = self.http.sock
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, n):
        self.http.request("GET", "/4k")
        answer = self.http.getresponse()
        body = answer.read()
        if answer.status != 200 or len(body) != 4096:
            raise ValueError("status %d, %d bytes" % (answer.status, len(body)))

    def close(self):
        self.sock.shutdown(socket.SHUT_WR)
        while self.sock.recv(65536):
            pass
        self.sock.close()


class Udp:
    def __init__(self, dest, source):
        host, port = dest.rsplit(":", 1)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("", source))
        self.sock.connect((host, int(port)))
        self.sock.settimeout(20)

    def request(self, n):
        data = b"%d" % n
        self.sock.send(data)
        if self.sock.recv(100) != data:
            raise ValueError("another answer")

    def close(self):
        self.sock.close()


KINDS = {"tcp": Tcp, "udp": Udp}

conns = []
for n, arg in enumerate(sys.argv[3:]):
    kind, dest = arg.split("=")
    conns.append(KINDS[kind](dest, int(sys.argv[2]) + n))
print(*[c.sock.getsockname()[1] for c in conns], flush=True)
fifo = open(sys.argv[1], "rb", buffering=0)
done = 0
for line in fifo:
    command, n = line.split()
    try:
        if command == b"each":
            for done in range(done, done + int(n)):
                for c in conns:
                    c.request(done)
        elif command == b"keep":
            while not select.select([fifo], [], [], int(n) / 1000)[0]:
                done += 1
                for c in conns:
                    c.request(done)
        elif command == b"close":
            for c in conns[-int(n):]:
                c.close()
            del conns[-int(n):]
        print("ok", flush=True)
    except Exception as e:
        print(command.decode(), repr(e), flush=True)
