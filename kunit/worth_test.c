// SPDX-License-Identifier: GPL-2.0
/* shadowlb-worth: at which addresses learning pauses. Traffic of connections, by the second. */
#include "rnd.h"
#include "state/worth.h"
#include "suite.h"

/* One recorded packet stands for so many. */
#define SLB_WORTH_SAMPLE	8

/* The packet of a connection, of one direction, by which a flow is learned. */
#define SLB_WORTH_LEARN		3

/**
 * struct slb_worth_model - an address, and connections that are alike
 * @w: what is counted
 * @now: in jiffies
 * @paused: learning pauses
 * @cost: of all packets, in sixteenths of IPVS's, compared with a pause
 * @begin: number of connections that begin in a second; less than HZ, or a multiple of it
 * @packets: number of packets of each, in one direction
 */
struct slb_worth_model {
	struct slb_worth	w;
	u32			now;
	bool			paused;
	s64			cost;
	u32			begin;
	u32			packets;
};

static void slb_worth_look(struct slb_worth_model *m, struct rnd_state *rnd, bool brief)
{
	m->cost += SLB_WORTH_LOOKED;
	if (slb_once_in(rnd, SLB_WORTH_SAMPLE))
		m->paused = slb_worth_looked(&m->w, SLB_WORTH_SAMPLE, brief, m->paused, m->now,
					     m->now);
}

/* All packets of a connection. */
static void slb_worth_connection(struct slb_worth_model *m, struct rnd_state *rnd)
{
	u32 k;

	for (k = 1; k <= m->packets; k++) {
		if (k <= SLB_WORTH_LEARN || k == m->packets) {
			slb_worth_look(m, rnd, k == 1 || k == m->packets);
			continue;
		}
		m->cost -= SLB_WORTH_SERVED;
		slb_worth_served(&m->w, 1);
	}
	if (m->packets > SLB_WORTH_LEARN) {
		m->cost += SLB_WORTH_FLOW;
		slb_worth_proved(&m->w, true);
		slb_worth_ended(&m->w);
	}
}

static void slb_worth_second(struct slb_worth_model *m, struct rnd_state *rnd)
{
	u32 i;

	for (i = 0; i < m->begin; i++) {
		m->now += m->begin >= HZ ? !(i % (m->begin / HZ)) : HZ / m->begin;
		if (!m->paused || slb_once_in(rnd, SLB_ADDRS_TRIES))
			slb_worth_connection(m, rnd);
	}
}

/* After how many seconds learning pauses, or goes on; 0 if not within a minute. */
static u32 slb_worth_turns(struct slb_worth_model *m, struct rnd_state *rnd)
{
	bool paused = m->paused;
	u32 s;

	m->cost = 0;
	for (s = 1; s <= 60; s++) {
		slb_worth_second(m, rnd);
		if (m->paused != paused)
			return s;
	}
	return 0;
}

static struct slb_worth_model slb_worth_address(struct rnd_state *rnd)
{
	u32 now = prandom_u32_state(rnd);

	return (struct slb_worth_model){ .w.since = now, .now = now };
}

static void slb_worth_kinds(struct kunit *test, struct rnd_state *rnd)
{
	static const struct {
		u32	begin;
		u32	packets;
		bool	pauses;
	} kinds[] = {
		{ 20 * HZ, 1, true }, { 20 * HZ, 2, true }, { 8 * HZ, 4, true },
		{ 8 * HZ, 5, true }, { 4 * HZ, 8, false }, { 4 * HZ, 12, false },
		{ HZ / 2, 1000, false },
		/* so few that it does not matter */
		{ HZ / 5, 2, false },
	};
	struct slb_worth_model m;
	u32 i, s;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		m = slb_worth_address(rnd);
		m.begin = kinds[i].begin;
		m.packets = kinds[i].packets;
		s = slb_worth_turns(&m, rnd);
		KUNIT_EXPECT_EQ_MSG(test, s > 0, kinds[i].pauses, "%u of %u packets: after %u s",
				    kinds[i].begin, kinds[i].packets, s);
		/* most packets without a flow are the first of a connection, also of a long one */
		KUNIT_EXPECT_FALSE(test, slb_worth_steady(&m.w));
		if (!s)
			continue;
		KUNIT_EXPECT_GE(test, s, SLB_WORTH_SPANS);
		KUNIT_EXPECT_LE(test, s, 2 * SLB_WORTH_SPANS);
		/* for good, and nearly free */
		KUNIT_EXPECT_EQ(test, slb_worth_turns(&m, rnd), 0);
		KUNIT_EXPECT_LE(test, m.cost, (s64)60 * m.begin * m.packets * 16 * 3 / 200);
		/* longer connections */
		m.packets = 100;
		m.begin = HZ;
		s = slb_worth_turns(&m, rnd);
		KUNIT_EXPECT_GE(test, s, 1);
		/* few packets of pairs that try, and one in eight tells */
		KUNIT_EXPECT_LE(test, s, 10);
	}
}

