/* SPDX-License-Identifier: GPL-2.0 */
/* The table of flows, of one size and CPU; inline: finding the flow of a key. */
#ifndef _SLB_TABLE_H
#define _SLB_TABLE_H

#include <linux/bitrev.h>
#include <linux/log2.h>
#include <asm/barrier.h>

#include "flow/flow.h"

struct mem_cgroup;

/* Slots of a set. */
#define SLB_WAYS	8

/* A flow that served a packet within this time is not evicted. */
#define SLB_ACTIVE	HZ

/**
 * struct slb_table - the flows of one size of one CPU
 * @slot: flows, set by set, followed by a struct slb_flow_stats for each narrow flow, a
 *	struct slb_extra for each wide flow, and by @tags; NULL until the table is needed
 * @old: slots before a resize, or NULL if no resize is under way
 * @tags: of @slot, a byte for each flow, a word for each set; see slb_table_tag()
 * @old_tags: of @old
 * @set_mask: number of sets in @slot, less 1
 * @old_mask: number of sets in @old, less 1
 * @moved: sets of @old that have moved, from the first on
 * @used: flows in use
 * @refused: packets of keys that found no room since the size was last looked at; stops at the size
 * @grow_at: grow the table when @used exceeds this
 * @size: size of a flow, in bytes; does not change
 *
 * A key belongs to a set of @old until that set moves, and then to a set of @slot: see
 * slb_table_set().
 *
 * All members: this CPU, BH off. The exception: slb_table_init(), in process context, writes all
 * members, @slot last (release); the CPU reads @slot (acquire). /proc reads single words.
 */
struct slb_table {
	void	*slot;
	void	*old;
	u64	*tags;
	u64	*old_tags;
	u32	set_mask;
	u32	old_mask;
	u32	moved;
	u32	used;
	u32	refused;
	u32	grow_at;
	u32	size;
};

/* Sizes of a table in flows; powers of two. A table starts with SLB_FLOWS_START, or with the
 * module parameter flows if less.
 */
#define SLB_FLOWS_MIN		1024u
#define SLB_FLOWS_START		1024u
#define SLB_FLOWS_MAX		0x2000000u
#define SLB_FLOWS_DEFAULT	0x100000u

/**
 * slb_table_stats_size() - bytes of a table for each flow, besides the flow
 * @size: of a flow, in bytes
 */
static inline u32 slb_table_stats_size(u32 size)
{
	return size > sizeof(struct slb_flow4) ? sizeof(struct slb_extra) :
						 sizeof(struct slb_flow_stats);
}

/**
 * slb_table_flow_bytes() - bytes of a table for each flow
 * @size: of a flow, in bytes
 */
static inline u32 slb_table_flow_bytes(u32 size)
{
	return size + slb_table_stats_size(size) + sizeof(u8);
}

/**
 * slb_table_ready() - true if slb_table_init() has allocated the table
 * @t: the table
 *
 * Not needed for a table with flows in use (@used): the CPU that owns the table has called
 * this before.
 */
static inline bool slb_table_ready(const struct slb_table *t)
{
	/* pairs with slb_table_init() */
	return smp_load_acquire(&t->slot);
}

/**
 * slb_table_size() - how many flows a table has room for
 * @t: the table, which is ready
 */
static inline u32 slb_table_size(const struct slb_table *t)
{
	return (READ_ONCE(t->set_mask) + 1) * SLB_WAYS;
}

/**
 * slb_table_old_size() - number of old slots
 * @t: a table that is being resized, or just was
 */
static inline u32 slb_table_old_size(const struct slb_table *t)
{
	return (t->old_mask + 1) * SLB_WAYS;
}

/**
 * slb_table_refuse() - count a packet whose flow has no room, for the next size
 * @t: the table
 *
 * Keys are not told apart, so the size limits the count.
 *
 * Context: BH off, on the CPU that owns the table.
 */
static inline void slb_table_refuse(struct slb_table *t)
{
	if (t->refused < slb_table_size(t))
		t->refused++;
}

/**
 * slb_table_slots() - number of slots, old and new
 * @t: the table, which is ready
 */
static inline u32 slb_table_slots(const struct slb_table *t)
{
	u32 old = t->old ? slb_table_old_size(t) : 0;

	return slb_table_size(t) + old;
}

