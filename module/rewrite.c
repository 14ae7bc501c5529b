// SPDX-License-Identifier: GPL-2.0
/* Actions: what a packet that is rewritten is to have. */
#include "rewrite.h"

static __wsum slb_port_diff(__wsum sum, __be16 old, __be16 new)
{
	sum = csum_add(sum, (__force __wsum)(u32)(u16)~(__force u16)old);
	return csum_add(sum, (__force __wsum)(u32)(__force u16)new);
}

/**
 * slb_action_init4() - set the header part of an action
 * @act: the action; its mtu is left alone
 * @from: the addresses and ports that packets of the flow come with
 * @saddr: source address that they leave with
 * @daddr: destination address that they leave with
 * @sport: source port that they leave with
 * @dport: destination port that they leave with
 *
 * Context: any.
 */
void slb_action_init4(struct slb_action4 *act, const struct slb_key4 *from,
		      __be32 saddr, __be32 daddr, __be16 sport, __be16 dport)
{
	__wsum sum = slb_addr_diff4(from->saddr, from->daddr, saddr, daddr);

	act->saddr = saddr;
	act->daddr = daddr;
	act->sport = sport;
	act->dport = dport;
	sum = slb_port_diff(sum, from->sport, sport);
	sum = slb_port_diff(sum, from->dport, dport);
	act->csum = slb_csum_plain(sum);
}

/**
 * slb_action_init6() - set the header part of an action for IPv6
 * @act: the action; its mtu is left alone
 * @from: the addresses and ports that packets of the flow come with
 * @saddr: source address that they leave with
 * @daddr: destination address that they leave with
 * @sport: source port that they leave with
 * @dport: destination port that they leave with
 *
 * Context: any.
 */
void slb_action_init6(struct slb_action6 *act, const struct slb_key6 *from,
		      const struct in6_addr *saddr,
		      const struct in6_addr *daddr,
		      __be16 sport, __be16 dport)
{
	__wsum sum = slb_addr_diff6(&from->saddr, &from->daddr, saddr, daddr);

	act->saddr.in6 = *saddr;
	act->daddr.in6 = *daddr;
	act->sport = sport;
	act->dport = dport;
	sum = slb_port_diff(sum, from->sport, sport);
	sum = slb_port_diff(sum, from->dport, dport);
	act->csum = slb_csum_plain(sum);
}
