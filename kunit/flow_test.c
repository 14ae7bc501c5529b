// SPDX-License-Identifier: GPL-2.0
/*
 * shadowlb-flow: the flow table against its naive twin at random, and the rest
 * of its promises one by one.
 */
#include <linux/in.h>

#include "flow_twin.h"
#include "suite.h"
/* the code under test */
#include "flow.c"

#define SLB_PHASES	24

/**
 * struct slb_pace - how a phase of a random run goes
 * @place: one in this many packets of a key without a flow makes one
 * @free: one in this many operations frees a flow, 0: none
 * @step: time between two operations is up to 1/16 of this, in jiffies
 */
struct slb_pace {
	u32	place;
	u32	free;
	u32	step;
};

static const struct slb_pace slb_paces[] = {
	{ 1,	0,	0 },		/* a flood */
	{ 2,	32,	1 },		/* busy */
	{ 2,	16,	HZ / 10 },
	{ 4,	3,	HZ },		/* short flows */
	{ 8,	64,	60 * HZ },	/* hardly a packet */
};

static void slb_twin_phase(struct kunit *test, struct slb_twin *twin,
			   const struct slb_pace *pace, struct rnd_state *rnd)
{
	struct slb_flow *flow;
	u32 i, key, slot;

	for (i = 0; i < 2 * twin->flows; i++) {
		if (slb_once_in(rnd, 16))
			twin->now += slb_rnd(rnd, pace->step + 1);
		slot = slb_rnd(rnd, twin->flows);
		if (pace->free && slb_once_in(rnd, pace->free) &&
		    twin->slots[slot].key >= 0) {
			slb_twin_remove(twin, slot);
			twin->freed++;
		}
		key = slb_rnd(rnd, twin->nkeys);
		flow = slb_check_lookup(test, twin, key);
		if (flow) {
			slot = twin->slot_of[key];
			flow->last = (u32)twin->now;
			flow->packets++;
			twin->slots[slot].last = twin->now;
			twin->slots[slot].packets++;
		} else if (slb_once_in(rnd, pace->place)) {
			slb_check_place(test, twin, key);
		}
		slb_check_stranger(test, twin, key, rnd);
		slb_check_used(test, twin);
	}
	slb_check_table(test, twin);
}

static void slb_twin_run(struct kunit *test, u32 flows, struct rnd_state *rnd)
{
	struct slb_twin *twin = test->priv;
	u32 i, pace;

	slb_twin_init(test, twin, flows, rnd);
	for (i = 0; i < SLB_PHASES; i++) {
		pace = slb_rnd(rnd, ARRAY_SIZE(slb_paces));
		if (!(i % 6)) {
			/* start anew, soon before 32 bits of jiffies wrap */
			slb_twin_clear(twin);
			twin->now = (((twin->now >> 32) + 1) << 32) -
				    slb_rnd(rnd, 3 * HZ);
			pace = 0;
		}
		slb_twin_phase(test, twin, &slb_paces[pace], rnd);
	}
	kunit_info(test, "%u flows: placed=%u refused=%u evicted=%u freed=%u",
		   flows, twin->id, twin->refused, twin->evicted, twin->freed);
	/* a run in which one of these does not happen tests nothing */
	KUNIT_ASSERT_GT(test, twin->refused, flows / 16);
	KUNIT_ASSERT_GT(test, twin->evicted, flows / 16);
	KUNIT_ASSERT_GT(test, twin->freed, flows / 16);
	slb_twin_exit(twin);
}

static void slb_twin_small(struct kunit *test, struct rnd_state *rnd)
{
	slb_twin_run(test, SLB_FLOWS_MIN, rnd);
}

static void slb_twin_large(struct kunit *test, struct rnd_state *rnd)
{
	slb_twin_run(test, 16 * SLB_FLOWS_MIN, rnd);
}

static void slb_test_twin_small(struct kunit *test)
{
	slb_run_seeds(test, slb_twin_small);
}

static void slb_test_twin_large(struct kunit *test)
{
	slb_run_seeds(test, slb_twin_large);
}

/* The layout that the data path relies on: one flow, one cache line. And what
 * is not there is not found, not even by the key that a free slot holds.
 */
