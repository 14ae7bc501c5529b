// SPDX-License-Identifier: GPL-2.0
/*
 * shadowlb-flow: flow tables of both sizes against their naive twin at random, and other
 * promises case by case.
 */
#include <linux/in.h>

#include "flow_move.h"
#include "flow_set.h"
#include "flow_twin.h"
#include "suite.h"
/* the code under test */
#include "flow/flow.c"
#include "flow/table.c"

#define SLB_RUNS		10000
#define SLB_PHASES	24

/**
 * struct slb_pace - pace of a phase of a random run
 * @place: 1 in N packets of a key without a flow places a flow
 * @free: 1 in N operations frees a flow, 0: none
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

static void slb_twin_run(struct kunit *test, bool wide, u32 flows,
			 struct rnd_state *rnd)
{
	struct slb_twin *twin = test->priv;
	u32 i, pace;

	slb_twin_init(test, twin, wide, flows, rnd);
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
	/* a run without each of these would test nothing */
	KUNIT_ASSERT_GT(test, twin->refused, flows / 16);
	KUNIT_ASSERT_GT(test, twin->evicted, flows / 16);
	KUNIT_ASSERT_GT(test, twin->freed, flows / 16);
	KUNIT_ASSERT_GT(test, twin->crowded, flows / 16);
	slb_twin_exit(twin);
}

static void slb_twin_small4(struct kunit *test, struct rnd_state *rnd)
{
	slb_twin_run(test, false, SLB_FLOWS_MIN, rnd);
}

static void slb_twin_small6(struct kunit *test, struct rnd_state *rnd)
{
	slb_twin_run(test, true, SLB_FLOWS_MIN, rnd);
}

static void slb_twin_large4(struct kunit *test, struct rnd_state *rnd)
{
	slb_twin_run(test, false, 16 * SLB_FLOWS_MIN, rnd);
}

static void slb_twin_large6(struct kunit *test, struct rnd_state *rnd)
{
	slb_twin_run(test, true, 16 * SLB_FLOWS_MIN, rnd);
}

static void slb_test_twin_small4(struct kunit *test)
{
	slb_run_seeds(test, slb_twin_small4);
}

static void slb_test_twin_small6(struct kunit *test)
{
	slb_run_seeds(test, slb_twin_small6);
}

static void slb_test_twin_large4(struct kunit *test)
{
	slb_run_seeds(test, slb_twin_large4);
}

static void slb_test_twin_large6(struct kunit *test)
{
	slb_run_seeds(test, slb_twin_large6);
}

/* The layout for the data path: a narrow flow fills a cache line, a wide flow two, keys have no
 * padding, and the common part is at the end.
 */
