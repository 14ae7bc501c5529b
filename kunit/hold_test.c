// SPDX-License-Identifier: GPL-2.0
/* shadowlb-hold: which keys XDP holds back, and until when. A twin remembers each hold. And which
 * packets one without a key holds up.
 */
#include "rnd.h"
#include "state/hold.h"
#include "state/keyless.h"
#include "suite.h"

#define SLB_HOLD_STEPS	2000

static void slb_held(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_hold *o = kunit_kzalloc(test, sizeof(*o), GFP_KERNEL);
	u32 *runs = kunit_kcalloc(test, SLB_HOLD_KEYS, sizeof(*runs), GFP_KERNEL);
	u16 *ticks = kunit_kcalloc(test, SLB_HOLD_KEYS, sizeof(*ticks), GFP_KERNEL);
	u32 step, key, run = U32_MAX - 10;
	u16 tick = U16_MAX - 20, age;
	bool held;

	KUNIT_ASSERT_NOT_NULL(test, o);
	KUNIT_ASSERT_NOT_NULL(test, runs);
	KUNIT_ASSERT_NOT_NULL(test, ticks);
	/* not 0, which is a run, too, when the number has wrapped */
	for (key = 0; key < SLB_HOLD_KEYS; key++)
		runs[key] = run - 1;
	for (step = 0; step < SLB_HOLD_STEPS; step++) {
		key = slb_rnd(rnd, 2 * SLB_HOLD_KEYS);
		slb_hold_set_at(o, key, run, tick);
		runs[key % SLB_HOLD_KEYS] = run;
		ticks[key % SLB_HOLD_KEYS] = tick;
		run += slb_once_in(rnd, 6);
		if (slb_once_in(rnd, 10))
			tick += 1 + slb_rnd(rnd, 2);
		for (key = 0; key < SLB_HOLD_KEYS; key++) {
			held = slb_hold_test_at(o, key, run, tick);
			age = tick - ticks[key];
			if (runs[key] != run || age >= 2)
				KUNIT_ASSERT_FALSE_MSG(test, held, "key %u", key);
			else if (!age || tick - o->tick == 1)
				KUNIT_ASSERT_TRUE_MSG(test, held, "key %u", key);
		}
	}
}

static void slb_test_held(struct kunit *test)
{
	slb_run_seeds(test, slb_held);
}

/* Packets without a key hold up those between the same addresses, and hardly any other. */
static void slb_keyless_pairs(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_keyless *k = kunit_kzalloc(test, sizeof(*k), GFP_KERNEL);
	struct ipv6hdr ip6 = {};
	u32 i, recent = 0;
	struct iphdr ip;

	KUNIT_ASSERT_NOT_NULL(test, k);
	k->seed = prandom_u32_state(rnd);
	for (i = 0; i < SLB_KEYLESS; i++)
		k->at[i] = jiffies - 100;
	/* neighbours, of which the exclusive or has all low bits */
	for (i = 0; i < 64; i++) {
		ip6.saddr.s6_addr32[3] = cpu_to_be32(i);
		slb_keyless_record(k, &ip6, true);
		KUNIT_ASSERT_TRUE(test, slb_keyless_recent(k, &ip6, true));
	}
	for (i = 0; i < 1000; i++) {
		ip.saddr = (__force __be32)prandom_u32_state(rnd);
		ip.daddr = (__force __be32)prandom_u32_state(rnd);
		recent += slb_keyless_recent(k, &ip, false);
	}
	/* 64 of 1,024 places are taken */
	KUNIT_EXPECT_LT(test, recent, 150);
}

static void slb_test_keyless(struct kunit *test)
{
	slb_run_seeds(test, slb_keyless_pairs);
}

static struct kunit_case slb_hold_cases[] = {
	KUNIT_CASE(slb_test_held),
	KUNIT_CASE(slb_test_keyless),
	{}
};

static struct kunit_suite slb_suite = {
	.name = "shadowlb-hold",
	.test_cases = slb_hold_cases,
};

MODULE_DESCRIPTION("KUnit suite of what shadowlb holds back in XDP");
