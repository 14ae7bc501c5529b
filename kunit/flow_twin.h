/* SPDX-License-Identifier: GPL-2.0 */
/* The naive twin of a flow table, see flow_twin.c. */
#ifndef _SLB_KUNIT_FLOW_TWIN_H
#define _SLB_KUNIT_FLOW_TWIN_H

#include <kunit/test.h>

#include "flow/table.h"
#include "rnd.h"

/* A table of more flows than a case fills. */
#define SLB_FLOWS_MANY	(64 * SLB_FLOWS_MIN)

/**
 * struct slb_any_key - a key of either size
 * @key4: the key, in a table of narrow flows
 * @key6: the key, in a table of wide flows
 * @hash: hash of the key
 */
struct slb_any_key {
	union {
		struct slb_key4	key4;
		struct slb_key6	key6;
	};
	u32	hash;
};

/**
 * struct slb_twin_slot - the twin's view of a slot
 * @key: index of the flow's key, -1: none
 * @id: number from which the flow's contents are derived
 * @packets: packets counted by the flow
 * @last: time of the last served packet, in 64 bits of jiffies
 */
struct slb_twin_slot {
	s32	key;
	u32	id;
	u32	packets;
	u64	last;
};

/**
 * struct slb_twin - a table and its expected contents
 * @table: the table
 * @wide: a table of wide flows
 * @flows: size of the table
 * @nkeys: number of @keys
 * @live: flows placed and neither evicted nor freed
 * @id: number of the flow placed last
 * @now: 64 bits of jiffies
 * @keys: all keys
 * @slot_of: slot of the flow of each key, -1: none
 * @set_of: set of each key, -1: unknown
 * @slots: the slots
 * @evicted: number of evictions
 * @refused: number of refused placements
 * @freed: number of freed flows
 * @crowded: number of placements before which the table should have grown
 */
struct slb_twin {
	struct slb_table	table;
	bool			wide;
	u32			flows;
	u32			nkeys;
	u32			live;
	u32			id;
	u64			now;
	struct slb_any_key	*keys;
	s32			*slot_of;
	s32			*set_of;
	struct slb_twin_slot	*slots;
	u32			evicted;
	u32			refused;
	u32			freed;
	u32			crowded;
};

/* Bytes of a flow, of a key. */
static inline u32 slb_flow_bytes(bool wide)
{
	return wide ? 128 : 64;
}

static inline u32 slb_key_bytes(bool wide)
{
	return wide ? 40 : 16;
}

u32 slb_slot_of(struct kunit *test, const struct slb_table *t,
		const struct slb_flow *flow);
void *slb_slot_at(const struct slb_table *t, u32 slot);
struct slb_flow *slb_any_lookup(const struct slb_table *t,
				const struct slb_any_key *key);
void slb_flip(struct slb_any_key *key, u32 bit);
u32 slb_hash(const struct slb_any_key *key, bool wide, const struct slb_seed *seed);
struct slb_table *slb_table(struct kunit *test, bool wide, u32 flows);
/* The tag of a slot. */
static inline u8 slb_tag_at(const u64 *tags, u32 slot)
{
	return tags[slot / SLB_WAYS] >> slot % SLB_WAYS * 8;
}

struct slb_flow *slb_place_any(struct kunit *test, struct slb_table *t, u32 hash,
			       unsigned long now, u32 *crowded);
struct slb_flow *slb_place(struct kunit *test, struct slb_table *t,
			   const struct slb_any_key *key, unsigned long now);

void slb_twin_init(struct kunit *test, struct slb_twin *twin, bool wide,
		   u32 flows, struct rnd_state *rnd);
void slb_twin_exit(struct slb_twin *twin);
void slb_twin_remove(struct slb_twin *twin, u32 slot);
void slb_twin_clear(struct slb_twin *twin);
struct slb_flow *slb_check_lookup(struct kunit *test,
				  const struct slb_twin *twin, u32 key);
void slb_check_stranger(struct kunit *test, const struct slb_twin *twin,
			u32 key, struct rnd_state *rnd);
void slb_check_place(struct kunit *test, struct slb_twin *twin, u32 key);
void slb_check_used(struct kunit *test, const struct slb_twin *twin);
void slb_check_table(struct kunit *test, const struct slb_twin *twin);

#endif /* _SLB_KUNIT_FLOW_TWIN_H */
