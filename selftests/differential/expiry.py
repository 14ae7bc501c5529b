# SPDX-License-Identifier: GPL-2.0
"""When connections end. Each scenario has two directors, one with flows and one without,
that are given the same packets; all scenarios go on side by side. Each half second what
both know of their connections is read:

- a connection ends, and changes its state, when it does without flows, a sweep later at
  most;
- until then it is shown with the same time left;
- a real server's active and inactive connections are those that IPVS counts without
  flows, now or within a sweep.

Times are compared within a sweep and the time between two readings, which a busy machine
stretches.
"""
import subprocess
import sys
import time

from . import compare, l4
from .net import Director, proc, stat
from .nl import Fail, ipvsadm
from .state import EXPIRY, State
from .topo import PLAIN, Topology
from .trace import Trace

STEP = .5
SWEEP = 1.0
ROUNDED = 1.5                       # both to seconds; and they are read one after the other


class Scenario:
    """set: ipvsadm --set; sysctls of net.ipv4.vs; hits: whether flows must serve; act: a
    coroutine that is told the Pair and yields at each step; last: seconds."""

    def __init__(self, name, act, last, timeouts="", sysctls=None, hits=True, **topo):
        self.name, self.act, self.last = name, act, last
        self.timeouts, self.sysctls, self.hits = timeouts, sysctls or {}, hits
        self.topo = topo


