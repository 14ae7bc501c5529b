/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hints: a CPU's memory of keys that have no flow: how many packets of a key came lately, and
 * whether the key could not be learned. A key has a place by its hash, and a fingerprint there;
 * keys with the same place replace each other.
 *
 *  operation       | locking
 * -----------------+---------------------------------------------------------
 *  all             | BH off, this CPU
 *
 * Hints may be wrong, for keys with the same fingerprint or after ticks have wrapped. They only
 * move the packet at which a flow is learned, and no decision of IPVS depends on them.
 */
#ifndef _SLB_HINTS_H
#define _SLB_HINTS_H

#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/string.h>

#include "flow/flow.h"
#include "flow/reason.h"

/* Places for counts, and for failures. */
#define SLB_HINTS		16384
#define SLB_HINTS_FAILED	1024

/* The packet of a key by which a flow is learned; a client's SYN does not count, the answer to it
 * does. So the second question and the second answer of a connection teach.
 */
#define SLB_HINT_LEARN		3

/* Time for which a key that could not be learned is not tried again, in slb_flow_ticks(). */
#define SLB_HINT_FAILED		slb_flow_ticks(HZ)

/* Time in which IPVS should have had a packet that a flow is to be learned from, in
 * slb_flow_ticks(): one tick, and the rest of the present one.
 */
#define SLB_HINT_TRIED		2

/* Time for which a key without room, in a table that cannot grow, is not tried again, in ticks. */
#define SLB_HINT_FULL		4

/* One packet in N of keys without a count, whose place another key has, is learned from. */
#define SLB_HINT_GUESS		32

/* Bits of a count; the others of a place are the fingerprint. */
#define SLB_HINT_COUNT		3

/**
 * struct slb_hint_failure - a key that could not be learned
 * @fp: fingerprint, or 0
 * @when: time of the failure, in slb_flow_ticks()
 * @reason: reason of the failure, enum slb_reason
 * @rest: time for which the key is not tried again, in ticks
 */
struct slb_hint_failure {
	u16	fp;
	u16	when;
	u8	reason;
	u8	rest;
};

/**
 * struct slb_hints - hints of a CPU
 * @rnd: state of a linear congruential generator
 * @since: time at which counts were last forgotten, in jiffies
 * @seen: by hash of the key: fingerprint, and packets seen in SLB_HINT_COUNT
 * @failed: by hash of the key
 */
struct slb_hints {
	u32			rnd;
	u32			since;
	u16			seen[SLB_HINTS];
	struct slb_hint_failure	failed[SLB_HINTS_FAILED];
};

/**
 * slb_hints_draw() - true for one call in @n, by chance
 * @h: of this CPU
 * @n: a power of two
 *
 * Context: BH off, this CPU.
 */
static inline bool slb_hints_draw(struct slb_hints *h, u32 n)
{
	h->rnd = h->rnd * 1664525 + 1013904223;
	/* high bits are the better ones */
	return !(h->rnd >> 16 & (n - 1));
}

static inline u16 *slb_hints_at(struct slb_hints *h, u32 hash, u16 *fp)
{
	*fp = hash & ~SLB_HINT_COUNT;
	return &h->seen[hash_32(hash, ilog2(SLB_HINTS))];
}

/**
 * slb_hints_age() - forget counts from time to time
 * @h: of this CPU
 * @now: jiffies
 * @span: time for which packets are counted, in jiffies
 *
 * A key whose packets are further apart is not learned for their number: its flow would serve none.
 *
 * Context: BH off, this CPU.
 */
static inline void slb_hints_age(struct slb_hints *h, u32 now, u32 span)
{
	if (now - h->since <= span)
		return;
	h->since = now;
	memset(h->seen, 0, sizeof(h->seen));
}

/**
 * slb_hints_count() - count a packet of a key that has no flow
 * @h: of this CPU
 * @hash: hash of the key
 *
 * A new key replaces another only every other time, by chance: otherwise two keys that take
 * turns would never find their fingerprint. The packet behind the end of a connection, the last
 * acknowledgment, clears the place.
 *
 * Context: BH off, this CPU.
 * Return: packets of the key, this one included; stops at SLB_HINT_LEARN. 1 for a new key, or 0 if
 *	another key had the place.
 */
static inline u32 slb_hints_count(struct slb_hints *h, u32 hash)
{
	u16 fp, *seen = slb_hints_at(h, hash, &fp);
	u32 count = *seen & SLB_HINT_COUNT;

	if (count && (*seen & ~SLB_HINT_COUNT) == fp) {
		if (count < SLB_HINT_LEARN)
			*seen = fp | ++count;
		return count;
	}
	if (!count)
		*seen = *seen && *seen == fp ? 0 : fp | 1;
	else if (slb_hints_draw(h, 2))
		*seen = fp | 1;
	return !count;
}

/**
 * slb_hints_set() - set the count of a key that has its place
 * @h: of this CPU
 * @hash: hash of the key
 * @count: packets
 *
 * Context: BH off, this CPU.
 */
static inline void slb_hints_set(struct slb_hints *h, u32 hash, u32 count)
{
	u16 fp, *seen = slb_hints_at(h, hash, &fp);

	if ((*seen & ~SLB_HINT_COUNT) == fp)
		*seen = fp | count;
}

static inline struct slb_hint_failure *slb_hint_failure(struct slb_hints *h,
							u32 hash, u16 *fp)
{
	*fp = hash | 1;
	return &h->failed[hash_32(hash, ilog2(SLB_HINTS_FAILED))];
}

/**
 * slb_hints_failed() - true if a packet of this key could not be learned lately
 * @h: of this CPU
 * @hash: hash of the key
 * @now: jiffies
 * @reason: set to the reason, if so
 *
 * Connections that flows do not serve send packets, too. Without this, looking at each of them
 * would slow down the slow path.
 *
 * Context: BH off, this CPU.
 */
static inline bool slb_hints_failed(struct slb_hints *h, u32 hash,
				    unsigned long now, enum slb_reason *reason)
{
	u16 fp;
	const struct slb_hint_failure *f = slb_hint_failure(h, hash, &fp);

	if (f->fp != fp || (u16)(slb_flow_ticks(now) - f->when) >= f->rest)
		return false;
	*reason = f->reason;
	return true;
}

/**
 * slb_hints_fail() - remember that a packet of this key could not be learned
 * @h: of this CPU
 * @hash: hash of the key
 * @now: jiffies
 * @reason: why not
 * @rest: time for which the key is not tried again, in slb_flow_ticks()
 *
 * Context: BH off, this CPU.
 */
static inline void slb_hints_fail(struct slb_hints *h, u32 hash, unsigned long now,
				  enum slb_reason reason, u8 rest)
{
	u16 fp;
	struct slb_hint_failure *f = slb_hint_failure(h, hash, &fp);

	f->fp = fp;
	f->when = slb_flow_ticks(now);
	f->reason = reason;
	f->rest = rest;
}

/**
 * slb_hints_forget() - forget that a key could not be learned
 * @h: of this CPU
 * @hash: hash of the key
 *
 * Context: BH off, this CPU.
 */
static inline void slb_hints_forget(struct slb_hints *h, u32 hash)
{
	u16 fp;
	struct slb_hint_failure *f = slb_hint_failure(h, hash, &fp);

	if (f->fp == fp)
		f->fp = 0;
}

#endif /* _SLB_HINTS_H */
