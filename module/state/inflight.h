/* SPDX-License-Identifier: GPL-2.0 */
/* Packets on their way through the slow path. */
#ifndef _SLB_INFLIGHT_H
#define _SLB_INFLIGHT_H

#include <linux/bits.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <net/net_namespace.h>

#include "flow/parse.h"
#include "state/addrs.h"
#include "state/clients.h"

/* Number of packets that a CPU may have on the slow path at a time: a NAPI budget. */
#define SLB_RECORDS	64

/**
 * enum slb_inflight_as - how a packet entered the slow path
 * @SLB_INFLIGHT_SEEN: nothing more is known of the packet
 * @SLB_INFLIGHT_FIRST: IPVS may begin a connection with the packet
 * @SLB_INFLIGHT_UNRELATED: without a look at the packet, because of its addresses
 * @SLB_INFLIGHT_RECORD: with a record
 * @SLB_INFLIGHT_UNKNOWN: on another CPU, not at all (the director sent the packet), or the skb
 *	is a copy
 */
enum slb_inflight_as {
	SLB_INFLIGHT_SEEN,
	SLB_INFLIGHT_FIRST,
	SLB_INFLIGHT_UNRELATED,
	SLB_INFLIGHT_RECORD,
	SLB_INFLIGHT_UNKNOWN,
};

/* Low bits of an skb's address, which keep how the packet entered. */
#define SLB_INFLIGHT_AS		3UL

/**
 * struct slb_record - a packet at the entry of the slow path
 * @pkt: result of the parser
 * @pair: addresses of the packet
 * @mark: packet mark
 * @priority: skb->priority
 * @bridge: index of the bridge if br_netfilter shows the packet at a port, or 0
 * @routes: slb_ns_routes()
 * @tick: the time, in slb_flow_ticks()
 * @mtu: MTU of the route that the packet was forwarded by, in bytes; U32_MAX if not forwarded
 * @by: NULL for the receive softirq, otherwise the process
 * @rest: checksum of the bytes behind the headers
 * @packets: number of packets that this one counts for
 * @partial: the transport checksum is offloaded
 * @untracked: conntrack must not see the packet ("notrack" in raw)
 * @multipath: forwarded by an IPv6 route that may be one of several
 * @reason: why no flow served the packet, enum slb_reason
 * @missed: the packet has no flow
 * @begins: IPVS may begin a connection with the packet
 * @again: another packet of the key was sampled before, while learning paused
 * @learnable: a flow may be learned or renewed from this packet; all members are valid.
 *	Otherwise only @pkt, @pair, @mark, @reason, @packets, @begins, @missed and @again are.
 * @head: headers of the packet
 */
struct slb_record {
	struct slb_pkt		pkt;
	struct slb_addr_pair	pair;
	u32			mark;
	u32			priority;
	u32			bridge;
	u32			routes;
	u32			mtu;
	const void		*by;
	u32			rest;
	u16			tick;
	bool			partial;
	bool			untracked;
	bool			multipath;
	u8			reason;
	u8			packets;
	bool			begins;
	bool			missed;
	bool			again;
	bool			learnable;
	u8			head[SLB_HEAD_LEN];
};

/**
 * struct slb_inflight - packets of a CPU on their way through the slow path
 * @entered: by the address of the skb: that address, compared and never dereferenced, and in
 *	its low bits enum slb_inflight_as; or 0
 * @records: bit i: @entered[i] has a record
 * @client: the client's place of packets that entered as SLB_INFLIGHT_FIRST, or SLB_CLIENTS
 * @virt: slb_clients_virtual() of these, if the client had flows when they entered, otherwise 0
 * @fp: of the recorded packets, their addresses and ports in brief
 * @slot: records
 *
 * All members: this CPU, BH off.
 */
struct slb_inflight {
	unsigned long		entered[SLB_RECORDS];
	u64			records;
	u16			client[SLB_RECORDS];
	u32			virt[SLB_RECORDS];
	u32			fp[SLB_RECORDS];
	struct slb_record	slot[SLB_RECORDS];
};

static inline u32 slb_inflight_index(const struct sk_buff *skb)
{
	return hash_ptr(skb, ilog2(SLB_RECORDS));
}

/**
 * slb_inflight_enter() - remember that a packet goes into the slow path without a record
 * @inf: of this CPU
 * @skb: the packet
 * @as: how
 *
 * Also forgets the record of an earlier packet with the same skb.
 *
 * Context: BH off.
 */