/* Many connections that begin at once, and last: none has served anything in the first second. */
static void slb_worth_burst(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_worth_model m = slb_worth_address(rnd);
	u32 i, s;

	for (i = 0; i < 300000; i++) {
		m.now += !(i % (300000 / HZ));
		slb_worth_look(&m, rnd, !(i % SLB_WORTH_LEARN));
		if (i % SLB_WORTH_LEARN)
			continue;
		slb_worth_proved(&m.w, true);
	}
	KUNIT_EXPECT_FALSE(test, m.paused);
	m.w.steady = 0;
	for (s = 0; s < SLB_WORTH_STEADY; s += SLB_WORTH_SAMPLE) {
		KUNIT_EXPECT_FALSE(test, slb_worth_steady(&m.w));
		slb_worth_looked(&m.w, SLB_WORTH_SAMPLE, false, false, m.now, m.now);
	}
	KUNIT_EXPECT_TRUE(test, slb_worth_steady(&m.w));
	for (s = 0; s < 10; s++) {
		slb_worth_served(&m.w, 100000);
		m.now += HZ;
		slb_worth_look(&m, rnd, true);
		KUNIT_EXPECT_FALSE(test, m.paused);
	}
}

/* A second of packets without a flow; flows begin and end, and serve. */
static void slb_worth_go_by(struct slb_worth_model *m, u32 packets, u32 begun, u32 ended,
			    u32 served)
{
	u32 i;

	for (i = 0; i < packets; i += SLB_WORTH_SAMPLE)
		slb_worth_looked(&m->w, SLB_WORTH_SAMPLE, false, m->paused, m->now, m->now);
	for (i = 0; i < begun; i++)
		slb_worth_proved(&m->w, true);
	for (i = 0; i < ended; i++)
		slb_worth_ended(&m->w);
	slb_worth_served(&m->w, served);
	m->now += HZ;
	m->paused = slb_worth_looked(&m->w, 1, false, m->paused, m->now, m->now);
}

/* Connections whose packets are far apart: flows begin, and have served nothing when they end. */
static void slb_test_sparse(struct kunit *test)
{
	struct slb_worth_model m = { .now = -5 * HZ };
	u32 s;

	m.w.since = m.now;
	for (s = 0; s < 45; s++) {
		slb_worth_go_by(&m, 50000, 50000, 0, 0);
		KUNIT_ASSERT_FALSE(test, m.paused);
		KUNIT_ASSERT_TRUE(test, slb_worth_steady(&m.w));
	}
	for (s = 1; s <= SLB_WORTH_SPANS; s++) {
		slb_worth_go_by(&m, 50000, 1000, 50000, 0);
		KUNIT_ASSERT_EQ(test, m.paused, s == SLB_WORTH_SPANS);
		KUNIT_ASSERT_EQ(test, slb_worth_steady(&m.w),
				s <= SLB_WORTH_SPANS - SLB_WORTH_AGAIN);
	}
	/* few flows begin, and none has ended yet */
	m.paused = false;
	m.w.spans = 0;
	for (s = 1; s <= SLB_WORTH_SPANS; s++) {
		slb_worth_go_by(&m, 50000, 5000, 0, 0);
		KUNIT_ASSERT_EQ(test, m.paused, s == SLB_WORTH_SPANS);
	}
	/* pairs that try: in vain; by flows that have served nothing yet; and served */
	for (s = 0; s < 100; s++) {
		slb_worth_go_by(&m, 1600, 0, s % 2, 0);
		KUNIT_ASSERT_TRUE(test, m.paused);
	}
	slb_worth_go_by(&m, 1600, 1600, 0, 0);
	KUNIT_EXPECT_TRUE(test, m.paused);
	slb_worth_go_by(&m, 160, 160, 0, 1440);
	KUNIT_EXPECT_FALSE(test, m.paused);
	KUNIT_EXPECT_TRUE(test, slb_worth_eager(&m.w));
}

/* Proofs of flows that are there count, too: one for each packet that is served. */
static void slb_test_proofs_of(struct kunit *test, u32 served)
{
	struct slb_worth_model m = {};
	u32 i, s;

	for (s = 1; s <= SLB_WORTH_SPANS; s++) {
		for (i = 0; i < 1000; i++)
			slb_worth_proved(&m.w, false);
		slb_worth_served(&m.w, served);
		m.now += HZ;
		m.paused = slb_worth_looked(&m.w, 0, false, m.paused, m.now, m.now);
		KUNIT_ASSERT_EQ(test, m.paused, s == SLB_WORTH_SPANS);
	}
}

static void slb_test_proofs(struct kunit *test)
{
	slb_test_proofs_of(test, 1000);
	slb_test_proofs_of(test, 0);
}