class Pair:
    """Two directors of a scenario, and what was seen of them."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.topo = Topology(1, {**PLAIN, **scenario.topo})
        self.trace = Trace(self.topo)
        self.both = []
        self.seen = []                  # (when, (conns, servers) of each)
        self.bad = []
        for name, scope in (("without flows", 0), ("with flows", 2)):
            director = Director(name)
            self.both.append(director)
            self.topo.setup(director, scope)
            with director:
                director.sysctl({"ipv4/vs/" + k: v for k, v in scenario.sysctls.items()})
                if scenario.timeouts:
                    subprocess.run(["ipvsadm", "--set", *scenario.timeouts.split()], check=True)
        for director in self.both:
            director.ready()
        self.conns = self.trace.conns

    def close(self):
        for director in self.both:
            director.close()

    def send(self, shots):
        for shot in shots:
            out = []
            for director in self.both:
                director.inject(shot.dev, shot.data)
                out.append(director.drain())
            found = compare.first_difference(*out, self.topo)
            if found:
                self.bad.append("%s: packets differ" % shot)
            self.trace.learn(out[0])

    def ipvs(self, text):
        for director in self.both:
            with director:
                ipvsadm(text + "\n")

    def open(self, conns):
        """Until it may send data."""
        for number in range(3):
            for conn in conns:
                if not conn.settled:
                    self.send(conn.step(number))
            for director in self.both:
                director.settle()

    def talk(self, conns, sides="cs"):
        """One packet of data each."""
        for conn in conns:
            for side in (conn.c, conn.s):
                if side and ("s" if side is conn.s else "c") in sides:
                    self.send(self.trace.dress(side, self.topo.l4, conn.data(side, 40), conn,
                                               "data", tos=conn.tos))

    def read(self):
        now = time.monotonic()
        state = []
        for director in self.both:
            with director:
                state.append((State.timed(proc("ip_vs_conn").splitlines()[1:], State.conn),
                              [" ".join([w[1]] + w[4:]) for w in
                               map(str.split, proc("ip_vs").splitlines()) if w[0] == "->"][1:]))
        self.seen.append((now, *state))

    # --- what must hold ---

    def judge(self):
        with self.both[1]:
            hits = stat().get("hits", 0)
        if bool(hits) != self.scenario.hits:
            self.bad.append("flows served %d packets" % hits)
        self.judge_ends()
        self.judge_left()
        self.judge_counts()
        return hits

    def slack(self, start, end):
        """Seconds by which what happens between start and end may be seen late: a sweep,
        and the longest time between readings, before and after."""
        whens = [row[0] for row in self.seen]
        gaps = [b - a for a, b in zip(whens, whens[1:]) if b >= start and a <= end]
        return SWEEP + 2 * max(gaps, default=STEP)

    def ends(self, which):
        """{connection and state: when it was seen last}"""
        out = {}
        for row in self.seen:
            for what in row[which][0]:
                out[what] = row[0]
        return out

    def judge_ends(self):
        a, b = self.ends(1), self.ends(2)
        for what in sorted(set(a) | set(b)):
            start = self.seen[0][0]
            first, last = sorted((a.get(what, start), b.get(what, start)))
            if last - first > self.slack(first, last):
                self.bad.append("%s: ends after %.1f s without flows, after %.1f s with" %
                                (what, a.get(what, start) - start, b.get(what, start) - start))

    def judge_left(self):
        """What flows have not told of yet is the packets of a sweep, and of the time between
        two readings: the end of a connection is one that it had since then without flows."""
        for n, (when, (a, _), (b, _)) in enumerate(self.seen):
            told = max((i for i in range(n) if self.seen[i][0] <= when - SWEEP - STEP), default=0)
            for what in sorted(set(a) & set(b)):
                before = [row for row in self.seen[told:n + 1]
                          if len(row[1][0].get(what, ())) == len(a[what])]
                for i, (x, y) in enumerate(zip(a[what], b[what])):
                    # one that ends now is judged by its end: a flow may hold it for a sweep
                    if not x:
                        continue
                    ends = [row[0] + row[1][0][what][i] - when for row in before]
                    if not min(ends) - ROUNDED <= y <= max(ends) + ROUNDED:
                        self.bad.append("%s: after %.1f s %s s left without flows, %s with" %
                                        (what, when - self.seen[0][0], x, y))

    def judge_counts(self):
        for when, _, (_, servers) in self.seen:
            if not any(servers == row[1][1] for row in self.seen
                       if abs(row[0] - when) <= self.slack(when, when)):
                self.bad.append("after %.1f s: active and inactive %s with flows, not so without" %
                                (when - self.seen[0][0], servers))


def steps(seconds):
    for _ in range(int(seconds / STEP)):
        yield


# --- scenarios ---

def idle(pair):
    """Served for longer than the timeout, then left alone."""
    pair.open(pair.conns)
    for _ in steps(10):
        pair.talk(pair.conns)
        yield


def one_way(pair):
    """Only the servers go on: that too keeps a connection."""
    pair.open(pair.conns)
    pair.talk(pair.conns)
    for _ in steps(10):
        pair.talk(pair.conns, "s")
        yield


def fin(pair):
    """Half closed, reset, and closed, behind flows."""
    pair.open(pair.conns)
    half, reset, closed = pair.conns
    for _ in steps(3):
        pair.talk(pair.conns)
        yield
    pair.send(half.one(half.c, half.put(half.c, l4.FIN | l4.ACK), "FIN"))
    pair.send(reset.one(reset.s, reset.put(reset.s, l4.RST), "RST"))
    pair.send(closed.one(closed.c, closed.put(closed.c, l4.FIN | l4.ACK), "FIN"))
    pair.send(closed.one(closed.s, closed.put(closed.s, l4.FIN | l4.ACK), "FIN"))
    pair.send(closed.one(closed.c, closed.put(closed.c, l4.ACK), "ACK"))
    for _ in steps(2):
        pair.talk([half], "s")
        yield


def reuse(pair):
    """Closed, and the same port again."""
    pair.open(pair.conns)
    for _ in range(3):
        for _ in steps(1.5):
            pair.talk(pair.conns)
            yield
        for conn in pair.conns:
            pair.send(conn.one(conn.c, conn.put(conn.c, l4.FIN | l4.ACK), "FIN"))
            pair.send(conn.one(conn.s, conn.put(conn.s, l4.FIN | l4.ACK), "FIN"))
            pair.send(conn.one(conn.c, conn.put(conn.c, l4.ACK), "ACK"))
        yield
        for conn in pair.conns:
            conn.again()
        for conn in pair.conns:
            pair.send(conn.step(0))
        time.sleep(.05)                 # IPVS ends the old connection by a timer, where it does
        yield from steps(1.5)
        pair.open(pair.conns)


def server_gone(pair):
    pair.open(pair.conns)
    for n in range(20):
        if n == 6:
            pair.ipvs(pair.topo.real(0, 1, "-d").split(" -w ")[0])
            pair.talk(pair.conns, "c")
            yield from steps(1.5)       # IPVS ends connections by a timer
            for conn in pair.conns:
                conn.again()
            pair.open(pair.conns)
        pair.talk(pair.conns)
        yield


def server_answers(pair):
    """A server that is gone goes on, and its clients say nothing."""
    pair.open(pair.conns)
    for n in range(16):
        if n == 6:
            pair.ipvs(pair.topo.real(0, 1, "-d").split(" -w ")[0])
            time.sleep(.05)             # IPVS has a worker end connections
        pair.talk(pair.conns, "s" if n >= 6 else "cs")
        yield


def quiescent(pair):
    """A template whose server has no weight is not used any more."""
    pair.open(pair.conns[:2])
    for n in range(20):
        if n == 6:
            pair.ipvs(pair.topo.real(0, 0, "-e"))
            pair.ipvs(pair.topo.real(1, 0, "-e"))
            pair.ipvs(pair.topo.real(2, 1, "-e"))
            pair.open(pair.conns[2:])
        pair.talk(pair.conns if n >= 6 else pair.conns[:2])
        yield


def drop(pair):
    """drop_entry=3: IPVS ends what has been idle for a minute, at random."""
    pair.open(pair.conns)
    for _ in range(2):
        pair.talk(pair.conns)
        yield


class Dropped(Pair):
    """What chance ends cannot be compared one by one: but connections must go, and none
    may wait for the timer by which IPVS comes back to those that are held."""

    def judge_ends(self):
        first, last = self.seen[2], self.seen[-1]
        for n, name in ((1, "without flows"), (2, "with flows")):
            if len(last[n][0]) >= len(first[n][0]):
                self.bad.append("%s: none of %d was dropped" % (name, len(first[n][0])))

    def judge_left(self):
        later = int((SWEEP + 2 * STEP) / STEP)
        for i in range(2, len(self.seen) - later):
            was, now, then = (self.seen[n][2][0] for n in (i - 1, i, i + later))
            most = EXPIRY + self.seen[i][0] - self.seen[i - 1][0]
            for what in set(was) & set(now) & set(then):
                if was[what][0] - now[what][0] > most:
                    self.bad.append("%s: from %s to %s s left, and still there" %
                                    (what, was[what], now[what]))

    def judge_counts(self):
        wrong = False
        for _, _, (flows, servers) in self.seen[2:]:
            was = wrong
            wrong = sum(int(s.split()[-1]) + int(s.split()[-2]) for s in servers) != len(flows)
            # a connection may end while both are read: not twice in a row
            if wrong and was:
                self.bad.append("%d connections, but %s" % (len(flows), servers))


UDP = {"proto": "udp"}
SCENARIOS = (
    Scenario("TCP, idle", idle, 20, "7 4 7"),
    Scenario("TCP, servers alone", one_way, 20, "7 4 7"),
    Scenario("TCP, 2 s: never a flow", idle, 14, "2 2 2", hits=False),
    Scenario("TCP over IPv6, direct routing", idle, 20, "7 4 7", method="dr", fam=6, ofam=6),
    Scenario("TCP, ends of connections", fin, 18, "30 4 7"),
    Scenario("UDP, idle", idle, 20, "7 4 7", **UDP),
    Scenario("UDP, 2 s: never a flow", idle, 14, "2 2 2", hits=False, **UDP),
    Scenario("UDP, persistent", idle, 28, "7 4 7", persistent=6, **UDP),
    Scenario("TCP, persistent", idle, 28, "7 4 7", persistent=6),
    Scenario("TCP, port used again, conn_reuse_mode=0", reuse, 20, "20 4 7",
             {"conn_reuse_mode": 0}),
    Scenario("TCP, port used again, conn_reuse_mode=1", reuse, 20, "20 4 7",
             {"conn_reuse_mode": 1}),
    Scenario("TCP, expire_nodest_conn=1", server_gone, 24, "7 4 7", {"expire_nodest_conn": 1}),
    Scenario("UDP, expire_nodest_conn=1", server_gone, 24, "7 4 7", {"expire_nodest_conn": 1},
             **UDP),
    Scenario("TCP, expire_nodest_conn=0", server_gone, 24, "7 4 7"),
    Scenario("TCP, expire_nodest_conn=1, answers alone", server_answers, 20, "60 4 60",
             {"expire_nodest_conn": 1}),
    Scenario("UDP, expire_nodest_conn=1, answers alone", server_answers, 20, "7 4 7",
             {"expire_nodest_conn": 1}, **UDP),
    Scenario("TCP, expire_quiescent_template=1", quiescent, 30, "7 4 7",
             {"expire_quiescent_template": 1}, persistent=20, servers=3),
    Scenario("TCP, expire_quiescent_template=0", quiescent, 30, "7 4 7",
             {"expire_quiescent_template": 0}, persistent=20, servers=3),
    Scenario("UDP, drop_entry=3", drop, 100, "900 120 200", {"drop_entry": 3}, conns=60,
             lease=90, **UDP),
)


def play(scenarios):
    """All side by side. Returns those that were not as they should be."""
    pairs = []
    for scenario in scenarios:
        kind = Dropped if scenario.act is drop else Pair
        pairs.append(kind(scenario))
    start = time.monotonic()
    acts = [pair.scenario.act(pair) for pair in pairs]
    turn = 0
    while any(time.monotonic() - start < pair.scenario.last for pair in pairs):
        turn += 1
        for pair, act in zip(pairs, acts):
            if time.monotonic() - start < pair.scenario.last:
                next(act, None)
                pair.read()
        time.sleep(max(0, start + turn * STEP - time.monotonic()))
    bad = []
    for pair in pairs:
        hits = pair.judge()
        if pair.bad:
            bad.append(pair.scenario)
        for line in pair.bad[:20]:
            print("# " + line)
        print("# %s: %d readings, %d packets served" % (pair.scenario.name, len(pair.seen), hits),
              flush=True)
        pair.close()
    return bad


def main(names):
    """A busy machine may be late with a sweep: what fails must do so twice."""
    scenarios = [s for s in SCENARIOS if not names or any(name in s.name for name in names)]
    bad = play(scenarios)
    if bad:
        print("# again: " + "; ".join(s.name for s in bad))
        bad = play(bad)
    for n, scenario in enumerate(scenarios):
        print("%s %d - %s" % ("not ok" if scenario in bad else "ok", n + 1, scenario.name))
    print("1..%d" % len(scenarios))
    return bool(bad)


try:
    sys.exit(main(sys.argv[1:]))
except Fail as fail:
    print("not ok 1 - %s" % fail)
    sys.exit(1)
