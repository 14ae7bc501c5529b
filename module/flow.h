/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The flow: the narrow waist between the control plane and the data plane.
 *
 * A flow is one direction of one connection: a key (which packets), an action
 * (what the slow path does to them) and an origin (whose decision it was).
 * This file knows nothing of IPVS, of skbs, or of the place where packets are
 * met; the origin and the route are pointers that it carries for others.
 */
#ifndef _SLB_FLOW_H
#define _SLB_FLOW_H

#include <linux/cache.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/types.h>

struct dst_entry;
struct ip_vs_conn;

/**
 * struct slb_key - which packets belong to a flow
 * @saddr: source address
 * @daddr: destination address
 * @sport: source port
 * @dport: destination port
 * @ports: both ports as one word
 * @iif_proto: index of the ingress device, shifted by 8, and the protocol
 *
 * The ingress device is part of the key, so that what the slow path decided
 * by device (reverse path, VRF, firewall) holds for every packet of the flow.
 * Compared as 16 bytes: no padding.
 */
struct slb_key {
	__be32	saddr;
	__be32	daddr;
	union {
		struct {
			__be16	sport;
			__be16	dport;
		};
		__be32	ports;
	};
	u32	iif_proto;
};

/* Device indexes above this do not fit into a key and are never learned. */
#define SLB_IIF_MAX	(U32_MAX >> 8)

/**
 * struct slb_action - what is done to a packet, the time to live apart
 * @saddr: source address to write
 * @daddr: destination address to write
 * @sport: source port to write
 * @dport: destination port to write
 * @csum: what the change of addresses and ports adds to the checksum of the
 *	transport header, folded; see slb_action_init()
 * @mtu: longest packet the way out takes, in bytes
 */
struct slb_action {
	__be32	saddr;
	__be32	daddr;
	__be16	sport;
	__be16	dport;
	__sum16	csum;
	u16	mtu;
};

/**
 * enum slb_flow_flags - what else there is to know of a flow
 * @SLB_FLOW_OUT: from the real server to the client
 * @SLB_FLOW_NAT: addresses or ports change
 * @SLB_FLOW_PRIO: skb->priority follows the type of service, as it does for
 *	packets that the kernel forwards
 * @SLB_FLOW_SUSPENDED: not to be used until the slow path has proved it again
 */
enum slb_flow_flags {
	SLB_FLOW_OUT		= 1 << 0,
	SLB_FLOW_NAT		= 1 << 1,
	SLB_FLOW_PRIO		= 1 << 2,
	SLB_FLOW_SUSPENDED	= 1 << 3,
};

/**
 * struct slb_flow - one flow, one cache line
 * @key: which packets
 * @act: what to do
 * @dst: route and egress device; a reference is held. NULL: the slot is free
 * @conn: the connection that decided; a reference is held
 * @bytes: bytes served and not yet accounted
 * @packets: packets served and not yet accounted
 * @last: when a packet was last served or proved, lower half of jiffies
 * @proved: when the slow path was last observed, in slb_ticks()
 * @flags: enum slb_flow_flags
 * @tos: type of service of the packet that proved the flow, less its ECN bits:
 *	routes may depend on it
 *
 * All members: this CPU, BH off. Nobody else reads or writes a live table.
 */
struct slb_flow {
	struct slb_key		key;
	struct slb_action	act;
	struct dst_entry	*dst;
	struct ip_vs_conn	*conn;
	u32			bytes;
	u32			packets;
	u32			last;
	u16			proved;
	u8			flags;
	u8			tos;
} ____cacheline_aligned;

/* Flows a set: what a key may choose from. */
#define SLB_WAYS	4

/* A flow that served a packet within this time is not evicted. */
#define SLB_ACTIVE	HZ

/**
 * struct slb_table - the flows of one CPU
 * @flow: the flows, set by set
 * @set_mask: number of sets less one
 * @seed: of the hash
 * @used: flows in use
 *
 * @flow, @set_mask and @seed do not change. @used: this CPU, BH off.
 */
struct slb_table {
	struct slb_flow	*flow;
	u32		set_mask;
	u32		seed;
	u32		used;
};

/* Sizes of a table in flows; powers of two. */
#define SLB_FLOWS_MIN		1024u
#define SLB_FLOWS_MAX		0x1000000u
#define SLB_FLOWS_DEFAULT	65536u

/* Ticks of struct slb_flow's @proved: 1/32 to 1/16 of a second, so that 16
 * bits last for more than half an hour; a lease is at most a third of that.
 */
#define SLB_TICK_SHIFT	ilog2(HZ / 16)

/**
 * slb_ticks() - a time in ticks
 * @jiff: jiffies
 *
 * Return: 16 bits that wrap.
 */
static inline u16 slb_ticks(unsigned long jiff)
{
	return jiff >> SLB_TICK_SHIFT;
}

/**
 * slb_flow_idle() - for how long a flow has served nothing
 * @flow: a flow
 * @now: jiffies
 *
 * Return: jiffies.
 */
static inline u32 slb_flow_idle(const struct slb_flow *flow, unsigned long now)
{
	return (u32)now - flow->last;
}

int slb_table_init(struct slb_table *t, u32 flows, int node);
void slb_table_exit(struct slb_table *t);
struct slb_flow *slb_flow_lookup(const struct slb_table *t,
				 const struct slb_key *key);
struct slb_flow *slb_flow_place(struct slb_table *t, const struct slb_key *key,
				unsigned long now);
void slb_flow_free(struct slb_table *t, struct slb_flow *flow);

#endif /* _SLB_FLOW_H */