static void slb_test_layout(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, sizeof(struct slb_key4), 16);
	KUNIT_EXPECT_EQ(test, offsetof(struct slb_key4, daddr), 4);
	KUNIT_EXPECT_EQ(test, offsetof(struct slb_key4, ports), 8);
	KUNIT_EXPECT_EQ(test, offsetof(struct slb_key4, sport), 8);
	KUNIT_EXPECT_EQ(test, offsetof(struct slb_key4, dport), 10);
	KUNIT_EXPECT_EQ(test, offsetof(struct slb_key4, iif_proto), 12);

	KUNIT_EXPECT_EQ(test, sizeof(struct slb_key6), 40);
	KUNIT_EXPECT_EQ(test, offsetof(struct slb_key6, daddr), 16);
	KUNIT_EXPECT_EQ(test, offsetof(struct slb_key6, ports), 32);
	KUNIT_EXPECT_EQ(test, offsetof(struct slb_key6, sport), 32);
	KUNIT_EXPECT_EQ(test, offsetof(struct slb_key6, dport), 34);
	KUNIT_EXPECT_EQ(test, offsetof(struct slb_key6, iif_proto), 36);

	KUNIT_EXPECT_EQ(test, sizeof(struct slb_action4), 16);
	KUNIT_EXPECT_EQ(test, sizeof(struct slb_action6), 40);
	KUNIT_EXPECT_EQ(test, sizeof(struct slb_flow), 32);
	KUNIT_EXPECT_EQ(test, sizeof(struct slb_flow4), 64);
	KUNIT_EXPECT_EQ(test, sizeof(struct slb_flow6), 128);
	KUNIT_EXPECT_EQ(test, offsetof(struct slb_flow4, key), 0);
	KUNIT_EXPECT_EQ(test, offsetof(struct slb_flow6, key), 0);
	KUNIT_EXPECT_EQ(test, offsetof(struct slb_flow4, flow), 32);
	KUNIT_EXPECT_EQ(test, offsetof(struct slb_flow6, flow), 96);

	/* two devices and protocols never share a word, nor reach SLB_KEY_MAPPED */
	KUNIT_EXPECT_EQ(test, (u64)SLB_IIF_MAX << 8 | 0xff,
			(u64)SLB_KEY_MAPPED - 1);

	/* a tick is 1/32 to 1/16 of a second, and 16 bits last for half an hour */
	KUNIT_EXPECT_EQ(test, slb_flow_ticks(0), 0);
	KUNIT_EXPECT_EQ(test, slb_flow_ticks(HZ / 32 - 1), 0);
	KUNIT_EXPECT_GE(test, slb_flow_ticks(HZ / 16), 1);
	KUNIT_EXPECT_GE(test, slb_flow_ticks(16 * HZ), 16 * 16);
	KUNIT_EXPECT_LE(test, slb_flow_ticks(16 * HZ), 16 * 32);
	KUNIT_EXPECT_LT(test, slb_flow_ticks(30 * 60 * HZ), U16_MAX);
	KUNIT_EXPECT_GT(test, slb_flow_ticks(30 * 60 * HZ), slb_flow_ticks(29 * 60 * HZ));
}

/* Slots and flows of a table, from either side. */
static void slb_check_slots(struct kunit *test, const struct slb_table *t,
			    bool wide, u32 flows)
{
	u32 i;

	for (i = 0; i < flows; i += 1 + flows / 100) {
		struct slb_flow *flow = slb_table_at(t, i);

		KUNIT_ASSERT_EQ(test, slb_slot_of(test, t, flow), i);
		KUNIT_ASSERT_PTR_EQ(test, wide ? (void *)slb_flow6(flow) :
						 (void *)slb_flow4(flow),
				    slb_slot_at(t, i));
		flow->flags = wide ? SLB_FLOW_WIDE : (u8)~SLB_FLOW_WIDE;
		if (wide)
			slb_flow6(flow)->key.iif_proto =
				SLB_KEY_MAPPED | i << 8 | IPPROTO_SCTP;
		else
			slb_flow4(flow)->key.iif_proto = i << 8 | IPPROTO_UDP;
		KUNIT_ASSERT_EQ(test, slb_flow_proto(flow),
				wide ? IPPROTO_SCTP : IPPROTO_UDP);
	}
}

/* A new table is zeroed and aligned. No key is found, not even the zero key of a free slot. */
static void slb_test_table(struct kunit *test)
{
	struct slb_any_key zero = { .hash = 0 };
	u32 flows, wide;

	for (wide = 0; wide <= 1; wide++) {
		u32 size = slb_flow_bytes(wide);

		for (flows = SLB_FLOWS_MIN; flows <= SLB_FLOWS_MANY;
		     flows *= 2) {
			struct slb_table *t = slb_table(test, wide, flows);

			KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)t->slot,
							   64));
			KUNIT_EXPECT_NULL(test, memchr_inv(t->slot, 0,
							   flows * size));
			KUNIT_EXPECT_EQ(test, t->set_mask, flows / SLB_WAYS - 1);
			KUNIT_EXPECT_EQ(test, t->size, size);
			KUNIT_EXPECT_EQ(test, t->used, 0);
			for (zero.hash = 0; zero.hash < U32_MAX - 0xfffffff;
			     zero.hash += 0xfffffff)
				KUNIT_EXPECT_NULL(test, slb_any_lookup(t, &zero));
			slb_check_slots(test, t, wide, flows);
			slb_table_exit(t);
			KUNIT_EXPECT_NULL(test, t->slot);
		}
	}
}

