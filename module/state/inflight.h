/* SPDX-License-Identifier: GPL-2.0 */
/* Packets on their way through the slow path, as they entered it. */
#ifndef _SLB_INFLIGHT_H
#define _SLB_INFLIGHT_H

#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <net/net_namespace.h>

#include "flow/parse.h"
#include "state/addrs.h"

/* Packets that one CPU has on their way through the slow path at a time: a
 * driver hands over up to a NAPI budget of them at once.
 */
#define SLB_RECORDS	64

/**
 * struct slb_record - a packet as it entered the slow path
 * @skb: which packet; compared, never followed: it may be long gone
 * @pkt: what the parser found in it
 * @pair: its addresses
 * @mark: its mark
 * @priority: its priority
 * @bridge: index of the bridge, where br_netfilter shows it at a port; or 0
 * @routes: the number of all routes of the namespace at that time
 * @mtu: of the route that the packet had when it was forwarded; none if it was not
 * @by: who had it: NULL for the receive softirq, or else a process
 * @rest: checksum of what is behind its headers, if @rest_known
 * @partial: its transport checksum is offloaded
 * @untracked: it is kept out of conntrack ("notrack" in raw)
 * @rest_known: @rest is known
 * @reason: why it was not served, enum slb_reason
 * @learnable: a flow may be made of it, or renewed: all is noted. Otherwise @skb, @pkt,
 *	@pair, @mark and @reason alone, to count it by
 * @head: its headers
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
 * slb_inflight_by() - who has a packet in hand?
 *
 * Not the same at both ends of the slow path if user space had the packet (NFQUEUE).
 *
 * Context: any, before BHs are turned off for its own sake.
 * Return: NULL for a softirq, or else the process.
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
