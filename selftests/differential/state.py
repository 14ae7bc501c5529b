# SPDX-License-Identifier: GPL-2.0
"""What a director knows once the traffic has ended: read it, and compare two of them."""
import re

from .net import proc, stat
from .nl import ipvs_stats, ordered

# Seconds by which expiry may differ: a sweep, the time between two readings, and the
# rounding of both.
EXPIRY = 2
CT_EXPIRY = 3
# conntrack keeps an established TCP connection for 300 s instead of days while data is not
# acknowledged, which it cannot know of the packets that flows served. More than this is as good.
CT_UNACKED = 240

HEX = "0123456789ABCDEF"

# Of /proc/net/snmp and snmp6: what somebody outside may notice.
SNMP = re.compile(r"^(IcmpMsg|Icmp\.Out|IpExt\.In(Octets|NoECTPkts|ECT|CE)|"
                  r"Ip\.(ForwDatagrams|OutDiscards|OutNoRoutes|Frag)|"
                  r"Ip6In(Octets|NoECT|ECT|CE)|"
                  r"Icmp6Out(Dest|Pkt|Time|Parm|Echo)|"
                  r"Ip6(OutForwDatagrams|OutDiscards|OutNoRoutes|Frag|InTooBig))")


class State:
    """Inside the director's namespace. conntrack: whether its entries belong to the
    connections (net.ipv4.vs.conntrack=1). Without, they are made by rules that ask
    conntrack, which does not see the packets that flows serve. xdp: whether a device
    counts what XDP takes, and with what length, is its driver's affair."""

    def __init__(self, director, conntrack, xdp="", gro=False):
        self.stats = ipvs_stats()
        # before the servers' counts: one that ends in between is known to be about to
        self.conns = self.timed(proc("ip_vs_conn").splitlines()[1:], self.conn)
        self.servers = ordered(proc("ip_vs"))
        self.tracked = self.timed(self.entries(), self.entry) if conntrack else {}
        self.devices = self.counted(director.noise, xdp)
        self.snmp = self.counters(xdp and gro)
        self.flows = stat()

    @staticmethod
    def counted(noise, xdp):
        """/proc/net/dev, without the multicast and the redirects that the devices sent, or ports
        of theirs."""
        out = []
        for line in proc("dev").splitlines():
            name, _, words = line.partition(":")
            name, words = name.strip(), words.split()
            wire = name if name in noise else name.rstrip("p")
            if wire in noise:
                for i in (0, 1):
                    words[9 - i] = str(int(words[9 - i]) - noise[wire][i])
                if xdp:
                    words[0] = words[1] = words[8] = "-"
                out.append(" ".join([name] + words))
        return "\n".join(sorted(out))

    @staticmethod
    def timed(lines, split):
        """{what: seconds left}; sorted, for those that are there twice."""
        out = {}
        for line in lines:
            what, left = split(line)
            out.setdefault(what, []).append(left)
        for left in out.values():
            left.sort()
        return out

    @staticmethod
    def conn(line):
        words = line.split()
        return " ".join(words[:8] + words[9:]), int(words[8])

    @staticmethod
    def entries():
        """The kernel counts the entries of all namespaces to find where a reader stopped: while
        some of others end, entries may be missed."""
        return max((proc("nf_conntrack").splitlines() for _ in range(3)), key=len)

    @staticmethod
    def entry(line):
        words = line.split()
        left = int(words.pop(4))
        if words[4] == "ESTABLISHED":
            left = min(left, CT_UNACKED)
        return " ".join(w for w in words if not w.startswith("use=")), left

    @staticmethod
    def counters(merged):
        """merged: not as many come by XDP as come merged without. Redirects are not counted: packets
        that flows serve bring none (net.py leaves them out, too)."""
        out = {}
        lines = proc("snmp").splitlines()
        if not merged:
            lines += proc("netstat").splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
            group, names = names.split(":")
            for name, value in zip(names.split(), values.split(":")[1].split()):
                if SNMP.match(group + "." + name) and value != "0":
                    out[group + "." + name] = value
        redirects = int(out.pop("Icmp.OutRedirects", 0))
        out.pop("IcmpMsg.OutType5", 0)
        if redirects:
            out["Icmp.OutMsgs"] = str(int(out["Icmp.OutMsgs"]) - redirects)
            out.pop("Ip.OutDiscards", 0)        # some of them rules of source NAT drop
        for line in proc("snmp6").splitlines():
            name, value = line.split()
            if SNMP.match(name) and value != "0" and not (merged and name.startswith("Ip6In")):
                out[name] = value
        return out


