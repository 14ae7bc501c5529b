// SPDX-License-Identifier: GPL-2.0
/*
 * The naive twin of a flow table, and comparisons of both.
 *
 * The twin is told of every flow that is placed, evicted or freed, and of the slot. The twin
 * does not use hashes: the first slot that the table gives to a key tells the set of the key,
 * and later slots must be in the same set.
 */
#include <linux/in.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "flow_twin.h"

#define SLB_KEYS_PER_FLOW	4

/* Which slot a flow is in, by arithmetic of our own. */
u32 slb_slot_of(struct kunit *test, const struct slb_table *t,
		const struct slb_flow *flow)
{
	size_t end = (const u8 *)(flow + 1) - (const u8 *)t->slot;

	KUNIT_ASSERT_EQ(test, end % t->size, 0);
	KUNIT_ASSERT_GE(test, end, t->size);
	return end / t->size - 1;
}

void *slb_slot_at(const struct slb_table *t, u32 slot)
{
	return (u8 *)t->slot + (size_t)slot * t->size;
}

struct slb_flow *slb_any_lookup(const struct slb_table *t,
				const struct slb_any_key *key)
{
	return t->size == slb_flow_bytes(true) ?
	       slb_table_lookup6(t, &key->key6, key->hash) :
	       slb_table_lookup4(t, &key->key4, key->hash);
}

/* Flip one bit of a key. */
void slb_flip(struct slb_any_key *key, u32 bit)
{
	((u8 *)key)[bit / 8] ^= 1 << bit % 8;
}

/* Keys as clients make them: few addresses, many ports. Source address and
 * port alone tell them apart.
 */
static void slb_twin_key4(struct slb_key4 *key, u32 i, struct rnd_state *rnd)
{
	static const u8 protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	u32 iif = 1 + slb_rnd(rnd, 3);

	key->saddr = htonl(0x0a000000 + i % 61);
	key->sport = htons(1024 + i / 61);
	key->daddr = htonl(0xc0000200 + slb_rnd(rnd, 2));
	key->dport = htons(slb_once_in(rnd, 2) ? 80 : 443);
	key->iif_proto = iif << 8 | protos[slb_rnd(rnd, ARRAY_SIZE(protos))];
}

/* A key of IPv6: clients differ in a word of their addresses. */
static void slb_twin_key6(struct slb_key6 *key, u32 i, u32 word,
			  struct rnd_state *rnd)
{
	struct slb_key4 key4;

	slb_twin_key4(&key4, i, rnd);
	memset(key, 0, sizeof(*key));
	key->saddr.s6_addr32[0] = htonl(0x20010db8);
	key->saddr.s6_addr32[word] ^= key4.saddr;
	key->daddr.s6_addr32[0] = htonl(0x20010db8);
	key->daddr.s6_addr32[3] = key4.daddr;
	key->ports = key4.ports;
	key->iif_proto = key4.iif_proto;
}

/* Of four keys of a table of wide flows two are IPv6, the third is IPv4, and the fourth is IPv6
 * with the mapped addresses of the third. Some hashes are equal: keys tell flows apart, not
 * hashes.
 */
static void slb_twin_key(struct slb_twin *twin, u32 i, const struct slb_seed *seed,
			 struct rnd_state *rnd)
{
	struct slb_any_key *key = &twin->keys[i];
	struct slb_key4 key4;

	if (!twin->wide) {
		slb_twin_key4(&key->key4, i, rnd);
		key->hash = slb_key4_hash(&key->key4, seed);
	} else if (i % 4 < 2) {
		slb_twin_key6(&key->key6, i, i % 4, rnd);
		key->hash = slb_key6_hash(&key->key6, seed);
	} else if (i % 4 == 2) {
		slb_twin_key4(&key4, i, rnd);
		slb_key4_map(&key4, &key->key6);
		key->hash = slb_key4_hash(&key4, seed);
	} else {
		*key = key[-1];
		key->key6.iif_proto &= ~SLB_KEY_MAPPED;
	}
	if (i % 2 && slb_once_in(rnd, 8))
		key->hash = key[-1].hash;
}

