// SPDX-License-Identifier: GPL-2.0
/* shadowlb-epoch: which proofs hold when rules change. Times of the twin do not wrap. */
#include "rnd.h"
#include "state/epoch.c"
#include "suite.h"

#define SLB_EPOCH_STEPS	20000

/**
 * struct slb_epoch_twin - what the epochs of a namespace should be
 * @now: the present time, in jiffies
 * @noticed: time of the last transaction
 * @due: number of further epochs that this transaction asks for
 * @doubt: proofs that are not younger than this do not hold
 */
struct slb_epoch_twin {
	u64	now;
	u64	noticed;
	u32	due;
	u64	doubt;
};

static u64 slb_tick64(u64 jiff)
{
	return jiff >> SLB_TICK_SHIFT;
}

/* A proof of any age up to the longest lease: does it hold? After a pause, before a sweep has
 * looked, it need not.
 */
static void slb_epoch_proofs(struct kunit *test, struct rnd_state *rnd,
			     const struct slb_epoch *e, const struct slb_epoch_twin *twin,
			     bool looked)
{
	u16 lease = slb_flow_ticks(600 * HZ);
	struct slb_flow flow;
	bool want, holds;
	u64 proved;
	u32 i;

	for (i = 0; i < 8; i++) {
		proved = twin->now - slb_rnd(rnd, slb_once_in(rnd, 2) ? HZ : 599 * HZ);
		flow.proved = slb_flow_ticks(proved);
		want = slb_tick64(proved) > slb_tick64(twin->doubt);
		holds = slb_flow_holds(&flow, slb_flow_ticks(twin->now), lease, e->begun);
		if (looked || holds)
			KUNIT_ASSERT_EQ_MSG(test, holds, want,
					    "now %llu, proved %llu, in doubt until %llu",
					    twin->now, proved, twin->doubt);
	}
}

static void slb_epoch_twin_look(struct slb_epoch_twin *twin, bool changed)
{
	u64 at;

	while (twin->due) {
		at = twin->noticed + (twin->due == 2 ? HZ / 2 : 5 * HZ);
		if (at > twin->now)
			break;
		twin->due--;
		twin->doubt = max(twin->doubt, at);
	}
	if (changed)
		twin->doubt = twin->now;
}

/* One step: time goes on, by a sweep or by a pause without flows; then a change, or a look. */
static void slb_epoch_step(struct kunit *test, struct rnd_state *rnd, struct slb_epoch *e,
			   struct slb_epoch_twin *twin)
{
	bool pause = slb_once_in(rnd, 20), changed = slb_once_in(rnd, 20);

	twin->now += slb_rnd(rnd, pause ? 7200 * HZ : HZ);
	slb_epoch_begin(e, e->number, twin->now);
	if (slb_once_in(rnd, 4)) {
		slb_epoch_doubt(e);
		slb_epoch_begin(e, e->number + 1, twin->now);
		twin->doubt = twin->now;
		twin->noticed = twin->now;
		twin->due = 2;
		KUNIT_ASSERT_FALSE(test, slb_epoch_constant(e, true));
	}
	slb_epoch_proofs(test, rnd, e, twin, !pause);
	slb_epoch_tend(e, changed, twin->now);
	slb_epoch_judge(e, BIT(1));
	slb_epoch_twin_look(twin, changed);
	KUNIT_ASSERT_EQ(test, slb_epoch_constant(e, true), !twin->due);
	KUNIT_ASSERT_FALSE(test, slb_epoch_constant(e, false));
	slb_epoch_proofs(test, rnd, e, twin, true);
	KUNIT_ASSERT_EQ(test, !slb_epoch_lasts(e, slb_flow_ticks(twin->now)),
			slb_tick64(twin->doubt) == slb_tick64(twin->now));
}

static void slb_epochs(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_epoch_twin twin = {};
	struct slb_epoch e = {};
	u32 i;

	slb_epoch_init(&e, 0);
	twin.doubt = e.since;
	twin.now = e.since + BIT(SLB_TICK_SHIFT);
	for (i = 0; i < SLB_EPOCH_STEPS; i++)
		slb_epoch_step(test, rnd, &e, &twin);
}

static void slb_test_epochs(struct kunit *test)
{
	slb_run_seeds(test, slb_epochs);
}

static struct kunit_case slb_epoch_cases[] = {
	KUNIT_CASE(slb_test_epochs),
	{}
};

static struct kunit_suite slb_suite = {
	.name = "shadowlb-epoch",
	.test_cases = slb_epoch_cases,
};

MODULE_DESCRIPTION("KUnit suite of shadowlb's epochs");
