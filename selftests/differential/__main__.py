# SPDX-License-Identifier: GPL-2.0
"""python3 -m differential: see differential.sh for what can be asked of it."""
import argparse
import os
import sys
import time

from . import expect
from .play import Play
from .topo import Topology

AT_ONCE = 12
# Of all namespaces: else how many errors tell of a route that leads nowhere, and for how long
# a neighbour is known that does not answer, is a matter of time.
TIMELESS = {"ipv4/route/error_cost": 0, "ipv4/neigh/default/gc_thresh1": 1000000,
            "ipv6/neigh/default/gc_thresh1": 1000000}


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--topologies", type=int, default=200)
    p.add_argument("--packets", type=int, default=0, help="the least number of packets")
    p.add_argument("--first", type=int, default=1, help="the first seed")
    p.add_argument("--seed", type=int, help="this topology alone, packet by packet")
    p.add_argument("--seeds", help="file of seeds to run first")
    p.add_argument("--minutes", type=float, help="go on until then")
    p.add_argument("--serves", default="", help="features that must be served too")
    p.add_argument("--force", default="", help="name=value,...: of a Topology")
    p.add_argument("--same", action="store_true", help="no flows in either: finds what "
                   "the test itself cannot tell")
    p.add_argument("--stop", action="store_true", help="at the first difference")
    p.add_argument("--chunk", type=int, default=32)
    return p.parse_args()


def forced(text):
    out = {}
    for item in filter(None, text.split(",")):
        name, value = item.split("=")
        out[name] = int(value) if value.lstrip("-").isdigit() else value
    return out


class Run:
    def __init__(self, args):
        self.args = args
        self.table = {}                 # {features: [topologies, packets, fair, served, must]}
        self.besides = {}               # the same of extras, one by one
        self.bad = []
        self.done = self.shots = 0
        self.waiting = []               # (when, coroutine, play)

    def seeds(self):
        args = self.args
        if args.seed is not None:
            yield args.seed
            return
        if args.seeds and os.path.exists(args.seeds):
            with open(args.seeds, encoding="ascii") as f:
                for line in f:
                    if line.partition("#")[0].strip() and not (args.stop and self.bad):
                        yield int(line.split()[0])
        end = time.monotonic() + args.minutes * 60 if args.minutes else 0
        n = 0
        while self.more(n, end):
            yield args.first + n
            n += 1

    def more(self, n, end):
        args = self.args
        if args.stop and self.bad:
            return False
        if end:
            return time.monotonic() < end
        return n < args.topologies or self.shots < args.packets

    def play(self):
        """One topology's traffic at a time, so that its pauses are as long as it says;
        while it pauses, and behind it, others that have ended wait for their counters."""
        for seed in self.seeds():
            play = Play(Topology(seed, forced(self.args.force)), self.args)
            if self.args.seed is not None:
                print("# %s" % play.topo)
            coroutine = play.run()
            while not play.settling and self.step(coroutine, play):
                pass
            while len(self.waiting) >= AT_ONCE:
                self.look(wait=True)
        while self.waiting:
            self.look(wait=True)

    def step(self, coroutine, play):
        """Goes on with a topology; False if it has ended."""
        try:
            pause = next(coroutine)
            until = time.monotonic() + pause
        except StopIteration:
            self.ended(play)
            return False
        if play.settling:
            self.waiting.append((until, coroutine, play))
            return True
        while time.monotonic() < until:
            if until - time.monotonic() < .3 or not self.look():
                time.sleep(min(.1, max(0, until - time.monotonic())))
        return True

    def look(self, wait=False):
        """Goes on with the one that has waited for longest, if its time has come."""
        if not self.waiting:
            return False
        self.waiting.sort(key=lambda w: w[0])
        left = self.waiting[0][0] - time.monotonic()
        if left > 0:
            if not wait:
                return False
            time.sleep(left)
        _, coroutine, play = self.waiting.pop(0)
        self.step(coroutine, play)
        return True

    def ended(self, play):
        topo = play.topo
        self.done += 1
        self.shots += play.shots
        special = [f for f in topo.features()[3:]
                   if f not in ("mixed", "tunnel") and f not in topo.extras]
        must = expect.serves(topo.features(), self.args.serves.split(","))
        rows = [self.besides.setdefault(x, [0, 0, 0, 0, False]) for x in topo.extras] or \
            [self.table.setdefault(topo.row() + (" ".join(special),), [0, 0, 0, 0, must])]
        # events may keep packets from flows, or from everybody; so does a path whose MTU an
        # ICMP error has lowered
        narrow = play.flows.get("miss_mtu", 0) > play.fair / 20
        quiet = not (play.problem or topo.events or topo.changes or narrow)
        for row in rows:
            row[0] += 1
            row[1] += play.shots
            # an extra is of many kinds of topologies: counted are those that must be served
            if quiet and (must or not topo.extras):
                row[2] += play.fair
                row[3] += min(play.hits, play.fair)
                row[4] = must
        if self.args.seed is not None:
            print("# flows: %s" % " ".join("%s=%d" % i for i in play.flows.items() if i[1]))
        if play.problem:
            self.bad.append(topo.seed)
            print("# seed %d differs; repeat it with SLB_SEED=%d" % (topo.seed, topo.seed))
            print("# %s" % topo)
            for line in play.log:
                print("# %s" % line)
            for line in play.problem[:150]:
                print("# %s" % line)
        if self.done % 20 == 0:
            print("# %d topologies, %d packets, %d s" %
                  (self.done, self.shots, time.monotonic() - START))
        sys.stdout.flush()


START = time.monotonic()


def rows(form, table):
    """Prints them. Returns those of which too little was served; few rows have enough packets
    alone, so also those of a method, family and protocol together."""
    groups = {}
    for key in sorted(table):
        n, shots, fair, hits, must = table[key]
        print("# %s %6d %7d %7d %7s %s" %
              (form % key, n, shots, fair, "%.1f%%" % (100 * hits / fair) if fair else "-",
               "must" if must else ""))
        for group in {key, key[:3]} if must else ():
            sums = groups.setdefault(" ".join(group), [0, 0])
            sums[0] += fair
            sums[1] += hits
    return [name for name, sums in groups.items() if not expect.enough(*sums)]


def main():
    args = arguments()
    for name, value in TIMELESS.items():
        with open("/proc/sys/net/" + name, "w", encoding="ascii") as f:
            f.write(str(value))
    run = Run(args)
    run.play()
    print("# method       family proto  features                          topologies packets"
          "    fair  served")
    missing = rows("%-12s %-6s %-5s %-36s", run.table)
    print("# with          topologies packets    fair  served")
    missing += rows("%-16s", {(name,): row for name, row in run.besides.items()})
    n = 0
    for good, text in ((not run.bad, "%d topologies, %d packets: no difference (seeds %s)" %
                        (run.done, run.shots, run.bad or "")),
                       (not missing, "flows serve what they should %s" % (missing or ""))):
        n += 1
        print("%s %d - %s" % ("ok" if good else "not ok", n, text))
    print("1..%d" % n)
    return 1 if run.bad or missing else 0


sys.exit(main())
