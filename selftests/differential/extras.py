# SPDX-License-Identifier: GPL-2.0
"""What a topology may have besides, drawn by dice of its own: seeds that draw none of it
are the same topologies as before it came, and so are the kept ones.

  shared     several services with the same real servers and ports, and clients that use one
             port of theirs for all: the newest connection has the answers
  rewrite    a rule that changes payload or TCP options, from the start or later
  redirects  the kernel's default of sending ICMP redirects, mostly with one arm
  multipath  two gateways to the clients, and neighbours that die and come back
  ext        IPv6 extension headers in batches
  notrack    a rule in raw, from the start or later
  routing    forwarding off and on, policy rules, unreachable routes
  inner      UDP packets with a checksum to be completed inside of their payload
  bridged    each device is a bridge, and br_netfilter shows frames at its port
  edited     real servers get tunnels of another type, port or checksum; labels change
"""
import os
import random

from . import rules

# Seeds that were kept before extras came (cases/differential.seeds) draw nothing by this number.
DICE = 1207698

# IPv6 flow labels that packets and policy rules have.
LABELS = 0, 0x12345, 0xabcde


def applicable(topo):
    """{what: how often}"""
    nat = topo.method == "nat"
    out = {"rewrite": 2, "notrack": 2, "routing": 1}
    if nat:
        out.update({"redirects": 4, "multipath": 4, "routing": 3})
        if topo.proto != "sctp":
            out["shared"] = 8
    if topo.fam == 6:
        out["ext"] = 3
    if topo.proto == "udp":
        out["inner"] = 2
    return out


def draw(topo):
    """Attributes of the topology, all of them, whether they are used or not."""
    rnd = random.Random(topo.seed * 40503 + DICE)
    which = set()
    if rnd.random() < .6:
        names = applicable(topo)
        for _ in range(rnd.choice((1, 1, 2, 3))):
            which.add(rnd.choices(list(names), list(names.values()))[0])
    # later than the others, which stay what they were
    if random.Random(topo.seed * 48271 + DICE).random() < .12:
        which.add("bridged")
    if random.Random(topo.seed * 69069 + DICE).random() < .15:
        which.add("edited")
    topo.extras = which
    topo.services = rnd.choice((2, 2, 3))
    topo.by_port = rnd.random() < .5
    topo.shared_servers = rnd.choice((1, 1, 2))
    topo.rewrite = rnd.choice(("start", "late"))
    topo.rewrite_place = rnd.choice(rules.PLACES)
    topo.rewrite_option = rnd.randrange(2)
    topo.redirect_arm = rnd.random() < .7
    topo.notrack = rnd.choice(("start", "event"))
    topo.cpus = False           # packets enter on two CPUs, by turns
    topo.notrack_from = rnd.choice(("", "c0", "s*"))


def rules_of_labels():
    """Does this kernel have policy rules for flow labels?"""
    return tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 14)


def settle(topo):
    """Before anything else is settled: what does not go together."""
    if isinstance(topo.extras, str):            # of --force
        topo.extras = set(filter(None, topo.extras.split("+")))
    if topo.cpus:
        # the newest connection has the answers of another CPU a lease later; and a connection
        # that a flow of another CPU holds ends, and is one less, later
        topo.extras -= {"shared", "ext"}
        topo.batch = topo.threshold = topo.nodest = False
    have = topo.extras
    topo.shared = "shared" in have
    if topo.shared:
        # A connection whose first packet does not leave has the answers a lease later. An answer
        # in a batch with that packet is before it.
        have -= {"ext", "routing"}
        topo.service, topo.servers, topo.batch = "addr", topo.shared_servers, False
        topo.snat = ""          # which tells connections apart by a port drawn at random
    else:
        topo.services = 1
    if "rewrite" not in have:
        topo.rewrite = ""
    elif topo.rewrite == "late":
        topo.lease = 1
    if topo.method != "nat" and topo.rewrite_place in ("forward", "postrouting"):
        topo.rewrite_place = "input"
    topo.redirects = "redirects" in have
    topo.onearm = topo.onearm or topo.redirects and topo.redirect_arm
    topo.multipath = "multipath" in have
    if topo.multipath and topo.fam == 4:        # a leg that is back has its packets a lease later
        topo.lease = 1
    topo.ext = "ext" in have
    topo.batch = topo.batch or topo.ext
    # XDP comes before rules; and an answer that is not tracked is not translated back, so that
    # the director resets the connection
    snat = topo.snat and topo.conntrack and topo.method == "nat"
    if "notrack" not in have or topo.xdp or snat:
        topo.notrack = ""
    topo.inner = "inner" in have
    if topo.xdp:                                # leaves ports to the hook
        have -= {"bridged"}
    topo.bridged = "bridged" in have
    topo.routing = "routing" in have
    if topo.method in ("nat", "dr"):
        have -= {"edited"}
    topo.edited = "edited" in have
    # a GUE packet that XDP sends has the source port of the packet that proved the flow
    topo.labels = topo.fam == 6 and not (topo.xdp and topo.method.startswith("gue")) and \
        (topo.multipath or topo.edited or topo.routing and rules_of_labels())
    topo.changes = topo.multipath or topo.routing or topo.rewrite == "late" or \
        topo.notrack == "event" or topo.edited
    # that a rule finds options to change
    topo.stamps = bool(topo.rewrite) and topo.proto == "tcp"
