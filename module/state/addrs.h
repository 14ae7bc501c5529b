/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Addresses that belong to IPVS services. Packets between unrelated addresses skip parsing and
 * lookup: on a director that is a router, too, or has other services, these are most packets.
 *
 *  operation            | locking
 * ----------------------+---------------------------------------------------
 *  all                  | BH off, this CPU; @flows as the counted flows
 *
 * IPVS does not announce services, so packets tell: the hook counts recorded packets of each
 * address, and one that IPVS has handled claims an address at the end of the slow path. That is
 * the destination, or for an answer the real server's address. An address with many unclaimed
 * packets, and no claim for some time, is unrelated. A packet between two unrelated addresses
 * is not looked up. If IPVS handles such a packet, because a service is new or seldom used, all
 * packets are looked up again for a second.
 *
 * Where flows do not pay, learning pauses (worth.h), and packets are not looked up either.
 *
 * Packets of a pair of addresses with flows are always looked up, because slow-path packets must
 * suspend their flow. All other errors cost time only: addresses with the same hash share a place,
 * a quiet service perhaps with a busy host.
 */
#ifndef _SLB_ADDRS_H
#define _SLB_ADDRS_H

#include <linux/bitops.h>
#include <linux/hash.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jiffies.h>
#include <linux/log2.h>

#include "flow/reason.h"

/* Places for addresses. */
#define SLB_ADDRS	1024

/* Number of unclaimed packets after which an address is unrelated. */
#define SLB_ADDRS_UNCLAIMED	32

/* Time for which an address is not unrelated after a claim. */
#define SLB_ADDRS_CLAIMED	(10 * HZ)

/* Time for which no address is unrelated, after IPVS handled a packet that was passed on. */
#define SLB_ADDRS_WARY	HZ

/* One pair of addresses in so many goes on learning while learning pauses; a power of two. */
#define SLB_ADDRS_TRIES	32

/**
 * struct slb_addr_use - use of addresses with the same hash
 * @flows: number of flows to these addresses, or of the other direction from them; without @tried
 * @tried: the same of pairs of addresses that try, see slb_addr_pair_tries()
 * @claimed: time of the last claim, in jiffies
 * @notes: packets since the last claim; stops at SLB_ADDRS_UNCLAIMED
 * @paused: learning pauses
 * @virtual: the last claim was of a virtual address, and not of a real server's
 */
struct slb_addr_use {
	u32	flows;
	u32	tried;
	u32	claimed;
	u8	notes;
	bool	paused;
	bool	virtual;
};

/**
 * struct slb_addr_pair - places of a packet's addresses in struct slb_addrs
 * @from: place of the source
 * @to: place of the destination
 */
struct slb_addr_pair {
	u16	from;
	u16	to;
};

/**
 * struct slb_addrs - use of addresses, as seen by a CPU
 * @missed: time at which IPVS last handled a packet that was passed on, in jiffies
 * @at: by hash of the address
 * @port: by the same, bridge port by which answers from these addresses last came that a flow was
 *	learned from; 0 without a bridge or br_netfilter
 */
struct slb_addrs {
	u32			missed;
	struct slb_addr_use	at[SLB_ADDRS];
	u32			port[SLB_ADDRS];
};

/**
 * slb_addrs_index4() - the place of an IPv4 address
 * @addr: the address
 */
static inline u16 slb_addrs_index4(__be32 addr)
{
	return hash_32((__force u32)addr, ilog2(SLB_ADDRS));
}

/**
 * slb_addrs_index6() - the place of an IPv6 address
 * @addr: the address
 */
static inline u16 slb_addrs_index6(const struct in6_addr *addr)
{
	u32 net = (__force u32)(addr->s6_addr32[0] ^ addr->s6_addr32[1]);
	u32 host = (__force u32)(addr->s6_addr32[2] ^ addr->s6_addr32[3]);

	/* turned, for addresses whose numbers repeat (2001:db8:7::7) */
	return slb_addrs_index4((__force __be32)(net ^ rol32(host, 13)));
}

/**
 * slb_addr_pair() - find the places of a packet's addresses
 * @data: the packet, from its readable IP header
 * @v6: an IPv6 packet
 */
static inline struct slb_addr_pair slb_addr_pair(const void *data, bool v6)
{
	const struct ipv6hdr *ip6h = data;
	const struct iphdr *iph = data;

	if (v6)
		return (struct slb_addr_pair){
			.from = slb_addrs_index6(&ip6h->saddr),
			.to = slb_addrs_index6(&ip6h->daddr),
		};
	return (struct slb_addr_pair){
		.from = slb_addrs_index4(iph->saddr),
		.to = slb_addrs_index4(iph->daddr),
	};
}

