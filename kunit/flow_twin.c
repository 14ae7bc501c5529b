// SPDX-License-Identifier: GPL-2.0
/*
 * The naive twin of a flow table, and what must be true of both.
 *
 * The twin is told of every flow that is placed, evicted or freed, and in which
 * slot. It knows nothing of the hash, so it learns the set of a key from the
 * first slot that the table gives to that key, and holds the table to it.
 */
#include <linux/in.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "flow_twin.h"

#define SLB_KEYS_PER_FLOW	4

/* Keys as clients make them: few addresses, many ports. Source address and
 * port alone tell them apart.
 */
static void slb_twin_key(struct slb_key *key, u32 i, struct rnd_state *rnd)
{
	u32 iif = 1 + slb_rnd(rnd, 3);

	key->saddr = htonl(0x0a000000 + i % 61);
	key->sport = htons(1024 + i / 61);
	key->daddr = htonl(0xc0000200 + slb_rnd(rnd, 2));
	key->dport = htons(slb_once_in(rnd, 2) ? 80 : 443);
	key->iif_proto = iif << 8 |
			 (slb_once_in(rnd, 2) ? IPPROTO_TCP : IPPROTO_UDP);
}

void slb_twin_init(struct kunit *test, struct slb_twin *twin, u32 flows,
		   struct rnd_state *rnd)
{
	u32 nkeys = flows * SLB_KEYS_PER_FLOW;
	u32 i;

	KUNIT_ASSERT_EQ(test, slb_table_init(&twin->table, flows, 0), 0);
	/* else a run could not be repeated */
	twin->table.seed = prandom_u32_state(rnd);
	twin->flows = flows;
	twin->nkeys = nkeys;
	twin->keys = kvcalloc(nkeys, sizeof(*twin->keys), GFP_KERNEL);
	twin->slot_of = kvcalloc(nkeys, sizeof(*twin->slot_of), GFP_KERNEL);
	twin->set_of = kvcalloc(nkeys, sizeof(*twin->set_of), GFP_KERNEL);
	twin->slots = kvcalloc(flows, sizeof(*twin->slots), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, twin->keys);
	KUNIT_ASSERT_NOT_NULL(test, twin->slot_of);
	KUNIT_ASSERT_NOT_NULL(test, twin->set_of);
	KUNIT_ASSERT_NOT_NULL(test, twin->slots);
	for (i = 0; i < nkeys; i++) {
		slb_twin_key(&twin->keys[i], i, rnd);
		twin->slot_of[i] = -1;
		twin->set_of[i] = -1;
	}
	for (i = 0; i < flows; i++)
		twin->slots[i].key = -1;
}

/* Also after a case that failed: flows are numbers, nothing is to be let go. */
void slb_twin_exit(struct slb_twin *twin)
{
	twin->table.used = 0;
	slb_table_exit(&twin->table);
	kvfree(twin->keys);
	kvfree(twin->slot_of);
	kvfree(twin->set_of);
	kvfree(twin->slots);
	memset(twin, 0, sizeof(*twin));
}

/* All contents of a flow follow from its number; nobody follows the pointers */
static void slb_twin_flow(const struct slb_twin *twin, u32 slot,
			  struct slb_flow *flow)
{
	const struct slb_twin_slot *s = &twin->slots[slot];

	memset(flow, s->id, sizeof(*flow));
	flow->key = twin->keys[s->key];
	flow->dst = (struct dst_entry *)(unsigned long)s->id;
	flow->conn = (struct ip_vs_conn *)~(unsigned long)s->id;
	flow->packets = s->packets;
	flow->last = s->last;
}

void slb_check_used(struct kunit *test, const struct slb_twin *twin)
{
	KUNIT_ASSERT_EQ(test, twin->table.used, twin->live);
}

static void slb_check_intact(struct kunit *test, const struct slb_twin *twin,
			     u32 slot)
{
	struct slb_flow want;

	slb_twin_flow(twin, slot, &want);
	KUNIT_ASSERT_EQ_MSG(test, memcmp(&twin->table.flow[slot], &want,
					 sizeof(want)), 0,
			    "slot %u: contents changed", slot);
}

/* A key with a flow is found in its very slot, any other is not found. */
struct slb_flow *slb_check_lookup(struct kunit *test,
				  const struct slb_twin *twin, u32 key)
{
	s32 slot = twin->slot_of[key];
	struct slb_flow *want = slot < 0 ? NULL : &twin->table.flow[slot];
	struct slb_flow *flow = slb_flow_lookup(&twin->table, &twin->keys[key]);

	KUNIT_ASSERT_PTR_EQ_MSG(test, flow, want, "key %u, slot %d", key, slot);
	if (flow)
		slb_check_intact(test, twin, slot);
	return flow;
}

