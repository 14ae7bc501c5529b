// SPDX-License-Identifier: GPL-2.0
/*
 * shadowlb-maglev: the table against two naive twins, and what it promises: shares as weights
 * say, and few slots that move.
 *
 * One twin is written from the pseudo-code of the paper (Eisenbud et al., NSDI 2016, "Populate"),
 * which knows equal weights alone. The other looks for the server whose turn is next by comparing
 * all servers.
 */
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/sort.h>

#include "rnd.h"
#include "suite.h"

#include "sched/maglev.c"

#define SLB_MAGLEV_TEST_SIZE	4093
#define SLB_MAGLEV_TEST_MANY	200

/* Memory that goes with the test. */
static void *slb_maglev_memory(struct kunit *test, size_t n, size_t size)
{
	void *memory = kunit_kcalloc(test, n, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, memory);
	return memory;
}

static u64 slb_maglev_rnd64(struct rnd_state *rnd)
{
	return (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);
}

static struct slb_maglev_server *
slb_maglev_draw(struct kunit *test, struct rnd_state *rnd, u32 n, u32 weights)
{
	struct slb_maglev_server *server = slb_maglev_memory(test, n, sizeof(*server));
	u32 i;

	for (i = 0; i < n; i++) {
		server[i].hash = slb_maglev_rnd64(rnd);
		server[i].weight = 1 + slb_rnd(rnd, weights);
	}
	return server;
}

/* Position j in the order of a server. */
static u32 slb_maglev_permutation(u64 hash, u32 j, u32 m)
{
	u32 offset = (u64)(u32)hash * m >> 32;
	u32 skip = ((u64)(u32)(hash >> 32) * (m - 1) >> 32) + 1;

	return (offset + (u64)j * skip) % m;
}

/* The paper's Populate, for servers that take one turn in each round. */
static void slb_maglev_twin(struct kunit *test, int *entry, u32 m,
			    const struct slb_maglev_server *server, u32 n)
{
	u32 *next = slb_maglev_memory(test, n, sizeof(*next));
	u32 i, j, c, filled = 0;

	for (j = 0; j < m; j++)
		entry[j] = -1;
	while (true) {
		for (i = 0; i < n; i++) {
			c = slb_maglev_permutation(server[i].hash, next[i], m);
			while (entry[c] >= 0) {
				next[i]++;
				c = slb_maglev_permutation(server[i].hash, next[i], m);
			}
			entry[c] = i;
			next[i]++;
			if (++filled == m)
				return;
		}
	}
}

/* The server whose next turn is in the earliest round; the first of several. */
static u32 slb_maglev_turn(const struct slb_maglev_server *server, u32 n, const u32 *turns,
			   u32 most)
{
	u64 round, least = U64_MAX;
	u32 i, found = 0;

	for (i = 0; i < n; i++) {
		round = div_u64((u64)turns[i] * most, server[i].weight);
		if (round < least) {
			least = round;
			found = i;
		}
	}
	return found;
}

static void slb_maglev_weighted_twin(struct kunit *test, int *entry, u32 m,
				     const struct slb_maglev_server *server, u32 n)
{
	u32 *turns = slb_maglev_memory(test, n, sizeof(*turns));
	u32 i, j, filled, most = 0;

	for (i = 0; i < n; i++)
		most = max(most, server[i].weight);
	for (j = 0; j < m; j++)
		entry[j] = -1;
	for (filled = 0; filled < m; filled++) {
		i = slb_maglev_turn(server, n, turns, most);
		turns[i]++;
		j = 0;
		while (entry[slb_maglev_permutation(server[i].hash, j, m)] >= 0)
			j++;
		entry[slb_maglev_permutation(server[i].hash, j, m)] = i;
	}
}

