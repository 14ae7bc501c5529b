// SPDX-License-Identifier: GPL-2.0
/*
 * The flow table: fixed size, set-associative, one a CPU and size of flow.
 *
 *  operation                          | locking
 * ------------------------------------+-------------------------------------
 *  slb_flow_lookup, _place, _free     | BH off, on the CPU that owns the
 *                                     | table; after that CPU is dead, or
 *                                     | when no hook can run: anywhere
 *  slb_table_init                     | process context, one at a time
 *  slb_table_exit                     | process context, nobody else has it
 *
 * A key belongs to one set of SLB_WAYS flows and, within the set, to a way to
 * start the search at, both from one keyed hash. While a set is not crowded a
 * lookup therefore touches the flow's own cache line and no other. There is
 * no chain, no tag and no allocation after the table: a flood of new flows
 * costs evictions of idle flows and nothing else.
 */
#include <linux/jhash.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/ipv6.h>

#include "flow.h"

/**
 * slb_key4_hash() - hash a key
 * @key: the key
 * @seed: of the CPU
 *
 * Context: any.
 * Return: all 32 bits count.
 */
u32 slb_key4_hash(const struct slb_key4 *key, u32 seed)
{
	return jhash_3words((__force u32)key->saddr, (__force u32)key->daddr,
			    (__force u32)key->ports, seed ^ key->iif_proto);
}

/**
 * slb_key6_hash() - hash a key of IPv6 packets
 * @key: the key; not a mapped one, which goes by the hash of what it maps
 * @seed: of the CPU
 *
 * Context: any.
 * Return: all 32 bits count.
 */
u32 slb_key6_hash(const struct slb_key6 *key, u32 seed)
{
	return jhash2((const u32 *)key, sizeof(*key) / sizeof(u32), seed);
}

/**
 * slb_key4_map() - the key of a wide flow for IPv4 packets
 * @key: the key of the packets
 * @mapped: what is found in the table of wide flows
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
 * slb_flow_key() - the key of a flow, whatever its size
 * @flow: the flow
 * @key: a copy of its key, mapped if it is an IPv4 flow
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
 * slb_flow_action() - the action of a flow of either size
 * @flow: a flow
 * @act: set to it; what a narrow one has not is 0
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

static bool slb_key4_equal(const struct slb_key4 *a, const struct slb_key4 *b)
{
	return !(((__force u32)a->saddr ^ (__force u32)b->saddr) |
		 ((__force u32)a->daddr ^ (__force u32)b->daddr) |
		 ((__force u32)a->ports ^ (__force u32)b->ports) |
		 (a->iif_proto ^ b->iif_proto));
}

static bool slb_key6_equal(const struct slb_key6 *a, const struct slb_key6 *b)
{
	return !(((__force u32)a->ports ^ (__force u32)b->ports) |
		 (a->iif_proto ^ b->iif_proto)) &&
	       ipv6_addr_equal(&a->saddr, &b->saddr) &&
	       ipv6_addr_equal(&a->daddr, &b->daddr);
}

/* The set comes from the low bits of the hash, the way to start at from the
 * high ones.
 */
static u32 slb_hash_set(const struct slb_table *t, u32 hash)
{
	return (hash & t->set_mask) * SLB_WAYS;
}

static u32 slb_hash_way(u32 hash)
{
	return hash >> (32 - ilog2(SLB_WAYS));
}

/**
 * slb_table_init() - allocate a table
 * @t: the table, all zero
 * @size: sizeof(struct slb_flow4) or sizeof(struct slb_flow6)
 * @flows: its size, a power of two from SLB_FLOWS_MIN to SLB_FLOWS_MAX
 * @node: memory node of the CPU that will own it
 *
 * Context: process, may sleep.
 * Return: 0, or -ENOMEM.
 */
int slb_table_init(struct slb_table *t, u32 size, u32 flows, int node)
{
	void *slot;

	BUILD_BUG_ON(sizeof(struct slb_key4) != 16);
	BUILD_BUG_ON(sizeof(struct slb_key6) != 40);
	BUILD_BUG_ON(sizeof(struct slb_action4) != 16);
	BUILD_BUG_ON(sizeof(struct slb_flow4) != 64);
	BUILD_BUG_ON(sizeof(struct slb_flow6) != 128);
	/* slb_table_at() goes by the end */
	BUILD_BUG_ON(offsetofend(struct slb_flow4, flow) != 64);
	BUILD_BUG_ON(offsetofend(struct slb_flow6, flow) != 128);
	BUILD_BUG_ON(!is_power_of_2(SLB_WAYS));

	slot = kvzalloc_node(array_size(flows, size + sizeof(struct slb_tally)),
			     GFP_KERNEL, node);
	if (!slot)
		return -ENOMEM;
	t->set_mask = flows / SLB_WAYS - 1;
	t->size = size;
	t->used = 0;
	/* pairs with slb_table_ready() */
	smp_store_release(&t->slot, slot);
	return 0;
}

