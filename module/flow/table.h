/* SPDX-License-Identifier: GPL-2.0 */
/* Finding the flow of a key: what each hit runs through, and is inline for that. */
#ifndef _SLB_TABLE_H
#define _SLB_TABLE_H

#include <linux/bitrev.h>
#include <linux/jhash.h>
#include <linux/log2.h>
#include <net/ipv6.h>

#include "flow/flow.h"

/**
 * slb_table_set() - the set of a hash
 * @t: the table, which is ready
 * @hash: of a key; its low bits choose the set
 * @size: @t's, where it is known a constant
 * @mask: number of sets less one of what the set is in
 *
 * Context: BH off, on the CPU that owns the table.
 * Return: SLB_WAYS flows.
 */
static inline void *slb_table_set(const struct slb_table *t, u32 hash, u32 size,
				  u32 *mask)
{
	void *slot = t->slot;

	*mask = t->set_mask;
	if (unlikely(t->old) && (hash & t->old_mask) >= t->moved) {
		*mask = t->old_mask;
		slot = t->old;
	}
	return slot + (size_t)(hash & *mask) * SLB_WAYS * size;
}

/* Stops of a walk through all flows of a table, whatever its size. */
#define SLB_WALK_SETS	(SLB_FLOWS_MAX / SLB_WAYS)

/**
 * slb_table_walk() - a stop of a walk through all flows
 * @t: the table, which is ready
 * @at: which stop, below SLB_WALK_SETS; the first one is 0
 * @hash: set to what the bits @mask of a flow's hash are here
 * @mask: set to which bits these are
 * @next: set to the next stop; SLB_WALK_SETS: there is none
 *
 * The order is that of the bits of a set's number read backwards: where a table becomes
 * larger, the sets that come of one follow each other and take its place. While a table is
 * moved a stop is one of its smaller sets, or the part of a larger one that would be one:
 * the flows of the set with other hashes have their own stop.
 *
 * Context: BH off, on the CPU that owns the table.
 * Return: the set.
 */
static inline void *slb_table_walk(const struct slb_table *t, u32 at, u32 *hash,
				   u32 *mask, u32 *next)
{
	u32 step, set_mask;

	*mask = t->old ? max(t->set_mask, t->old_mask) : t->set_mask;
	*hash = (bitrev32(at) >> (32 - ilog2(SLB_WALK_SETS))) & *mask;
	step = SLB_WALK_SETS / (*mask + 1);
	*next = round_down(at, step) + step;
	return slb_table_set(t, *hash, t->size, &set_mask);
}

/**
 * slb_key4_hash() - hash a key
 * @key: the key
 * @seed: of the CPU
 *
 * Context: any.
 * Return: all 32 bits count.
 */
static inline u32 slb_key4_hash(const struct slb_key4 *key, u32 seed)
{
	return jhash_3words((__force u32)key->saddr, (__force u32)key->daddr,
			    (__force u32)key->ports, seed ^ key->iif_proto);
}

static inline bool slb_key4_equal(const struct slb_key4 *a,
				  const struct slb_key4 *b)
{
	return !(((__force u32)a->saddr ^ (__force u32)b->saddr) |
		 ((__force u32)a->daddr ^ (__force u32)b->daddr) |
		 ((__force u32)a->ports ^ (__force u32)b->ports) |
		 (a->iif_proto ^ b->iif_proto));
}

static inline bool slb_key6_equal(const struct slb_key6 *a,
				  const struct slb_key6 *b)
{
	return !(((__force u32)a->ports ^ (__force u32)b->ports) |
		 (a->iif_proto ^ b->iif_proto)) &&
	       ipv6_addr_equal(&a->saddr, &b->saddr) &&
	       ipv6_addr_equal(&a->daddr, &b->daddr);
}

/* The set comes from the low bits of the hash, the way to start at from the
 * high ones.
 */
static inline u32 slb_hash_way(u32 hash)
{
	return hash >> (32 - ilog2(SLB_WAYS));
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
static inline struct slb_flow *
slb_flow_lookup4(const struct slb_table *t, const struct slb_key4 *key, u32 hash)
{
	u32 way = slb_hash_way(hash);
	struct slb_flow4 *set;
	u32 i, mask;

	set = slb_table_set(t, hash, sizeof(*set), &mask);
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
static inline struct slb_flow *
slb_flow_lookup6(const struct slb_table *t, const struct slb_key6 *key, u32 hash)
{
	u32 way = slb_hash_way(hash);
	struct slb_flow6 *set;
	u32 i, mask;

	set = slb_table_set(t, hash, sizeof(*set), &mask);
	for (i = 0; i < SLB_WAYS; i++) {
		struct slb_flow6 *f = &set[(way + i) % SLB_WAYS];

		if (slb_key6_equal(&f->key, key) && f->flow.dst)
			return &f->flow;
	}
	return NULL;
}

#endif /* _SLB_TABLE_H */
