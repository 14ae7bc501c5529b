// SPDX-License-Identifier: GPL-2.0
/*
 * A flow table that grows and shrinks while in use: flows that were placed and not freed are
 * found, with their statistics, and no other flows.
 */
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "flow_move.h"
#include "flow_twin.h"

#define SLB_MOVE_KEYS	6000u
#define SLB_MOVE_STEPS	200000u
#define SLB_MOVE_WALKS	100u
#define SLB_MOVE_MAX	(16 * SLB_FLOWS_MIN)

/**
 * struct slb_mover - a table, and its expected contents
 * @t: the table
 * @wide: a table of wide flows
 * @seed: seed of the hash
 * @keys: all keys
 * @live: true for keys with a flow
 * @count: number of flows
 * @grown: number of times that the table grew
 * @shrunk: number of times that the table shrank
 * @lost: flows that found no room when the table shrank
 * @crowded: number of flows before which the table should have grown, or was moving
 */
struct slb_mover {
	struct slb_table	*t;
	bool			wide;
	struct slb_seed		seed;
	struct slb_any_key	*keys;
	bool			*live;
	u32			count;
	u32			grown;
	u32			shrunk;
	u32			lost;
	u32			crowded[2];
};

/* Of wide flows every third is of IPv4 packets. */
static void slb_move_key(struct slb_mover *m, u32 i, struct rnd_state *rnd)
{
	struct slb_any_key *key = &m->keys[i];
	struct slb_key4 key4;

	prandom_bytes_state(rnd, key, sizeof(*key));
	if (!m->wide) {
		key->hash = slb_key4_hash(&key->key4, &m->seed);
	} else if (i % 3) {
		key->key6.iif_proto &= ~SLB_KEY_MAPPED;
		key->hash = slb_key6_hash(&key->key6, &m->seed);
	} else {
		prandom_bytes_state(rnd, &key4, sizeof(key4));
		key4.iif_proto &= ~SLB_KEY_MAPPED;
		memset(key, 0, sizeof(*key));
		slb_key4_map(&key4, &key->key6);
		key->hash = slb_key4_hash(&key4, &m->seed);
	}
}

/* Which key a flow is of. */
static u32 slb_move_which(const struct slb_flow *flow)
{
	return flow->bytes;
}

static void slb_move_free(struct kunit *test, struct slb_mover *m,
			  struct slb_flow *flow)
{
	u32 i = slb_move_which(flow);

	KUNIT_ASSERT_TRUE(test, m->live[i]);
	m->live[i] = false;
	m->count--;
	slb_table_free(m->t, flow);
}

static void slb_move_place(struct kunit *test, struct slb_mover *m, u32 i,
			   u32 now)
{
	struct slb_flow *flow = slb_place_any(test, m->t, m->keys[i].hash, now,
					      &m->crowded[!!m->t->old]);

	if (!flow)
		return;
	if (flow->dst)
		slb_move_free(test, m, flow);
	memcpy((void *)(flow + 1) - m->t->size, &m->keys[i],
	       slb_key_bytes(m->wide));
	slb_table_tag(m->t, flow, m->keys[i].hash);
	flow->dst = (struct dst_entry *)flow;
	flow->flags = m->wide ? SLB_FLOW_WIDE : 0;
	flow->bytes = i;
	flow->last = now;
	memset(slb_table_stats(m->t, flow), i, slb_table_stats_size(m->t->size));
	m->live[i] = true;
	m->count++;
}

static struct slb_flow *slb_move_check(struct kunit *test,
				       const struct slb_mover *m, u32 i)
{
	struct slb_flow *flow = slb_any_lookup(m->t, &m->keys[i]);

	KUNIT_ASSERT_EQ_MSG(test, !!flow, m->live[i], "key %u", i);
	if (!flow)
		return NULL;
	KUNIT_ASSERT_EQ(test, slb_move_which(flow), i);
	KUNIT_ASSERT_EQ(test, slb_flow_hash(flow, &m->seed), m->keys[i].hash);
	KUNIT_ASSERT_FALSE(test, memchr_inv(slb_table_stats(m->t, flow), i,
					    slb_table_stats_size(m->t->size)));
	return flow;
}