static inline void slb_inflight_enter(struct slb_inflight *inf,
				      const struct sk_buff *skb,
				      enum slb_inflight_as as)
{
	u32 i = slb_inflight_index(skb);

	inf->entered[i] = (unsigned long)skb | as;
	inf->records &= ~BIT_ULL(i);
}

/**
 * slb_inflight_enter_first() - remember that a packet may begin a connection
 * @inf: of this CPU
 * @skb: the packet
 * @clients: clients of this CPU
 * @pkt: result of the parser, with a key
 *
 * Context: BH off.
 */
static inline void slb_inflight_enter_first(struct slb_inflight *inf,
					    const struct sk_buff *skb,
					    const struct slb_clients *clients,
					    const struct slb_pkt *pkt)
{
	u32 i = slb_inflight_index(skb), client = slb_clients_place(pkt);

	slb_inflight_enter(inf, skb, SLB_INFLIGHT_FIRST);
	inf->client[i] = client;
	inf->virt[i] = clients->flows[client] ? slb_clients_virtual(clients, pkt) : 0;
}

/**
 * slb_inflight_enter_unseen() - remember that a packet goes by that may begin any connection
 * @inf: of this CPU
 * @skb: the packet
 * @clients: clients of this CPU
 * @v6: of IPv6
 *
 * Context: BH off.
 */
static inline void slb_inflight_enter_unseen(struct slb_inflight *inf,
					     const struct sk_buff *skb,
					     const struct slb_clients *clients, bool v6)
{
	u32 i = slb_inflight_index(skb), client = SLB_CLIENTS;

	slb_inflight_enter(inf, skb, SLB_INFLIGHT_FIRST);
	if (clients->flows[SLB_CLIENTS])
		client = slb_clients_peek(skb, v6);
	inf->client[i] = client;
	inf->virt[i] = 0;
	/* of TCP the flag SYN tells, later */
	if (client != SLB_CLIENTS && clients->flows[client] &&
	    (v6 ? ipv6_hdr(skb)->nexthdr : ip_hdr(skb)->protocol) != IPPROTO_TCP)
		inf->virt[i] = slb_clients_peek_virtual(clients, skb, v6);
}

/**
 * slb_inflight_enter_unrelated() - remember that a packet goes by without a look at it
 * @inf: of this CPU
 * @skb: the packet
 *
 * Other packets that are on their way keep their place.
 *
 * Context: BH off.
 */
static inline void slb_inflight_enter_unrelated(struct slb_inflight *inf,
						const struct sk_buff *skb)
{
	unsigned long old = inf->entered[slb_inflight_index(skb)];

	if ((old & SLB_INFLIGHT_AS) == SLB_INFLIGHT_SEEN ||
	    (old & SLB_INFLIGHT_AS) == SLB_INFLIGHT_UNRELATED ||
	    (old & ~SLB_INFLIGHT_AS) == (unsigned long)skb)
		slb_inflight_enter(inf, skb, SLB_INFLIGHT_UNRELATED);
}

/**
 * slb_inflight_take_plain() - find and forget a packet that nothing more is done for
 * @inf: of this CPU
 * @clients: clients of this CPU
 * @skb: a packet at the end of the slow path
 *
 * Most packets are such. One in a tunnel may be a copy, see slb_inflight_take().
 *
 * Context: BH off.
 * Return: true if so.
 */
static inline bool slb_inflight_take_plain(struct slb_inflight *inf,
					   const struct slb_clients *clients,
					   const struct sk_buff *skb)
{
	u32 i = slb_inflight_index(skb);
	unsigned long as = inf->entered[i] ^ (unsigned long)skb;

	if (as > SLB_INFLIGHT_FIRST ||
	    (as == SLB_INFLIGHT_FIRST && clients->flows[inf->client[i]]) ||
	    (inf->records && skb_inner_network_offset(skb) > 0))
		return false;
	inf->entered[i] = 0;
	return true;
}

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
				    struct sk_buff *skb, const struct slb_pkt *pkt,
				    struct slb_addr_pair pair, enum slb_reason reason,
				    bool learnable);
void slb_inflight_forward(struct slb_inflight *inf, const struct sk_buff *skb,
			  bool v6);
u32 slb_inflight_rest(struct sk_buff *skb, u32 offset);
struct slb_record *slb_inflight_take(struct slb_inflight *inf,
				     const struct sk_buff *skb,
				     enum slb_inflight_as *as);

#endif /* _SLB_INFLIGHT_H */
