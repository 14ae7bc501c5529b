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
#define SLB_PEERS	1024

/* Notes of an address that were not claimed until it is foreign. */
#define SLB_PEER_NOTES	32

/* For so long an address that was claimed is not foreign. */
#define SLB_PEER_KNOWN	(10 * HZ)

/* For so long all packets are noted after IPVS had one that was let by. */
#define SLB_PEER_WARY	HZ

/**
 * struct slb_peer - addresses with the same hash
 * @flows: flows to one of them, or in the other direction from it
 * @claimed: when IPVS last claimed one, in jiffies
 * @notes: packets noted of them since then; stops at SLB_PEER_NOTES
 * @port: the port of a bridge that the last one came by that was noted; 0: by none, or
 *	br_netfilter does not tell
 */
struct slb_peer {
	u32	flows;
	u32	claimed;
	u32	notes : 8;
	u32	port : 24;
};

/**
 * struct slb_pair - the addresses of a packet, as places in struct slb_peers
 * @from: of its source
 * @to: of its destination
 */
struct slb_pair {
	u16	from;
	u16	to;
};

/**
 * struct slb_peers - what a CPU knows of addresses
 * @missed: when IPVS last had a packet that was let by, in jiffies
 * @let_by: packets were let by since then
 * @at: by hash of the address
 */
struct slb_peers {
	u32		missed;
	bool		let_by;
	struct slb_peer	at[SLB_PEERS];
};

/**
 * slb_peer4() - the place of an IPv4 address
 * @addr: the address
 */
static inline u16 slb_peer4(__be32 addr)
{
	return hash_32((__force u32)addr, ilog2(SLB_PEERS));
}

/**
 * slb_peer6() - the place of an IPv6 address
 * @addr: the address
 */
static inline u16 slb_peer6(const struct in6_addr *addr)
{
	u32 net = (__force u32)(addr->s6_addr32[0] ^ addr->s6_addr32[1]);
	u32 host = (__force u32)(addr->s6_addr32[2] ^ addr->s6_addr32[3]);

	/* turned, for addresses whose numbers repeat (2001:db8:7::7) */
	return slb_peer4((__force __be32)(net ^ rol32(host, 13)));
}

/**
 * slb_pair() - the addresses of a packet
 * @data: the packet, from its IP header, all of which can be read
 * @v6: an IPv6 packet
 */
static inline struct slb_pair slb_pair(const void *data, bool v6)
{
	const struct ipv6hdr *ip6h = data;
	const struct iphdr *iph = data;

	if (v6)
		return (struct slb_pair){
			.from = slb_peer6(&ip6h->saddr),
			.to = slb_peer6(&ip6h->daddr),
		};
	return (struct slb_pair){
		.from = slb_peer4(iph->saddr),
		.to = slb_peer4(iph->daddr),
	};
}

static inline bool slb_peer_foreign(const struct slb_peer *peer, u32 now)
{
	return peer->notes >= SLB_PEER_NOTES && !peer->flows &&
	       now - peer->claimed > SLB_PEER_KNOWN;
}

/**
 * slb_peers_foreign() - is a packet none of IPVS's, at a glance?
 * @ps: this CPU's
 * @pair: the packet's addresses
 *
 * Context: BH off.
 * Return: true if it has no flow here and is not worth a note.
 */
static inline bool slb_peers_foreign(const struct slb_peers *ps,
				     struct slb_pair pair)
{
	u32 now = jiffies;

	return slb_peer_foreign(&ps->at[pair.to], now) &&
	       slb_peer_foreign(&ps->at[pair.from], now) &&
	       now - ps->missed > SLB_PEER_WARY;
}

static inline void slb_peer_note(struct slb_peer *peer)
{
	if (peer->notes < SLB_PEER_NOTES)
		peer->notes++;
}

/**
 * slb_peers_note() - a packet between these addresses is noted
 * @ps: this CPU's
 * @pair: the packet's addresses
 * @port: the port of a bridge that it came by, as far as br_netfilter tells; or 0
 *
 * Context: BH off.
 */
static inline void slb_peers_note(struct slb_peers *ps, struct slb_pair pair,
				  u32 port)
{
	ps->at[pair.from].port = port;
	slb_peer_note(&ps->at[pair.from]);
	slb_peer_note(&ps->at[pair.to]);
}

/**
 * slb_peer_claim() - IPVS has had a packet of this address
 * @peer: the address
 *
 * Context: BH off.
 */
static inline void slb_peer_claim(struct slb_peer *peer)
{
	peer->claimed = jiffies;
	peer->notes = 0;
}

/**
 * slb_peers_missed() - IPVS has had a packet that nobody had noted
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
static inline bool slb_peers_missed(struct slb_peers *ps,
				    const struct sk_buff *skb)
{
	if (!ps->let_by || !skb->skb_iif)
		return false;
	ps->let_by = false;
	ps->missed = jiffies;
	return true;
}

#endif /* _SLB_ADDRS_H */
