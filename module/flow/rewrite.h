/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rewriter: changes headers as IPVS and the forwarding code would, from a precomputed
 * action.
 *
 * The rewriter works on plain bytes, of an skb or a frame. The result equals the slow path's
 * to the bit, although the ones' complement has two zeros: sums have the same terms as in
 * tcp_fast_csum_update(), tcp_partial_csum_update() and their UDP siblings in
 * net/netfilter/ipvs.
 */
#ifndef _SLB_REWRITE_H
#define _SLB_REWRITE_H

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>

#include "flow/flow.h"

/**
 * enum slb_rewrite_how - work besides decrementing the time to live
 * @SLB_REWRITE_NAT: write addresses, ports and checksum
 * @SLB_REWRITE_PARTIAL: the transport checksum is offloaded
 */
enum slb_rewrite_how {
	SLB_REWRITE_NAT		= 1 << 0,
	SLB_REWRITE_PARTIAL	= 1 << 1,
};

void slb_rewrite_init4(struct slb_action4 *act, const struct slb_key4 *from,
		       __be32 saddr, __be32 daddr, __be16 sport, __be16 dport);
void slb_rewrite_init6(struct slb_action6 *act, const struct slb_key6 *from,
		       const struct in6_addr *saddr,
		       const struct in6_addr *daddr,
		       __be16 sport, __be16 dport);

/* Sums of the differences: addresses first, as a pseudo header has no ports. */
static inline __wsum slb_rewrite_addr_diff4(__be32 osaddr, __be32 odaddr,
					    __be32 saddr, __be32 daddr)
{
	__wsum sum = csum_add((__force __wsum)~osaddr, (__force __wsum)saddr);

	sum = csum_add(sum, (__force __wsum)~odaddr);
	return csum_add(sum, (__force __wsum)daddr);
}

static inline __wsum slb_rewrite_addr_diff6(const struct in6_addr *osaddr,
					    const struct in6_addr *odaddr,
					    const struct in6_addr *saddr,
					    const struct in6_addr *daddr)
{
	__wsum sum = 0;
	int i;

	for (i = 0; i < 4; i++) {
		sum = csum_add(sum, (__force __wsum)~osaddr->s6_addr32[i]);
		sum = csum_add(sum, (__force __wsum)saddr->s6_addr32[i]);
		sum = csum_add(sum, (__force __wsum)~odaddr->s6_addr32[i]);
		sum = csum_add(sum, (__force __wsum)daddr->s6_addr32[i]);
	}
	return sum;
}

/* csum_fold() inverts; an action keeps the plain sum */
static inline __sum16 slb_rewrite_csum(__wsum sum)
{
	return (__force __sum16)~(__force u16)csum_fold(sum);
}

/* Write the ports and update the checksum. csum is the plain sum of all changes. With an
 * offloaded checksum (CHECKSUM_PARTIAL) the field holds the plain sum of the pseudo header,
 * which has no ports; csum is then the sum of the changes there. The caller updates the
 * checksum of SCTP, which is a CRC.
 */
static __always_inline void slb_rewrite_ports(void *data, u8 proto, __be16 sport,
					      __be16 dport, __wsum csum,
					      bool partial)
{
	struct udphdr *uh = data;
	__sum16 *check;
	__wsum sum;

	/* ports are at the same place in all of them */
	uh->source = sport;
	uh->dest = dport;
	if (proto == IPPROTO_TCP)
		check = &((struct tcphdr *)data)->check;
	else if (proto == IPPROTO_UDP)
		check = &uh->check;
	else
		return;

	sum = csum_unfold(*check);
	if (partial) {
		*check = slb_rewrite_csum(csum_add(sum, csum));
		return;
	}
	*check = csum_fold(csum_add(~sum, csum));
	if (proto == IPPROTO_UDP && !*check)
		*check = CSUM_MANGLED_0;
}

/**
 * slb_rewrite_ipv4() - apply an action to a packet
 * @data: the packet, from an IP header with a correct checksum and no options; time to
 *	live above 1; IP header writable, with SLB_REWRITE_NAT the transport header, too
 * @act: the action, made for the packet's key
 * @how: enum slb_rewrite_how
 *
 * Not for UDP packets without a checksum and SLB_REWRITE_NAT: IPVS computes a checksum
 * over the whole packet. The checksum of SCTP does not change.
 *
 * Context: any.
 */
static __always_inline void
slb_rewrite_ipv4(void *data, const struct slb_action4 *act, unsigned int how)
{
	bool partial = how & SLB_REWRITE_PARTIAL;
	struct iphdr *iph = data;
	__wsum sum = 0;

	if (how & SLB_REWRITE_NAT) {
		sum = slb_rewrite_addr_diff4(iph->saddr, iph->daddr, act->saddr,
					     act->daddr);
		slb_rewrite_ports(iph + 1, iph->protocol, act->sport,
				  act->dport,
				  partial ? sum : csum_unfold(act->csum),
				  partial);
		iph->saddr = act->saddr;
		iph->daddr = act->daddr;
	}
	iph->ttl--;
	/* The word with the time to live decreases by one. As no header sums up to zero,
	 * this equals a sum of the whole header to the bit.
	 */
	sum = csum_add(sum, (__force __wsum)((u16)~(__force u16)iph->check +
					     (u16)~(__force u16)htons(0x0100)));
	iph->check = csum_fold(sum);
}

/**
 * slb_rewrite_ipv6() - apply an action to an IPv6 packet
 * @data: the packet, from its IPv6 header; no extension headers; hop limit
 *	above 1; writable as for slb_rewrite_ipv4()
 * @act: the action, made for the packet's key
 * @how: enum slb_rewrite_how
 *
 * For UDP without a checksum, and for SCTP, see slb_rewrite_ipv4().
 *
 * Context: any.
 */
static __always_inline void
slb_rewrite_ipv6(void *data, const struct slb_action6 *act, unsigned int how)
{
	bool partial = how & SLB_REWRITE_PARTIAL;
	struct ipv6hdr *iph = data;
	__wsum csum;

	if (how & SLB_REWRITE_NAT) {
		csum = partial ? slb_rewrite_addr_diff6(&iph->saddr, &iph->daddr,
							&act->saddr.in6,
							&act->daddr.in6) :
				 csum_unfold(act->csum);
		slb_rewrite_ports(iph + 1, iph->nexthdr, act->sport,
				  act->dport, csum, partial);
		iph->saddr = act->saddr.in6;
		iph->daddr = act->daddr.in6;
	}
	iph->hop_limit--;
}

/**
 * slb_rewrite_hop_limit() - the time to live or hop limit of a packet
 * @data: the packet, from its IP header
 * @v6: an IPv6 packet
 */
static inline u8 slb_rewrite_hop_limit(const void *data, bool v6)
{
	return v6 ? ((const struct ipv6hdr *)data)->hop_limit :
		    ((const struct iphdr *)data)->ttl;
}

void slb_rewrite_class(void *data, const struct slb_extra *extra);

#endif /* _SLB_REWRITE_H */
