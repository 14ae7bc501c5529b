#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""One HTTP connection, kept open and told what to do.

hold.py ADDR:PORT FIFO prints its local port, then obeys the lines of FIFO, and answers
each with "ok" or what went wrong:

get N             N requests for /4k, one after the other
pace N INTERVAL   the same, with that many seconds between two
close             close, and wait for the other side to have closed too
"""
import http.client
import socket
import sys
import time


def get(conn):
    conn.request("GET", "/4k")
    answer = conn.getresponse()
    body = answer.read()
    if answer.status != 200 or len(body) != 4096:
        raise ValueError("status %d, %d bytes" % (answer.status, len(body)))


def close(sock):
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(65536):
        pass
    sock.close()


conn = http.client.HTTPConnection(sys.argv[1], timeout=20)
conn.auto_open = 0
conn.connect()
sock = conn.sock
print(sock.getsockname()[1], flush=True)
for line in open(sys.argv[2]):
    words = line.split()
    try:
        if words[0] == "close":
            close(sock)
        else:
            for n in range(int(words[1])):
                get(conn)
                if words[0] == "pace":
                    time.sleep(float(words[2]))
        print("ok", flush=True)
    except Exception as e:
        print(repr(e), flush=True)
