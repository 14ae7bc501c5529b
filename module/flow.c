// SPDX-License-Identifier: GPL-2.0
/*
 * The flow table: fixed size, set-associative, one a CPU.
 *
 *  operation                          | locking
 * ------------------------------------+-------------------------------------
 *  slb_flow_lookup, _place, _free     | BH off, on the CPU that owns the
 *                                     | table; after that CPU is dead, or
 *                                     | when no hook can run: anywhere
 *  slb_table_init, slb_table_exit     | process context, nobody else has it
 *
 * A key belongs to one set of SLB_WAYS flows and, within the set, to a way to
 * start the search at, both from one keyed hash. While a set is not crowded a
 * lookup therefore touches the flow's own cache line and no other. There is
 * no chain, no tag and no allocation after the table: a flood of new flows
 * costs evictions of idle flows and nothing else.
 */
#include <linux/jhash.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "flow.h"

static u32 slb_key_hash(const struct slb_table *t, const struct slb_key *key)
{
	return jhash_3words((__force u32)key->saddr, (__force u32)key->daddr,
			    (__force u32)key->ports, t->seed ^ key->iif_proto);
}

static bool slb_key_equal(const struct slb_key *a, const struct slb_key *b)
{
	return !(((__force u32)a->saddr ^ (__force u32)b->saddr) |
		 ((__force u32)a->daddr ^ (__force u32)b->daddr) |
		 ((__force u32)a->ports ^ (__force u32)b->ports) |
		 (a->iif_proto ^ b->iif_proto));
}

/* The set comes from the low bits of the hash, the way from the high ones. */
static struct slb_flow *slb_table_set(const struct slb_table *t, u32 hash)
{
	return t->flow + (size_t)(hash & t->set_mask) * SLB_WAYS;
}

static u32 slb_hash_way(u32 hash)
{
	return hash >> (32 - ilog2(SLB_WAYS));
}

/**
 * slb_table_init() - allocate a table
 * @t: the table
 * @flows: its size, a power of two from SLB_FLOWS_MIN to SLB_FLOWS_MAX
 * @node: memory node of the CPU that will own it
 *
 * Context: process, may sleep.
 * Return: 0, or -ENOMEM.
 */
int slb_table_init(struct slb_table *t, u32 flows, int node)
{
	BUILD_BUG_ON(sizeof(struct slb_key) != 16);
	BUILD_BUG_ON(sizeof(struct slb_action) != 16);
	BUILD_BUG_ON(offsetof(struct slb_flow, tos) + sizeof(u8) != 64);
	BUILD_BUG_ON(!is_power_of_2(SLB_WAYS));

	t->flow = kvzalloc_node(array_size(flows, sizeof(*t->flow)),
				GFP_KERNEL, node);
	if (!t->flow)
		return -ENOMEM;
	t->set_mask = flows / SLB_WAYS - 1;
	t->seed = get_random_u32();
	t->used = 0;
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
	kvfree(t->flow);
	t->flow = NULL;
}

/**
 * slb_flow_lookup() - find the flow of a key
 * @t: the table
 * @key: the key
 *
 * Context: BH off, on the CPU that owns the table.
 * Return: the flow, which is the caller's until BHs are on again, or NULL.
 */
struct slb_flow *slb_flow_lookup(const struct slb_table *t,
				 const struct slb_key *key)
{
	u32 hash = slb_key_hash(t, key);
	struct slb_flow *set = slb_table_set(t, hash);
	u32 way = slb_hash_way(hash);
	u32 i;

	for (i = 0; i < SLB_WAYS; i++) {
		struct slb_flow *flow = &set[(way + i) % SLB_WAYS];

		if (slb_key_equal(&flow->key, key) && flow->dst)
			return flow;
	}
	return NULL;
}

/**
 * slb_flow_place() - choose the slot for a new flow
 * @t: the table
 * @key: key of the new flow, which has none yet
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
struct slb_flow *slb_flow_place(struct slb_table *t, const struct slb_key *key,
				unsigned long now)
{
	u32 hash = slb_key_hash(t, key);
	struct slb_flow *set = slb_table_set(t, hash);
	u32 way = slb_hash_way(hash);
	struct slb_flow *oldest = NULL;
	u32 i;

	for (i = 0; i < SLB_WAYS; i++) {
		struct slb_flow *flow = &set[(way + i) % SLB_WAYS];

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
	memset(flow, 0, sizeof(*flow));
	t->used--;
}
