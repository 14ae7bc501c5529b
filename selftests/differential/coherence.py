# SPDX-License-Identifier: GPL-2.0
"""How long a flow goes on with what is no longer so: coherence.py REPEAT I/N [NAME...].

For each event a director of its own, with connections that flows serve: one process
sends their packets as fast as they are taken, another reads what leaves. At a random
moment a program makes the event. Each packet has a number; those that were sent after
the program had returned (and the lease had passed, where one is promised) must not go by
the old decision. How many did is the figure; 0 is what all rows promise.

    python3 -m differential.coherence 100 1/2 >rows # each second row: lines "# row", with tabs
"""
import mmap
import os
import random
import select
import struct
import subprocess
import sys
import threading
import time

from . import pkt
from .net import Director, stat
from .nl import Fail
from .rows import BEHIND, LEASE, ROWS
from .topo import PLAIN, Topology
from .trace import Trace

AHEAD = 150         # packets that may be on their way: no queue is as short
# By which a lease may be late: it is counted in ticks of 1/8 s, and read by another process.
LATE = 400
XDP = os.environ.get("SLB_XDP", "")     # native or generic: flows serve there


class Stream:
    """A process that sends frames, numbered."""

    def __init__(self, fd, frames):
        # struct.pack_into() would write it as zero first, and be read meanwhile
        self.shared = memoryview(mmap.mmap(-1, 32)).cast("Q")
        self.put(1, AHEAD)
        self.pid = os.fork()
        if not self.pid:
            try:
                self.run(fd, [bytearray(f) for f in frames])
            finally:
                os._exit(0)

    def get(self, i):
        return self.shared[i]

    def put(self, i, value):
        self.shared[i] = value

    def run(self, fd, frames):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        while not self.get(2):
            number = self.get(0) + 1
            if number > self.get(1):
                time.sleep(.0005)
                continue
            frame = frames[number % len(frames)]
            # with its complement, so that checksums stay
            frame[-8:] = struct.pack("!II", number, number ^ 0xffffffff)
            self.put(0, number)
            try:
                os.write(fd, frame)
            except OSError:
                time.sleep(.001)                # the device is down, or gone

    def stop(self):
        if self.pid:
            self.put(2, 1)
            os.waitpid(self.pid, 0)
            self.pid = 0


class Bench:
    """A director under load."""

    def __init__(self, row, proto):
        self.row = row
        self.topo = Topology(1, {**PLAIN, "conns": 4, "proto": proto,
                                 "lease": 1 if row.long else 10, "xdp": XDP, **row.topo})
        self.director = Director(row.name)
        self.out = []                           # (when, device, number, frame)
        self.stream = self.reader = None
        self.done = False
        self.moving = set()                     # clients whose packets take another route
        self.topo.setup(self.director, 2)
        self.director.ready()
        self.command(row.before)
        self.trace = Trace(self.topo)
        for number in range(3):
            for conn in self.trace.conns:
                if not conn.settled:
                    for shot in conn.step(number):
                        self.director.inject(shot.dev, shot.data)
            self.trace.learn(self.director.drain())
            self.director.settle()
        sides = [c.s if row.answers else c.c for c in self.trace.conns]
        self.stream = Stream(self.director.fd[sides[0].dev],
                             [self.frame(*pair) for pair in zip(self.trace.conns, sides)])
        # behind the fork of the stream, whose process would have a copy of the thread's locks
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def frame(self, conn, side):
        """Of that side of a connection; its number is zero."""
        segment = conn.data(side, 40 if self.topo.proto == "udp" else 44)[:-8] + bytes(8)
        shot = self.trace.dress(side, self.topo.l4, self.fixed(side, segment), conn, "data")[0]
        return shot.data

    def fixed(self, side, segment):
        """The checksum of a segment whose end is zero; a number and its complement add up
        to nothing."""
        at = 6 if self.topo.proto == "udp" else 16
        segment = segment[:at] + b"\0\0" + segment[at + 2:]
        head = pkt.pseudo(side.src, side.dst, self.topo.l4, len(segment))
        return segment[:at] + pkt.csum(head + segment).to_bytes(2, "big") + segment[at + 2:]

    def read(self):
        poll = select.poll()
        names = {}
        for name, fd in self.director.fd.items():
            poll.register(fd, select.POLLIN)
            names[fd] = name
        while not self.done:
            sent = self.stream.get(0)
            for fd, what in poll.poll(5):
                if not what & select.POLLIN:
                    poll.unregister(fd)         # its device is gone
                    continue
                now = time.monotonic()
                for raw in self.director.read(names[fd]):
                    a, b = struct.unpack("!II", raw[-8:])
                    if a ^ b == 0xffffffff:
                        self.out.append((now, names[fd], a, raw))
            self.stream.put(1, sent + AHEAD)

    def hits(self):
        """Nothing, if the module is gone."""
        with self.director:
            return stat().get("xdp_hits" if XDP else "hits", 0)

    def sent(self):
        return self.stream.get(0)

    def go_on(self, packets, seconds=5.0):
        """Until so many more have been sent."""
        end, number = time.monotonic() + seconds, self.sent() + packets
        while self.sent() < number:
            if time.monotonic() > end:
                raise Fail("the load stopped at %d" % self.sent())
            time.sleep(.002)

    def command(self, line):
        with self.director:
            done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Fail("%s: %s" % (line, done.stderr.strip()))
        return done.stdout

    def close(self):
        if self.stream:
            self.stream.stop()
        self.done = True
        if self.reader:
            self.reader.join()
        self.director.close()


