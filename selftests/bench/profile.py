#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Where the instructions of a packet go: profile.py SYMBOLS TRACE.

SYMBOLS is /proc/kallsyms of the guest, TRACE what QEMU logs of it (-d exec, one
instruction a block). Prints functions and their instructions for one packet, of the
most frequent number of instructions, and for the mean of all packets, from
netif_receive_skb() to its return; of XDP, from slb_xdp() to the return of the program.
"""
import bisect
import collections
import re
import sys


def read_symbols(path):
    found = []
    with open(path, errors="replace") as f:
        for line in f:
            words = line.split()
            if len(words) >= 3 and words[1] in "tTwW" and re.fullmatch("[0-9a-f]{16}", words[0]):
                found.append((int(words[0], 16), words[2]))
    return sorted(found)


def main(symbols, trace):
    table = read_symbols(symbols)
    starts = [a for a, _ in table]
    entries = dict((name, a) for a, name in table)
    with open(trace, errors="replace") as f:
        pcs = [int(m.group(1), 16) for m in re.finditer(r"\[[0-9a-f]+/([0-9a-f]+)/", f.read())]
    names = [table[bisect.bisect_right(starts, pc) - 1][1] for pc in pcs]
    packets = []
    for entry, end in (("netif_receive_skb", "slb_bench_pass"), ("slb_xdp", "slb_bench_xdp")):
        packets += [(a, next((b for b in range(a, len(pcs)) if names[b] == end), 0))
                    for a, pc in enumerate(pcs) if pc == entries.get(entry)]
    packets = [(a, b) for a, b in packets if b]
    if not packets:
        sys.exit("error: no packet in a trace of %d instructions: try again" % len(pcs))
    length = collections.Counter(b - a for a, b in packets).most_common(1)[0][0]
    a, b = next(p for p in packets if p[1] - p[0] == length)
    count = collections.Counter(names[a:b])
    total = collections.Counter()
    for c, d in packets:
        total.update(names[c:d])
    print("%6d %8.1f all, the mean of %d packets" %
          (length, sum(total.values()) / len(packets), len(packets)))
    for name, n in total.most_common():
        print("%6d %8.1f %s" % (count[name], n / len(packets), name))


main(*sys.argv[1:])
