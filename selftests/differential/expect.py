# SPDX-License-Identifier: GPL-2.0
"""What flows must serve. The one place to change when the data plane learns more.

A topology has features (Topology.features()). It must be served when each of them is
True here, or "--serves" names those that are not, and no line of NEVER is all of its.
What need not be served may be: it is only shown.
"""

SERVES = {
    # forwarding methods
    "nat": True, "dr": True,
    "ipip": True, "gre": True, "gre-csum": True,
    "gue": True, "gue-csum": True, "gue-remcsum": True,
    "mixed": True,              # inner and outer packet of different families
    # families and protocols
    "ipv4": True, "ipv6": True,
    "tcp": True, "udp": True, "sctp": True,
    # services
    "fwmark": True, "anyport": True, "persistent": True,
    # around IPVS
    "conntrack": True,          # net.ipv4.vs.conntrack=1
    "snat": True,               # and nftables' masquerade or snat on top
    "mark": True,               # a mark that means nothing to IPVS
    "ct-rules": True,           # rules that ask conntrack, which IPVS keeps out
    "dscp-rule": True,          # a rule late in the path sets the type of service
    "onearm": True,             # real servers on the clients' network
    "xdp-offload": False,       # checksums that are not there yet are left to the hook
    "batch": False,             # GRO makes few packets of many, which cannot be counted
    "cpus": False,              # each CPU learns of each connection by itself
    # extras.py
    "shared": False,            # each new connection ends the flow of another one's answers
    "rewrite": False,           # a rule changes packets: never, from then on
    "redirects": True,          # packets that leave by the device they came by
    "notrack": True,            # IPVS's packets are as good as untracked
    "inner": True,              # checksums inside of the payload
    "bridged": True,            # packets for a bridge that br_netfilter shows at its port
}

# README.md, Limits: SCTP that conntrack has an entry for stays with IPVS. Rules that drop what
# conntrack calls invalid drop the answers of SCTP through NAT, with and without flows.
# Masquerading, what conntrack is to know of and does not see stays with IPVS. Answers that
# conntrack's source NAT turns to a client behind the same bridge never leave the bridge.
NEVER = (("conntrack", "sctp"), ("ct-rules", "sctp", "nat"), ("conntrack", "notrack"),
         ("bridged", "onearm", "snat"))

# Of the plain packets of open connections, how many flows must serve, in percent, by the least
# number of these packets: of few, one connection may be most. A trace lasts for less than a
# second, and a port that is used again, or could not be learned once, is not tried again for
# one: 65 to 100 % are seen, 45 to 60 where one packet in four is odd and one in three is
# verified, once 21 % of 222 at a load of ten, and none of what is not served.
# tests/forwarding_methods.sh wants more, of longer connections.
SHARES = ((200, 25), (500, 40), (2000, 60))


def enough(fair, hits):
    """Were enough of so many plain packets served?"""
    return all(100 * hits >= share * fair for least, share in SHARES if fair >= least)


def serves(features, also):
    return all(SERVES.get(f, True) or f in also for f in features) and \
        not any(all(f in features for f in row) for row in NEVER)