/**
 * slb_addr_pair_tries() - true if packets go on to teach while learning pauses at their addresses
 * @pair: the addresses
 *
 * Always the same for a pair: its packets are always looked up while the pair has flows.
 */
static inline bool slb_addr_pair_tries(struct slb_addr_pair pair)
{
	/* high bits differ between neighbouring addresses */
	return (pair.from ^ pair.to) < SLB_ADDRS / SLB_ADDRS_TRIES;
}

static inline bool slb_addr_use_unrelated(const struct slb_addr_use *peer, u32 now)
{
	return peer->notes >= SLB_ADDRS_UNCLAIMED && !peer->tried &&
	       now - peer->claimed > SLB_ADDRS_CLAIMED;
}

/* True if neither address belongs to a service. */
static inline bool slb_addrs_unrelated(const struct slb_addrs *ps, const struct slb_addr_use *to,
				       const struct slb_addr_use *from)
{
	u32 now = jiffies;

	return slb_addr_use_unrelated(to, now) && slb_addr_use_unrelated(from, now) &&
	       now - ps->missed > SLB_ADDRS_WARY;
}

/* True if learning pauses for packets from one address to another. A real server may be a client of
 * other services.
 */
static __always_inline bool slb_addr_use_pauses(const struct slb_addr_use *to,
						const struct slb_addr_use *from)
{
	return to->virtual ? to->paused : from->paused;
}

/**
 * slb_addrs_paused() - true if nothing is to be learned from packets
 * @ps: of this CPU
 * @pair: addresses of the packets
 *
 * Context: BH off.
 */
static __always_inline bool slb_addrs_paused(const struct slb_addrs *ps, struct slb_addr_pair pair)
{
	return slb_addr_use_pauses(&ps->at[pair.to], &ps->at[pair.from]) &&
	       !slb_addr_pair_tries(pair);
}

/**
 * slb_addrs_skip() - is a packet not to be looked at?
 * @ps: of this CPU
 * @pair: addresses of the packet, which has no flow if the result is not 0
 *
 * Context: BH off.
 * Return: why, or 0.
 */
static __always_inline enum slb_reason slb_addrs_skip(const struct slb_addrs *ps,
						      struct slb_addr_pair pair)
{
	const struct slb_addr_use *to = &ps->at[pair.to], *from = &ps->at[pair.from];

	if (to->flows | from->flows)
		return 0;
	if (slb_addr_use_pauses(to, from) && !slb_addr_pair_tries(pair))
		return SLB_MISS_PAUSED;
	return slb_addrs_unrelated(ps, to, from) ? SLB_MISS_UNRELATED : 0;
}

/* A service that is gone does not pause any more. */
static inline void slb_addr_use_count(struct slb_addr_use *peer)
{
	if (peer->notes < SLB_ADDRS_UNCLAIMED)
		peer->notes++;
	else if ((u32)jiffies - peer->claimed > SLB_ADDRS_CLAIMED)
		peer->paused = false;
}

/**
 * slb_addrs_port() - remember the bridge port that answers of a real server come from
 * @ps: of this CPU
 * @pair: addresses of an answer that a flow is learned from
 * @port: the port with br_netfilter, or 0
 *
 * Context: BH off.
 */
static inline void slb_addrs_port(struct slb_addrs *ps, struct slb_addr_pair pair,
				  u32 port)
{
	ps->port[pair.from] = port;
}

/**
 * slb_addrs_count() - count a packet that is recorded
 * @ps: of this CPU
 * @pair: addresses of the packet
 *
 * Context: BH off.
 */
static inline void slb_addrs_count(struct slb_addrs *ps, struct slb_addr_pair pair)
{
	slb_addr_use_count(&ps->at[pair.from]);
	slb_addr_use_count(&ps->at[pair.to]);
}

/**
 * slb_addr_use_claim() - IPVS has had a packet of this address
 * @peer: the address
 * @virtual: the packet's destination
 *
 * Context: BH off.
 */
static inline void slb_addr_use_claim(struct slb_addr_use *peer, bool virtual)
{
	peer->virtual = virtual;
	peer->claimed = jiffies;
	peer->notes = 0;
}

#endif /* _SLB_ADDRS_H */
