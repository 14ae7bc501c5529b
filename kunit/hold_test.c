// SPDX-License-Identifier: GPL-2.0
/* shadowlb-hold: which keys XDP holds back, and until when. A twin remembers each hold. */
#include "rnd.h"
#include "state/hold.h"
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

static struct kunit_case slb_hold_cases[] = {
	KUNIT_CASE(slb_test_held),
	{}
};

static struct kunit_suite slb_suite = {
	.name = "shadowlb-hold",
	.test_cases = slb_hold_cases,
};

MODULE_DESCRIPTION("KUnit suite of what shadowlb holds back in XDP");
