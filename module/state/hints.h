/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hints: a CPU's memory of keys that have no flow. A key has a place by its
 * hash, and a fingerprint there; keys that share a place take it from each other.
 *
 *  operation       | locking
 * -----------------+---------------------------------------------------------
 *  all             | BH off, this CPU
 */
#ifndef _SLB_HINTS_H
#define _SLB_HINTS_H

#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/random.h>

#include "state/cpu.h"

/* For how long a key that could not be learned is not tried again. */
#define SLB_SHUN	HZ

/* See slb_hint_seen(). */
#define SLB_GUESS	8

static inline struct slb_hint *slb_hint(struct slb_cpu_data *d, u32 hash,
					u16 *print)
{
	/* other bits than those that choose a set */
	u32 mix = hash_32(hash, 32);

	*print = (mix >> 16) | 1;
	return &d->hint[mix % SLB_HINTS];
}

/**
 * slb_hint_see() - remember that IPVS has handled a packet of this key
 * @d: data of this CPU
 * @hash: hash of the key
 *
 * The first packet of a key leaves a fingerprint, the second finds it. The first packet of TCP
 * and SCTP is of the handshake; UDP has none that tells a connection from a
 * single question. Keys that share a place push each other out only every other time,
 * by chance; otherwise those that take turns would all wait for ever.
 *
 * Context: BH off, this CPU.
 */
static inline void slb_hint_see(struct slb_cpu_data *d, u32 hash)
{
	u16 print;
	struct slb_hint *hint = slb_hint(d, hash, &print);

	if (!hint->seen || prandom_u32_state(&d->rnd) & 1)
		hint->seen = print;
}

/**
 * slb_hint_seen() - true if a packet may be worth learning from
 * @d: data of this CPU
 * @hash: hash of its key
 *
 * Of more keys than there are places few are found again; so one packet in SLB_GUESS is
 * taken for a connection's in any case.
 *
 * Context: BH off, this CPU.
 */
static inline bool slb_hint_seen(struct slb_cpu_data *d, u32 hash)
{
	u16 print;
	const struct slb_hint *hint = slb_hint(d, hash, &print);

	return hint->seen == print ||
	       !(prandom_u32_state(&d->rnd) % SLB_GUESS);
}

/**
 * slb_hint_shunned() - true if a packet of this key could not be learned lately
 * @d: data of this CPU
 * @hash: hash of the key
 * @now: jiffies
 * @reason: set to the reason, if so
 *
 * A connection that flows do not serve sends packets all the same: looking at
 * each of them would make the slow path slower than it was.
 *
 * Context: BH off, this CPU.
 */
static inline bool slb_hint_shunned(struct slb_cpu_data *d, u32 hash,
				    unsigned long now, enum slb_reason *reason)
{
	u16 print;
	const struct slb_hint *hint = slb_hint(d, hash, &print);

	if (hint->shun != print ||
	    (u16)(slb_flow_ticks(now) - hint->when) >= slb_flow_ticks(SLB_SHUN))
		return false;
	*reason = hint->reason;
	return true;
}

/**
 * slb_hint_shun() - remember that a packet of this key could not be learned
 * @d: data of this CPU
 * @hash: hash of the key
 * @now: jiffies
 * @reason: the reason
 *
 * Context: BH off, this CPU.
 */
static inline void slb_hint_shun(struct slb_cpu_data *d, u32 hash,
				 unsigned long now, enum slb_reason reason)
{
	u16 print;
	struct slb_hint *hint = slb_hint(d, hash, &print);

	hint->shun = print;
	hint->when = slb_flow_ticks(now);
	hint->reason = reason;
}

#endif /* _SLB_HINTS_H */