/**
 * slb_table_at() - a slot of a table
 * @t: the table
 * @i: which, below slb_table_slots()
 *
 * Return: the flow, or a free slot (no dst).
 */
static inline struct slb_flow *slb_table_at(const struct slb_table *t, u32 i)
{
	void *slot = t->slot;

	if (i >= slb_table_size(t)) {
		i -= slb_table_size(t);
		slot = t->old;
	}
	return slot + (size_t)(i + 1) * t->size - sizeof(struct slb_flow);
}

/**
 * slb_table_set_at() - a slot of a set
 * @t: the table
 * @set: the set
 * @way: which slot, below SLB_WAYS
 *
 * Return: the flow, or a free slot (no dst).
 */
static inline struct slb_flow *slb_table_set_at(const struct slb_table *t, void *set,
						u32 way)
{
	return set + (way + 1) * t->size - sizeof(struct slb_flow);
}

/**
 * slb_table_set() - the set of a hash
 * @t: the table, which is ready
 * @hash: of a key; its low bits choose the set
 * @size: @t->size, as a constant if known
 * @tags: set to the tags of the set
 *
 * Context: BH off, on the CPU that owns the table.
 * Return: SLB_WAYS flows.
 */
static __always_inline void *slb_table_set(const struct slb_table *t, u32 hash, u32 size,
					   u64 **tags)
{
	u32 set = hash & t->set_mask;
	void *slot = t->slot;

	*tags = t->tags + set;
	if (unlikely(t->old) && (hash & t->old_mask) >= t->moved) {
		set = hash & t->old_mask;
		*tags = t->old_tags + set;
		slot = t->old;
	}
	return slot + (size_t)set * SLB_WAYS * size;
}

/* Stops of a walk through all flows of a table of any size. */
#define SLB_WALK_SETS	(SLB_FLOWS_MAX / SLB_WAYS)

/**
 * slb_table_walk() - make a stop of a walk through all flows
 * @t: the table, which is ready
 * @at: the stop, below SLB_WALK_SETS, from 0 on
 * @hash: set to the bits that hashes of the stop's flows have in common
 * @mask: set to the mask of these bits
 * @next: set to the next stop, or to SLB_WALK_SETS at the end
 *
 * Stops are in the order of set numbers with their bits reversed: when a table grows, the
 * sets that a set splits into follow each other, in place of that set. So the walk of a
 * growing table neither skips nor repeats flows. During a resize a stop is a set of the
 * larger size: of a smaller set, the flows whose hashes match.
 *
 * Context: BH off, on the CPU that owns the table.
 * Return: the set.
 */
static inline void *slb_table_walk(const struct slb_table *t, u32 at, u32 *hash,
				   u32 *mask, u32 *next)
{
	u64 *tags;
	u32 step;

	*mask = t->old ? max(t->set_mask, t->old_mask) : t->set_mask;
	*hash = (bitrev32(at) >> (32 - ilog2(SLB_WALK_SETS))) & *mask;
	step = SLB_WALK_SETS / (*mask + 1);
	*next = round_down(at, step) + step;
	return slb_table_set(t, *hash, t->size, &tags);
}

/* The way at which a search starts: high bits of the hash, as the low bits select the set. */
static inline u32 slb_table_way(u32 hash)
{
	return hash >> (32 - ilog2(SLB_WAYS));
}

/* The bits that the tags of a full set have in common. */
#define SLB_TABLE_TAKEN	0x0101010101010101ULL

/* A byte of the hash that a key's flow has as its tag, of bits that select neither set nor way.
 * 0 is a free slot.
 */
static __always_inline u8 slb_table_tag_of(u32 hash)
{
	return hash >> 21 | 1;
}

/* The ways of a set whose flows have the tag of this hash: the high bit of each byte. */
static __always_inline u64 slb_table_tagged(const u64 *tags, u32 hash)
{
	const u64 ones = SLB_TABLE_TAKEN;
	u64 differ = *tags ^ slb_table_tag_of(hash) * ones;

	/* no carry leaves its byte: exact for each way */
	return ~(((differ & 0x7f * ones) + 0x7f * ones) | differ) & 0x80 * ones;
}