/* A key that differs in any bit of any field is not found, and gets another slot. */
static void slb_one_bit(struct kunit *test, bool wide, struct rnd_state *rnd)
{
	u32 bits = slb_key_bytes(wide) * 8, bit;
	struct slb_any_key base = { }, key;
	struct slb_flow **flow;
	struct slb_seed seed;
	struct slb_table *t;

	flow = kunit_kcalloc(test, bits + 1, sizeof(*flow), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, flow);
	/* 9 of 321 keys in one of 8192 sets: never */
	t = slb_table(test, wide, SLB_FLOWS_MANY);
	prandom_bytes_state(rnd, &seed, sizeof(seed));
	prandom_bytes_state(rnd, &base, slb_key_bytes(wide));
	for (bit = 0; bit <= bits; bit++) {
		key = base;
		if (bit < bits)
			slb_flip(&key, bit);
		key.hash = slb_hash(&key, wide, &seed);
		flow[bit] = slb_place(test, t, &key, 0);
	}
	KUNIT_ASSERT_EQ(test, t->used, bits + 1);
	for (bit = 0; bit <= bits; bit++) {
		key = base;
		if (bit < bits)
			slb_flip(&key, bit);
		key.hash = slb_hash(&key, wide, &seed);
		KUNIT_ASSERT_PTR_EQ(test, slb_any_lookup(t, &key), flow[bit]);
	}

	/* the same where hashes do not help */
	t = slb_table(test, wide, SLB_FLOWS_MIN);
	base.hash = seed.word[0];
	flow[0] = slb_place(test, t, &base, 0);
	for (bit = 0; bit < bits; bit++) {
		key = base;
		slb_flip(&key, bit);
		flow[1] = slb_place(test, t, &key, 0);
		KUNIT_ASSERT_PTR_NE(test, flow[0], flow[1]);
		KUNIT_ASSERT_PTR_EQ(test, slb_any_lookup(t, &base), flow[0]);
		KUNIT_ASSERT_PTR_EQ(test, slb_any_lookup(t, &key), flow[1]);
		slb_table_free(t, flow[1]);
		KUNIT_ASSERT_NULL(test, slb_any_lookup(t, &key));
	}
	key = base;
	if (wide) {
		swap(key.key6.saddr, key.key6.daddr);
		swap(key.key6.sport, key.key6.dport);
	} else {
		swap(key.key4.saddr, key.key4.daddr);
		swap(key.key4.sport, key.key4.dport);
	}
	KUNIT_ASSERT_NULL(test, slb_any_lookup(t, &key));
}

static void slb_one_bit4(struct kunit *test, struct rnd_state *rnd)
{
	slb_one_bit(test, false, rnd);
}

static void slb_one_bit6(struct kunit *test, struct rnd_state *rnd)
{
	slb_one_bit(test, true, rnd);
}

static void slb_test_one_bit(struct kunit *test)
{
	slb_run_seeds(test, slb_one_bit4);
	slb_run_seeds(test, slb_one_bit6);
}

/* The key of a wide flow for IPv4 packets, byte by byte. The IPv6 key with the same mapped
 * addresses is another key.
 */