/* Check all keys, then all slots. */
/* Sets that have moved keep their tags. */
static void slb_move_check_tags(struct kunit *test, const struct slb_mover *m)
{
	const struct slb_table *t = m->t;
	u32 i, slot, old, size = slb_table_size(t);
	const struct slb_flow *flow;
	u8 want;

	for (i = 0; i < slb_table_slots(t); i++) {
		flow = slb_table_at(t, i);
		old = i >= size;
		slot = old ? i - size : i;
		if (old && slot / SLB_WAYS < t->moved)
			continue;
		want = flow->dst ? slb_table_tag_of(slb_flow_hash(flow, &m->seed)) : 0;
		KUNIT_ASSERT_EQ_MSG(test, slb_tag_at(old ? t->old_tags : t->tags, slot), want,
				    "slot %u", i);
	}
}

static void slb_move_check_all(struct kunit *test, const struct slb_mover *m)
{
	u32 i, seen = 0;

	for (i = 0; i < SLB_MOVE_KEYS; i++)
		slb_move_check(test, m, i);
	for (i = 0; i < slb_table_slots(m->t); i++)
		seen += !!slb_table_at(m->t, i)->dst;
	KUNIT_ASSERT_EQ(test, seen, m->count);
	KUNIT_ASSERT_EQ(test, m->t->used, m->count);
	slb_move_check_tags(test, m);
}

/* Begin to move the table, or move a set. */
static void slb_move_step(struct kunit *test, struct slb_mover *m,
			  struct rnd_state *rnd)
{
	struct slb_table *t = m->t;
	u32 flows = slb_table_size(t);
	struct slb_flow *flow;
	bool grows;
	void *slots;

	if (!t->old) {
		if (slb_once_in(rnd, 2))
			flows = min(flows << (1 + slb_rnd(rnd, 2)), SLB_MOVE_MAX);
		else
			flows = max(flows >> 1, SLB_FLOWS_MIN);
		if (flows == slb_table_size(t))
			return;
		slots = slb_table_slots_alloc(NULL, t->size, flows);
		KUNIT_ASSERT_NOT_NULL(test, slots);
		slb_table_resize(t, slots, flows);
		KUNIT_ASSERT_EQ(test, slb_table_size(t), flows);
		return;
	}
	grows = t->set_mask > t->old_mask;
	while ((flow = slb_table_move(t, &m->seed))) {
		KUNIT_ASSERT_FALSE(test, grows);
		slb_move_free(test, m, flow);
		m->lost++;
	}
	slots = slb_table_moved(t);
	if (!slots)
		return;
	slb_table_slots_free(slots, t->size, slb_table_old_size(t));
	m->grown += grows;
	m->shrunk += !grows;
	slb_move_check_all(test, m);
}

static void slb_mover_init(struct kunit *test, struct slb_mover *m, bool wide,
			   struct rnd_state *rnd)
{
	u32 i;

	*m = (struct slb_mover){
		.t = slb_table(test, wide, SLB_FLOWS_MIN),
		.wide = wide,
		.keys = kunit_kcalloc(test, SLB_MOVE_KEYS, sizeof(*m->keys),
				      GFP_KERNEL),
		.live = kunit_kcalloc(test, SLB_MOVE_KEYS, sizeof(*m->live),
				      GFP_KERNEL),
	};
	prandom_bytes_state(rnd, &m->seed, sizeof(m->seed));
	KUNIT_ASSERT_NOT_NULL(test, m->keys);
	KUNIT_ASSERT_NOT_NULL(test, m->live);
	for (i = 0; i < SLB_MOVE_KEYS; i++)
		slb_move_key(m, i, rnd);
}

/**
 * slb_moves() - use a table at random while its size changes
 * @test: the test
 * @wide: a table of wide flows
 * @rnd: random state
 */
void slb_moves(struct kunit *test, bool wide, struct rnd_state *rnd)
{
	struct slb_flow *flow;
	struct slb_mover m;
	u32 i, step;

	slb_mover_init(test, &m, wide, rnd);
	for (step = 0; step < SLB_MOVE_STEPS; step++) {
		i = slb_rnd(rnd, SLB_MOVE_KEYS);
		flow = slb_move_check(test, &m, i);
		if (flow && slb_once_in(rnd, 3))
			slb_move_free(test, &m, flow);
		else if (!flow)
			slb_move_place(test, &m, i, step);
		if (slb_once_in(rnd, 4))
			slb_move_step(test, &m, rnd);
	}
	slb_move_check_all(test, &m);
	kunit_info(test, "grown=%u shrunk=%u lost=%u crowded=%u,%u", m.grown, m.shrunk,
		   m.lost, m.crowded[0], m.crowded[1]);
	/* a run without each of these would test nothing */
	KUNIT_ASSERT_GT(test, m.grown, 4);
	KUNIT_ASSERT_GT(test, m.shrunk, 4);
	KUNIT_ASSERT_GT(test, m.lost, 4);
	KUNIT_ASSERT_GT(test, m.crowded[true], 4);
}