static void slb_test_layout(struct kunit *test)
{
	struct slb_key zero = { 0 };
	u32 flows;

	KUNIT_EXPECT_EQ(test, sizeof(struct slb_key), 16);
	KUNIT_EXPECT_EQ(test, sizeof(struct slb_action), 16);
	KUNIT_EXPECT_EQ(test, sizeof(struct slb_flow), 64);
	for (flows = SLB_FLOWS_MIN; flows <= SLB_FLOWS_DEFAULT; flows *= 2) {
		struct slb_twin *twin = test->priv;
		struct slb_table *t = &twin->table;

		KUNIT_ASSERT_EQ(test, slb_table_init(t, flows, 0), 0);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)t->flow, 64));
		KUNIT_EXPECT_NULL(test, memchr_inv(t->flow, 0, flows * 64));
		KUNIT_EXPECT_EQ(test, t->set_mask, flows / SLB_WAYS - 1);
		KUNIT_EXPECT_EQ(test, t->used, 0);
		KUNIT_EXPECT_NULL(test, slb_flow_lookup(t, &zero));
		slb_table_exit(t);
		KUNIT_EXPECT_NULL(test, t->flow);
	}
}

/* Place a key in a table that has room for it. */
static struct slb_flow *slb_place(struct kunit *test, struct slb_table *t,
				  const struct slb_key *key, unsigned long now)
{
	struct slb_flow *flow;

	KUNIT_ASSERT_NULL(test, slb_flow_lookup(t, key));
	flow = slb_flow_place(t, key, now);
	KUNIT_ASSERT_NOT_NULL(test, flow);
	KUNIT_ASSERT_NULL(test, flow->dst);
	flow->key = *key;
	flow->dst = (struct dst_entry *)flow;
	flow->last = now;
	return flow;
}

/* A key that differs in one bit of one field, whichever it is, is another flow:
 * it is not found, and gets a slot of its own.
 */
static void slb_one_bit(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_twin *twin = test->priv;
	struct slb_table *t = &twin->table;
	struct slb_flow *flow[129];
	struct slb_key base, key;
	u32 n = 0, bit;

	KUNIT_ASSERT_EQ(test, slb_table_init(t, SLB_FLOWS_DEFAULT, 0), 0);
	t->seed = prandom_u32_state(rnd);
	prandom_bytes_state(rnd, &base, sizeof(base));
	/* 5 of 129 keys in one of 16384 sets: one run in 200 million */
	flow[n++] = slb_place(test, t, &base, 0);
	for (bit = 0; bit < sizeof(key) * 8; bit++) {
		key = base;
		((u8 *)&key)[bit / 8] ^= 1 << bit % 8;
		flow[n++] = slb_place(test, t, &key, 0);
	}
	KUNIT_ASSERT_EQ(test, n, ARRAY_SIZE(flow));
	while (n--)
		KUNIT_ASSERT_PTR_EQ(test, slb_flow_lookup(t, &flow[n]->key),
				    flow[n]);

	slb_twin_exit(twin);

	/* the same where hashes do not help: all keys belong to one set */
	KUNIT_ASSERT_EQ(test, slb_table_init(t, SLB_FLOWS_MIN, 0), 0);
	t->set_mask = 0;
	slb_place(test, t, &base, 0);
	for (bit = 0; bit < sizeof(key) * 8; bit++) {
		key = base;
		((u8 *)&key)[bit / 8] ^= 1 << bit % 8;
		KUNIT_ASSERT_NULL(test, slb_flow_lookup(t, &key));
	}
	key = base;
	swap(key.saddr, key.daddr);
	swap(key.sport, key.dport);
	KUNIT_ASSERT_NULL(test, slb_flow_lookup(t, &key));
	slb_twin_exit(twin);
}

static void slb_test_one_bit(struct kunit *test)
{
	slb_run_seeds(test, slb_one_bit);
}

/* Eviction to the jiffy, in one set: what was idle for SLB_ACTIVE is in use,
 * one jiffy more and the oldest of those that are not is evicted.
 */
