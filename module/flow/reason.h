/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reasons: why no flow served a packet, or the packet made no flow. Each is a counter, too.
 *
 * Enum, names and slb_reason_teaches() are derived from a single list. docs/shadowlb.7 has the
 * same texts; a static check compares. docs/howto.md says how to add a reason.
 */
#ifndef _SLB_REASON_H
#define _SLB_REASON_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/types.h>

/*
 * EVENT	a counter of packets or flows, no reason
 * MISS		the hook left the packet to the slow path
 * TEACH	a MISS by which the slow path may teach: a flow may be made or renewed
 * SKIP		IPVS forwarded a packet, and no flow was made or renewed
 *
 * EVENT(name, text): SLB_NAME, "name"; the others: SLB_KIND_NAME, "kind_name"
 */
#define SLB_REASONS(EVENT, MISS, TEACH, SKIP)						\
	EVENT(HIT, hits, "packets served by a flow")					\
	EVENT(LEARNED, learned, "flows made of a packet on the slow path")		\
	EVENT(RENEWED, renewed, "flows proved again by a packet on the slow path")	\
	EVENT(RECHECKED, rechecked, "flows proved again by looking connection and route up")	\
	EVENT(EVICTED, evicted, "flows that gave way to a new flow or a smaller table")	\
	EVENT(ENDED, ended, "flows ended for any other reason")				\
	EVENT(VERIFIED, verified, "packets compared by net.shadowlb.verify")		\
	EVENT(DIFFERS, differs, "of these, those with another outcome than the flow's")	\
	TEACH(NONE, none, "no flow for this packet")					\
	MISS(UNRELATED, unrelated, "neither address belongs to an IPVS service")		\
	MISS(PAUSED, paused, "learning pauses: flows of this address cost more than they save")	\
	MISS(PROTO, proto, "neither TCP nor UDP nor SCTP")				\
	MISS(SHORT, short, "shorter than its headers")					\
	MISS(OPTIONS, options, "IP options or extension headers")			\
	MISS(FRAGMENT, fragment, "a fragment, or one was just between these addresses")	\
	MISS(FLAGS, flags, "TCP SYN, FIN, RST, no ACK; SCTP chunks that change state")	\
	MISS(TTL, ttl, "time to live ends here, or differs where a rule sets it")	\
	MISS(MTU, mtu, "longer than the path takes")					\
	TEACH(TOS, tos, "another type of service or flow label than the flow was proved with") \
	TEACH(MARK, mark, "another packet mark than the flow was proved with")		\
	MISS(CSUM, csum, "checksum that IPVS would compute, or wrong with conntrack")	\
	MISS(HOST, host, "link-layer broadcast or multicast, or for another host")	\
	MISS(META, meta, "socket, route, IPsec, trace, NFQUEUE or bridge on the packet")	\
	TEACH(LEASE, lease, "the flow must be proved again")				\
	MISS(STATE, state, "the connection left the state it was learned in")		\
	MISS(SERVER, server, "the real server is gone")					\
	TEACH(ROUTE, route, "the route changed")					\
	TEACH(NEIGH, neigh, "the neighbour is not known, or does not answer")		\
	TEACH(TUNNEL, tunnel, "the tunnel was edited, or the packet has another conntrack entry") \
	TEACH(SYNC, sync, "IPVS may have to send a connection sync message")		\
	MISS(NOMEM, nomem, "no memory to make the packet writable")			\
	TEACH(VERIFY, verify, "taken for the comparison of net.shadowlb.verify")	\
	SKIP(SCOPE, scope, "the service is out of scope")				\
	SKIP(UNSETTLED, unsettled, "the connection is not established yet")		\
	SKIP(METHOD, method, "the forwarding method is not served")			\
	SKIP(KIND, kind, "the kind of connection is not served")			\
	SKIP(CONNTRACK, conntrack, "its conntrack entry is of a kind not served")	\
	SKIP(SERVER, server, "the real server is gone")					\
	SKIP(TIMEOUT, timeout, "the connection expires too soon")			\
	SKIP(EGRESS, egress, "the way it leaves is not served")				\
	SKIP(CHANGED, changed, "changed in more ways than a flow can repeat")		\
	SKIP(FULL, full, "all flows of the set are in use")				\
	SKIP(TABLE, table, "the table is being allocated, or there is no memory")

/* XDP left the frame to the hook. */
#define SLB_XDP_REASONS(EVENT, XDP)							\
	EVENT(XDP_HITS, xdp_hits, "frames served by a flow; counted as hits, too")	\
	XDP(UNRELATED, unrelated, "neither address belongs to an IPVS service")		\
	XDP(OTHER, other, "nothing that has a flow")					\
	XDP(NONE, none, "no flow for this frame")					\
	XDP(FLOW, flow, "a flow that is not for this frame, or must be proved again")	\
	XDP(ORDER, order, "behind a frame that may still be between XDP and the hook")	\
	XDP(DEVICE, device, "a device part or on top of another, or without XDP")	\
	XDP(VLAN, vlan, "a VLAN tag may be where XDP does not see it")			\
	XDP(NEIGH, neigh, "the neighbour is not known, or does not answer")		\
	XDP(MTU, mtu, "longer than the path takes")					\
	XDP(CSUM, csum, "checksum left to hardware, or wrong with conntrack")		\
	XDP(FRAGS, frags, "in more than one buffer")					\
	XDP(ROOM, room, "no room for more headers")

#define SLB_EVENT(NAME, name, text)	SLB_##NAME,
#define SLB_MISS(NAME, name, text)	SLB_MISS_##NAME,
#define SLB_SKIP(NAME, name, text)	SLB_SKIP_##NAME,
#define SLB_XDP(NAME, name, text)	SLB_XDP_##NAME,

/* 0 is fine: a check found no reason. As a counter, 0 is SLB_HIT. A packet at the netfilter hook
 * counts as SLB_HIT or SLB_MISS_*, a frame at XDP as SLB_XDP_*.
 */
enum slb_reason {
	SLB_REASONS(SLB_EVENT, SLB_MISS, SLB_MISS, SLB_SKIP)
	SLB_XDP_REASONS(SLB_EVENT, SLB_XDP)
	SLB_REASON_MAX
};

/* Counters before this are kept for each service, too. */
#define SLB_REASON_XDP	SLB_XDP_HITS

#undef SLB_EVENT
#undef SLB_MISS
#undef SLB_SKIP
#undef SLB_XDP

#define SLB_QUIET(NAME, name, text)
#define SLB_TEACH(NAME, name, text)	BIT_ULL(SLB_MISS_##NAME) |

/**
 * slb_reason_teaches() - true if the slow path may teach by a packet with this reason
 * @reason: reason of a packet that was not served
 */
static inline bool slb_reason_teaches(enum slb_reason reason)
{
	const u64 teach = SLB_REASONS(SLB_QUIET, SLB_QUIET, SLB_TEACH, SLB_QUIET) 0;

	BUILD_BUG_ON(SLB_REASON_MAX > 64);
	return teach & BIT_ULL(reason);
}

#undef SLB_QUIET
#undef SLB_TEACH

extern const char *const slb_reason_names[SLB_REASON_MAX];

#endif /* _SLB_REASON_H */
