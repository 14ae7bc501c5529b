// SPDX-License-Identifier: GPL-2.0
/*
 * Sets of a flow table, and slots of a set: eviction, and the hashes.
 */
#include <linux/bitops.h>
#include <linux/in.h>
#include <net/ipv6.h>

#include "flow_set.h"
#include "flow_twin.h"

/* Eviction to the jiffy, in a set: a flow that was idle for SLB_ACTIVE is in use. A jiffy
 * later, the flow that has been idle longest is evicted. Half of the set has just served.
 */
static const struct {
	const char	*name;
	u32		last[SLB_WAYS / 2];
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

void slb_eviction(struct kunit *test, bool wide, struct rnd_state *rnd)
{
	struct slb_any_key key = { .hash = prandom_u32_state(rnd) };
	struct slb_any_key other = { .hash = key.hash };
	struct slb_flow *flow, *set[SLB_WAYS];
	struct slb_table *t;
	u32 i, way, first;
	int evicted;

	t = slb_table(test, wide, SLB_FLOWS_MIN);
	other.key4.saddr = htonl(1);
	first = slb_slot_of(test, t, slb_place(test, t, &other, 0));
	first -= first % SLB_WAYS;
	for (way = 0; way < SLB_WAYS; way++)
		set[way] = slb_table_at(t, first + way);
	for (i = 2; i <= SLB_WAYS; i++) {
		other.key4.saddr = htonl(i);
		flow = slb_place(test, t, &other, 0);
		way = slb_slot_of(test, t, flow);
		KUNIT_ASSERT_EQ(test, way - way % SLB_WAYS, first);
	}
	KUNIT_ASSERT_EQ(test, t->used, SLB_WAYS);

	for (i = 0; i < ARRAY_SIZE(slb_evictions); i++) {
		for (way = 0; way < SLB_WAYS; way++)
			set[way]->last = way < SLB_WAYS / 2 ?
					 slb_evictions[i].last[way] :
					 slb_evictions[i].now;
		flow = slb_table_place(t, key.hash, slb_evictions[i].now);
		evicted = flow ? (int)(slb_slot_of(test, t, flow) - first) : -1;
		KUNIT_EXPECT_EQ_MSG(test, evicted, slb_evictions[i].evicted,
				    "%u: %s", i + 1, slb_evictions[i].name);
		/* the slot chosen is not given: back */
		if (flow)
			t->used--;
		KUNIT_EXPECT_EQ(test, t->used, SLB_WAYS);
	}

	/* what another set holds, however old, is of no interest */
	for (way = 0; way < SLB_WAYS; way++)
		set[way]->last = 2 * SLB_ACTIVE;
	for (i = 0; i < SLB_WAYS; i++) {
		other.hash = key.hash + 1;
		other.key4.saddr = htonl(i);
		slb_place(test, t, &other, 0);
	}
	KUNIT_EXPECT_NULL(test, slb_table_place(t, key.hash, 3 * SLB_ACTIVE));
	KUNIT_EXPECT_EQ(test, t->used, 2 * SLB_WAYS);

	/* a free slot is taken before anything is evicted */
	for (way = 0; way < SLB_WAYS; way++) {
		slb_table_free(t, set[way]);
		flow = slb_place(test, t, &key, 1000 * SLB_ACTIVE);
		KUNIT_EXPECT_PTR_EQ(test, flow, set[way]);
		key.key4.daddr = htonl(way + 1);
	}
}

/* Consecutive clients' keys: IPv4 addresses, or words of IPv6 addresses with @net as upper
 * half.
 */
static const struct slb_step {
	const char	*name;
	u32		saddr;
	u32		snet;
	u32		daddr;
	u32		dnet;
	u16		sport;
	u16		dport;
	u32		iif;
} slb_steps[] = {
	{ "one client, its ports one by one",		.sport = 1 },
	{ "one client, its ports two by two",		.sport = 2 },
	{ "one address after another, one port",	.saddr = 1 },
	{ "one network after another",	.saddr = 256,	.snet = 1 },
	{ "address and port together",	.saddr = 1,	.sport = 1 },
	{ "replies to one client",			.dport = 1 },
	{ "replies to many clients",			.daddr = 1 },
	{ "replies to many networks",	.daddr = 256,	.dnet = 1 },
	{ "replies of real servers",	.saddr = 256,	.dport = 1 },
	{ "one device after another",			.iif = 1 },
};

static void slb_step_key(struct slb_any_key *key, bool wide, u32 n,
			 const struct slb_step *step)
{
	__be32 saddr = htonl(0x0a010001 + n * step->saddr);
	__be32 daddr = htonl(0xc0000201 + n * step->daddr);
	__be16 sport = htons(1024 + n * step->sport);
	__be16 dport = htons(80 + n * step->dport);
	u32 iif_proto = (2 + n * step->iif) << 8 | IPPROTO_TCP;

	memset(key, 0, sizeof(*key));
	if (!wide) {
		key->key4.saddr = saddr;
		key->key4.daddr = daddr;
		key->key4.sport = sport;
		key->key4.dport = dport;
		key->key4.iif_proto = iif_proto;
		return;
	}
	ipv6_addr_set(&key->key6.saddr, htonl(0x20010db8),
		      htonl(n * step->snet), 0,
		      step->snet ? htonl(1) : saddr);
	ipv6_addr_set(&key->key6.daddr, htonl(0x20010db8),
		      htonl(n * step->dnet), 0,
		      step->dnet ? htonl(1) : daddr);
	key->key6.sport = sport;
	key->key6.dport = dport;
	key->key6.iif_proto = iif_proto;
}

/* Half full, a table has room for nearly all: placed at random, 0.8 % of the
 * keys would find their set full. And no way of the sets is preferred.
 */
void slb_spread(struct kunit *test, bool wide, struct rnd_state *rnd)
{
	u32 flows = SLB_FLOWS_MANY / 2, size = slb_flow_bytes(wide), i, n;

	for (i = 0; i < ARRAY_SIZE(slb_steps); i++) {
		u32 refused = 0, ways[SLB_WAYS] = { 0 };
		struct slb_any_key key;
		struct slb_flow *flow;
		struct slb_seed seed;
		struct slb_table *t;

		prandom_bytes_state(rnd, &seed, sizeof(seed));
		t = slb_table(test, wide, 2 * flows);
		for (n = 0; n < flows; n++) {
			slb_step_key(&key, wide, n, &slb_steps[i]);
			flow = slb_table_place(t, slb_hash(&key, wide, &seed), n);
			if (!flow || flow->dst) {
				refused++;
				continue;
			}
			flow->dst = (struct dst_entry *)flow;
			flow->last = n;
			if (n < flows / 4)
				ways[((u8 *)flow - (u8 *)t->slot) / size %
				     SLB_WAYS]++;
		}
		KUNIT_EXPECT_LT_MSG(test, refused, flows / 80, "%s",
				    slb_steps[i].name);
		for (n = 0; n < SLB_WAYS; n++)
			KUNIT_EXPECT_GT_MSG(test, ways[n],
					    flows / 4 / SLB_WAYS * 4 / 5,
					    "%s: way %u", slb_steps[i].name, n);
	}
}

/* Every bit of a key counts in the hash: a flip changes any bit of the hash about every second
 * time. So does the seed: knowing a seed does not help to fill the sets of another.
 */
void slb_hash_bits(struct kunit *test, bool wide, struct rnd_state *rnd)
{
	const u32 bases = 256;
	u32 bits = slb_key_bytes(wide) * 8, in, out, i;
	u32 *out_flips = kunit_kcalloc(test, 32, sizeof(u32), GFP_KERNEL);
	u32 *in_flips = kunit_kcalloc(test, 2 * bits, sizeof(u32), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, out_flips);
	KUNIT_ASSERT_NOT_NULL(test, in_flips);
	for (i = 0; i < bases; i++) {
		struct slb_any_key base = { }, key;
		struct slb_seed seed, other;
		u32 hash, diff;

		prandom_bytes_state(rnd, &seed, sizeof(seed));
		prandom_bytes_state(rnd, &base, slb_key_bytes(wide));
		hash = slb_hash(&base, wide, &seed);
		key = base;
		KUNIT_ASSERT_EQ(test, slb_hash(&key, wide, &seed), hash);
		for (in = 0; in < 2 * bits; in++) {
			key = base;
			other = seed;
			if (in < bits)
				slb_flip(&key, in);
			else
				other.word[(in - bits) / 32] ^= 1u << in % 32;
			diff = hash ^ slb_hash(&key, wide, &other);
			in_flips[in] += hweight32(diff);
			for (out = 0; out < 32; out++)
				out_flips[out] += diff >> out & 1;
		}
	}
	/* of 8192 and of 65536 or more, and many times the deviation */
	for (in = 0; in < 2 * bits; in++) {
		KUNIT_EXPECT_GT_MSG(test, in_flips[in], bases * 32 * 2 / 5,
				    "bit %u of key and seed", in);
		KUNIT_EXPECT_LT_MSG(test, in_flips[in], bases * 32 * 3 / 5,
				    "bit %u of key and seed", in);
	}
	for (out = 0; out < 32; out++) {
		KUNIT_EXPECT_GT_MSG(test, out_flips[out],
				    bases * 2 * bits * 2 / 5,
				    "bit %u of the hash", out);
		KUNIT_EXPECT_LT_MSG(test, out_flips[out],
				    bases * 2 * bits * 3 / 5,
				    "bit %u of the hash", out);
	}
}

/* In an empty table, a hash gets the slot that a lookup touches first. Low bits of the hash
 * select the set, high bits the slot of the set, so both are independent.
 */
void slb_test_start(struct kunit *test)
{
	u32 wide, set, way, slot;
	struct slb_flow *flow;
	struct slb_table *t;

	for (wide = 0; wide <= 1; wide++) {
		t = slb_table(test, wide, SLB_FLOWS_MIN);
		for (slot = 0; slot < SLB_FLOWS_MIN; slot++) {
			set = slot / SLB_WAYS;
			way = slot % SLB_WAYS;
			flow = slb_table_place(t, set | way << 29 | 0x0ffffc00, 0);
			KUNIT_ASSERT_EQ(test, slb_slot_of(test, t, flow), slot);
			slb_table_free(t, flow);
		}
		KUNIT_ASSERT_EQ(test, t->used, 0);
	}
}