/* Walk through a table during a resize: each flow that stays is visited. */
static void slb_walk_moved(struct kunit *test, struct slb_mover *m, u8 *met,
			   struct rnd_state *rnd)
{
	u32 at, next, hash, mask, way, i, shrunk = m->shrunk;
	struct slb_flow *flow;
	void *set;

	memset(met, 0, SLB_MOVE_KEYS);
	for (at = 0; at < SLB_WALK_SETS; at = next) {
		set = slb_table_walk(m->t, at, &hash, &mask, &next);
		KUNIT_ASSERT_GT(test, next, at);
		for (way = 0; way < SLB_WAYS; way++) {
			flow = slb_table_set_at(m->t, set, way);
			if (flow->dst &&
			    (slb_flow_hash(flow, &m->seed) & mask) == hash)
				met[slb_move_which(flow)]++;
		}
		while (slb_once_in(rnd, 2))
			slb_move_step(test, m, rnd);
	}
	for (i = 0; i < SLB_MOVE_KEYS; i++) {
		if (!m->live[i])
			continue;
		KUNIT_ASSERT_GE_MSG(test, met[i], 1, "key %u", i);
		if (m->shrunk == shrunk)
			KUNIT_ASSERT_EQ_MSG(test, met[i], 1, "key %u", i);
	}
}

/**
 * slb_walks() - walk through tables whose size changes
 * @test: the test
 * @wide: tables of wide flows
 * @rnd: random state
 */
void slb_walks(struct kunit *test, bool wide, struct rnd_state *rnd)
{
	struct slb_mover m;
	u32 i, walk;
	u8 *met;

	slb_mover_init(test, &m, wide, rnd);
	met = kunit_kcalloc(test, SLB_MOVE_KEYS, sizeof(*met), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, met);
	for (walk = 0; walk < SLB_MOVE_WALKS; walk++) {
		for (i = 0; i < SLB_MOVE_KEYS; i++) {
			if (!m.live[i] && slb_once_in(rnd, 4))
				slb_move_place(test, &m, i, walk);
		}
		slb_walk_moved(test, &m, met, rnd);
	}
	KUNIT_ASSERT_GT(test, m.grown, 4);
	KUNIT_ASSERT_GT(test, m.shrunk, 4);
}

/**
 * slb_test_want() - check the choice of a size
 * @test: the test
 *
 * A table that has just been resized has the right size.
 */
void slb_test_want(struct kunit *test)
{
	struct slb_table *t = slb_table(test, false, SLB_FLOWS_START);
	u32 flows, max = 64 * SLB_FLOWS_START;

	KUNIT_EXPECT_EQ(test, slb_table_want(t, max), SLB_FLOWS_START);
	t->used = SLB_FLOWS_START / 3;
	KUNIT_EXPECT_EQ(test, slb_table_want(t, max), SLB_FLOWS_START);
	t->used = SLB_FLOWS_START / 2;
	KUNIT_EXPECT_EQ(test, slb_table_want(t, max), 2 * SLB_FLOWS_START);
	KUNIT_EXPECT_EQ(test, slb_table_want(t, SLB_FLOWS_START), SLB_FLOWS_START);
	t->used = 10 * SLB_FLOWS_START;
	KUNIT_EXPECT_EQ(test, slb_table_want(t, max), 32 * SLB_FLOWS_START);
	t->used = 100 * SLB_FLOWS_START;
	KUNIT_EXPECT_EQ(test, slb_table_want(t, max), max);
	/* packets without room count, but not without limit */
	t->used = SLB_FLOWS_START / 2;
	for (flows = 0; flows < 10 * SLB_FLOWS_START; flows++)
		slb_table_refuse(t);
	KUNIT_EXPECT_EQ(test, slb_table_want(t, max), 8 * SLB_FLOWS_START);
	t->refused = 0;
	t->used = 0;

	t = slb_table(test, false, SLB_FLOWS_MIN);
	KUNIT_EXPECT_EQ(test, slb_table_want(t, SLB_FLOWS_MIN), SLB_FLOWS_MIN);
	for (flows = 2 * SLB_FLOWS_START; flows <= max; flows *= 2) {
		t = slb_table(test, false, flows);
		KUNIT_EXPECT_EQ(test, slb_table_want(t, max), flows / 2);
		t->used = flows / 20;
		KUNIT_EXPECT_EQ(test, slb_table_want(t, max), flows / 2);
		t->used = flows / 10;
		KUNIT_EXPECT_EQ(test, slb_table_want(t, max), flows);
		t->used = 0;
	}
}
