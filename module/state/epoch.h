/* SPDX-License-Identifier: GPL-2.0 */
/* Epochs: each change of rules begins one. Flows proved in an earlier one are proved again. */
#ifndef _SLB_EPOCH_H
#define _SLB_EPOCH_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/jiffies.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/**
 * struct slb_epoch - the present epoch of a namespace
 * @number: number of nftables' last transaction that was noticed
 * @begun: @since in slb_flow_ticks()
 * @constant: bit 0: rules for IPv4 packets are constant, see ruleset.c; bit 1: for IPv6. None while
 *	further epochs are to begin for a transaction
 * @confirmed: number of epochs that have begun since @noticed, for that transaction
 * @since: begin of the epoch, in jiffies; moves forward
 * @noticed: time at which the transaction was noticed, in jiffies; read anywhere, too
 * @count: number of epochs so far
 * @lock: of all members; BH off
 *
 * Packets read @number, @begun and @constant without the lock.
 */
struct slb_epoch {
	u32		number;
	u16		begun;
	u8		constant;
	u8		confirmed;
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

/**
 * slb_epoch_constant() - true if rules are constant, and no further epoch is to begin yet
 * @e: the epoch
 * @v6: for packets of this family
 *
 * Context: any; before the begin of the epoch is read.
 */
static inline bool slb_epoch_constant(const struct slb_epoch *e, bool v6)
{
	/* pairs with slb_epoch_judge(): who sees the bit sees the last @begun */
	return smp_load_acquire(&e->constant) & BIT(v6);
}

/* For so long after a transaction, rules are taken to be about to change again, in jiffies. */
#define SLB_EPOCH_CALM	(30u * HZ)

/**
 * slb_epoch_calm() - true if there was no transaction for a while
 * @e: the epoch
 *
 * Context: any. On 32 bit, a torn read is right the next time.
 */
static inline bool slb_epoch_calm(const struct slb_epoch *e)
{
	return get_jiffies_64() - READ_ONCE(e->noticed) > SLB_EPOCH_CALM;
}

void slb_epoch_begin(struct slb_epoch *e, u32 number, u64 now);
void slb_epoch_doubt(struct slb_epoch *e);
void slb_epoch_init(struct slb_epoch *e, u32 number);
void slb_epoch_judge(struct slb_epoch *e, u8 constant);
void slb_epoch_tend(struct slb_epoch *e, bool changed, u64 now);

#endif /* _SLB_EPOCH_H */
