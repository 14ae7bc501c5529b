// SPDX-License-Identifier: GPL-2.0
/* shadowlb-worth: at which addresses learning pauses. Traffic of connections, by the second. */
#include "rnd.h"
#include "state/worth.h"
#include "suite.h"

/* One recorded packet stands for so many. */
#define SLB_WORTH_SAMPLE	8

/**
 * struct slb_worth_traffic - connections of an address, one direction
 * @begin: number of connections that begin in a second
 * @packets: number of packets of each
 * @after: the first packet that a flow serves; not the last packet of a connection
 */
struct slb_worth_traffic {
	u32	begin;
	u32	packets;
	u32	after;
};

/* A second of traffic. Returns true if learning pauses meanwhile. */
static bool slb_worth_second(struct slb_worth *w, struct rnd_state *rnd, u32 *now,
			     const struct slb_worth_traffic *t)
{
	u32 i, k, slow = min(t->packets, t->after - 1);
	bool pause = false;

	for (i = 0; i < t->begin; i++) {
		*now += t->begin > HZ ? !(i % (t->begin / HZ)) : HZ / t->begin;
		for (k = 0; k < slow; k++)
			if (slb_once_in(rnd, SLB_WORTH_SAMPLE))
				pause |= slb_worth_looked(w, SLB_WORTH_SAMPLE,
							  !k || k == t->packets - 1, *now);
		if (t->packets > slow)
			slb_worth_served(w, t->packets - slow - 1);
	}
	return pause;
}

/* After how many seconds learning pauses, or 0. */
static u32 slb_worth_pause(struct rnd_state *rnd, u32 begin, u32 packets, struct slb_worth *w)
{
	struct slb_worth_traffic t = { .begin = begin, .packets = packets, .after = 5 };
	u32 now = prandom_u32_state(rnd), s;

	w->since = now;
	for (s = 1; s < 30; s++)
		if (slb_worth_second(w, rnd, &now, &t))
			return s;
	return 0;
}

static void slb_worth_kinds(struct kunit *test, struct rnd_state *rnd)
{
	static const struct {
		u32	begin;
		u32	packets;
		bool	pauses;
	} kinds[] = {
		{ 5000, 1, true }, { 5000, 2, true }, { 2000, 4, true },
		{ 1000, 8, false }, { 1000, 12, false }, { 100, 1000, false },
		/* so few that it does not matter */
		{ 50, 2, false },
	};
	struct slb_worth w;
	u32 i, s;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		memset(&w, 0, sizeof(w));
		s = slb_worth_pause(rnd, kinds[i].begin, kinds[i].packets, &w);
		/* most packets without a flow are the first of a connection, also of a long one */
		KUNIT_EXPECT_FALSE(test, slb_worth_steady(&w));
		KUNIT_EXPECT_EQ_MSG(test, s > 0, kinds[i].pauses, "%u of %u packets: after %u s",
				    kinds[i].begin, kinds[i].packets, s);
		if (!s)
			continue;
		KUNIT_EXPECT_GE(test, s, SLB_WORTH_SPANS);
		KUNIT_EXPECT_LE(test, s, 2 * SLB_WORTH_SPANS);
		/* after the pause: sooner */
		s = slb_worth_pause(rnd, kinds[i].begin, kinds[i].packets, &w);
		KUNIT_EXPECT_GE(test, s, SLB_WORTH_AGAIN);
		KUNIT_EXPECT_LT(test, s, 2 * SLB_WORTH_AGAIN + 1);
	}
}

/* Many connections that begin at once, and last: none has served anything in the first second. */
static void slb_worth_burst(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_worth_traffic begin = { .begin = 100000, .packets = 3, .after = 5 };
	struct slb_worth w = {};
	u32 now = prandom_u32_state(rnd), s;

	w.since = now;
	KUNIT_EXPECT_FALSE(test, slb_worth_second(&w, rnd, &now, &begin));
	KUNIT_EXPECT_FALSE(test, slb_worth_steady(&w));
	w.steady = 0;
	for (s = 0; s < SLB_WORTH_STEADY; s += SLB_WORTH_SAMPLE) {
		KUNIT_EXPECT_FALSE(test, slb_worth_steady(&w));
		slb_worth_looked(&w, SLB_WORTH_SAMPLE, false, now);
	}
	KUNIT_EXPECT_TRUE(test, slb_worth_steady(&w));
	for (s = 0; s < 10; s++) {
		slb_worth_served(&w, 100000);
		now += HZ;
		KUNIT_EXPECT_FALSE(test, slb_worth_looked(&w, SLB_WORTH_SAMPLE, true, now));
	}
}