/* Compares a table with that of a twin, for servers with weights up to @weights. */
static void slb_maglev_compare(struct kunit *test, struct rnd_state *rnd, u32 m, u32 weights)
{
	u32 n = 1 + slb_rnd(rnd, min(m, 100U)), i, wrong = 0;
	struct slb_maglev_server *server = slb_maglev_draw(test, rnd, n, weights);
	int *entry = slb_maglev_memory(test, m, sizeof(*entry));
	u16 *slot = slb_maglev_memory(test, m, sizeof(*slot));

	if (weights == 1)
		slb_maglev_twin(test, entry, m, server, n);
	else
		slb_maglev_weighted_twin(test, entry, m, server, n);
	slb_maglev_fill(slot, m, server, n);
	for (i = 0; i < m; i++)
		wrong += slot[i] != entry[i];
	KUNIT_EXPECT_EQ_MSG(test, wrong, 0U, "%u slots, %u servers, weights to %u", m, n, weights);
}

static void slb_maglev_twin_run(struct kunit *test, struct rnd_state *rnd)
{
	static const u32 sizes[] = { 3, 7, 61, 251, 1021 };
	static const u32 weights[] = { 1, 2, 100, INT_MAX };
	u32 i, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (k = 0; k < ARRAY_SIZE(weights); k++)
			slb_maglev_compare(test, rnd, sizes[i], weights[k]);
}

static void slb_maglev_test_twin(struct kunit *test)
{
	slb_run_seeds(test, slb_maglev_twin_run);
}

/* Each server's number of slots. */
static u32 *slb_maglev_count(struct kunit *test, const u16 *slot, u32 m, u32 n)
{
	u32 *count = slb_maglev_memory(test, n, sizeof(*count));
	u32 i;

	for (i = 0; i < m; i++) {
		KUNIT_ASSERT_LT(test, (u32)slot[i], n);
		count[slot[i]]++;
	}
	return count;
}

/* Shares are those of the weights, but for a slot: the last round may be cut short, and each
 * server begins with a turn.
 */
static void slb_maglev_weights_run(struct kunit *test, struct rnd_state *rnd)
{
	u16 *slot = slb_maglev_memory(test, SLB_MAGLEV_TEST_SIZE, sizeof(*slot));
	static const u32 weights[] = { 1, 3, 100, INT_MAX };
	struct slb_maglev_server *server;
	u32 k, n, i, most, *count;
	u64 rounds;

	for (k = 0; k < ARRAY_SIZE(weights); k++) {
		n = 1 + slb_rnd(rnd, SLB_MAGLEV_TEST_MANY);
		server = slb_maglev_draw(test, rnd, n, weights[k]);
		slb_maglev_fill(slot, SLB_MAGLEV_TEST_SIZE, server, n);
		count = slb_maglev_count(test, slot, SLB_MAGLEV_TEST_SIZE, n);
		for (i = most = 0; i < n; i++)
			most = server[i].weight > server[most].weight ? i : most;
		rounds = count[most];
		for (i = 0; i < n; i++) {
			u64 share = div_u64(rounds * server[i].weight, server[most].weight);

			KUNIT_EXPECT_LE(test, (u64)count[i], share + 2);
			KUNIT_EXPECT_LE(test, share, (u64)count[i] + 1);
		}
	}
}

static void slb_maglev_test_weights(struct kunit *test)
{
	slb_run_seeds(test, slb_maglev_weights_run);
}

/* A server goes, or comes: how many slots of other servers change hands? */
static void slb_maglev_moves_run(struct kunit *test, struct rnd_state *rnd)
{
	u16 *before = slb_maglev_memory(test, SLB_MAGLEV_TEST_SIZE, sizeof(*before));
	u16 *after = slb_maglev_memory(test, SLB_MAGLEV_TEST_SIZE, sizeof(*after));
	struct slb_maglev_server *server;
	u32 n = 20, gone, i, moved = 0;
	int k;

	for (k = 0; k < 10; k++) {
		server = slb_maglev_draw(test, rnd, n, 1);
		gone = slb_rnd(rnd, n);
		slb_maglev_fill(before, SLB_MAGLEV_TEST_SIZE, server, n);
		memmove(&server[gone], &server[gone + 1], (n - gone - 1) * sizeof(*server));
		slb_maglev_fill(after, SLB_MAGLEV_TEST_SIZE, server, n - 1);
		for (i = 0; i < SLB_MAGLEV_TEST_SIZE; i++) {
			u32 same = before[i] - (before[i] > gone);

			moved += before[i] != gone && after[i] != same;
		}
	}
	/* its own slots have to move: all together at most 1.5 times as many. One draw in some
	 * hundred has servers whose orders are alike, and moves more.
	 */
	KUNIT_EXPECT_LE(test, moved / k, SLB_MAGLEV_TEST_SIZE / n / 2);
}

