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
 * @hash: what the table is told of it
 */
struct slb_any_key {
	union {
		struct slb_key4	key4;
		struct slb_key6	key6;
	};
	u32	hash;
};

/**
 * struct slb_twin_slot - what the twin knows of a slot
 * @key: which of the twin's keys has a flow here, -1: none
 * @id: number that the contents of the flow follow from
 * @packets: what the flow counts
 * @last: when it last served, not cut to 32 bits
 */
struct slb_twin_slot {
	s32	key;
	u32	id;
	u32	packets;
	u64	last;
};

/**
 * struct slb_twin - the table and what must be true of it
 * @table: the table
 * @wide: of wide flows
 * @flows: its size
 * @nkeys: number of @keys
 * @live: flows placed and neither evicted nor freed
 * @id: of the flow placed last
 * @now: jiffies, not cut
 * @keys: all keys there are
 * @slot_of: for each key: the slot of its flow, -1: none
 * @set_of: for each key: the set it was ever seen in, -1: not yet
 * @slots: what each slot holds
 * @evicted: how often placing evicted
 * @refused: how often it was refused
 * @freed: how often a flow was freed
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
u32 slb_hash(const struct slb_any_key *key, bool wide, u32 seed);
struct slb_table *slb_table(struct kunit *test, bool wide, u32 flows);
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
