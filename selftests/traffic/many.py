#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Many TCP connections that stay, and who answers on them.

many.py serve ADDR:PORT NAME    answers each line with it and NAME
many.py hold ADDR:PORT N FILE   opens N connections and asks on each some times a second, until
                                SIGTERM. FILE says how it stands, as one line of name=value:

    open=N      connections that are not broken
    broken=N    connections that were reset, or closed
    waiting=N   open connections without an answer since the last SIGUSR1, or since they began
    mark=N      how often SIGUSR1 came
    NAME=N/M    open and broken connections to that server
"""
import collections
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


def serve(where, name):
    listener = socket.create_server(address(where), backlog=1024)
    poll, socks = select.epoll(), {}
    poll.register(listener, select.EPOLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == listener.fileno():
                sock, _ = listener.accept()
                socks[sock.fileno()] = sock
                poll.register(sock, select.EPOLLIN)
                continue
            try:
                data = socks[fd].recv(4096)
                if data:
                    socks[fd].sendall(data.strip() + b" %s\n" % name.encode())
                    continue
            except OSError:
                pass
            socks.pop(fd).close()


class Conn:
    def __init__(self, dest):
        self.sock = socket.create_connection(dest, timeout=60)
        self.sock.setblocking(False)
        self.server, self.due, self.answered = "", 0, False

    def read(self):
        """False if it is broken."""
        try:
            data = self.sock.recv(4096)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if data:
            self.server, self.answered = data.split()[-1].decode(), True
        return bool(data)

    def ask(self, now):
        self.due = now + PAUSE * random.uniform(0.8, 1.2)
        try:
            self.sock.send(b"x\n")
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True


class Holder:
    def __init__(self, dest, count, path):
        self.path, self.mark, self.conns = path, 0, {}
        self.broken = collections.Counter()
        self.poll = select.epoll()
        for _ in range(count):
            conn = Conn(dest)
            self.conns[conn.sock.fileno()] = conn
            self.poll.register(conn.sock, select.EPOLLIN)

    def marked(self, *_):
        for conn in self.conns.values():
            conn.answered = False
        self.mark += 1

    def drop(self, fd):
        conn = self.conns.pop(fd)
        conn.sock.close()
        self.broken[conn.server] += 1

    def say(self):
        held = collections.Counter(conn.server for conn in self.conns.values())
        words = ["open=%d" % len(self.conns), "broken=%d" % self.broken.total(),
                 "waiting=%d" % sum(not conn.answered for conn in self.conns.values()),
                 "mark=%d" % self.mark]
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
                if now >= conn.due and not conn.ask(now):
                    self.drop(fd)
            for fd, _ in self.poll.poll(0.05):
                if fd in self.conns and not self.conns[fd].read():
                    self.drop(fd)
            if now - said >= PAUSE:
                self.say()
                said = now


def main():
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:4])
    holder = Holder(address(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    signal.signal(signal.SIGUSR1, holder.marked)
    holder.run()


main()