/**
 * slb_table_exit() - free a table
 * @t: the table; all its flows have been ended
 *
 * Context: process.
 */
void slb_table_exit(struct slb_table *t)
{
	WARN_ON_ONCE(t->used);
	kvfree(t->slot);
	t->slot = NULL;
}

/**
 * slb_flow_lookup4() - find the flow of a key
 * @t: a table of narrow flows, which is ready
 * @key: the key
 * @hash: of the key
 *
 * Context: BH off, on the CPU that owns the table.
 * Return: the flow, which is the caller's until BHs are on again, or NULL.
 */
struct slb_flow *slb_flow_lookup4(const struct slb_table *t,
				  const struct slb_key4 *key, u32 hash)
{
	struct slb_flow4 *set = t->slot;
	u32 way = slb_hash_way(hash);
	u32 i;

	set += slb_hash_set(t, hash);
	for (i = 0; i < SLB_WAYS; i++) {
		struct slb_flow4 *f = &set[(way + i) % SLB_WAYS];

		if (slb_key4_equal(&f->key, key) && f->flow.dst)
			return &f->flow;
	}
	return NULL;
}

/**
 * slb_flow_lookup6() - find the flow of a key
 * @t: a table of wide flows, which is ready
 * @key: the key
 * @hash: of the key, or of the key that it maps
 *
 * Context: BH off, on the CPU that owns the table.
 * Return: the flow, which is the caller's until BHs are on again, or NULL.
 */
struct slb_flow *slb_flow_lookup6(const struct slb_table *t,
				  const struct slb_key6 *key, u32 hash)
{
	struct slb_flow6 *set = t->slot;
	u32 way = slb_hash_way(hash);
	u32 i;

	set += slb_hash_set(t, hash);
	for (i = 0; i < SLB_WAYS; i++) {
		struct slb_flow6 *f = &set[(way + i) % SLB_WAYS];

		if (slb_key6_equal(&f->key, key) && f->flow.dst)
			return &f->flow;
	}
	return NULL;
}

/**
 * slb_flow_place() - choose the slot for a new flow
 * @t: the table, which is ready
 * @hash: of the key of the new flow, which has none yet
 * @now: jiffies
 *
 * Takes a free slot of the key's set, or else the one that has been idle
 * longest, if that was longer than SLB_ACTIVE: a flow in use is never evicted,
 * so that short flows cannot push out a busy one.
 *
 * Context: BH off, on the CPU that owns the table.
 * Return: a slot. If its dst is not NULL it still holds the flow to evict: the
 *	caller lets go of what that flow holds and calls slb_flow_free() first.
 *	NULL if every flow of the set is in use.
 */
struct slb_flow *slb_flow_place(struct slb_table *t, u32 hash,
				unsigned long now)
{
	u32 set = slb_hash_set(t, hash);
	u32 way = slb_hash_way(hash);
	struct slb_flow *oldest = NULL;
	u32 i;

	for (i = 0; i < SLB_WAYS; i++) {
		struct slb_flow *flow =
			slb_table_at(t, set + (way + i) % SLB_WAYS);

		if (!flow->dst) {
			t->used++;
			return flow;
		}
		if (!oldest ||
		    slb_flow_idle(flow, now) > slb_flow_idle(oldest, now))
			oldest = flow;
	}
	if (slb_flow_idle(oldest, now) <= SLB_ACTIVE)
		return NULL;
	t->used++;
	return oldest;
}

/**
 * slb_flow_free() - give a slot back
 * @t: the table
 * @flow: a flow of the table; what it held has been let go of
 *
 * Context: BH off, on the CPU that owns the table.
 */
void slb_flow_free(struct slb_table *t, struct slb_flow *flow)
{
	memset((void *)(flow + 1) - t->size, 0, t->size);
	t->used--;
}
