/* SPDX-License-Identifier: GPL-2.0 */
/* Why a packet was, or was not, served by a flow. */
#ifndef _SLB_REASON_H
#define _SLB_REASON_H

#include <linux/types.h>

struct net;

/**
 * enum slb_stat - what is counted, once a packet or once a flow
 * @SLB_HIT: packets served by a flow
 * @SLB_LEARNED: flows made from a traversal of the slow path
 * @SLB_RENEWED: flows proved again by a traversal of the slow path
 * @SLB_EVICTED: flows pushed out of a full set by a new one
 * @SLB_ENDED: flows ended for any other reason
 * @SLB_VERIFIED: packets that a flow could have served, compared with what the
 *	slow path did
 * @SLB_DIFFERS: those that it did something else with
 * @SLB_MISS_NONE: no flow for this packet
 * @SLB_MISS_FOREIGN: let by at a glance: IPVS has nothing to do with its addresses
 * @SLB_MISS_PROTO: neither TCP nor UDP nor SCTP
 * @SLB_MISS_SHORT: shorter than its headers
 * @SLB_MISS_OPTIONS: IP options or extension headers
 * @SLB_MISS_FRAGMENT: a fragment, or put together from fragments
 * @SLB_MISS_FLAGS: TCP SYN, FIN or RST, or no ACK; SCTP chunks that change
 *	the state
 * @SLB_MISS_TTL: the time to live ends here, or is another one than that of the learned
 *	packet, where a rule sets it
 * @SLB_MISS_MTU: longer than the path takes
 * @SLB_MISS_TOS: another type of service than that of the learned packet
 * @SLB_MISS_MARK: another packet mark than that of the learned packet
 * @SLB_MISS_CSUM: UDP without a checksum through NAT: IPVS computes one; or a
 *	wrong checksum, where conntrack sees packets
 * @SLB_MISS_HOST: link-layer broadcast, multicast, or for another host
 * @SLB_MISS_META: carries what only the slow path knows how to treat (a
 *	conntrack template, route, socket, IPsec path, trace)
 * @SLB_MISS_LEASE: the flow must be proved again
 * @SLB_MISS_STATE: the connection left the state it was learned in
 * @SLB_MISS_SERVER: the real server is gone
 * @SLB_MISS_ROUTE: the route changed
 * @SLB_MISS_NEIGH: the neighbour is not known, or does not answer
 * @SLB_MISS_SYNC: IPVS may have to send a connection sync message
 * @SLB_MISS_NOMEM: no memory to make the packet writable
 * @SLB_MISS_VERIFY: given to the slow path to compare
 * @SLB_SKIP_SCOPE: not learned, the service is out of scope
 * @SLB_SKIP_UNSETTLED: not learned, the connection is not settled yet, or its
 *	conntrack entry
 * @SLB_SKIP_METHOD: not learned, the forwarding method is not served
 * @SLB_SKIP_KIND: not learned, the kind of connection is not served
 *	(one-packet, application helper, no client port)
 * @SLB_SKIP_CONNTRACK: not learned, its conntrack entry, or that of its tunnel,
 *	is not settled or not of a kind that is served
 * @SLB_SKIP_SERVER: not learned, the real server is gone
 * @SLB_SKIP_TIMEOUT: not learned, the connection expires too soon
 * @SLB_SKIP_EGRESS: not learned, the way out is not served (IPsec,
 *	lightweight tunnel, not unicast)
 * @SLB_SKIP_CHANGED: not learned, the slow path did more to the packet than
 *	an action can say
 * @SLB_SKIP_FULL: not learned, all flows of the set are in use
 * @SLB_SKIP_TABLE: not learned, the table is being allocated, or there is no memory for it
 * @SLB_WHY_MAX: how many of these are known of each service
 * @SLB_XDP_HIT: packets served by a flow from XDP; they count as SLB_HIT too
 * @SLB_XDP_FOREIGN: left to the hook, as SLB_MISS_FOREIGN
 * @SLB_XDP_OTHER: left to the hook: nothing that has a flow (not IP, another
 *	protocol, a fragment, for another host)
 * @SLB_XDP_NONE: left to the hook: no flow for this packet
 * @SLB_XDP_FLOW: left to the hook: the flow is not for this packet, or must be
 *	proved again; the hook says why
 * @SLB_XDP_ORDER: left to the hook, as the packet before it that may still be on its
 *	way there
 * @SLB_XDP_DEVICE: left to the hook: the device is part or on top of another one (a bridge, a
 *	bond, a VRF), or that of the way out takes no frames from XDP
 * @SLB_XDP_VLAN: left to the hook: a VLAN tag may be where XDP does not see it, or is
 *	none that a VLAN device takes
 * @SLB_XDP_NEIGH: left to the hook, as SLB_MISS_NEIGH
 * @SLB_XDP_MTU: left to the hook: longer than the path takes
 * @SLB_XDP_CSUM: left to the hook: its checksum is left to hardware that XDP goes by,
 *	or is wrong where conntrack sees packets
 * @SLB_XDP_FRAGS: left to the hook: of a flow, and in more than one buffer
 * @SLB_XDP_ROOM: left to the hook: no room for more headers
 * @SLB_STAT_MAX: how many there are
 *
 * Each time a packet meets the hook it is a SLB_HIT or one of SLB_MISS_*. SLB_SKIP_*
 * tells of the packets among the misses that IPVS forwarded, but that made no
 * flow. Each time one meets XDP it is a SLB_XDP_HIT, and never meets the hook, or one of
 * the others.
 */
