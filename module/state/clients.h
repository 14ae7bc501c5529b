/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Clients whose answers have a flow. A packet that makes IPVS begin a connection may outdate the
 * flow of another connection's answers, see learn/outdate.c, but only if the same client has
 * that connection, from the same port. With some hundred flows most packets need no more than a
 * look here; with many, flows share places, and a lookup has to tell.
 *
 *  operation       | locking
 * -----------------+---------------------------------------------------------
 *  all             | BH off, this CPU; @flows as the counted flows
 */
#ifndef _SLB_CLIENTS_H
#define _SLB_CLIENTS_H

#include <linux/bitops.h>
#include <linux/hash.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jhash.h>
#include <linux/log2.h>
#include <linux/skbuff.h>
#include <net/ip.h>

#include "flow/parse.h"
#include "ipvs/conn.h"

/* Places for clients. */
#define SLB_CLIENTS	2048

/**
 * struct slb_clients - clients whose answers have a flow
 * @seed: seed of slb_clients_virtual(); does not change
 * @flows: number of these flows, by hash of address and port; at SLB_CLIENTS, of all
 */
struct slb_clients {
	u32	seed;
	u32	flows[SLB_CLIENTS + 1];
};

static inline u32 slb_clients_index(__be32 addr, __be16 port)
{
	return hash_32((__force u32)addr ^ (__force u32)port << 16 ^ (__force u32)port,
		       ilog2(SLB_CLIENTS));
}

static inline __be32 slb_clients_fold(const struct in6_addr *addr)
{
	u32 net = (__force u32)(addr->s6_addr32[0] ^ addr->s6_addr32[1]);
	u32 host = (__force u32)(addr->s6_addr32[2] ^ addr->s6_addr32[3]);

	/* turned, for addresses whose numbers repeat (2001:db8:7::7) */
	return (__force __be32)(net ^ rol32(host, 13));
}

/**
 * slb_clients_at() - the number of flows of a connection's client
 * @c: of this CPU
 * @cp: the connection, pinned
 *
 * Context: BH off, this CPU.
 */
static inline u32 *slb_clients_at(struct slb_clients *c, const struct ip_vs_conn *cp)
{
	return &c->flows[slb_clients_index(cp->af == AF_INET6 ?
					   slb_clients_fold(&cp->caddr.in6) :
					   cp->caddr.ip, cp->cport)];
}

/**
 * slb_clients_place() - the place of the client that sent a packet
 * @pkt: the packet at ingress, with a key
 *
 * Context: any.
 */
static inline u32 slb_clients_place(const struct slb_pkt *pkt)
{
	return pkt->v6 ?
	       slb_clients_index(slb_clients_fold(&pkt->key6.saddr), pkt->key6.sport) :
	       slb_clients_index(pkt->key4.saddr, pkt->key4.sport);
}

/**
 * slb_clients_peek() - the place of the client that sent a packet which nobody has parsed
 * @skb: the packet at ingress
 * @v6: of IPv6
 *
 * Context: any.
 * Return: the place, or SLB_CLIENTS if it takes the parser to tell.
 */
static inline u32 slb_clients_peek(const struct sk_buff *skb, bool v6)
{
	u32 hlen = v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	const struct ipv6hdr *ip6h = ipv6_hdr(skb);
	const struct iphdr *iph = ip_hdr(skb);
	const __be16 *ports;

	if (!slb_parse_hlen_min(v6 ? ip6h->nexthdr : iph->protocol) ||
	    (!v6 && (iph->ihl != 5 || ip_is_fragment(iph))) ||
	    skb_headlen(skb) < skb_network_offset(skb) + hlen + 2 * sizeof(*ports))
		return SLB_CLIENTS;
	ports = (const __be16 *)(skb_network_header(skb) + hlen);
	return slb_clients_index(v6 ? slb_clients_fold(&ip6h->saddr) : iph->saddr, ports[0]);
}

static inline u32 slb_clients_hash(const struct slb_clients *c, bool v6,
				   const void *addr, __be16 port)
{
	u32 hash = jhash2(addr, v6 ? 4 : 1, c->seed ^ (__force u32)port);

	return hash ?: 1;
}

/**
 * slb_clients_virtual() - hash the virtual address and port that a packet is for
 * @c: of this CPU
 * @pkt: the packet at ingress, with a key
 *
 * Context: any.
 * Return: not 0.
 */
static inline u32 slb_clients_virtual(const struct slb_clients *c, const struct slb_pkt *pkt)
{
	if (pkt->v6)
		return slb_clients_hash(c, true, &pkt->key6.daddr, pkt->key6.dport);
	return slb_clients_hash(c, false, &pkt->key4.daddr, pkt->key4.dport);
}

/**
 * slb_clients_peek_virtual() - the same of a packet that nobody has parsed
 * @c: of this CPU
 * @skb: the packet at ingress, with a place by slb_clients_peek()
 * @v6: of IPv6
 *
 * Context: any.
 * Return: not 0.
 */
static inline u32 slb_clients_peek_virtual(const struct slb_clients *c, const struct sk_buff *skb,
					   bool v6)
{
	const __be16 *ports;

	if (v6) {
		ports = (const __be16 *)(ipv6_hdr(skb) + 1);
		return slb_clients_hash(c, true, &ipv6_hdr(skb)->daddr, ports[1]);
	}
	ports = (const __be16 *)(ip_hdr(skb) + 1);
	return slb_clients_hash(c, false, &ip_hdr(skb)->daddr, ports[1]);
}

/**
 * slb_clients_virtual_of() - the same of the packets of a connection
 * @c: of this CPU
 * @cp: the connection, pinned
 *
 * Context: any.
 */
static inline u32 slb_clients_virtual_of(const struct slb_clients *c,
					 const struct ip_vs_conn *cp)
{
	return slb_clients_hash(c, cp->af == AF_INET6, &cp->vaddr, cp->vport);
}

#endif /* _SLB_CLIENTS_H */