def texts(title, a, b):
    """Lines of each that the other does not have."""
    if a == b:
        return []
    la, lb = a.splitlines(), b.splitlines()
    return [title] + ["  without flows: " + x for x in la if x not in lb] + \
        ["  with flows:    " + x for x in lb if x not in la]


def times(title, a, b, tolerance):
    """What is not there has 0 s left: one of two that end now may have ended."""
    out = []
    for what in sorted(set(a) | set(b)):
        ta, tb = a.get(what, []), b.get(what, [])
        n = max(len(ta), len(tb))
        if any(abs(x - y) > tolerance for x, y in
               zip([0] * (n - len(ta)) + ta, [0] * (n - len(tb)) + tb)):
            out.append("  %s: without flows %s, with flows %s s left" %
                       (what, ta or "none", tb or "none"))
    return [title] + out if out else []


def ending(state):
    """{address of a real server: how many of its connections end now}"""
    out = {}
    for what, left in state.conns.items():
        words = what.split()
        out.setdefault(words[5], []).extend(x for x in left if x <= EXPIRY)
    return {server: len(left) for server, left in out.items()}


def counts(a, b):
    """Of real servers' lines, but that connections that end now may be counted in one and
    not in the other, which is read later."""
    la, lb = a.servers.splitlines(), b.servers.splitlines()
    ea, eb = ending(a), ending(b)
    out = []
    for x, y in zip(la, lb):
        wx, wy = x.split(), y.split()
        if x == y:
            continue
        if wx[0] == wy[0] == "->" and wx[:4] == wy[:4] and wx[1][-1] in HEX:
            server = wx[1].rpartition(":")[0].strip("[]")
            most = max(ea.get(server, 0), eb.get(server, 0))
            if all(abs(int(m) - int(n)) <= most for m, n in zip(wx[4:], wy[4:])):
                continue
        out += ["  without flows: " + x, "  with flows:    " + y]
    if len(la) != len(lb):
        out = ["  without flows: " + x for x in la] + ["  with flows:    " + y for y in lb]
    return ["ipvsadm -Ln:"] + out if out else []


def connections(server):
    """Inside a director's namespace: those to this real server, or to all for b"",
    whatever time they have left."""
    conns = sorted(State.conn(line)[0] for line in proc("ip_vs_conn").splitlines()[1:])
    return "\n".join(c for c in conns
                     if server.hex() in c.split()[5].replace(":", "").lower())


def services(stats):
    """Without the lines of real servers."""
    return re.sub("\n  -> .*", "", stats)


def differences(a, b, revived, cpus=False):
    """Of two States, as lines; none if there is none. A real server that was removed and
    is added again has what its counters lacked when it was removed: IPVS sums them up
    every 2 s, when is chance. So then those of services alone are compared. cpus: packets
    entered on several. A connection whose ports are used again ends later where a flow of
    another CPU holds it (docs/contract.md)."""
    sa, sb = a.stats, b.stats
    if revived:
        sa, sb = services(sa), services(sb)
    out = texts("ipvsadm -Ln --stats:", sa, sb)
    if not cpus:
        out += counts(a, b) + times("ipvsadm -Lnc:", a.conns, b.conns, EXPIRY) + \
            times("conntrack -L:", a.tracked, b.tracked, CT_EXPIRY)
    return (out + texts("devices:", a.devices, b.devices) +
            texts("nstat:", lines(a.snmp), lines(b.snmp)))


def lines(counters):
    return "\n".join("%s %s" % item for item in sorted(counters.items()))
