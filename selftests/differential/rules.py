# SPDX-License-Identifier: GPL-2.0
"""What "nft -f" is given: rules that a topology begins with, and those that come later."""
import os

from .pkt import SCTP, UDP

# Bytes of each packet that a rule may change, of th in bits: behind the number by which the
# test knows a connection (trace.py), and in every packet of the trace that flows may serve.
# A rule that spares some of them is bypassed for good (README.md, Limits).
PAYLOAD = {UDP: "@th,96,32 set 0x41424344", SCTP: "@th,160,32 set 0x41424344"}
OPTIONS = ("reset tcp option timestamp", "tcp option timestamp tsval set 0x41424344")
# Whose rule is behind the place of flows: (chain, priority). A tunnel's outer header is met in
# POST_ROUTING, the packet that came is not.
PLACES = ("prerouting", "input", "forward", "postrouting")


def settles(topo):
    """Seconds after which a rule holds: one bit of the number of transactions (Linux 6.1) may not
    tell."""
    release = tuple(map(int, os.uname().release.split(".")[:2]))
    return 0 if release >= (6, 12) else topo.lease + 1


def table(topo):
    """Nothing, if nothing is needed: nft loads conntrack."""
    out = []
    ip = "ip" if topo.fam == 4 else "ip6"
    if topo.fwmark or topo.mark:
        out.append("chain c5 { type filter hook prerouting priority mangle; ")
        for vip in sorted({vip for vip, _ in topo.at}):
            out.append("%s daddr %s meta mark set %d" % (ip, vip, topo.fwmark or 9))
        if topo.mark:
            out.append("iifname \"s*\" meta mark set 9")
        out.append("}")
    if topo.snat:
        what = "masquerade" if topo.snat == "masquerade" else \
            "snat to " + ("10.2.0.77" if topo.fam == 4 else "fd00:20::77")
        names = '"c0"' if topo.onearm else '"s*"'
        out.append("chain c4 { type nat hook postrouting priority srcnat; "
                   "oifname %s meta l4proto %s %s; }" %
                   (names, topo.l4, what))
    if topo.ct_rules:
        out.append("chain c1 { type filter hook forward priority filter; "
                   "ct state invalid counter drop; }")
        out.append("chain c2 { type filter hook input priority filter; "
                   "ct state established counter accept; }")
    if topo.dscp_rule:
        out.append("chain c3 { type filter hook postrouting priority mangle; "
                   "%s dscp set af21; }" % ip)
    tables = ["table %s t {\n%s\n}\n" % (ip, "\n".join(out))] if out else []
    if topo.egress:
        tables.append("table netdev e {\n%s\n}\n" % "\n".join(
            tell(dev) for dev in ("c0", "s0", "s1")))
    if topo.chain:                      # about nothing that comes: but lookups prove no flow
        tables.append("table %s n { chain c { type filter hook input priority filter; "
                      "meta l4proto 253 drop; }; }\n" % ip)
    if topo.edited:
        outer = "ip" if topo.ofam == 4 else "ip6"
        tables.append("table %s o { chain c { type filter hook output priority mangle; "
                      "udp dport %d %s dscp set cs1; meta l4proto gre %s dscp set cs2; }; }\n" %
                      (outer, topo.tun_ports[1], outer, outer))
    if topo.rewrite == "start":
        tables.append(rewrite(topo))
    if topo.notrack == "start":
        tables.append(notrack(topo))
    return "".join(tables)


def tell(dev):
    """Mark and priority of what leaves, for whoever reads its source address."""
    rules = ["meta mark %d @ll,56,8 set %d" % (mark, mark) for mark in (7, 9)]
    rules += ["meta priority 0:%d @ll,64,8 set %d" % (i, i) for i in (2, 4, 6)]
    return "chain %s { type filter hook egress device %s priority 0; %s; }" % \
        (dev, dev, "; ".join(rules))


def rewrite(topo):
    """Changes what is behind the headers."""
    what = PAYLOAD.get(topo.l4) or OPTIONS[topo.rewrite_option]
    return "table inet rewrite { chain c { type filter hook %s priority mangle; " \
        "meta l4proto %d %s; }; }\n" % (topo.rewrite_place, topo.l4, what)


def notrack(topo):
    """topo.notrack_from: names of devices, or "" for all."""
    match = "iifname \"%s\" " % topo.notrack_from if topo.notrack_from else ""
    return "table inet untracked { chain c { type filter hook prerouting priority raw; " \
        "%smeta l4proto %d notrack; }; }\n" % (match, topo.l4)