/* A second in which packets without a flow come at a steady address, flows serve others, and flows
 * end, some of them futile.
 */
static void slb_worth_go_by(struct slb_worth *w, u32 *now, u32 packets, u32 futile, u32 served)
{
	u32 i;

	for (i = 0; i < packets; i += SLB_WORTH_SAMPLE)
		slb_worth_looked(w, SLB_WORTH_SAMPLE, false, *now);
	for (i = 0; i < futile; i++) {
		slb_worth_ended(w, i % SLB_WORTH_PAID);
		slb_worth_ended(w, SLB_WORTH_PAID);
	}
	slb_worth_served(w, served);
	*now += HZ;
	slb_worth_looked(w, 1, false, *now);
}

/* Packets that are so far apart that flows serve none, and then some that are not. */
static void slb_test_sparse(struct kunit *test)
{
	struct slb_worth w = {};
	u32 now = -5 * HZ, s;

	w.since = now;
	/* futile flows end later than they were learned */
	for (s = 0; s < SLB_WORTH_VAIN; s++) {
		slb_worth_go_by(&w, &now, 50000, s * 50000, 0);
		KUNIT_EXPECT_TRUE(test, slb_worth_steady(&w));
	}
	for (s = 0; s < 100; s++) {
		slb_worth_go_by(&w, &now, 50000, 4000, s * 10);
		KUNIT_ASSERT_FALSE(test, slb_worth_steady(&w));
	}
	for (s = SLB_WORTH_VAIN_MAX; s >= SLB_WORTH_VAIN; s--) {
		KUNIT_ASSERT_FALSE(test, slb_worth_steady(&w));
		slb_worth_go_by(&w, &now, 50000, 1000, 20000);
	}
	KUNIT_EXPECT_TRUE(test, slb_worth_steady(&w));
	/* tries that IPVS never has */
	for (s = 0; s < SLB_WORTH_STEADY; s++) {
		KUNIT_ASSERT_TRUE(test, slb_worth_steady(&w));
		slb_worth_try(&w);
		if (s % 2)
			slb_worth_looked(&w, 1, false, now);
	}
	for (; slb_worth_steady(&w); s++)
		slb_worth_try(&w);
	KUNIT_EXPECT_EQ(test, s, 3 * SLB_WORTH_STEADY / 2 + 1);
	slb_worth_go_by(&w, &now, 50000, 1000, 20000);
	KUNIT_EXPECT_TRUE(test, slb_worth_steady(&w));
	slb_worth_failed(&w);
	KUNIT_EXPECT_FALSE(test, slb_worth_steady(&w));
	/* few packets: never */
	for (s = 0; s < 100; s++) {
		slb_worth_go_by(&w, &now, SLB_WORTH_STEADY / 2, 0, 0);
		KUNIT_ASSERT_FALSE(test, slb_worth_steady(&w));
		now += 2 * HZ;
	}
}

/* Times of a pause, while jiffies wrap: also at boot, when nothing has paused yet. */
static void slb_test_wrap(struct kunit *test)
{
	struct slb_addr_use use = {};
	u32 now;

	for (now = -20 * HZ; now != 20 * HZ; now++)
		KUNIT_ASSERT_FALSE(test, slb_addr_use_paused(&use, now));
	slb_addr_use_pause(&use, -SLB_ADDRS_PAUSE);
	KUNIT_EXPECT_TRUE(test, slb_addr_use_paused(&use, -1));
	KUNIT_EXPECT_FALSE(test, slb_addr_use_paused(&use, 1));
	slb_addr_use_pause(&use, 7);
	KUNIT_EXPECT_TRUE(test, slb_addr_use_paused(&use, 7));
	KUNIT_EXPECT_TRUE(test, slb_addr_use_paused(&use, 6 + SLB_ADDRS_PAUSE));
	KUNIT_EXPECT_FALSE(test, slb_addr_use_paused(&use, 7 + SLB_ADDRS_PAUSE));
}

static void slb_test_kinds(struct kunit *test)
{
	slb_run_seeds(test, slb_worth_kinds);
}

static void slb_test_burst(struct kunit *test)
{
	slb_run_seeds(test, slb_worth_burst);
}

static struct kunit_case slb_worth_cases[] = {
	KUNIT_CASE(slb_test_wrap),
	KUNIT_CASE(slb_test_kinds),
	KUNIT_CASE(slb_test_burst),
	KUNIT_CASE(slb_test_sparse),
	{}
};

static struct kunit_suite slb_suite = {
	.name = "shadowlb-worth",
	.test_cases = slb_worth_cases,
};

MODULE_DESCRIPTION("KUnit suite of where shadowlb stops learning");