enum slb_stat {
	SLB_HIT,
	SLB_LEARNED,
	SLB_RENEWED,
	SLB_EVICTED,
	SLB_ENDED,
	SLB_VERIFIED,
	SLB_DIFFERS,
	SLB_MISS_NONE,
	SLB_MISS_FOREIGN,
	SLB_MISS_PROTO,
	SLB_MISS_SHORT,
	SLB_MISS_OPTIONS,
	SLB_MISS_FRAGMENT,
	SLB_MISS_FLAGS,
	SLB_MISS_TTL,
	SLB_MISS_MTU,
	SLB_MISS_TOS,
	SLB_MISS_MARK,
	SLB_MISS_CSUM,
	SLB_MISS_HOST,
	SLB_MISS_META,
	SLB_MISS_LEASE,
	SLB_MISS_STATE,
	SLB_MISS_SERVER,
	SLB_MISS_ROUTE,
	SLB_MISS_NEIGH,
	SLB_MISS_SYNC,
	SLB_MISS_NOMEM,
	SLB_MISS_VERIFY,
	SLB_SKIP_SCOPE,
	SLB_SKIP_UNSETTLED,
	SLB_SKIP_METHOD,
	SLB_SKIP_KIND,
	SLB_SKIP_CONNTRACK,
	SLB_SKIP_SERVER,
	SLB_SKIP_TIMEOUT,
	SLB_SKIP_EGRESS,
	SLB_SKIP_CHANGED,
	SLB_SKIP_FULL,
	SLB_SKIP_TABLE,
	SLB_WHY_MAX,
	SLB_XDP_HIT = SLB_WHY_MAX,
	SLB_XDP_FOREIGN,
	SLB_XDP_OTHER,
	SLB_XDP_NONE,
	SLB_XDP_FLOW,
	SLB_XDP_ORDER,
	SLB_XDP_DEVICE,
	SLB_XDP_VLAN,
	SLB_XDP_NEIGH,
	SLB_XDP_MTU,
	SLB_XDP_CSUM,
	SLB_XDP_FRAGS,
	SLB_XDP_ROOM,
	SLB_STAT_MAX
};

extern const char *const slb_stat_names[SLB_STAT_MAX];

int slb_stats_init(struct net *net);
void slb_stats_exit(struct net *net);

#endif /* _SLB_REASON_H */
