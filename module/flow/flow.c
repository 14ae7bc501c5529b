// SPDX-License-Identifier: GPL-2.0
/* Keys and actions of flows of either size. */
#include <net/ipv6.h>

#include "flow/flow.h"

/**
 * slb_key4_map() - map an IPv4 key to the key of a wide flow
 * @key: the key of the packets
 * @mapped: set to the key in the table of wide flows
 *
 * Context: any.
 */
void slb_key4_map(const struct slb_key4 *key, struct slb_key6 *mapped)
{
	ipv6_addr_set_v4mapped(key->saddr, &mapped->saddr);
	ipv6_addr_set_v4mapped(key->daddr, &mapped->daddr);
	mapped->ports = key->ports;
	mapped->iif_proto = key->iif_proto | SLB_KEY_MAPPED;
}

/**
 * slb_flow_key() - copy the key of a flow of either size
 * @flow: the flow
 * @key: set to the key, mapped if the flow is narrow
 *
 * Context: the flow is the caller's.
 */
void slb_flow_key(const struct slb_flow *flow, struct slb_key6 *key)
{
	if (flow->flags & SLB_FLOW_WIDE)
		*key = slb_flow6(flow)->key;
	else
		slb_key4_map(&slb_flow4(flow)->key, key);
}

/**
 * slb_flow_action() - copy the action of a flow of either size
 * @flow: a flow
 * @act: set to the action; zero where a narrow flow has no such member
 *
 * Context: any, the flow is the caller's.
 */
void slb_flow_action(const struct slb_flow *flow, struct slb_action6 *act)
{
	const struct slb_action4 *act4;

	if (flow->flags & SLB_FLOW_WIDE) {
		*act = slb_flow6(flow)->act;
		return;
	}
	act4 = &slb_flow4(flow)->act;
	*act = (struct slb_action6){
		.saddr.ip = act4->saddr,
		.daddr.ip = act4->daddr,
		.sport = act4->sport,
		.dport = act4->dport,
		.csum = act4->csum,
		.mtu = act4->mtu,
	};
}

/**
 * slb_flow_hash() - hash the key of a flow
 * @flow: a flow
 * @seed: of the CPU
 *
 * Context: the flow is the caller's.
 * Return: the hash that slb_table_place() was given.
 */
u32 slb_flow_hash(const struct slb_flow *flow, const struct slb_seed *seed)
{
	const struct slb_key6 *key6;
	struct slb_key4 key4;

	if (!(flow->flags & SLB_FLOW_WIDE))
		return slb_key4_hash(&slb_flow4(flow)->key, seed);
	key6 = &slb_flow6(flow)->key;
	if (!(key6->iif_proto & SLB_KEY_MAPPED))
		return slb_key6_hash(key6, seed);
	key4.saddr = key6->saddr.s6_addr32[3];
	key4.daddr = key6->daddr.s6_addr32[3];
	key4.ports = key6->ports;
	key4.iif_proto = key6->iif_proto & ~SLB_KEY_MAPPED;
	return slb_key4_hash(&key4, seed);
}
