/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hints: a CPU's memory of keys that have no flow. A key has a place by its hash, and a
 * fingerprint there; keys with the same place replace each other.
 *
 *  operation       | locking
 * -----------------+---------------------------------------------------------
 *  all             | BH off, this CPU
 *
 * Hints may be wrong, for keys with the same fingerprint or after ticks have wrapped. They only
 * move the packet at which a flow is learned.
 */
#ifndef _SLB_HINTS_H
#define _SLB_HINTS_H

#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/prandom.h>

#include "flow/flow.h"
#include "flow/reason.h"

/* Places for keys. */
#define SLB_HINTS	4096

/* Time for which a key that could not be learned is not tried again, in jiffies. */
#define SLB_HINT_FAILED	HZ

/* One packet in N with an unknown key is learned from. */
#define SLB_HINT_GUESS	8

/**
 * struct slb_hint - a place for a key
 * @known_fp: fingerprint of a key of which IPVS has handled a packet, or 0
 * @failed_fp: fingerprint of a key that could not be learned
 * @when: time of that failure, in slb_flow_ticks()
 * @reason: reason of that failure, enum slb_reason
 */
struct slb_hint {
	u16	known_fp;
	u16	failed_fp;
	u16	when;
	u8	reason;
};

/**
 * struct slb_hints - hints of a CPU
 * @rnd: state of a non-cryptographic random generator
 * @at: by hash of the key
 */
struct slb_hints {
	struct rnd_state	rnd;
	struct slb_hint		at[SLB_HINTS];
};

static inline struct slb_hint *slb_hint_at(struct slb_hints *h, u32 hash, u16 *fp)
{
	/* other bits than those that choose a set */
	u32 mix = hash_32(hash, 32);

	*fp = (mix >> 16) | 1;
	return &h->at[mix % SLB_HINTS];
}

/**
 * slb_hint_add() - remember that IPVS has handled a packet of this key
 * @h: of this CPU
 * @hash: hash of the key
 *
 * The first packet of a key leaves a fingerprint, which the second finds. With TCP and SCTP the
 * first is part of the handshake; UDP has no handshake that would tell a connection from a
 * question with a single answer. A key replaces another only every other time, by chance:
 * otherwise two keys that take turns would never find their fingerprint.
 *
 * Context: BH off, this CPU.
 */
static inline void slb_hint_add(struct slb_hints *h, u32 hash)
{
	u16 fp;
	struct slb_hint *hint = slb_hint_at(h, hash, &fp);

	if (!hint->known_fp || prandom_u32_state(&h->rnd) & 1)
		hint->known_fp = fp;
}

/**
 * slb_hint_draw() - true if a packet may be worth learning from
 * @h: of this CPU; its random state changes
 * @hash: hash of the key
 *
 * With more keys than places, few fingerprints are found again. So one packet in
 * SLB_HINT_GUESS is taken in any case.
 *
 * Context: BH off, this CPU.
 */
static inline bool slb_hint_draw(struct slb_hints *h, u32 hash)
{
	u16 fp;
	const struct slb_hint *hint = slb_hint_at(h, hash, &fp);

	return hint->known_fp == fp ||
	       !(prandom_u32_state(&h->rnd) % SLB_HINT_GUESS);
}

/**
 * slb_hint_failed() - true if a packet of this key could not be learned lately
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
static inline bool slb_hint_failed(struct slb_hints *h, u32 hash,
				   unsigned long now, enum slb_reason *reason)
{
	u16 fp;
	const struct slb_hint *hint = slb_hint_at(h, hash, &fp);

	if (hint->failed_fp != fp ||
	    (u16)(slb_flow_ticks(now) - hint->when) >= slb_flow_ticks(SLB_HINT_FAILED))
		return false;
	*reason = hint->reason;
	return true;
}

/**
 * slb_hint_fail() - remember that a packet of this key could not be learned
 * @h: of this CPU
 * @hash: hash of the key
 * @now: jiffies
 * @reason: why not
 *
 * Context: BH off, this CPU.
 */
static inline void slb_hint_fail(struct slb_hints *h, u32 hash,
				 unsigned long now, enum slb_reason reason)
{
	u16 fp;
	struct slb_hint *hint = slb_hint_at(h, hash, &fp);

	hint->failed_fp = fp;
	hint->when = slb_flow_ticks(now);
	hint->reason = reason;
}

#endif /* _SLB_HINTS_H */