static void slb_mapped(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_any_key mapped = { }, real;
	struct slb_flow *flow, *other;
	struct slb_table *t;
	struct slb_key4 key;
	u8 want[40] = { };
	u32 i;

	t = slb_table(test, true, SLB_FLOWS_MIN);
	for (i = 0; i < 1000; i++) {
		prandom_bytes_state(rnd, &key, sizeof(key));
		if (i % 4 == 1)
			key.iif_proto = SLB_IIF_MAX << 8 | IPPROTO_TCP;
		else
			key.iif_proto &= ~SLB_KEY_MAPPED;
		memset(&mapped, i, sizeof(mapped));
		slb_key4_map(&key, &mapped.key6);
		memset(want + 10, 0xff, 2);
		memcpy(want + 12, &key.saddr, 4);
		memset(want + 26, 0xff, 2);
		memcpy(want + 28, &key.daddr, 4);
		memcpy(want + 32, &key.sport, 2);
		memcpy(want + 34, &key.dport, 2);
		key.iif_proto |= 0x80000000;
		memcpy(want + 36, &key.iif_proto, 4);
		KUNIT_ASSERT_EQ(test, memcmp(&mapped.key6, want, 40), 0);
		KUNIT_ASSERT_TRUE(test,
				  ipv6_addr_v4mapped(&mapped.key6.saddr));
		KUNIT_ASSERT_TRUE(test,
				  ipv6_addr_v4mapped(&mapped.key6.daddr));

		/* both have the same hash: only the keys differ */
		mapped.hash = prandom_u32_state(rnd);
		real = mapped;
		real.key6.iif_proto &= ~SLB_KEY_MAPPED;
		flow = slb_place(test, t, &mapped, 0);
		KUNIT_ASSERT_NULL(test, slb_any_lookup(t, &real));
		other = slb_place(test, t, &real, 0);
		KUNIT_ASSERT_PTR_EQ(test, slb_any_lookup(t, &mapped), flow);
		key.iif_proto &= ~SLB_KEY_MAPPED;
		KUNIT_ASSERT_PTR_EQ(test, slb_table_lookup_mapped(t, &key, mapped.hash), flow);
		slb_table_free(t, flow);
		KUNIT_ASSERT_NULL(test, slb_any_lookup(t, &mapped));
		KUNIT_ASSERT_NULL(test, slb_table_lookup_mapped(t, &key, mapped.hash));
		flow = slb_place(test, t, &mapped, 0);
		slb_flip((struct slb_any_key *)&key, prandom_u32_state(rnd) % 127);
		KUNIT_ASSERT_NULL(test, slb_table_lookup_mapped(t, &key, mapped.hash));
		slb_table_free(t, flow);
		KUNIT_ASSERT_PTR_EQ(test, slb_any_lookup(t, &real), other);
		slb_table_free(t, other);
	}
	KUNIT_ASSERT_EQ(test, t->used, 0);
	KUNIT_ASSERT_NULL(test, memchr_inv(t->slot, 0, 128 * SLB_FLOWS_MIN));
}

/* A proof holds for a lease, and until rules change. Times of the twin do not wrap. */
static void slb_proofs(struct kunit *test, struct rnd_state *rnd)
{
	u64 now = U32_MAX, proved, epoch;
	struct slb_flow flow;
	u32 i, lease;

	for (i = 0; i < SLB_RUNS; i++) {
		now += slb_rnd(rnd, 1000);
		lease = 1 + slb_rnd(rnd, 18750);
		proved = now - slb_rnd(rnd, slb_once_in(rnd, 2) ? 10 : 20000);
		epoch = now + 1 - slb_rnd(rnd, slb_once_in(rnd, 2) ? 10 : 24000);
		flow.proved = proved;
		KUNIT_ASSERT_EQ_MSG(test, slb_flow_holds(&flow, now, lease, epoch),
				    now - proved < lease && proved > epoch,
				    "now %llu, proved %llu, epoch %llu, lease %u",
				    now, proved, epoch, lease);
	}
}

static void slb_test_proofs(struct kunit *test)
{
	slb_run_seeds(test, slb_proofs);
}

