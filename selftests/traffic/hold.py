#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""One HTTP connection, kept open and told what to do.

hold.py ADDR:PORT FIFO prints its local port, then obeys the lines of FIFO, and answers
each with "ok" or what went wrong:

get N             N requests for /4k, one after the other
pace N INTERVAL   the same, with that many seconds between two
keep INTERVAL     one each so many seconds, until the next line comes
close             close, and wait for the other side to have closed too
"""
import http.client
import select
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
# not buffered, or select() would not see the lines that were read already
fifo = open(sys.argv[2], "rb", buffering=0)
for line in fifo:
    words = line.decode().split()
    try:
        if words[0] == "close":
            close(sock)
        elif words[0] == "keep":
            while not select.select([fifo], [], [], float(words[1]))[0]:
                get(conn)
        else:
            for n in range(int(words[1])):
                get(conn)
                if words[0] == "pace":
                    time.sleep(float(words[2]))
        print("ok", flush=True)
    except Exception as e:
        print(repr(e), flush=True)