static const struct {
	const char	*name;
	u32		last[SLB_WAYS];
	u32		now;
	int		evicted;
} slb_evictions[] = {
	{ "all just served",	{ 9, 9, 9, 9 },		9,		-1 },
	{ "all SLB_ACTIVE ago",	{ 9, 9, 9, 9 },		9 + SLB_ACTIVE,	-1 },
	{ "one a jiffy longer",	{ 9, 9, 8, 9 },		9 + SLB_ACTIVE,	2 },
	{ "the oldest of two",	{ 9, 7, 9, 8 },		9 + SLB_ACTIVE,	1 },
	{ "the oldest of all",	{ 4, 3, 2, 1 },		9 + SLB_ACTIVE,	3 },
	{ "one in use",		{ 8 + SLB_ACTIVE, 3, 2, 4 },
							9 + SLB_ACTIVE,	2 },
	{ "jiffies wrapped: in use",
				{ -1, -2, -3, -4 },	SLB_ACTIVE - 4,	-1 },
	{ "jiffies wrapped: idle",
				{ 0, -2, -5, -3 },	SLB_ACTIVE - 4,	2 },
	{ "jiffies wrapped: very old",
				{ 0, 1, 5, 2 },		U32_MAX - 2,	0 },
	{ "half the range old",	{ 0, 1, 2, 1U << 31 },	1U << 31,	0 },
};

static void slb_eviction(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_twin *twin = test->priv;
	struct slb_table *t = &twin->table;
	struct slb_flow *flow, *set = NULL;
	struct slb_key key = { .iif_proto = 1 << 8 | IPPROTO_UDP };
	struct slb_key keys[SLB_WAYS];
	u32 i, way, n = 0;

	KUNIT_ASSERT_EQ(test, slb_table_init(t, SLB_FLOWS_MIN, 0), 0);
	t->seed = prandom_u32_state(rnd);
	/* five keys of one set: the fifth is the one to be placed */
	for (i = 0; n <= SLB_WAYS; i++) {
		key.saddr = htonl(i);
		flow = slb_flow_place(t, &key, 0);
		KUNIT_ASSERT_NOT_NULL(test, flow);
		slb_flow_free(t, flow);
		if (!set)
			set = flow - (flow - t->flow) % SLB_WAYS;
		if (flow < set || flow >= set + SLB_WAYS)
			continue;
		if (n++ < SLB_WAYS)
			keys[n - 1] = key;
	}

	for (way = 0; way < SLB_WAYS; way++)
		slb_place(test, t, &keys[way], 0);
	for (i = 0; i < ARRAY_SIZE(slb_evictions); i++) {
		for (way = 0; way < SLB_WAYS; way++)
			set[way].last = slb_evictions[i].last[way];
		flow = slb_flow_place(t, &key, slb_evictions[i].now);
		KUNIT_EXPECT_EQ_MSG(test, flow ? flow - set : -1,
				    slb_evictions[i].evicted, "%u: %s", i + 1,
				    slb_evictions[i].name);
		/* the slot chosen is not given: back to four */
		if (flow)
			t->used--;
		KUNIT_EXPECT_EQ(test, t->used, SLB_WAYS);
	}

	/* a free slot is taken before anything is evicted */
	for (way = 0; way < SLB_WAYS; way++) {
		key = set[way].key;
		slb_flow_free(t, &set[way]);
		flow = slb_place(test, t, &key, 1000 * SLB_ACTIVE);
		KUNIT_EXPECT_PTR_EQ(test, flow, &set[way]);
	}
	slb_twin_exit(twin);
}

static void slb_test_eviction(struct kunit *test)
{
	slb_run_seeds(test, slb_eviction);
}

/* How clients' keys follow one another. */
static const struct {
	const char	*name;
	u32		saddr;
	u32		daddr;
	u16		sport;
	u16		dport;
	u32		iif;
} slb_steps[] = {
	{ "one client, its ports one by one",		.sport = 1 },
	{ "one client, its ports two by two",		.sport = 2 },
	{ "one address after another, one port",	.saddr = 1 },
	{ "one network after another",			.saddr = 256 },
	{ "address and port together",	.saddr = 1,	.sport = 1 },
	{ "replies to one client",			.dport = 1 },
	{ "replies to many clients",			.daddr = 1 },
	{ "replies of real servers",	.saddr = 256,	.dport = 1 },
	{ "one device after another",			.iif = 1 },
};

