// SPDX-License-Identifier: GPL-2.0
/*
 * The flow table: set-associative, one a CPU and size of flow.
 *
 *  operation                          | locking
 * ------------------------------------+-------------------------------------
 *  slb_table_lookup4, _lookup6,       | BH off, on the CPU that owns the
 *  _crowded, _place, _free, _resize,  | table; after that CPU is dead, or
 *  _move, _moved                      | when no hook can run: anywhere
 *  slb_table_slots_alloc,             | process context
 *  slb_table_slots_free               |
 *  slb_table_init                     | process context, one at a time
 *  slb_table_exit                     | process context, nobody else has it
 *
 * A keyed hash of the key selects a set of SLB_WAYS flows, and the way of the set at which
 * the search starts. So a lookup touches only the flow's own cache line, unless the set is
 * crowded. Then tags tell the way: a byte of the hash for each flow, dense enough to stay in
 * the cache. A key without a flow costs two lines. There are no chains or allocations besides
 * the table: a flood of new flows only evicts idle flows.
 *
 * The size follows the number of flows. With BHs disabled, a few sets at a time move to the
 * new slots. Sizes are powers of two, and the low bits of a hash select the set: a growing
 * table splits a set into several, and each flow keeps its way. A shrinking table merges
 * sets, and ends flows that find no room. A key belongs to a single set at all times.
 */
#include <linux/string.h>

#include "flow/memory.h"
#include "flow/table.h"

/* Load in percent of the slots. At 37, a new flow in 600 finds a full set. Below 6, half the
 * size will do for a long time.
 */
#define SLB_TABLE_GROW	37
#define SLB_TABLE_SHRINK	6

static size_t slb_table_slots_bytes(u32 size, u32 flows)
{
	return array_size(flows, slb_table_flow_bytes(size));
}

/**
 * slb_table_slots_alloc() - allocate the slots of a table
 * @payer: see slb_memory_alloc()
 * @size: of a flow
 * @flows: how many, a power of two from SLB_FLOWS_MIN to SLB_FLOWS_MAX
 *
 * Context: process, may sleep.
 * Return: for slb_table_resize() or slb_table_slots_free(), all zero. NULL: no memory, which
 *	is not logged.
 */
void *slb_table_slots_alloc(struct mem_cgroup *payer, u32 size, u32 flows)
{
	return slb_memory_alloc(payer, slb_table_slots_bytes(size, flows));
}

/**
 * slb_table_slots_free() - free slots
 * @slot: of slb_table_slots_alloc(), or NULL
 * @size: size of a flow, as allocated
 * @flows: number of flows, as allocated
 *
 * Context: process, may sleep.
 */
void slb_table_slots_free(void *slot, u32 size, u32 flows)
{
	slb_memory_free(slot, slb_table_slots_bytes(size, flows));
}

static u64 *slb_table_tags(void *slot, u32 size, u32 flows)
{
	return slot + (size_t)flows * (size + slb_table_stats_size(size));
}

static void slb_table_set_size(struct slb_table *t, u32 flows)
{
	t->grow_at = flows / 100 * SLB_TABLE_GROW;
	WRITE_ONCE(t->set_mask, flows / SLB_WAYS - 1);
}

/**
 * slb_table_init() - allocate a table
 * @t: the table, all zero
 * @payer: see slb_memory_alloc()
 * @size: sizeof(struct slb_flow4) or sizeof(struct slb_flow6)
 * @flows: number of flows, see slb_table_slots_alloc()
 *
 * Context: process, may sleep.
 * Return: 0, or -ENOMEM.
 */
int slb_table_init(struct slb_table *t, struct mem_cgroup *payer, u32 size,
		   u32 flows)
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
	BUILD_BUG_ON(sizeof(*t->tags) != SLB_WAYS);
	/* tags are words behind these */
	BUILD_BUG_ON(sizeof(struct slb_flow_stats) % sizeof(*t->tags));
	BUILD_BUG_ON(sizeof(struct slb_extra) % sizeof(*t->tags));

	slot = slb_table_slots_alloc(payer, size, flows);
	if (!slot)
		return -ENOMEM;
	t->size = size;
	t->used = 0;
	t->refused = 0;
	t->old = NULL;
	slb_table_set_size(t, flows);
	t->tags = slb_table_tags(slot, size, flows);
	/* pairs with slb_table_ready() */
	smp_store_release(&t->slot, slot);
	return 0;
}

