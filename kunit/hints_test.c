// SPDX-License-Identifier: GPL-2.0
/* shadowlb-hints: packets counted, and failures, of keys. A twin knows each place by its key. */
#include "rnd.h"
#include "state/hints.h"
#include "suite.h"

#define SLB_HINTS_STEPS		20000
#define SLB_HINTS_PLACES	16
#define SLB_HINTS_KEYS		48

/* Keys with the same fingerprint are one key. */
struct slb_hints_twin {
	u32	fp[SLB_HINTS_PLACES];
	u32	count[SLB_HINTS_PLACES];
	bool	ended[SLB_HINTS_PLACES];
};

static u32 slb_hints_place(u32 hash)
{
	return hash_32(hash, ilog2(SLB_HINTS));
}

/* Keys of few places, so that they meet. */
static u32 slb_hints_key(struct rnd_state *rnd)
{
	u32 hash;

	do {
		hash = prandom_u32_state(rnd);
	} while (slb_hints_place(hash) >= SLB_HINTS_PLACES);
	return hash;
}

/* Counts a key: its own count grows, another's stays or gives way, an ended one's place is cleared.
 * Returns true if another's gave way.
 */
static bool slb_counted(struct kunit *test, struct slb_hints *h,
			struct slb_hints_twin *twin, u32 hash)
{
	u32 at = slb_hints_place(hash), want = 1;
	u16 before = h->seen[at], fp;
	bool same, other;

	slb_hints_at(h, hash, &fp);
	same = twin->fp[at] == fp;
	other = twin->count[at] && !same;
	if (twin->count[at] && same)
		want = min_t(u32, twin->count[at] + 1, SLB_HINT_LEARN);
	KUNIT_ASSERT_EQ(test, slb_hints_count(h, hash), other ? 0 : want);
	if (other && h->seen[at] == before)
		return false;
	if (twin->ended[at] && same)
		want = 0;
	KUNIT_ASSERT_EQ(test, (u32)h->seen[at], want ? fp | want : 0);
	twin->fp[at] = fp;
	twin->count[at] = want;
	twin->ended[at] = false;
	return other;
}

static void slb_counts(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_hints *h = kunit_kzalloc(test, sizeof(*h), GFP_KERNEL);
	struct slb_hints_twin twin = {};
	u32 keys[SLB_HINTS_KEYS], step, key, at, others = 0, taken = 0;
	bool other;
	u16 fp;

	KUNIT_ASSERT_NOT_NULL(test, h);
	for (key = 0; key < SLB_HINTS_KEYS; key++)
		keys[key] = slb_hints_key(rnd);
	for (step = 0; step < SLB_HINTS_STEPS; step++) {
		key = keys[slb_rnd(rnd, SLB_HINTS_KEYS)];
		at = slb_hints_place(key);
		slb_hints_at(h, key, &fp);
		other = twin.count[at] && twin.fp[at] != fp;
		if (slb_once_in(rnd, 8)) {
			slb_hints_set(h, key, 0);
			if (twin.fp[at] != fp || (!twin.count[at] && !twin.ended[at]))
				continue;
			twin.count[at] = 0;
			twin.ended[at] = fp;
			continue;
		}
		others += other;
		taken += slb_counted(test, h, &twin, key);
	}
	KUNIT_EXPECT_GT(test, taken, others * 2 / 5);
	KUNIT_EXPECT_LT(test, taken, others * 3 / 5);
}

static void slb_test_counts(struct kunit *test)
{
	slb_run_seeds(test, slb_counts);
}

/* At every phase of a tick: not tried again at once, and tried again in time. */
static void slb_failures(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_hints *h = kunit_kzalloc(test, sizeof(*h), GFP_KERNEL);
	static const u8 rests[] = { SLB_HINT_TRIED, SLB_HINT_FULL, 0 };
	unsigned long now, phase, tick = BIT(SLB_TICK_SHIFT), rest;
	enum slb_reason reason;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, h);
	for (i = 0; i < ARRAY_SIZE(rests); i++) {
		rest = rests[i] ?: SLB_HINT_FAILED;
		for (phase = 0; phase < tick; phase++) {
			now = INITIAL_JIFFIES + phase;
			reason = SLB_MISS_NONE;
			KUNIT_EXPECT_FALSE(test, slb_hints_failed(h, 1, now, &reason));
			slb_hints_fail(h, 1, now, SLB_SKIP_METHOD, rest);
			KUNIT_EXPECT_FALSE(test, slb_hints_failed(h, 2, now, &reason));
			KUNIT_EXPECT_EQ(test, (int)reason, (int)SLB_MISS_NONE);
			now += (rest - 1) * tick;
			KUNIT_EXPECT_TRUE(test, slb_hints_failed(h, 1, now, &reason));
			KUNIT_EXPECT_EQ(test, (int)reason, (int)SLB_SKIP_METHOD);
			now += tick;
			KUNIT_EXPECT_FALSE(test, slb_hints_failed(h, 1, now, &reason));
			slb_hints_fail(h, 1, now, SLB_SKIP_METHOD, rest);
			slb_hints_forget(h, 1);
			KUNIT_EXPECT_FALSE(test, slb_hints_failed(h, 1, now, &reason));
		}
	}
}

static void slb_test_failures(struct kunit *test)
{
	slb_run_seeds(test, slb_failures);
}

/* Packets of a key that are too far apart are not counted together, while jiffies wrap. */
static void slb_test_age(struct kunit *test)
{
	struct slb_hints *h = kunit_kzalloc(test, sizeof(*h), GFP_KERNEL);
	u32 now = -15 * HZ, span = 10 * HZ, i;

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->since = now;
	for (i = 0; i < 9; i++, now += 5 * HZ) {
		slb_hints_age(h, now, span);
		KUNIT_EXPECT_EQ(test, slb_hints_count(h, 123456789), 1 + i % 3);
	}
}

static struct kunit_case slb_hints_cases[] = {
	KUNIT_CASE(slb_test_counts),
	KUNIT_CASE(slb_test_failures),
	KUNIT_CASE(slb_test_age),
	{}
};

static struct kunit_suite slb_suite = {
	.name = "shadowlb-hints",
	.test_cases = slb_hints_cases,
};

MODULE_DESCRIPTION("KUnit suite of what shadowlb remembers of keys without a flow");