static void slb_maglev_test_moves(struct kunit *test)
{
	slb_run_seeds(test, slb_maglev_moves_run);
}

/* Hashes chosen so that all orders meet: neighbours along the same skip. Each slot is taken once,
 * shares are even, and the search ends.
 */
static void slb_maglev_test_chosen(struct kunit *test)
{
	u16 *slot = slb_maglev_memory(test, SLB_MAGLEV_TEST_SIZE, sizeof(*slot));
	u32 n = SLB_MAGLEV_TEST_SIZE / 2, i, at = 0, *count;
	struct slb_maglev_search search = {};
	struct slb_maglev_server *server;

	server = slb_maglev_memory(test, n, sizeof(*server));
	for (i = 0; i < n; i++) {
		/* the offset of the slot before along skip 1 */
		at = at ? at - 1 : SLB_MAGLEV_TEST_SIZE - 1;
		server[i].hash = DIV_ROUND_UP_ULL((u64)at << 32, SLB_MAGLEV_TEST_SIZE);
		server[i].weight = 1;
	}
	slb_maglev_fill(slot, SLB_MAGLEV_TEST_SIZE, server, n);
	count = slb_maglev_count(test, slot, SLB_MAGLEV_TEST_SIZE, n);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_LE(test, abs((int)count[i] - 2), 1);
	/* behind the most steps, the next free slot */
	search.steps = (u64)SLB_MAGLEV_TEST_SIZE * SLB_MAGLEV_STEPS;
	memset(slot, 0, SLB_MAGLEV_TEST_SIZE * sizeof(*slot));
	slot[7] = SLB_MAGLEV_FREE;
	server[0].at = 3;
	slb_maglev_take(slot, SLB_MAGLEV_TEST_SIZE, server, 1, &search);
	KUNIT_EXPECT_EQ(test, slot[7], 1);
	KUNIT_EXPECT_EQ(test, search.steps, (u64)SLB_MAGLEV_TEST_SIZE * SLB_MAGLEV_STEPS + 1);
}

/* Directors of different versions have to agree: a table written down. */
static void slb_maglev_test_fixed(struct kunit *test)
{
	static const u16 table[] = { 0, 2, 2, 2, 1, 2, 0, 0, 0, 0, 0, 0, 1 };
	struct slb_maglev_server server[] = {
		{ .hash = 0x0123456789abcdefULL, .weight = 4 },
		{ .hash = 0x5555555555555555ULL, .weight = 1 },
		{ .hash = 0xfedcba9876543210ULL, .weight = 2 },
	};
	u16 slot[ARRAY_SIZE(table)];
	u32 i;

	slb_maglev_fill(slot, ARRAY_SIZE(slot), server, ARRAY_SIZE(server));
	for (i = 0; i < ARRAY_SIZE(table); i++)
		KUNIT_EXPECT_EQ_MSG(test, slot[i], table[i], "slot %u", i);
}

static struct kunit_case slb_maglev_cases[] = {
	KUNIT_CASE(slb_maglev_test_twin),
	KUNIT_CASE(slb_maglev_test_weights),
	KUNIT_CASE(slb_maglev_test_moves),
	KUNIT_CASE(slb_maglev_test_chosen),
	KUNIT_CASE(slb_maglev_test_fixed),
	{}
};

static struct kunit_suite slb_suite = {
	.name		= "shadowlb-maglev",
	.test_cases	= slb_maglev_cases,
};