/**
 * slb_table_exit() - free a table
 * @t: the table, without flows
 *
 * Context: process.
 */
void slb_table_exit(struct slb_table *t)
{
	WARN_ON_ONCE(t->used);
	slb_table_slots_free(t->slot, t->size, slb_table_size(t));
	slb_table_slots_free(t->old, t->size, slb_table_old_size(t));
	t->slot = NULL;
	t->old = NULL;
}

/**
 * slb_table_want() - choose the size for the present number of flows
 * @t: the table, which is ready
 * @max: upper limit, in flows
 *
 * Context: any.
 * Return: flows, a power of two.
 */
u32 slb_table_want(const struct slb_table *t, u32 max)
{
	u64 used = (u64)READ_ONCE(t->used) + READ_ONCE(t->refused);
	u32 flows = slb_table_size(t);

	while (flows < max && used > flows / 100 * SLB_TABLE_GROW)
		flows *= 2;
	if (flows > SLB_FLOWS_START && used < flows / 100 * SLB_TABLE_SHRINK)
		flows /= 2;
	return flows;
}

/**
 * slb_table_resize() - begin to move a table to other slots
 * @t: the table, which is ready and is not being moved
 * @slot: of slb_table_slots_alloc(); the table's from now on
 * @flows: how many they are
 *
 * Context: BH off, on the CPU that owns the table.
 */
void slb_table_resize(struct slb_table *t, void *slot, u32 flows)
{
	t->old = t->slot;
	t->old_mask = t->set_mask;
	t->old_tags = t->tags;
	t->moved = 0;
	t->refused = 0;
	t->slot = slot;
	t->tags = slb_table_tags(slot, t->size, flows);
	slb_table_set_size(t, flows);
}

/* A free slot of a set for a flow that moves: the same way, if free. */
static struct slb_flow *slb_table_set_room(const struct slb_table *t, void *set,
					   u32 way)
{
	struct slb_flow *flow;
	u32 i;

	for (i = 0; i < SLB_WAYS; i++) {
		flow = slb_table_set_at(t, set, (way + i) % SLB_WAYS);
		if (!flow->dst)
			return flow;
	}
	return NULL;
}

/**
 * slb_table_move() - move a set from the old slots to the new
 * @t: a table that is being resized
 * @seed: seed of the hash of keys
 *
 * Context: BH off, on the CPU that owns the table.
 * Return: NULL if the set was moved, or a flow that finds no room. The caller ends that
 *	flow, and calls again before enabling BHs.
 */
struct slb_flow *slb_table_move(struct slb_table *t, const struct slb_seed *seed)
{
	void *old = t->old + (size_t)t->moved * SLB_WAYS * t->size;
	struct slb_flow *from, *to;
	void *set;
	u32 hash, way;

	for (way = 0; way < SLB_WAYS; way++) {
		from = slb_table_set_at(t, old, way);
		if (!from->dst)
			continue;
		hash = slb_flow_hash(from, seed);
		set = t->slot + (size_t)(hash & t->set_mask) * SLB_WAYS * t->size;
		to = slb_table_set_room(t, set, way);
		if (!to)
			return from;
		memcpy((void *)(to + 1) - t->size, (void *)(from + 1) - t->size,
		       t->size);
		memcpy(slb_table_stats(t, to), slb_table_stats(t, from),
		       slb_table_stats_size(t->size));
		slb_table_tag(t, to, hash);
		from->dst = NULL;
	}
	t->moved++;
	return NULL;
}

/**
 * slb_table_moved() - end a resize if all sets have moved
 * @t: a table that is being resized
 *
 * Context: BH off, on the CPU that owns the table.
 * Return: the old slots, for slb_table_old_size() flows, or NULL if some sets remain.
 */
void *slb_table_moved(struct slb_table *t)
{
	void *old = t->old;

	if (t->moved <= t->old_mask)
		return NULL;
	t->old = NULL;
	return old;
}

/* The number of a flow's slot; @slot, @flows: set to the slots that have the flow. */
static size_t slb_table_index(const struct slb_table *t, const struct slb_flow *flow,
			      void **slot, u32 *flows)
{
	const void *at = flow;

	*slot = t->slot;
	*flows = slb_table_size(t);
	if (at < *slot || at >= *slot + (size_t)*flows * t->size) {
		*slot = t->old;
		*flows = slb_table_old_size(t);
	}
	return (at - *slot) / t->size;
}

