# SPDX-License-Identifier: GPL-2.0
"""Who may overtake whom: nobody. A driver hands over datagrams of one connection over IPv6, of
which some have an extension header, so that no key is found in them and they go slow. What
leaves must be in the order in which it leaves without flows.
"""
import sys
import time

from . import compare, report
from .net import Director, stat
from .nl import Fail
from .topo import PLAIN, Topology
from .trace import Trace

HOP, DST = 1, 2                         # hop-by-hop, destination options
BATCHES = (
    ("destination options first", (DST, 0, 0, 0)),
    ("hop-by-hop options first", (HOP, 0, 0)),
    ("between others", (0, 0, DST, 0, 0)),
    ("several", (0, DST, 0, HOP, 0, DST, 0)),
    ("last", (0, 0, DST)),
)
PAUSE = .1                              # packets without a key hold others for a tick or two


class Pair:
    """Two directors, and the one connection."""

    def __init__(self):
        self.topo = Topology(1, {**PLAIN, "fam": 6, "ofam": 6, "proto": "udp", "batch": True,
                                 "gro": False, "conns": 1, "servers": 1})
        self.trace = Trace(self.topo)
        self.conn = self.trace.conns[0]
        self.both = []
        for name, scope in (("without flows", 0), ("with flows", 2)):
            self.both.append(Director(name))
            self.topo.setup(self.both[-1], scope)
        for director in self.both:
            director.ready()
        # compare.py then looks at the order of all, not within what it takes for a connection
        self.topo.batch = False

    def close(self):
        for director in self.both:
            director.close()

    def hits(self):
        with self.both[1]:
            return stat().get("hits", 0)

    def volley(self, side, kinds):
        """None, or what differs."""
        shots = []
        for n, kind in enumerate(kinds):
            how = {"options": b"any", "ext": int(kind == HOP)} if kind else {}
            segment = self.conn.data(side, 40 + 8 * n)
            shots += self.trace.dress(side, self.topo.l4, segment, self.conn, "data", **how)
        (a, taken), (b, same) = [d.batch(side.dev, shots) for d in self.both]
        self.trace.learn(a)
        time.sleep(PAUSE)
        if (a, taken) == (b, same):
            return None
        found = compare.first_difference(a, b, self.topo)
        return found and report.packets(found, shots)

    def served(self, side):
        """How many of four plain datagrams flows serve, behind one that proves the flow."""
        if self.volley(side, (0,)):
            return -1
        before = self.hits()
        if self.volley(side, (0, 0, 0, 0)):
            return -1
        return self.hits() - before


def main():
    pair = Pair()
    lines = []

    def result(good, text):
        lines.append(text)
        print("%s %d - %s" % ("ok" if good else "not ok", len(lines), text), flush=True)
        return not good

    for _ in range(4):
        pair.volley(pair.conn.c, (0,))
        pair.volley(pair.conn.s, (0,))
    bad = 0
    for name, side in (("requests", pair.conn.c), ("answers", pair.conn.s)):
        n = pair.served(side)
        bad += result(n == 4, "%s: %d of 4 are served" % (name, n))
        for what, kinds in BATCHES:
            found = pair.volley(side, kinds)
            for line in found or ():
                print("# " + line)
            bad += result(not found, "%s with extension headers, %s: in order" % (name, what))
            n = pair.served(side)
            bad += result(n == 4, "%s: then %d of 4 are served" % (name, n))
    pair.close()
    print("1..%d" % len(lines))
    return bool(bad)


try:
    sys.exit(main())
except Fail as fail:
    print("not ok 1 - %s" % fail)
    sys.exit(1)
