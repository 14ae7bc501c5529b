/* SPDX-License-Identifier: GPL-2.0 */
/* The naive twin of a flow table, see flow_twin.c. */
#ifndef _SLB_KUNIT_FLOW_TWIN_H
#define _SLB_KUNIT_FLOW_TWIN_H

#include <kunit/test.h>

#include "flow.h"
#include "rnd.h"

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
	u32			flows;
	u32			nkeys;
	u32			live;
	u32			id;
	u64			now;
	struct slb_key		*keys;
	s32			*slot_of;
	s32			*set_of;
	struct slb_twin_slot	*slots;
	u32			evicted;
	u32			refused;
	u32			freed;
};

void slb_twin_init(struct kunit *test, struct slb_twin *twin, u32 flows,
		   struct rnd_state *rnd);
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