def once(row, proto):
    """Returns (packets by the old decision, ms until the last of them, packets seen)."""
    bench = Bench(row, proto)
    try:
        end = time.monotonic() + 10
        while bench.hits() < 50:
            if time.monotonic() > end:
                raise Fail("%s, %s: no flows: %s" % (row.name, proto, bench.hits()))
            time.sleep(.01)
        time.sleep(random.random() * .05)
        before = bench.hits()
        bench.command(row.event(bench))
        number, start = bench.sent(), time.monotonic()
        at = bench.hits()           # none, if the module is gone
        if row.long:
            while time.monotonic() < start + (max(row.ms, LEASE) + LATE) / 1000 + .3:
                time.sleep(.05)
        bench.go_on(BEHIND)
        hits = bench.hits() - at if "scope" in row.name else 0
        last = bench.sent() - AHEAD
        return judge(row, bench, number, start, last, hits, at) + (before,)
    finally:
        bench.close()


def judge(row, bench, number, start, last, hits, at):
    behind = [o for o in bench.out if o[2] > number]
    old, latest, wrong = hits, 0.0, []
    if row.keeps:
        got = {o[2] for o in behind}
        wrong = [n for n in range(number + 1, last - AHEAD) if n not in got]
    if row.old:
        for when, dev, n, raw in behind:
            if row.old(bench, dev, raw):
                ms = (when - start) * 1000
                latest = max(latest, ms)
                if not row.ms or ms > row.ms + LATE:
                    wrong.append(n)
    if wrong:
        print("# %s, %s: packets %d to %d behind the event, of connections %s; %d by flows" %
              (row.name, bench.topo.proto, wrong[0] - number, wrong[-1] - number,
               sorted({n % len(bench.trace.conns) for n in wrong}), bench.hits() - at))
    return old + len(wrong), latest, bench.sent() - number


def load_module():
    """If the row before has removed it."""
    subprocess.run(["modprobe", "shadowlb", "flows=1024"], check=True)


def main(repeat, part, names):
    rows = [r for r in ROWS if (not names or any(n in r.name for n in names)) and
            (r.xdp if XDP else r.hook)]
    first, step = (int(n) for n in part.split("/"))
    rows = rows[first - 1::step]
    for n, row in enumerate(rows):
        worst, latest, packets, served, trouble = 0, 0.0, 0, 0, []
        for i in range(repeat):
            try:
                load_module()
                old, ms, seen, hits = once(row, ("udp", "tcp")[i % 2])
            except Fail as error:
                trouble.append(str(error))
                continue
            worst, latest = max(worst, old), max(latest, ms)
            packets += seen
            served += hits
        for line in trouble[:5]:
            print("# " + line)
        good = not worst and not trouble
        print("# row\t%s\t%s\t%d\t%s\t%d\t%d\t%d" %
              (row.name, row.bound(), worst, "%.0f ms" % latest if row.ms else "-",
               repeat - len(trouble), packets, served))
        print("%s %d - %s: %d by the old decision behind %s, %d times, %d packets" %
              ("ok" if good else "not ok", n + 1, row.name, worst, row.bound(),
               repeat - len(trouble), packets), flush=True)
    print("1..%d" % len(rows))


main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
