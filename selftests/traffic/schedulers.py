#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Schedulers of IPVS beside each other: what the kernel chooses, and how long it takes to set up.

schedulers.py [MODE...] prints a line "# row" for each measurement, tab-separated. A mode is even,
moves, build, many or skew; default all. Each measurement has a network namespace of its own.
"""
import collections
import os
import random
import subprocess
import sys
import time

import maglev

VIP = "10.9.0.1"
SCHEDULERS = {"shadow": [], "mh": ["-b", "mh-port"], "sh": ["-b", "sh-port"], "wlc": [], "rr": []}
CONNECTIONS = 1000000           # for evenness
SAMPLE = 20000                  # for movements
NS = "slb-sched"


def run(*words, text=None):
    return subprocess.run(words, input=text, text=True, check=True, capture_output=True).stdout


def inside(*words, text=None):
    return run("ip", "netns", "exec", NS, *words, text=text)


def real(number):
    return "10.%d.%d.%d:9" % (16 + number // 62500, number // 250 % 250, 1 + number % 250)


def rules(scheduler, reals, port=9, options=()):
    """For ipvsadm -R. reals: weights by number."""
    service = "%s:%d" % (VIP, port)
    yield " ".join(["-A -u", service, "-s", scheduler, *SCHEDULERS[scheduler], *options])
    for number, weight in reals.items():
        yield "-a -u %s -r %s -m -w %d" % (service, real(number), weight)


class Director:
    """A network namespace with services, and a device that packets of clients come in by."""

    def __init__(self, lines):
        run("ip", "netns", "add", NS)
        inside("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0",
               "net.ipv4.conf.default.rp_filter=0")
        inside("ip", "-batch", "-", text="""link set lo up
            link add d0 type dummy
            link set d0 up
            address add 10.15.255.1/32 dev d0
            address add %s/32 dev lo
            route add default dev d0
        """ % VIP)
        start = time.monotonic()
        inside("ipvsadm", "-R", text="\n".join(lines) + "\n")
        self.seconds = time.monotonic() - start

    def __enter__(self):
        return self

    def __exit__(self, *_):
        run("ip", "netns", "delete", NS)

    def send(self, clients):
        """A packet of each client, in a process of its own in the namespace."""
        pid = os.fork()
        if not pid:
            try:
                os.setns(os.open("/run/netns/" + NS, os.O_RDONLY))
                fd = maglev.tun("slb-tun")
                for client in clients:
                    os.write(fd, datagram(*client))
                time.sleep(1)
                os._exit(0)
            finally:
                os._exit(1)
        if os.waitpid(pid, 0)[1]:
            raise RuntimeError("packets cannot be sent")

    def conns(self):
        """Connections of each real server so far."""
        found = {}
        for line in inside("ipvsadm", "-Ln", "--stats", "--exact").splitlines():
            words = line.split()
            if words[:1] == ["->"] and words[1] != "RemoteAddress:Port":
                found[words[1]] = int(words[2])
        return found

    def chosen(self):
        """The real server of each client."""
        found = {}
        for line in inside("cat", "/proc/net/ip_vs_conn").splitlines()[1:]:
            words = line.split()
            found[words[1], words[2]] = words[5]
        return found


HEAD = bytes.fromhex("4500001d0000000040110000")
SUM = sum(int.from_bytes(HEAD[i:i + 2], "big") for i in range(0, 12, 2)) + 0x0a09 + 0x0001


def datagram(address, port):
    """IPv4, one byte of UDP without a checksum."""
    total = SUM + (address >> 16) + (address & 0xffff)
    total = (total & 0xffff) + (total >> 16)
    total = ~((total & 0xffff) + (total >> 16)) & 0xffff
    return b"%b%b%b\n\t\0\1%b\0\t\0\t\0\0x" % (HEAD[:10], total.to_bytes(2, "big"),
                                              address.to_bytes(4, "big"), port.to_bytes(2, "big"))


def population(count, seed=1):
    """Clients of 10.128.0.0/9, each once."""
    rand = random.Random(seed)
    chosen = rand.sample(range(1 << 39), count)
    return [(0x0a800000 + (n >> 16), n & 0xffff or 1) for n in chosen]


def row(*words):
    print("# row\t" + "\t".join(map(str, words)), flush=True)


def shares(scheduler, reals, count):
    """Connections by real server. Connections of one packet each, but for who counts them."""
    options = () if scheduler == "wlc" else ("-o",)
    with Director(rules(scheduler, reals, options=options)) as director:
        time.sleep(1)
        director.send(population(count))
        found = director.conns()
    return {number: found[real(number)] for number in reals}


def even():
    for scheduler in SCHEDULERS:
        count = CONNECTIONS // 10 if scheduler == "wlc" else CONNECTIONS
        found = shares(scheduler, dict.fromkeys(range(100), 1), count)
        row("even", scheduler, "%.3f" % (max(found.values()) * 100 / sum(found.values())))
        if scheduler == "rr":
            continue
        weights = {number: 1 + number % 10 for number in range(100)}
        found = shares(scheduler, weights, count)
        by_weight = collections.Counter()
        for number, weight in weights.items():
            by_weight[weight] += found[number]
        unit = sum(found.values()) / sum(weights.values()) * 10
        row("weights", scheduler,
            "%.3f" % max(abs(n / (unit * weight) - 1) for weight, n in by_weight.items()))


def sample(scheduler, reals):
    with Director(rules(scheduler, reals)) as director:
        time.sleep(1)
        director.send(population(SAMPLE, 2))
        return director.chosen()


def moved(before, after):
    """The share of connections that go elsewhere."""
    return sum(after.get(client) != server for client, server in before.items()) / len(before)


def moves():
    for scheduler in ("shadow", "mh", "sh"):
        for count in (16, 100):
            reals = dict.fromkeys(range(count), 1)
            base = sample(scheduler, reals)
            back = sample(scheduler, dict.fromkeys(reversed(range(count)), 1))
            less = sample(scheduler, {n: 1 for n in reals if n != count // 2})
            more = sample(scheduler, dict.fromkeys(range(count + 1), 1))
            # in multiples of what must move
            row("moves", scheduler, count, "%.2f" % (moved(base, less) * count),
                "%.2f" % (moved(base, more) * (count + 1)), "%.2f" % moved(base, back))


def build():
    for scheduler in SCHEDULERS:
        with Director(rules(scheduler, dict.fromkeys(range(1000), 1))) as director:
            times = []
            for number in range(1000, 1011):
                time.sleep(.3)
                start = time.monotonic()
                inside("ipvsadm", "-a", "-u", VIP + ":9", "-r", real(number), "-m")
                times.append(time.monotonic() - start)
            row("build", scheduler, "%.2f" % director.seconds, "%.1f" % (sorted(times)[5] * 1000))


def memory():
    """In KiB, when what ended before has given back its own."""
    time.sleep(15)
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemAvailable"))


def many():
    """37,000 real servers in 2,300 services."""
    for scheduler in ("wlc", "mh", "shadow"):
        lines, before = [], memory()
        for service in range(2300):
            lines += rules(scheduler, {n % 1000: 1 for n in range(service * 7, service * 7 + 16 +
                                                                  (service % 11 == 0))},
                           1000 + service)
        with Director(lines) as director:
            row("many", scheduler, sum(line[:2] == "-a" for line in lines),
                "%.1f" % director.seconds, (before - memory()) // 1024)


def skew():
    """Bounded loads: 100,000 connections of clients of which few are busy, by client alone."""
    rand = random.Random(3)
    clients = []
    for port in range(100000):
        client = min(int(rand.paretovariate(1.1)), 60000)
        clients.append((0x0a800000 + client * 2654435761 % (1 << 23), 1024 + port % 64000))
    for options in (("-b", "flag-1"), ("-b", "flag-1,flag-2")):
        with Director(rules("shadow", dict.fromkeys(range(20), 1), options=options)) as director:
            time.sleep(1)
            director.send(clients)
            found = director.conns()
        row("skew", options[1], len(set(clients)),
            "%.3f" % (max(found.values()) * len(found) / sum(found.values())))


MODES = {"even": even, "moves": moves, "build": build, "many": many, "skew": skew}

if __name__ == "__main__":
    for mode in sys.argv[1:] or MODES:
        MODES[mode]()
