/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keys whose packets may be between XDP and the netfilter hook: XDP must not serve later
 * packets, which would overtake them.
 *
 * A driver runs XDP on many packets, and hands passed packets to the stack in batches, at the
 * latest at the end of this run of the receive softirq. So a key is held from the moment when
 * XDP passes up a packet of the key, or the slow path makes or renews the flow, until the next
 * run. Without runs (threaded NAPI) the hold lasts up to two slb_flow_ticks(). Keys may
 * collide: a false positive only costs a trip through the netfilter hook.
 *
 * Not longer, because a held packet extends the hold: across runs, the hold would never end
 * while packets come. Packets that GRO keeps for longer, up to a jiffy with HZ=1000 or
 * gro_flush_timeout, may be overtaken.
 */
#ifndef _SLB_HOLD_H
#define _SLB_HOLD_H

#include <linux/bitmap.h>
#include <linux/interrupt.h>
#include <linux/kernel_stat.h>

#include "flow/flow.h"

/* A run of the softirq has some 300 packets. */
#define SLB_HOLD_KEYS	512

/**
 * struct slb_hold - the keys that are held
 * @run: in which run of the softirq
 * @tick: since when, in slb_flow_ticks()
 * @keys: by hash
 *
 * All: this CPU, BH off.
 */
struct slb_hold {
	u32	run;
	u16	tick;
	DECLARE_BITMAP(keys, SLB_HOLD_KEYS);
};

static inline u32 slb_hold_run(void)
{
	return this_cpu_read(kstat.softirqs[NET_RX_SOFTIRQ]);
}

static inline bool slb_hold_over(const struct slb_hold *o, u32 run, u16 tick)
{
	return run != o->run || (u16)(tick - o->tick) >= 2;
}

static inline void slb_hold_set_at(struct slb_hold *o, u32 hash, u32 run,
				   u16 tick)
{
	if (slb_hold_over(o, run, tick)) {
		bitmap_zero(o->keys, SLB_HOLD_KEYS);
		o->run = run;
		o->tick = tick;
	}
	__set_bit(hash % SLB_HOLD_KEYS, o->keys);
}

static inline bool slb_hold_test_at(const struct slb_hold *o, u32 hash,
				    u32 run, u16 tick)
{
	return unlikely(!slb_hold_over(o, run, tick)) &&
	       test_bit(hash % SLB_HOLD_KEYS, o->keys);
}

/**
 * slb_hold_set() - XDP shall let packets of this key by until this run is over
 * @o: this CPU's
 * @hash: of the key
 *
 * Context: BH off.
 */
static inline void slb_hold_set(struct slb_hold *o, u32 hash)
{
	slb_hold_set_at(o, hash, slb_hold_run(), slb_flow_ticks(jiffies));
}

/**
 * slb_hold_test() - must XDP let packets of this key by?
 * @o: this CPU's
 * @hash: of the key
 *
 * Context: BH off.
 */
static inline bool slb_hold_test(const struct slb_hold *o, u32 hash)
{
	return slb_hold_test_at(o, hash, slb_hold_run(), slb_flow_ticks(jiffies));
}

#endif /* _SLB_HOLD_H */