/* Half full, a table has room for nearly all: placed at random, 3.7 % of the
 * keys would find their set full. And no way of the sets is preferred.
 */
static void slb_spread(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_twin *twin = test->priv;
	struct slb_table *t = &twin->table;
	u32 flows = SLB_FLOWS_DEFAULT / 2, i, n;

	for (i = 0; i < ARRAY_SIZE(slb_steps); i++) {
		u32 refused = 0, ways[SLB_WAYS] = { 0 };

		KUNIT_ASSERT_EQ(test, slb_table_init(t, 2 * flows, 0), 0);
		t->seed = prandom_u32_state(rnd);
		for (n = 0; n < flows; n++) {
			struct slb_key key = {
				.saddr = htonl(0x0a010001 +
					       n * slb_steps[i].saddr),
				.daddr = htonl(0xc0000201 +
					       n * slb_steps[i].daddr),
				.sport = htons(1024 + n * slb_steps[i].sport),
				.dport = htons(80 + n * slb_steps[i].dport),
				.iif_proto = (2 + n * slb_steps[i].iif) << 8 |
					     IPPROTO_TCP,
			};
			struct slb_flow *flow = slb_flow_place(t, &key, n);

			if (!flow || flow->dst) {
				refused++;
				continue;
			}
			flow->key = key;
			flow->dst = (struct dst_entry *)flow;
			flow->last = n;
			if (n < flows / 4)
				ways[(flow - t->flow) % SLB_WAYS]++;
		}
		KUNIT_EXPECT_LT_MSG(test, refused, flows / 20, "%s",
				    slb_steps[i].name);
		for (n = 0; n < SLB_WAYS; n++)
			KUNIT_EXPECT_GT_MSG(test, ways[n], flows / 4 / 5,
					    "%s: way %u", slb_steps[i].name, n);
		t->used = 0;
		slb_table_exit(t);
	}
}

static void slb_test_spread(struct kunit *test)
{
	slb_run_seeds(test, slb_spread);
}

/* Each table has a hash of its own: who knows one cannot fill sets of another.
 */
static void slb_test_seed(struct kunit *test)
{
	struct slb_twin *twin = test->priv;
	struct slb_table *t = &twin->table;
	struct slb_key key = { .iif_proto = 1 << 8 | IPPROTO_TCP };
	u32 i, k, same = 0, slot[64];

	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, slb_table_init(t, SLB_FLOWS_MIN, 0), 0);
		for (k = 0; k < ARRAY_SIZE(slot); k++) {
			struct slb_flow *flow;

			key.sport = htons(k);
			flow = slb_flow_place(t, &key, 0);
			KUNIT_ASSERT_NOT_NULL(test, flow);
			same += i && slot[k] == flow - t->flow;
			slot[k] = flow - t->flow;
			slb_flow_free(t, flow);
		}
		slb_table_exit(t);
	}
	KUNIT_EXPECT_LT(test, same, ARRAY_SIZE(slot) / 4);
}

static int slb_flow_test_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct slb_twin), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

static void slb_flow_test_exit(struct kunit *test)
{
	if (test->priv)
		slb_twin_exit(test->priv);
}

static struct kunit_case slb_flow_cases[] = {
	KUNIT_CASE(slb_test_layout),
	KUNIT_CASE(slb_test_one_bit),
	KUNIT_CASE(slb_test_eviction),
	KUNIT_CASE(slb_test_spread),
	KUNIT_CASE(slb_test_seed),
	KUNIT_CASE(slb_test_twin_small),
	KUNIT_CASE(slb_test_twin_large),
	{}
};

static struct kunit_suite slb_suite = {
	.name = "shadowlb-flow",
	.init = slb_flow_test_init,
	.exit = slb_flow_test_exit,
	.test_cases = slb_flow_cases,
};

MODULE_DESCRIPTION("KUnit suite of shadowlb's flow table");
