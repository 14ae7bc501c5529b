#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""ftp.py ADDR FILE: an FTP server on port 21 that has one file, for one client at a time;
the data connection is made by either side (PORT, PASV, EPSV)."""
import socket
import sys

addr = sys.argv[1]
with open(sys.argv[2], "rb") as f:
    data = f.read()


def listen(port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((addr, port))
    s.listen()
    return s


def active(numbers):
    """To the client, from the port that is for that."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((addr, 20))
    s.connect((".".join(numbers[:4]), int(numbers[4]) * 256 + int(numbers[5])))
    return s


def serve(control):
    passive = numbers = None

    def say(text):
        control.sendall(text.encode() + b"\r\n")

    say("220 here")
    for line in control.makefile():
        word, _, rest = line.strip().partition(" ")
        if word == "USER":
            say("331 password")
        elif word == "PASS":
            say("230 in")
        elif word == "PWD":
            say('257 "/"')
        elif word == "SIZE":
            say("213 %d" % len(data))
        elif word in ("PASV", "EPSV"):
            passive = listen(0)
            port = passive.getsockname()[1]
            if word == "EPSV":
                say("229 Entering Extended Passive Mode (|||%d|)" % port)
            else:
                say("227 Entering Passive Mode (%s,%d,%d)" %
                    (addr.replace(".", ","), port >> 8, port & 255))
        elif word == "PORT":
            numbers = rest.split(",")
            say("200 there")
        elif word == "RETR":
            say("150 here it comes")
            peer = passive.accept()[0] if passive else active(numbers)
            peer.sendall(data)
            peer.close()
            passive = None
            say("226 that was it")
        elif word == "QUIT":
            say("221 bye")
            return
        else:
            say("200 well" if word in ("TYPE", "CWD") else "500 no")


door = listen(21)
while True:
    with door.accept()[0] as caller:
        serve(caller)