/* No key differs from another only in what is changed here. */
void slb_check_stranger(struct kunit *test, const struct slb_twin *twin,
			u32 key, struct rnd_state *rnd)
{
	struct slb_key other = twin->keys[key];
	u32 bit = 1u << slb_rnd(rnd, 32);

	switch (slb_rnd(rnd, 3)) {
	case 0:
		other.daddr ^= (__force __be32)bit;
		break;
	case 1:
		other.dport ^= (__force __be16)(bit > U16_MAX ? bit >> 16 : bit);
		break;
	default:
		other.iif_proto ^= bit;
		break;
	}
	KUNIT_ASSERT_NULL(test, slb_flow_lookup(&twin->table, &other));
}

void slb_check_table(struct kunit *test, const struct slb_twin *twin)
{
	u32 i;

	for (i = 0; i < twin->nkeys; i++)
		slb_check_lookup(test, twin, i);
	for (i = 0; i < twin->flows; i++)
		KUNIT_ASSERT_EQ_MSG(test, !twin->table.flow[i].dst,
				    twin->slots[i].key < 0, "slot %u", i);
	slb_check_used(test, twin);
}

/* For how long no flow of a set has served; U64_MAX: not all slots are used.
 * This is what placing goes by: refused up to SLB_ACTIVE.
 */
static u64 slb_twin_set_idle(const struct slb_twin *twin, u32 set)
{
	const struct slb_twin_slot *s = &twin->slots[set * SLB_WAYS];
	u64 idle = 0;
	int i;

	for (i = 0; i < SLB_WAYS; i++) {
		if (s[i].key < 0)
			return U64_MAX;
		idle = max(idle, twin->now - s[i].last);
	}
	return idle;
}

static void slb_check_refused(struct kunit *test, const struct slb_twin *twin,
			      u32 key)
{
	s32 set = twin->set_of[key];

	/* a set not known yet must at least be one of those that may refuse */
	if (set < 0)
		for (set = 0; set < twin->flows / SLB_WAYS - 1; set++)
			if (slb_twin_set_idle(twin, set) <= SLB_ACTIVE)
				break;
	KUNIT_ASSERT_LE_MSG(test, slb_twin_set_idle(twin, set), (u64)SLB_ACTIVE,
			    "key %u, set %d: refused without need", key, set);
}

void slb_twin_remove(struct slb_twin *twin, u32 slot)
{
	twin->slot_of[twin->slots[slot].key] = -1;
	twin->slots[slot].key = -1;
	twin->live--;
	slb_flow_free(&twin->table, &twin->table.flow[slot]);
}

void slb_twin_clear(struct slb_twin *twin)
{
	u32 slot;

	for (slot = 0; slot < twin->flows; slot++)
		if (twin->slots[slot].key >= 0)
			slb_twin_remove(twin, slot);
}

static void slb_check_evict(struct kunit *test, struct slb_twin *twin, u32 slot)
{
	u64 idle = twin->now - twin->slots[slot].last;

	slb_check_intact(test, twin, slot);
	KUNIT_ASSERT_GT_MSG(test, idle, (u64)SLB_ACTIVE,
			    "slot %u: evicted while in use", slot);
	KUNIT_ASSERT_EQ_MSG(test, idle,
			    slb_twin_set_idle(twin, slot / SLB_WAYS),
			    "slot %u: evicted, but not the oldest", slot);
	slb_twin_remove(twin, slot);
	twin->evicted++;
}

/* Place a key that has no flow. */
void slb_check_place(struct kunit *test, struct slb_twin *twin, u32 key)
{
	struct slb_flow *flow;
	u32 slot;

	flow = slb_flow_place(&twin->table, &twin->keys[key],
			      (unsigned long)twin->now);
	if (!flow) {
		slb_check_refused(test, twin, key);
		twin->refused++;
		return;
	}
	slot = flow - twin->table.flow;
	KUNIT_ASSERT_LT(test, slot, twin->flows);
	if (twin->set_of[key] < 0)
		twin->set_of[key] = slot / SLB_WAYS;
	KUNIT_ASSERT_EQ(test, twin->set_of[key], (s32)(slot / SLB_WAYS));
	KUNIT_ASSERT_EQ_MSG(test, !flow->dst, twin->slots[slot].key < 0,
			    "slot %u: not what is in it", slot);
	if (flow->dst)
		slb_check_evict(test, twin, slot);

	twin->slot_of[key] = slot;
	twin->slots[slot].key = key;
	twin->slots[slot].id = ++twin->id;
	twin->slots[slot].packets = 0;
	twin->slots[slot].last = twin->now;
	twin->live++;
	slb_twin_flow(twin, slot, flow);
}
