// SPDX-License-Identifier: GPL-2.0
/*
 * The rewriter: what IPVS and the forwarding code do to the headers of a
 * packet, done at once from a precomputed action.
 *
 * It works on plain bytes and knows nothing of where they come from. The
 * result is the slow path's to the bit, also where one's complement has two
 * ways to write zero: sums are built from the same terms as in
 * tcp_fast_csum_update(), tcp_partial_csum_update() and their UDP siblings of
 * net/netfilter/ipvs.
 */
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>

#include "rewrite.h"

/* Sum of what replaces what: addresses first, they alone are in a pseudo
 * header.
 */
static __wsum slb_addr_diff(__be32 osaddr, __be32 odaddr,
			    __be32 saddr, __be32 daddr)
{
	__wsum sum = csum_add((__force __wsum)~osaddr, (__force __wsum)saddr);

	sum = csum_add(sum, (__force __wsum)~odaddr);
	return csum_add(sum, (__force __wsum)daddr);
}

/**
 * slb_action_init() - set the header part of an action
 * @act: the action; its mtu is left alone
 * @from: the addresses and ports that packets of the flow come with
 * @saddr: source address that they leave with
 * @daddr: destination address that they leave with
 * @sport: source port that they leave with
 * @dport: destination port that they leave with
 *
 * Context: any.
 */
void slb_action_init(struct slb_action *act, const struct slb_key *from,
		     __be32 saddr, __be32 daddr, __be16 sport, __be16 dport)
{
	__wsum sum = slb_addr_diff(from->saddr, from->daddr, saddr, daddr);

	act->saddr = saddr;
	act->daddr = daddr;
	act->sport = sport;
	act->dport = dport;
	sum = csum_add(sum, (__force __wsum)(u32)(u16)~(__force u16)from->sport);
	sum = csum_add(sum, (__force __wsum)(u32)(__force u16)sport);
	sum = csum_add(sum, (__force __wsum)(u32)(u16)~(__force u16)from->dport);
	sum = csum_add(sum, (__force __wsum)(u32)(__force u16)dport);
	/* csum_fold() inverts; the action keeps the plain sum */
	act->csum = (__force __sum16)~(__force u16)csum_fold(sum);
}

/* The transport checksum behind an offloaded one (CHECKSUM_PARTIAL) holds the
 * plain sum of the pseudo header, which the ports are not part of.
 */
static __sum16 slb_csum_update(__sum16 check, const struct iphdr *iph,
			       const struct slb_action *act, bool partial)
{
	__wsum sum;

	if (partial) {
		sum = csum_add(csum_unfold(check),
			       slb_addr_diff(iph->saddr, iph->daddr,
					     act->saddr, act->daddr));
		return (__force __sum16)~(__force u16)csum_fold(sum);
	}
	return csum_fold(csum_add(~csum_unfold(check), csum_unfold(act->csum)));
}

static void slb_rewrite_ports(void *data, const struct slb_action *act,
			      bool partial)
{
	const struct iphdr *iph = data;
	struct tcphdr *th = data + sizeof(*iph);
	struct udphdr *uh = data + sizeof(*iph);

	if (iph->protocol == IPPROTO_TCP) {
		th->source = act->sport;
		th->dest = act->dport;
		th->check = slb_csum_update(th->check, iph, act, partial);
	} else {
		uh->source = act->sport;
		uh->dest = act->dport;
		uh->check = slb_csum_update(uh->check, iph, act, partial);
		if (!partial && !uh->check)
			uh->check = CSUM_MANGLED_0;
	}
}

/**
 * slb_rewrite_ipv4() - apply an action to a packet
 * @data: the packet, from its IP header; no IP options; time to live above 1;
 *	writable up to and including its TCP or UDP header with
 *	SLB_REWRITE_NAT, else its IP header
 * @act: the action, made for the packet's key
 * @how: enum slb_rewrite_how
 *
 * A UDP packet without a checksum must not come here with SLB_REWRITE_NAT:
 * IPVS computes one for it over the whole packet.
 *
 * Context: any.
 */
void slb_rewrite_ipv4(void *data, const struct slb_action *act,
		      unsigned int how)
{
	struct iphdr *iph = data;

	if (how & SLB_REWRITE_NAT) {
		slb_rewrite_ports(data, act, how & SLB_REWRITE_PARTIAL);
		iph->saddr = act->saddr;
		iph->daddr = act->daddr;
	}
	iph->ttl--;
	iph->check = 0;
	iph->check = ip_fast_csum(iph, sizeof(*iph) / 4);
}
