# SPDX-License-Identifier: GPL-2.0
"""Reasons: what each means, and its cure. Written by make_reasons.py."""

REASONS = {
    "learned": (
        "the packet made a flow",
        "none",
    ),
    "renewed": (
        "the packet proved its flow again",
        "none",
    ),
    "miss_none": (
        "no flow for this packet",
        "none, or by the skip_*",
    ),
    "miss_unrelated": (
        "neither address belongs to an IPVS service",
        "none",
    ),
    "miss_paused": (
        "learning pauses: flows of this address cost more than they save",
        "keep-alive, where the service can; a longer lease (net.shadowlb.lease); "
        "otherwise none",
    ),
    "miss_proto": (
        "neither TCP, UDP nor SCTP",
        "none",
    ),
    "miss_short": (
        "shorter than its headers",
        "ip link set dev eth0 gro_ipv4_max_size 65536",
    ),
    "miss_options": (
        "IP options or IPv6 extension headers",
        "ip link set dev eth0 gro_max_size 65536",
    ),
    "miss_fragment": (
        "a fragment, or one was just between these addresses",
        "path MTU discovery must work: do not drop ICMP",
    ),
    "miss_flags": (
        "TCP SYN, FIN, RST; SCTP chunks that change state",
        "keep-alive",
    ),
    "miss_ttl": (
        "the time to live ends here, or a rule sets it and the packet's differs",
        "none",
    ),
    "miss_mtu": (
        "longer than the path takes",
        "lower the real servers' MTU or MSS",
    ),
    "miss_tos": (
        "another type of service than the flow was proved with; another IPv6 flow "
        "label, where there is a multipath route or a policy rule",
        "none",
    ),
    "miss_mark": (
        "another packet mark than the flow was proved with",
        "mark connections, not packets",
    ),
    "miss_csum": (
        "UDP without a checksum through masquerading, or a wrong checksum with "
        "conntrack",
        "let the sender compute checksums",
    ),
    "miss_host": (
        "broadcast, multicast, or for another host",
        "none",
    ),
    "miss_meta": (
        "the packet carries state that only the slow path can handle",
        "stop tcpdump on the bridge; net.bridge.bridge-nf-call-iptables=0 and "
        "-ip6tables=0, only if no rule or NAT of IP is for bridged packets: never on "
        "a Kubernetes node",
    ),
    "miss_lease": (
        "the flow must be proved again",
        "none, or a longer lease; such a table in another network namespace",
    ),
    "miss_state": (
        "the connection is closing, IPVS may have tried to end it, or its conntrack "
        "entry is gone",
        "none; a larger net.netfilter.nf_conntrack_max if entries are dropped",
    ),
    "miss_server": (
        "the real server is gone",
        "none",
    ),
    "miss_route": (
        "the route changed",
        "fewer changes of routes",
    ),
    "miss_neigh": (
        "the next hop's address is unknown",
        "repair the neighbour",
    ),
    "miss_tunnel": (
        "the tunnel was edited, or the packet has another conntrack entry",
        "none; notrack for GUE, in raw of OUTPUT",
    ),
    "miss_sync": (
        "IPVS may have to send a sync message",
        "net.ipv4.vs.sync_refresh_period=10 and net.ipv4.vs.sync_threshold=\"3 0\": by "
        "time, not by packets. A larger second number also helps, but backups then "
        "forget slow connections",
    ),
    "miss_nomem": (
        "no memory to make the packet writable",
        "free memory: free -h, slabtop",
    ),
    "miss_verify": (
        "taken for a comparison",
        "shadowlbctl verify 0, if nothing is to be compared",
    ),
    "skip_scope": (
        "the service is out of scope",
        "sysctl -w net.shadowlb.scope=2, the scheduler shadow, or shadowlbctl serve "
        "on SERVICE",
    ),
    "skip_unsettled": (
        "the connection is not established yet",
        "none",
    ),
    "skip_method": (
        "the forwarding method is not served",
        "none",
    ),
    "skip_kind": (
        "the kind of connection is not served",
        "for persistent ones sysctl -w net.ipv4.vs.sync_refresh_period=10; otherwise "
        "none",
    ),
    "skip_conntrack": (
        "its conntrack entry is of a kind not served",
        "remove the cause; longer net.netfilter.nf_conntrack_*_timeout*. "
        "net.ipv4.vs.conntrack=0 only without kube-proxy, source NAT or stateful "
        "rules for these services; for new connections",
    ),
    "skip_server": (
        "the real server is gone",
        "none",
    ),
    "skip_timeout": (
        "the connection expires within five seconds",
        "ipvsadm --set with at least 5 for each protocol",
    ),
    "skip_egress": (
        "the way it leaves is not served",
        "none",
    ),
    "skip_changed": (
        "rules change the packet in more ways than a flow can repeat",
        "limit such rules to packets that need them",
    ),
    "skip_full": (
        "all slots of the set are in use",
        "a larger flows in /etc/modprobe.d, if the tables are that large; otherwise "
        "memory",
    ),
    "skip_table": (
        "the table is being allocated, or there is no memory",
        "none after a start; otherwise raise the limit of the cgroup that created the"
        " namespace",
    ),
    "xdp_none": (
        "no flow yet, or not on this CPU",
        "",
    ),
    "xdp_unrelated": (
        "neither address belongs to an IPVS service; the frame is of a kind that has "
        "no flows",
        "",
    ),
    "xdp_other": (
        "neither address belongs to an IPVS service; the frame is of a kind that has "
        "no flows",
        "",
    ),
    "xdp_flow": (
        "the flow is not for this packet (FIN, options, mark, type of service, flow "
        "label, ECN codepoint), must be proved or looked up again, or has a mark at "
        "ingress, or a priority, DSCP or time to live that a rule sets",
        "",
    ),
    "xdp_order": (
        "follows a packet that XDP passed up",
        "",
    ),
    "xdp_vlan": (
        "the device may strip VLAN tags from frames, so that XDP does not see them; "
        "or no VLAN device of this namespace has that tag",
        "ethtool -K eth0 rxvlan off; of a veth pair, txvlan off tx-vlan-stag-hw-"
        "insert off at the other end",
    ),
    "xdp_csum": (
        "the checksum is left to hardware, as between local namespaces and guests; or"
        " is wrong, and conntrack sees packets; or is missing in a masqueraded UDP "
        "packet, and IPVS computes a checksum. At a device without hardware, or with "
        "generic XDP, also a missing or wrong checksum of any UDP packet: in a "
        "tunnel, the inner checksum may be left to hardware",
        "ethtool -K DEVICE tx off where they are sent",
    ),
    "xdp_device": (
        "the device is a port of a bridge or bond, in a VRF, or is an upper device "
        "(bridge, bond, macvlan), whose lower device may have merged packets or "
        "stripped their tags; the device merges datagrams (rx-gro-list, generic "
        "only); or the egress device takes no frames from XDP",
        "attach to both devices; for veth, ethtool -K DEVICE gro on at the other end",
    ),
    "xdp_neigh": (
        "the neighbour's address is not known",
        "",
    ),
    "xdp_mtu": (
        "longer than the path takes",
        "",
    ),
    "xdp_frags": (
        "a frame of a flow, in more than one buffer",
        "a smaller MTU",
    ),
    "xdp_room": (
        "no room for the headers of a tunnel",
        "",
    ),
}
