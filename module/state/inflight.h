/* SPDX-License-Identifier: GPL-2.0 */
/* Packets on their way through the slow path. */
#ifndef _SLB_INFLIGHT_H
#define _SLB_INFLIGHT_H

#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <net/net_namespace.h>

#include "flow/parse.h"
#include "state/addrs.h"

/* Number of packets that a CPU may have on the slow path at a time: a NAPI budget. */
#define SLB_RECORDS	64

/**
 * struct slb_record - a packet at the entry of the slow path
 * @skb: address of the skb; compared, never dereferenced
 * @pkt: result of the parser
 * @pair: addresses of the packet
 * @mark: packet mark
 * @priority: skb->priority
 * @bridge: index of the bridge if br_netfilter shows the packet at a port, or 0
 * @routes: slb_ns_routes()
 * @mtu: MTU of the route that the packet was forwarded by, in bytes; U32_MAX if not forwarded
 * @by: NULL for the receive softirq, otherwise the process
 * @rest: checksum of the bytes behind the headers, if @rest_known
 * @partial: the transport checksum is offloaded
 * @untracked: conntrack must not see the packet ("notrack" in raw)
 * @multipath: forwarded by an IPv6 route that may be one of several
 * @rest_known: @rest is valid
 * @reason: why no flow served the packet, enum slb_reason
 * @learnable: a flow may be learned or renewed from this packet; all members are valid.
 *	Otherwise only @skb, @pkt, @pair, @mark and @reason are, for accounting.
 * @head: headers of the packet
 */
struct slb_record {
	const struct sk_buff	*skb;
	struct slb_pkt		pkt;
	struct slb_addr_pair	pair;
	u32			mark;
	u32			priority;
	u32			bridge;
	u32			routes;
	u32			mtu;
	const void		*by;
	u32			rest;
	bool			partial;
	bool			untracked;
	bool			multipath;
	bool			rest_known;
	u8			reason;
	bool			learnable;
	u8			head[SLB_HEAD_LEN];
};

/**
 * struct slb_inflight - the packets that a CPU has noted
 * @slot: by the address of the skb
 * @fp: of the same packets, their addresses and ports in brief
 *
 * All members: this CPU, BH off.
 */
struct slb_inflight {
	struct slb_record	slot[SLB_RECORDS];
	u32			fp[SLB_RECORDS];
};

/**
 * slb_inflight_by() - get the context that handles a packet
 *
 * The contexts at entry and end of the slow path differ if user space had the packet (NFQUEUE).
 *
 * Context: any, before the caller itself disables BHs.
 * Return: NULL for a softirq, otherwise the process.
 */
static inline const void *slb_inflight_by(void)
{
	return in_serving_softirq() ? NULL : current;
}

struct slb_record *slb_inflight_add(struct slb_inflight *inf, struct net *net,
				    const struct sk_buff *skb,
				    const struct slb_pkt *pkt, struct slb_addr_pair pair,
				    enum slb_reason reason, bool learnable);
void slb_inflight_forward(struct slb_inflight *inf, const struct sk_buff *skb,
			  bool v6);
u32 slb_inflight_rest(struct sk_buff *skb, u32 offset);
struct slb_record *slb_inflight_take(struct slb_inflight *inf,
				     const struct sk_buff *skb);

#endif /* _SLB_INFLIGHT_H */