static inline bool slb_table_equal4(const void *slot, const void *key)
{
	const struct slb_flow4 *f = slot;

	return slb_key4_equal(&f->key, key);
}

static inline bool slb_table_equal6(const void *slot, const void *key)
{
	const struct slb_flow6 *f = slot;

	return slb_key6_equal(&f->key, key);
}

static inline bool slb_table_maps(const void *slot, const void *key)
{
	const struct slb_flow6 *f = slot;

	return slb_key6_maps(&f->key, key);
}

/* Most flows have their first way. If not, the tags tell which other flows to look at: rarely more
 * than the right one, and none for most keys without a flow. @size and @equal are constants.
 */
static __always_inline struct slb_flow *
slb_table_find(const struct slb_table *t, const void *key, u32 hash, u32 size,
	       bool (*equal)(const void *slot, const void *key))
{
	u64 *tags, left;
	void *set = slb_table_set(t, hash, size, &tags);
	void *slot = set + slb_table_way(hash) * size;
	struct slb_flow *flow = slot + size - sizeof(*flow);

	if (equal(slot, key) && flow->dst)
		return flow;
	for (left = slb_table_tagged(tags, hash); left; left &= left - 1) {
		slot = set + __ffs64(left) / BITS_PER_BYTE * size;
		flow = slot + size - sizeof(*flow);
		if (equal(slot, key) && flow->dst)
			return flow;
	}
	return NULL;
}

/**
 * slb_table_lookup4() - find the flow of a key
 * @t: a table of narrow flows, which is ready
 * @key: the key
 * @hash: of the key
 *
 * Context: BH off, on the CPU that owns the table.
 * Return: the flow, which is the caller's until BHs are on again, or NULL.
 */
static inline struct slb_flow *
slb_table_lookup4(const struct slb_table *t, const struct slb_key4 *key, u32 hash)
{
	return slb_table_find(t, key, hash, sizeof(struct slb_flow4), slb_table_equal4);
}

/**
 * slb_table_lookup6() - find the flow of a key
 * @t: a table of wide flows, which is ready
 * @key: the key
 * @hash: hash of the key; of a mapped key, hash of the IPv4 key
 *
 * Context: BH off, on the CPU that owns the table.
 * Return: the flow, which is the caller's until BHs are on again, or NULL.
 */
static inline struct slb_flow *
slb_table_lookup6(const struct slb_table *t, const struct slb_key6 *key, u32 hash)
{
	return slb_table_find(t, key, hash, sizeof(struct slb_flow6), slb_table_equal6);
}

/**
 * slb_table_lookup_mapped() - find the wide flow of IPv4 packets
 * @t: a table of wide flows, which is ready
 * @key: key of the packets
 * @hash: of the key
 *
 * Context: BH off, on the CPU that owns the table.
 * Return: the flow, which is the caller's until BHs are on again, or NULL.
 */
static inline struct slb_flow *
slb_table_lookup_mapped(const struct slb_table *t, const struct slb_key4 *key, u32 hash)
{
	return slb_table_find(t, key, hash, sizeof(struct slb_flow6), slb_table_maps);
}

struct slb_flow_stats *slb_table_stats(const struct slb_table *t,
				       const struct slb_flow *flow);
struct slb_extra *slb_table_extra(const struct slb_table *t,
				  const struct slb_flow *flow);

void *slb_table_slots_alloc(struct mem_cgroup *payer, u32 size, u32 flows);
void slb_table_slots_free(void *slot, u32 size, u32 flows);
int slb_table_init(struct slb_table *t, struct mem_cgroup *payer, u32 size,
		   u32 flows);
void slb_table_exit(struct slb_table *t);
u32 slb_table_want(const struct slb_table *t, u32 max);
void slb_table_resize(struct slb_table *t, void *slot, u32 flows);
struct slb_flow *slb_table_move(struct slb_table *t, const struct slb_seed *seed);
void *slb_table_moved(struct slb_table *t);
bool slb_table_crowded(const struct slb_table *t, u32 hash);
struct slb_flow *slb_table_place(struct slb_table *t, u32 hash,
				 unsigned long now);
void slb_table_tag(struct slb_table *t, const struct slb_flow *flow, u32 hash);
void slb_table_free(struct slb_table *t, struct slb_flow *flow);

#endif /* _SLB_TABLE_H */