void slb_twin_init(struct kunit *test, struct slb_twin *twin, bool wide,
		   u32 flows, struct rnd_state *rnd)
{
	u32 nkeys = flows * SLB_KEYS_PER_FLOW;
	struct slb_seed seed;
	u32 i;

	prandom_bytes_state(rnd, &seed, sizeof(seed));
	KUNIT_ASSERT_EQ(test, slb_table_init(&twin->table, NULL, slb_flow_bytes(wide),
					     flows), 0);
	twin->wide = wide;
	twin->flows = flows;
	twin->nkeys = nkeys;
	twin->keys = kvcalloc(nkeys, sizeof(*twin->keys), GFP_KERNEL);
	twin->slot_of = kvcalloc(nkeys, sizeof(*twin->slot_of), GFP_KERNEL);
	twin->set_of = kvcalloc(nkeys, sizeof(*twin->set_of), GFP_KERNEL);
	twin->slots = kvcalloc(flows, sizeof(*twin->slots), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, twin->keys);
	KUNIT_ASSERT_NOT_NULL(test, twin->slot_of);
	KUNIT_ASSERT_NOT_NULL(test, twin->set_of);
	KUNIT_ASSERT_NOT_NULL(test, twin->slots);
	for (i = 0; i < nkeys; i++) {
		slb_twin_key(twin, i, &seed, rnd);
		twin->slot_of[i] = -1;
		twin->set_of[i] = -1;
	}
	for (i = 0; i < flows; i++)
		twin->slots[i].key = -1;
}

/* Also after a case that failed: flows are numbers, nothing is to be let go. */
void slb_twin_exit(struct slb_twin *twin)
{
	twin->table.used = 0;
	slb_table_exit(&twin->table);
	kvfree(twin->keys);
	kvfree(twin->slot_of);
	kvfree(twin->set_of);
	kvfree(twin->slots);
	memset(twin, 0, sizeof(*twin));
}

/* Start an empty table of either size. */
struct slb_table *slb_table(struct kunit *test, bool wide, u32 flows)
{
	struct slb_twin *twin = test->priv;

	slb_twin_exit(twin);
	KUNIT_ASSERT_EQ(test, slb_table_init(&twin->table, NULL, slb_flow_bytes(wide),
					     flows), 0);
	return &twin->table;
}

u32 slb_hash(const struct slb_any_key *key, bool wide, const struct slb_seed *seed)
{
	return wide ? slb_key6_hash(&key->key6, seed) :
		      slb_key4_hash(&key->key4, seed);
}

/* Place a flow. If the set is full, a table that should grow tells so before; counts that. */
struct slb_flow *slb_place_any(struct kunit *test, struct slb_table *t, u32 hash,
			       unsigned long now, u32 *crowded)
{
	bool grows = t->old || t->used > slb_table_size(t) / 100 * 37;
	bool told = slb_table_crowded(t, hash);
	struct slb_flow *flow;

	flow = slb_table_place(t, hash, now);
	KUNIT_EXPECT_EQ(test, told, grows && (!flow || flow->dst));
	*crowded += told;
	return flow;
}

/* Place a key in a table that has room. */
struct slb_flow *slb_place(struct kunit *test, struct slb_table *t,
			   const struct slb_any_key *key, unsigned long now)
{
	struct slb_flow *flow;

	KUNIT_ASSERT_NULL(test, slb_any_lookup(t, key));
	flow = slb_table_place(t, key->hash, now);
	KUNIT_ASSERT_NOT_NULL(test, flow);
	KUNIT_ASSERT_NULL(test, flow->dst);
	memcpy(slb_slot_at(t, slb_slot_of(test, t, flow)), key,
	       slb_key_bytes(t->size == slb_flow_bytes(true)));
	slb_table_tag(t, flow, key->hash);
	flow->dst = (struct dst_entry *)flow;
	flow->last = now;
	return flow;
}

