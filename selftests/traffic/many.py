#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Many TCP connections that stay, and who answers on them.

many.py serve ADDR:PORT NAME    answers each line with its first word and NAME; [::] is for both
                                families
many.py hold ADDR:PORT N FILE   opens N connections and asks on each some times a second, a fourth
                                of the questions in three packets, until SIGTERM. PORT-PORT:
                                to each of these ports by turns. FILE says how it stands, as one
                                line of name=value:

    open=N      connections that are not broken
    broken=N    connections that were reset, or closed
    waiting=N   open connections without an answer to a question since the last SIGUSR1
    mark=N      how often SIGUSR1 came
    NAME=N/M    open and broken connections to that server

many.py large ADDR:PORT FROM N SECONDS
                                opens N connections, from FROM and the addresses that follow, and
                                asks on each for an answer of some packets. Prints how many have
                                it whole within that time
"""
import collections
import ipaddress
import os
import random
import select
import signal
import socket
import sys
import time

PAUSE = 0.3


def address(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def addresses(text):
    text, _, last = text.partition("-")
    host, first = address(text)
    return [(host, port) for port in range(first, int(last or first) + 1)]


def serve(where, name):
    six = address(where)[0] == "::"
    listener = socket.create_server(address(where), backlog=1024, dualstack_ipv6=six,
                                    family=socket.AF_INET6 if six else socket.AF_INET)
    poll, socks = select.epoll(), {}
    poll.register(listener, select.EPOLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == listener.fileno():
                sock, _ = listener.accept()
                socks[sock.fileno()] = sock, Lines(sock)
                poll.register(sock, select.EPOLLIN)
                continue
            sock, lines = socks[fd]
            try:
                for line in lines.read():
                    sock.sendall(b"%s %s\n" % (line.split()[0], name.encode()))
            except OSError:
                socks.pop(fd)
                sock.close()


class Lines:
    """The lines that come by a socket."""

    def __init__(self, sock):
        self.sock, self.rest = sock, b""

    def read(self):
        """Those that are complete. An error if the connection is over."""
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionResetError
        *lines, self.rest = (self.rest + data).split(b"\n")
        return lines


class Conn:
    def __init__(self, dest):
        self.sock = socket.create_connection(dest, timeout=60)
        self.sock.setblocking(False)
        self.lines = Lines(self.sock)
        self.server, self.due, self.answered = "", 0, -1

    def read(self):
        """False if it is broken."""
        try:
            for line in self.lines.read():
                mark, server = line.split()
                self.server, self.answered = server.decode(), int(mark)
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def ask(self, now, mark):
        self.due = now + PAUSE * random.uniform(0.8, 1.2)
        try:
            self.sock.send(b"%d %s\n" % (mark, b"x" * random.choice((1, 1, 1, 3000))))
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True


class Holder:
    def __init__(self, dests, count, path):
        self.path, self.mark, self.conns = path, 0, {}
        self.broken = collections.Counter()
        self.poll = select.epoll()
        for i in range(count):
            conn = Conn(dests[i % len(dests)])
            self.conns[conn.sock.fileno()] = conn
            self.poll.register(conn.sock, select.EPOLLIN)

    def marked(self, *_):
        self.mark += 1

    def drop(self, fd):
        conn = self.conns.pop(fd)
        conn.sock.close()
        self.broken[conn.server] += 1

    def say(self):
        mark = self.mark
        held = collections.Counter(conn.server for conn in self.conns.values())
        words = ["open=%d" % len(self.conns), "broken=%d" % self.broken.total(),
                 "waiting=%d" % sum(conn.answered < mark for conn in self.conns.values()),
                 "mark=%d" % mark]
        words += ["%s=%d/%d" % (name or "nobody", held[name], self.broken[name])
                  for name in sorted(held | self.broken)]
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write(" ".join(words) + "\n")
        os.rename(self.path + ".new", self.path)

    def run(self):
        said = 0
        while True:
            now = time.monotonic()
            for fd, conn in list(self.conns.items()):
                if now >= conn.due and not conn.ask(now, self.mark):
                    self.drop(fd)
            for fd, _ in self.poll.poll(0.05):
                if fd in self.conns and not self.conns[fd].read():
                    self.drop(fd)
            if now - said >= PAUSE:
                self.say()
                said = now


def large(dest, first, count, seconds):
    """The server's socket buffer has room for an answer: it waits for nobody."""
    socks, whole = [], 0
    for i in range(count):
        source = str(ipaddress.ip_address(first) + i), 0
        socks.append(socket.create_connection(dest, timeout=60, source_address=source))
        socks[-1].sendall(b"x" * 5000 + b"\n")
    end = time.monotonic() + seconds
    for sock in socks:
        lines = Lines(sock)
        try:
            answers = []
            while not answers:
                sock.settimeout(max(end - time.monotonic(), 0.01))
                answers = lines.read()
            whole += len(answers[0]) > 5000
        except OSError:
            pass
    print(whole)


def main():
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:4])
    if sys.argv[1] == "large":
        large(address(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:6]))
        return
    holder = Holder(addresses(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    signal.signal(signal.SIGUSR1, holder.marked)
    holder.run()


main()