/**
 * slb_table_stats() - find the statistics of a flow
 * @t: the table
 * @flow: a flow of the table
 *
 * Context: BH off, on the CPU that owns the table.
 */
struct slb_flow_stats *slb_table_stats(const struct slb_table *t,
				       const struct slb_flow *flow)
{
	void *slot;
	u32 flows;
	size_t i = slb_table_index(t, flow, &slot, &flows);

	return slot + (size_t)flows * t->size + i * slb_table_stats_size(t->size);
}

/**
 * slb_table_extra() - find the rare parts of a wide flow
 * @t: the table of wide flows
 * @flow: the flow
 *
 * Context: as the flow.
 * Return: valid members only if the flow has SLB_FLOW_EXTRA.
 */
struct slb_extra *slb_table_extra(const struct slb_table *t,
				  const struct slb_flow *flow)
{
	return container_of(slb_table_stats(t, flow), struct slb_extra, stats);
}

/**
 * slb_table_place() - choose the slot for a new flow
 * @t: the table, which is ready
 * @hash: hash of the new flow's key
 * @now: jiffies
 *
 * Takes a free slot of the set, or evicts the flow that has been idle longest, if idle for
 * longer than SLB_ACTIVE. Flows in use are never evicted, so short flows cannot push out a
 * busy flow.
 *
 * Context: BH off, on the CPU that owns the table.
 * Return: a slot, or NULL if every flow of the set is in use. A slot whose dst is not NULL
 *	still holds the flow to evict: the caller drops that flow's references and calls
 *	slb_table_free() first. When the slot has a key, the caller calls slb_table_tag().
 */
struct slb_flow *slb_table_place(struct slb_table *t, u32 hash,
				 unsigned long now)
{
	u32 way = slb_table_way(hash);
	struct slb_flow *oldest = NULL;
	u64 *tags;
	void *set;
	u32 i;

	set = slb_table_set(t, hash, t->size, &tags);
	for (i = 0; i < SLB_WAYS; i++) {
		struct slb_flow *flow = slb_table_set_at(t, set,
							 (way + i) % SLB_WAYS);

		if (!flow->dst) {
			t->used++;
			return flow;
		}
		if (!oldest ||
		    slb_flow_idle(flow, now) > slb_flow_idle(oldest, now))
			oldest = flow;
	}
	if (slb_flow_idle(oldest, now) <= SLB_ACTIVE) {
		slb_table_refuse(t);
		return NULL;
	}
	t->used++;
	return oldest;
}

/**
 * slb_table_crowded() - true if a new flow has to wait until the table has grown
 * @t: the table, which is ready, and may grow
 * @hash: hash of the new flow's key
 *
 * Touches no flow.
 *
 * Context: BH off, on the CPU that owns the table.
 */
bool slb_table_crowded(const struct slb_table *t, u32 hash)
{
	u64 *tags;

	if (!t->old && t->used <= t->grow_at)
		return false;
	slb_table_set(t, hash, t->size, &tags);
	return (*tags & SLB_TABLE_TAKEN) == SLB_TABLE_TAKEN;
}

static void slb_table_write_tag(struct slb_table *t, const struct slb_flow *flow, u8 tag)
{
	void *slot;
	u32 flows;
	size_t i = slb_table_index(t, flow, &slot, &flows);
	u64 *tags = (slot == t->slot ? t->tags : t->old_tags) + i / SLB_WAYS;
	u32 shift = i % SLB_WAYS * BITS_PER_BYTE;

	*tags = (*tags & ~(0xffULL << shift)) | (u64)tag << shift;
}

/**
 * slb_table_tag() - let lookups find a flow
 * @t: the table
 * @flow: a flow of the table, with its key
 * @hash: hash of the key
 *
 * Context: BH off, on the CPU that owns the table.
 */
void slb_table_tag(struct slb_table *t, const struct slb_flow *flow, u32 hash)
{
	slb_table_write_tag(t, flow, slb_table_tag_of(hash));
}

/**
 * slb_table_free() - free the slot of a flow
 * @t: the table
 * @flow: a flow of the table, which holds no references any more
 *
 * Context: BH off, on the CPU that owns the table.
 */
void slb_table_free(struct slb_table *t, struct slb_flow *flow)
{
	slb_table_write_tag(t, flow, 0);
	memset((void *)(flow + 1) - t->size, 0, t->size);
	t->used--;
}