/* Fill the slot at @where, with contents derived from the flow's number; pointers are invalid.
 */
static void slb_twin_flow(const struct slb_twin *twin, u32 slot, void *where)
{
	const struct slb_twin_slot *s = &twin->slots[slot];
	u32 size = slb_flow_bytes(twin->wide);
	struct slb_flow *flow = where + size - sizeof(*flow);

	memset(where, s->id, size);
	memcpy(where, &twin->keys[s->key], slb_key_bytes(twin->wide));
	flow->dst = (struct dst_entry *)(unsigned long)s->id;
	flow->conn = (struct ip_vs_conn *)~(unsigned long)s->id;
	flow->packets = s->packets;
	flow->last = s->last;
}

void slb_check_used(struct kunit *test, const struct slb_twin *twin)
{
	KUNIT_ASSERT_EQ(test, twin->table.used, twin->live);
}

static void slb_check_intact(struct kunit *test, const struct slb_twin *twin,
			     u32 slot)
{
	struct slb_flow6 want;

	slb_twin_flow(twin, slot, &want);
	KUNIT_ASSERT_EQ_MSG(test, memcmp(slb_slot_at(&twin->table, slot), &want,
					 slb_flow_bytes(twin->wide)), 0,
			    "slot %u: contents changed", slot);
}

/* A key with a flow is found in its slot, any other key is not found. */
struct slb_flow *slb_check_lookup(struct kunit *test,
				  const struct slb_twin *twin, u32 key)
{
	s32 slot = twin->slot_of[key];
	struct slb_flow *flow = slb_any_lookup(&twin->table, &twin->keys[key]);

	KUNIT_ASSERT_EQ_MSG(test, flow ?
			    (s32)slb_slot_of(test, &twin->table, flow) : -1,
			    slot, "key %u", key);
	if (flow)
		slb_check_intact(test, twin, slot);
	return flow;
}

/* Change a key in the ingress device and protocol, or the destination, to a key that does not
 * exist. The hash stays, so the same set is searched.
 */
void slb_check_stranger(struct kunit *test, const struct slb_twin *twin,
			u32 key, struct rnd_state *rnd)
{
	struct slb_any_key other = twin->keys[key];
	u32 bit = 1u << slb_rnd(rnd, 31);
	__be32 *daddr = &other.key4.daddr;
	__be16 *dport = &other.key4.dport;
	u32 *iif_proto = &other.key4.iif_proto;

	if (twin->wide) {
		daddr = &other.key6.daddr.s6_addr32[slb_rnd(rnd, 4)];
		dport = &other.key6.dport;
		iif_proto = &other.key6.iif_proto;
	}
	switch (slb_rnd(rnd, 3)) {
	case 0:
		*daddr ^= (__force __be32)bit;
		break;
	case 1:
		*dport ^= (__force __be16)(bit > U16_MAX ? bit >> 16 : bit);
		break;
	default:
		*iif_proto ^= bit;
		break;
	}
	KUNIT_ASSERT_NULL(test, slb_any_lookup(&twin->table, &other));
}

static u8 slb_twin_tag(const struct slb_twin *twin, u32 slot)
{
	s32 key = twin->slots[slot].key;

	return key < 0 ? 0 : slb_table_tag_of(twin->keys[key].hash);
}

/* Every key is where it should be, every other slot is all zero. */
void slb_check_table(struct kunit *test, const struct slb_twin *twin)
{
	const struct slb_table *t = &twin->table;
	u32 i;

	for (i = 0; i < twin->nkeys; i++)
		slb_check_lookup(test, twin, i);
	for (i = 0; i < twin->flows; i++) {
		KUNIT_ASSERT_EQ_MSG(test, !slb_table_at(t, i)->dst,
				    twin->slots[i].key < 0, "slot %u", i);
		if (twin->slots[i].key < 0)
			KUNIT_ASSERT_NULL_MSG(test,
					      memchr_inv(slb_slot_at(t, i), 0,
							 t->size),
					      "slot %u: not cleared", i);
		KUNIT_ASSERT_EQ_MSG(test, slb_tag_at(t->tags, i),
				    slb_twin_tag(twin, i), "slot %u", i);
	}
	slb_check_used(test, twin);
}

