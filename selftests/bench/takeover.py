# SPDX-License-Identifier: GPL-2.0
"""Connections that break when a director takes them over: a simulation of several designs.

    python3 selftests/bench/takeover.py

Real servers change, and a director fails. Its connections reach another director, which has never
seen them, in mid-connection. Does their next packet reach the real server that has the connection?
Prints the share that does not, in per cent of the connections taken over; those of a real server
that is gone do not count.

  table     the present table alone: a plain Maglev table. Also JET: what a director remembers of
            connections that a change moves is lost with the director
  N s       the table before the last change, for N seconds after that: "shadow" if it counted nothing
  counted   for 300 seconds at most, and until two thirds as many connections have begun as there
            were: "shadow" by default
  chain     present table; a real server sends packets that it does not know on to the one that had the slot
            before (Beamer, Unimog; like GLB's second of a slot), which needs a program there
"""
import random

SLOTS = 65537
SERVERS = 16
DIRECTORS = 4
RATE = 400          # connections that begin in a second, at all directors
PAST = 3600         # seconds before the first change
GAP = 3             # mean of the seconds between two packets of a connection
DESIGNS = ("table", 20, 60, 300, "counted", "chain")

# What the length of a connection is drawn from, evenly, in seconds: means of exponentials.
LENGTHS = {"30 s": [30], "10 minutes": [600], "30 s, one in five 10 minutes": [30] * 4 + [600]}

# name; changes as (second, real servers since then); the second at which the director fails
OLD = frozenset(range(SERVERS))
ONE = OLD | {90}
EVENTS = [("one added", [(0, ONE)], cut) for cut in (5, 15, 50, 200, 600)] + \
         [("one drained", [(0, OLD - {3})], cut) for cut in (5, 50)] + \
         [("one drained, one added 20 s later", [(0, OLD - {3}), (20, ONE - {3})], cut)
          for cut in (25, 50)]


def maglev(servers, known={}):
    """The table of some real servers, as a list of slots."""
    if servers in known:
        return known[servers]
    walks = []
    for server in sorted(servers):
        rnd = random.Random(server)
        walks.append([server, rnd.randrange(SLOTS), rnd.randrange(1, SLOTS)])
    table, left = [None] * SLOTS, SLOTS
    while True:
        for walk in walks:
            server, at, skip = walk
            while table[at] is not None:
                at = (at + skip) % SLOTS
            table[at], walk[1] = server, at
            left -= 1
            if not left:
                known[servers] = table
                return table


def in_force(tables, when):
    """The table of a moment; tables as (since, table)."""
    return [table for since, table in tables if since <= when][-1]


def before(tables, when, grace):
    """The table before the last changes, which was in force for a minute; or None."""
    kept = None             # (since, table)
    for (since, table), (change, _) in zip(tables, tables[1:]):
        if change > when:
            break
        if kept and change - kept[0] >= grace:
            kept = None
        if not kept and change - since >= 60:
            kept = change, table
    return kept[1] if kept and when - kept[0] < grace else None


def chosen(design, tables, slot, when, mean):
    """Real servers that a packet in mid-connection reaches at a director that does not know it."""
    now = in_force(tables, when)[slot]
    if design == "table":
        return {now}
    if design == "chain":
        had = [table[slot] for since, table in tables if since <= when and table[slot] != now]
        return {now, *had[-1:]}
    # as many connections as begin in the mean time that one lasts
    old = before(tables, when, min(300, mean * 2 / 3) if design == "counted" else design)
    return {old[slot] if old else now}


def connections(rnd, means, end):
    """(begin, end, slot) of those that are alive at a moment, on one director."""
    for _ in range(int((PAST + end) * RATE / DIRECTORS)):
        begin = rnd.uniform(-PAST, end)
        stop = begin + rnd.expovariate(1 / rnd.choice(means))
        if stop > end:
            yield begin, stop, rnd.randrange(SLOTS)


def run(means, changes, cut):
    """Per cent of connections that break, by design."""
    rnd = random.Random(1)
    tables = [(-10**9, maglev(OLD))] + [(when, maglev(servers)) for when, servers in changes]
    broken, number = dict.fromkeys(DESIGNS, 0), 0
    for begin, stop, slot in connections(rnd, means, cut):
        when = cut + rnd.expovariate(1 / GAP)
        if when > stop:
            continue
        number += 1
        server = in_force(tables, begin)[slot]
        for design in DESIGNS:
            broken[design] += server not in chosen(design, tables, slot, when,
                                                     sum(means) / len(means))
    return [100 * broken[design] / number for design in DESIGNS]


def main():
    print("| a connection lasts for | of 16 real servers | director fails after | " +
          " | ".join(d if isinstance(d, str) else "%d s" % d for d in DESIGNS) + " |")
    print("|---" * (3 + len(DESIGNS)) + "|")
    for length, means in LENGTHS.items():
        for name, changes, cut in EVENTS:
            print("| %s | %s | %d s | %s |" % (length, name, cut, " | ".join(
                "%.1f" % share for share in run(means, changes, cut))))


main()