/* Packets that teach only because their address is steady, and that IPVS never has. */
static void slb_test_tries(struct kunit *test)
{
	struct slb_worth_model m = {};
	u32 s;

	slb_worth_go_by(&m, SLB_WORTH_STEADY_MAX, 0, 0, 50000);
	for (s = 0; s < SLB_WORTH_STEADY; s++) {
		KUNIT_ASSERT_TRUE(test, slb_worth_steady(&m.w));
		slb_worth_try(&m.w);
		if (s % 2)
			slb_worth_looked(&m.w, 1, false, false, m.now, m.now);
	}
	for (; slb_worth_steady(&m.w); s++)
		slb_worth_try(&m.w);
	KUNIT_EXPECT_EQ(test, s, 3 * SLB_WORTH_STEADY / 2 + 1);
	slb_worth_go_by(&m, SLB_WORTH_STEADY_MAX, 0, 0, 50000);
	KUNIT_EXPECT_TRUE(test, slb_worth_steady(&m.w));
	slb_worth_failed(&m.w);
	KUNIT_EXPECT_FALSE(test, slb_worth_steady(&m.w));
	/* few packets: never */
	for (s = 0; s < 100; s++) {
		slb_worth_go_by(&m, SLB_WORTH_PACKETS / 2, 0, 0, 0);
		KUNIT_ASSERT_FALSE(test, slb_worth_steady(&m.w));
		KUNIT_ASSERT_FALSE(test, m.paused);
	}
}

/* Samples end a pause: @repeats of SLB_WORTH_SAMPLES are of connections that last. Returns after
 * how many jiffies, or 0.
 */
static u32 slb_worth_sample(u32 repeats, u32 silent)
{
	struct slb_worth_model m = {};
	u32 i, now;

	while (!m.paused)
		slb_worth_go_by(&m, 5000, 0, 0, 0);
	now = m.w.paused;
	for (i = 0; i < 100 * SLB_WORTH_SAMPLES; i++) {
		now += HZ / 50;
		if (!slb_worth_sampled(&m.w, i % SLB_WORTH_SAMPLES < repeats, now,
				       now))
			return now - m.w.paused;
		if (!silent || i % silent)
			continue;
		if (!slb_worth_looked(&m.w, SLB_WORTH_TRIED, false, true, now, now))
			return 1;
	}
	return 0;
}

/* jiffies are negative for five minutes, and nothing was counted at 0. */
static void slb_test_boot(struct kunit *test)
{
	struct slb_worth w = {};
	u32 now = -300 * HZ, s;

	for (s = 0; s <= SLB_WORTH_SPANS; s++, now += HZ)
		KUNIT_EXPECT_EQ(test, s == SLB_WORTH_SPANS,
				slb_worth_looked(&w, SLB_WORTH_PACKETS, false, false, now, now));
}

/* A late sweep tells late what flows have served. */
static void slb_test_late(struct kunit *test)
{
	struct slb_worth w = {};
	u32 i;

	for (i = 1; i < 100; i++)
		KUNIT_ASSERT_FALSE(test, slb_worth_looked(&w, SLB_WORTH_PACKETS, false, false,
							  i * HZ, 0));
	KUNIT_EXPECT_TRUE(test, slb_worth_eager(&w));
	slb_worth_served(&w, 100 * SLB_WORTH_PACKETS);
	KUNIT_EXPECT_FALSE(test, slb_worth_looked(&w, 1, false, false, i * HZ, i * HZ));
	KUNIT_EXPECT_TRUE(test, slb_worth_eager(&w));
}

static void slb_test_samples(struct kunit *test)
{
	u32 few = SLB_WORTH_REPEATS / 2;

	/* packets of pairs that try come, and cost more than they save */
	KUNIT_EXPECT_EQ(test, slb_worth_sample(few, 25), 0);
	KUNIT_EXPECT_GE(test, slb_worth_sample(SLB_WORTH_REPEATS, 25), SLB_WORTH_DEAF);
	KUNIT_EXPECT_LT(test, slb_worth_sample(SLB_WORTH_REPEATS, 25), SLB_WORTH_SILENT);
	/* none come */
	KUNIT_EXPECT_GE(test, slb_worth_sample(few, 0), SLB_WORTH_SILENT);
	KUNIT_EXPECT_LT(test, slb_worth_sample(few, 0), SLB_WORTH_SILENT + HZ);
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
	KUNIT_CASE(slb_test_kinds),
	KUNIT_CASE(slb_test_burst),
	KUNIT_CASE(slb_test_sparse),
	KUNIT_CASE(slb_test_proofs),
	KUNIT_CASE(slb_test_tries),
	KUNIT_CASE(slb_test_boot),
	KUNIT_CASE(slb_test_late),
	KUNIT_CASE(slb_test_samples),
	{}
};

static struct kunit_suite slb_suite = {
	.name = "shadowlb-worth",
	.test_cases = slb_worth_cases,
};

MODULE_DESCRIPTION("KUnit suite of where shadowlb stops learning");