/* Idle time of the flow of a set that has been idle longest, or U64_MAX if some slots are free.
 * Up to SLB_ACTIVE, placing a flow must fail.
 */
static u64 slb_twin_set_idle(const struct slb_twin *twin, u32 set)
{
	const struct slb_twin_slot *s = &twin->slots[set * SLB_WAYS];
	u64 idle = 0;
	int i;

	for (i = 0; i < SLB_WAYS; i++) {
		if (s[i].key < 0)
			return U64_MAX;
		idle = max(idle, twin->now - s[i].last);
	}
	return idle;
}

static void slb_check_refused(struct kunit *test, const struct slb_twin *twin,
			      u32 key)
{
	s32 set = twin->set_of[key];

	/* a set not known yet must at least be one of those that may refuse */
	if (set < 0)
		for (set = 0; set < twin->flows / SLB_WAYS - 1; set++)
			if (slb_twin_set_idle(twin, set) <= SLB_ACTIVE)
				break;
	KUNIT_ASSERT_LE_MSG(test, slb_twin_set_idle(twin, set), (u64)SLB_ACTIVE,
			    "key %u, set %d: refused without need", key, set);
}

void slb_twin_remove(struct slb_twin *twin, u32 slot)
{
	twin->slot_of[twin->slots[slot].key] = -1;
	twin->slots[slot].key = -1;
	twin->live--;
	slb_table_free(&twin->table, slb_table_at(&twin->table, slot));
}

void slb_twin_clear(struct slb_twin *twin)
{
	u32 slot;

	for (slot = 0; slot < twin->flows; slot++)
		if (twin->slots[slot].key >= 0)
			slb_twin_remove(twin, slot);
}

static void slb_check_evict(struct kunit *test, struct slb_twin *twin, u32 slot)
{
	u64 idle = twin->now - twin->slots[slot].last;

	slb_check_intact(test, twin, slot);
	KUNIT_ASSERT_GT_MSG(test, idle, (u64)SLB_ACTIVE,
			    "slot %u: evicted while in use", slot);
	KUNIT_ASSERT_EQ_MSG(test, idle,
			    slb_twin_set_idle(twin, slot / SLB_WAYS),
			    "slot %u: evicted, but not the oldest", slot);
	slb_twin_remove(twin, slot);
	twin->evicted++;
}

/* Place a key that has no flow. */
void slb_check_place(struct kunit *test, struct slb_twin *twin, u32 key)
{
	struct slb_flow *flow;
	u32 slot;

	flow = slb_place_any(test, &twin->table, twin->keys[key].hash,
			     (unsigned long)twin->now, &twin->crowded);
	if (!flow) {
		slb_check_refused(test, twin, key);
		twin->refused++;
		return;
	}
	slot = slb_slot_of(test, &twin->table, flow);
	KUNIT_ASSERT_LT(test, slot, twin->flows);
	if (twin->set_of[key] < 0)
		twin->set_of[key] = slot / SLB_WAYS;
	KUNIT_ASSERT_EQ(test, twin->set_of[key], (s32)(slot / SLB_WAYS));
	KUNIT_ASSERT_EQ_MSG(test, !flow->dst, twin->slots[slot].key < 0,
			    "slot %u: not what is in it", slot);
	if (flow->dst)
		slb_check_evict(test, twin, slot);

	twin->slot_of[key] = slot;
	twin->slots[slot].key = key;
	twin->slots[slot].id = ++twin->id;
	twin->slots[slot].packets = 0;
	twin->slots[slot].last = twin->now;
	twin->live++;
	slb_twin_flow(twin, slot, slb_slot_at(&twin->table, slot));
	slb_table_tag(&twin->table, flow, twin->keys[key].hash);
}
