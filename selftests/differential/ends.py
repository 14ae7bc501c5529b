# SPDX-License-Identifier: GPL-2.0
"""Namespaces that end with flows in them: ends.py N.

Each is a director of a topology of its own, as the differential test draws them, that is
let go of between two packets. The kernel ends namespaces in the background, some at a time.
"""
import sys
import time

from .net import Director, stat
from .nl import Fail
from .topo import Topology
from .trace import Trace

ROUNDS = 8


def serve(director, topo):
    """Some traffic. Returns how many packets flows served, or would have (SLB_VERIFY)."""
    topo.setup(director, 2)
    director.ready()
    trace = Trace(topo)
    for number in range(ROUNDS):
        for shot in trace.round(number):
            director.inject(shot.dev, shot.data)
        trace.learn(director.drain())
        director.settle()
    with director:
        got = stat()
    return got.get("hits", 0) + got.get("miss_verify", 0)


def main(count):
    with_flows = hits = 0
    start = time.monotonic()
    for n in range(count):
        director = Director("namespace %d" % n)
        try:
            served = serve(director, Topology(n, {"events": False, "batch": False, "extras": ""}))
            with_flows += served > 0
            hits += served
        except Fail as error:
            print("# %s" % error)
        finally:
            director.close()
        if n % 100 == 99:
            print("# %d namespaces, %d s" % (n + 1, time.monotonic() - start), flush=True)
    print("# %d packets served by flows, in %d of %d namespaces" % (hits, with_flows, count))
    return 0 if with_flows > count * .5 else 1


sys.exit(main(int(sys.argv[1])))
