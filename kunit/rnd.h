/* SPDX-License-Identifier: GPL-2.0 */
/* Random numbers that can be repeated. */
#ifndef _SLB_KUNIT_RND_H
#define _SLB_KUNIT_RND_H

#include <linux/prandom.h>
#include <linux/types.h>

/* A number below @below. */
static inline u32 slb_rnd(struct rnd_state *rnd, u32 below)
{
	return ((u64)prandom_u32_state(rnd) * below) >> 32;
}

/* True once in @times. */
static inline bool slb_once_in(struct rnd_state *rnd, u32 times)
{
	return !slb_rnd(rnd, times);
}

#endif /* _SLB_KUNIT_RND_H */
