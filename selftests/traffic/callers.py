#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""HTTP clients that call again and again, whatever happens: constant load, of which a
failure does not make more.

callers.py FILE HOST:PORT=CONNECTIONS... has each connection ask for /4k, pause for 20 ms,
and so on. One that fails is written to FILE, a line "MS HOST:PORT REASON" with the time
of /proc/uptime, and is made anew after 0.2 s. While FILE.churn exists, connections are
also closed and made anew after 20 requests. FILE.look is removed when each has been
answered since it was made. When FILE.stop exists: prints how many requests were answered, and
ends.
"""
import http.client
import os
import socket
import sys
import threading
import time

path = sys.argv[1]
log = open(path, "w", buffering=1)
answered = []


def connect(dest):
    """Also one that waits for an answer is told when nobody knows it any more."""
    conn = http.client.HTTPConnection(dest, timeout=60)
    conn.connect()
    for level, option, value in (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 60),
    ):
        conn.sock.setsockopt(level, option, value)
    conn.auto_open = 0
    return conn


def call(number, dest):
    conn = None
    n = 0
    while not os.path.exists(path + ".stop"):
        try:
            if not conn:
                conn = connect(dest)
            conn.request("GET", "/4k")
            answer = conn.getresponse()
            if answer.status != 200 or len(answer.read()) != 4096:
                raise ValueError("status %d" % answer.status)
            n += 1
            answered[number] += 1
            if n >= 20 and os.path.exists(path + ".churn"):
                conn.close()
                conn, n = None, 0
            time.sleep(0.02)
        except Exception as e:
            now = time.clock_gettime(time.CLOCK_BOOTTIME) * 1000
            log.write("%d %s %s\n" % (now, dest, repr(e)))
            if conn:
                conn.close()
            conn = None
            time.sleep(0.2)


threads = []
for arg in sys.argv[2:]:
    dest, count = arg.split("=")
    for _ in range(int(count)):
        answered.append(0)
        threads.append(threading.Thread(target=call, args=(len(threads), dest)))
for t in threads:
    t.start()
look = None
while not os.path.exists(path + ".stop"):
    if os.path.exists(path + ".look"):
        look = look or answered[:]
        if all(now > then for now, then in zip(answered, look)):
            os.remove(path + ".look")
            look = None
    time.sleep(0.05)
for t in threads:
    t.join()
print(sum(answered))
