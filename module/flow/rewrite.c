// SPDX-License-Identifier: GPL-2.0
/* The header part of actions. */
#include <net/dsfield.h>
#include <net/inet_ecn.h>

#include "flow/rewrite.h"

static __wsum slb_rewrite_port_diff(__wsum sum, __be16 old, __be16 new)
{
	sum = csum_add(sum, (__force __wsum)(u32)(u16)~(__force u16)old);
	return csum_add(sum, (__force __wsum)(u32)(__force u16)new);
}

/**
 * slb_rewrite_init4() - set the header part of an action
 * @act: the action; @act->mtu does not change
 * @from: addresses and ports at ingress
 * @saddr: source address at egress
 * @daddr: destination address at egress
 * @sport: source port at egress
 * @dport: destination port at egress
 *
 * Context: any.
 */
void slb_rewrite_init4(struct slb_action4 *act, const struct slb_key4 *from,
		       __be32 saddr, __be32 daddr, __be16 sport, __be16 dport)
{
	__wsum sum = slb_rewrite_addr_diff4(from->saddr, from->daddr, saddr, daddr);

	act->saddr = saddr;
	act->daddr = daddr;
	act->sport = sport;
	act->dport = dport;
	sum = slb_rewrite_port_diff(sum, from->sport, sport);
	sum = slb_rewrite_port_diff(sum, from->dport, dport);
	act->csum = slb_rewrite_csum(sum);
}

/**
 * slb_rewrite_init6() - set the header part of an action for IPv6
 * @act: the action; @act->mtu does not change
 * @from: addresses and ports at ingress
 * @saddr: source address at egress
 * @daddr: destination address at egress
 * @sport: source port at egress
 * @dport: destination port at egress
 *
 * Context: any.
 */
void slb_rewrite_init6(struct slb_action6 *act, const struct slb_key6 *from,
		       const struct in6_addr *saddr,
		       const struct in6_addr *daddr,
		       __be16 sport, __be16 dport)
{
	__wsum sum = slb_rewrite_addr_diff6(&from->saddr, &from->daddr, saddr, daddr);

	act->saddr.in6 = *saddr;
	act->daddr.in6 = *daddr;
	act->sport = sport;
	act->dport = dport;
	sum = slb_rewrite_port_diff(sum, from->sport, sport);
	sum = slb_rewrite_port_diff(sum, from->dport, dport);
	act->csum = slb_rewrite_csum(sum);
}

static void slb_rewrite_ttl4(struct iphdr *iph, u8 ttl)
{
	csum_replace2(&iph->check, htons(iph->ttl << 8), htons(ttl << 8));
	iph->ttl = ttl;
}

/**
 * slb_rewrite_class() - set the type of service and the time to live of a packet
 * @data: the packet, from its outermost IP header, which is writable
 * @extra: values to set, by @extra->how
 *
 * ECN bits are left as they are.
 *
 * Context: any.
 */
void slb_rewrite_class(void *data, const struct slb_extra *extra)
{
	struct ipv6hdr *ip6h = data;
	struct iphdr *iph = data;
	bool v6 = iph->version == 6;

	if (extra->how & SLB_EXTRA_TOS) {
		if (v6)
			ipv6_change_dsfield(ip6h, INET_ECN_MASK, extra->tos);
		else
			ipv4_change_dsfield(iph, INET_ECN_MASK, extra->tos);
	}
	if (extra->how & SLB_EXTRA_TTL) {
		if (v6)
			ip6h->hop_limit = extra->ttl_out;
		else
			slb_rewrite_ttl4(iph, extra->ttl_out);
	}
}
