/* SPDX-License-Identifier: GPL-2.0 */
/* Epochs: each change of rules begins one. Flows proved in an earlier one are proved again. */
#ifndef _SLB_EPOCH_H
#define _SLB_EPOCH_H

#include <linux/compiler.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/**
 * struct slb_epoch - the present epoch of a namespace
 * @number: number of nftables' last transaction that was noticed
 * @begun: @since in slb_flow_ticks()
 * @confirmed: number of epochs that have begun since @noticed, for that transaction
 * @since: begin of the epoch, in jiffies; moves forward
 * @noticed: time at which the transaction was noticed, in jiffies
 * @count: number of epochs so far
 * @lock: of all members; BH off
 *
 * Each packet reads @number and @begun without the lock.
 */
struct slb_epoch {
	u32		number;
	u16		begun;
	u16		confirmed;
	u64		since;
	u64		noticed;
	u32		count;
	/* of all members */
	spinlock_t	lock;
};

/**
 * slb_epoch_number() - number of nftables' last transaction that was noticed
 * @e: the epoch
 *
 * Context: any.
 */
static __always_inline u32 slb_epoch_number(const struct slb_epoch *e)
{
	/* pairs with slb_epoch_begin(): who sees the new number sees the new @begun */
	return smp_load_acquire(&e->number);
}

/**
 * slb_epoch_lasts() - for how long this epoch has lasted
 * @e: the epoch
 * @tick: the present time, in slb_flow_ticks()
 *
 * Return: ticks. In the first tick of an epoch 0, or less if @tick is a moment old.
 */
static __always_inline int slb_epoch_lasts(const struct slb_epoch *e, u16 tick)
{
	return (s16)(tick - READ_ONCE(e->begun));
}

void slb_epoch_begin(struct slb_epoch *e, u32 number, u64 now);
void slb_epoch_init(struct slb_epoch *e, u32 number);
void slb_epoch_tend(struct slb_epoch *e, bool changed, u64 now);

#endif /* _SLB_EPOCH_H */
