/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which addresses IPVS has to do with, so that packets between others are let by at
 * a glance: most packets of a director that is a router too, or has other services.
 *
 *  operation            | locking
 * ----------------------+---------------------------------------------------
 *  all                  | BH off, this CPU; @flows as the flow that it counts
 *
 * Nobody tells the module of IPVS's services, so it learns of them as it does of flows:
 * packets that meet the hook are noted, and what IPVS has at the end of the slow path
 * claims an address: the one that it was sent to, or for an answer the real server's that
 * it came from. An address of which note after note was not claimed, and none for some
 * time, is foreign. A packet between two foreign addresses is neither looked up nor
 * noted. If IPVS has one nevertheless, because a service is new or seldom used, all
 * packets are noted again for a second.
 *
 * An address that has flows is never foreign: each packet of a flow must be seen, for
 * those that go slow hold the flow back. All else costs time alone, or a note: addresses
 * share a place by their hash, and a quiet service may share its with a busy host.
 */
#ifndef _SLB_ADDRS_H
#define _SLB_ADDRS_H

#include <linux/bitops.h>
#include <linux/hash.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/skbuff.h>

/* Places for addresses. */
#define SLB_ADDRS	1024

/* Notes of an address that were not claimed until it is foreign. */
#define SLB_ADDRS_UNCLAIMED	32

/* For so long an address that was claimed is not foreign. */
#define SLB_ADDRS_CLAIMED	(10 * HZ)

/* For so long all packets are noted after IPVS had one that was let by. */
#define SLB_ADDRS_WARY	HZ

/**
 * struct slb_addr_use - addresses with the same hash
 * @flows: flows to one of them, or in the other direction from it
 * @claimed: when IPVS last claimed one, in jiffies
 * @notes: packets noted of them since then; stops at SLB_ADDRS_UNCLAIMED
 * @port: the port of a bridge that the last one came by that was noted; 0: by none, or
 *	br_netfilter does not tell
 */
struct slb_addr_use {
	u32	flows;
	u32	claimed;
	u32	notes : 8;
	u32	port : 24;
};

/**
 * struct slb_addr_pair - the addresses of a packet, as places in struct slb_addrs
 * @from: of its source
 * @to: of its destination
 */
struct slb_addr_pair {
	u16	from;
	u16	to;
};

/**
 * struct slb_addrs - what a CPU knows of addresses
 * @missed: when IPVS last had a packet that was let by, in jiffies
 * @passed: packets were let by since then
 * @at: by hash of the address
 */
struct slb_addrs {
	u32			missed;
	bool			passed;
	struct slb_addr_use	at[SLB_ADDRS];
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
 * slb_addr_pair() - the addresses of a packet
 * @data: the packet, from its IP header, all of which can be read
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

static inline bool slb_addr_use_unrelated(const struct slb_addr_use *peer, u32 now)
{
	return peer->notes >= SLB_ADDRS_UNCLAIMED && !peer->flows &&
	       now - peer->claimed > SLB_ADDRS_CLAIMED;
}

/**
 * slb_addrs_unrelated() - is a packet none of IPVS's, at a glance?
 * @ps: this CPU's
 * @pair: the packet's addresses
 *
 * Context: BH off.
 * Return: true if it has no flow here and is not worth a note.
 */
static inline bool slb_addrs_unrelated(const struct slb_addrs *ps,
				       struct slb_addr_pair pair)
{
	u32 now = jiffies;

	return slb_addr_use_unrelated(&ps->at[pair.to], now) &&
	       slb_addr_use_unrelated(&ps->at[pair.from], now) &&
	       now - ps->missed > SLB_ADDRS_WARY;
}

static inline void slb_addr_use_count(struct slb_addr_use *peer)
{
	if (peer->notes < SLB_ADDRS_UNCLAIMED)
		peer->notes++;
}

/**
 * slb_addrs_count() - a packet between these addresses is noted
 * @ps: this CPU's
 * @pair: the packet's addresses
 * @port: the port of a bridge that it came by, as far as br_netfilter tells; or 0
 *
 * Context: BH off.
 */
static inline void slb_addrs_count(struct slb_addrs *ps, struct slb_addr_pair pair,
				   u32 port)
{
	ps->at[pair.from].port = port;
	slb_addr_use_count(&ps->at[pair.from]);
	slb_addr_use_count(&ps->at[pair.to]);
}

/**
 * slb_addr_use_claim() - IPVS has had a packet of this address
 * @peer: the address
 *
 * Context: BH off.
 */
static inline void slb_addr_use_claim(struct slb_addr_use *peer)
{
	peer->claimed = jiffies;
	peer->notes = 0;
}

/**
 * slb_addrs_take_missed() - IPVS has had a packet that nobody had noted
 * @ps: this CPU's
 * @skb: the packet
 *
 * Not each of them was let by: notes get lost, and packets that the director itself
 * sends (which came by no device) meet no hook before. Where nothing is let by, none
 * was.
 *
 * Context: BH off.
 * Return: true if it may have been let by.
 */
static inline bool slb_addrs_take_missed(struct slb_addrs *ps,
					 const struct sk_buff *skb)
{
	if (!ps->passed || !skb->skb_iif)
		return false;
	ps->passed = false;
	ps->missed = jiffies;
	return true;
}

#endif /* _SLB_ADDRS_H */