/* Which flows of a set have the tag of a hash: by bytes, one after the other. */
static void slb_tagged(struct kunit *test, struct rnd_state *rnd)
{
	u32 i, way, hash;
	u64 tags, want;
	u8 tag;

	for (i = 0; i < SLB_RUNS; i++) {
		hash = prandom_u32_state(rnd);
		tags = 0;
		want = 0;
		for (way = 0; way < SLB_WAYS; way++) {
			/* near the tag, too */
			tag = slb_once_in(rnd, 2) ? slb_rnd(rnd, 256) :
						    slb_table_tag_of(hash) + slb_rnd(rnd, 3) - 1;
			tags |= (u64)tag << 8 * way;
			if (tag == slb_table_tag_of(hash))
				want |= 0x80ULL << 8 * way;
		}
		KUNIT_ASSERT_EQ_MSG(test, slb_table_tagged(&tags, hash), want,
				    "tags %llx, hash %x", tags, hash);
	}
}

static void slb_test_tagged(struct kunit *test)
{
	slb_run_seeds(test, slb_tagged);
}

static void slb_test_mapped(struct kunit *test)
{
	slb_run_seeds(test, slb_mapped);
}

static void slb_moves4(struct kunit *test, struct rnd_state *rnd)
{
	slb_moves(test, false, rnd);
}

static void slb_moves6(struct kunit *test, struct rnd_state *rnd)
{
	slb_moves(test, true, rnd);
}

static void slb_test_moves(struct kunit *test)
{
	slb_run_seeds(test, slb_moves4);
	slb_run_seeds(test, slb_moves6);
}

static void slb_walks4(struct kunit *test, struct rnd_state *rnd)
{
	slb_walks(test, false, rnd);
}

static void slb_walks6(struct kunit *test, struct rnd_state *rnd)
{
	slb_walks(test, true, rnd);
}

static void slb_test_walks(struct kunit *test)
{
	slb_run_seeds(test, slb_walks4);
	slb_run_seeds(test, slb_walks6);
}

static void slb_eviction4(struct kunit *test, struct rnd_state *rnd)
{
	slb_eviction(test, false, rnd);
}

static void slb_eviction6(struct kunit *test, struct rnd_state *rnd)
{
	slb_eviction(test, true, rnd);
}

static void slb_test_eviction(struct kunit *test)
{
	slb_run_seeds(test, slb_eviction4);
	slb_run_seeds(test, slb_eviction6);
}

static void slb_spread4(struct kunit *test, struct rnd_state *rnd)
{
	slb_spread(test, false, rnd);
}

static void slb_spread6(struct kunit *test, struct rnd_state *rnd)
{
	slb_spread(test, true, rnd);
}

static void slb_test_spread(struct kunit *test)
{
	slb_run_seeds(test, slb_spread4);
	slb_run_seeds(test, slb_spread6);
}

static void slb_hash_bits4(struct kunit *test, struct rnd_state *rnd)
{
	slb_hash_bits(test, false, rnd);
}

static void slb_hash_bits6(struct kunit *test, struct rnd_state *rnd)
{
	slb_hash_bits(test, true, rnd);
}

static void slb_test_hash_bits(struct kunit *test)
{
	slb_run_seeds(test, slb_hash_bits4);
	slb_run_seeds(test, slb_hash_bits6);
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
	KUNIT_CASE(slb_test_table),
	KUNIT_CASE(slb_test_mapped),
	KUNIT_CASE(slb_test_proofs),
	KUNIT_CASE(slb_test_tagged),
	KUNIT_CASE(slb_test_one_bit),
	KUNIT_CASE(slb_test_start),
	KUNIT_CASE(slb_test_eviction),
	KUNIT_CASE(slb_test_hash_bits),
	KUNIT_CASE(slb_test_spread),
	KUNIT_CASE(slb_test_want),
	KUNIT_CASE(slb_test_moves),
	KUNIT_CASE(slb_test_walks),
	KUNIT_CASE(slb_test_twin_small4),
	KUNIT_CASE(slb_test_twin_small6),
	KUNIT_CASE(slb_test_twin_large4),
	KUNIT_CASE(slb_test_twin_large6),
	{}
};

static struct kunit_suite slb_suite = {
	.name = "shadowlb-flow",
	.init = slb_flow_test_init,
	.exit = slb_flow_test_exit,
	.test_cases = slb_flow_cases,
};

MODULE_DESCRIPTION("KUnit suite of shadowlb's flow table");
