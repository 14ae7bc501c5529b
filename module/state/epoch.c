// SPDX-License-Identifier: GPL-2.0
/*
 * Epochs: each change of rules begins one. Flows proved in an earlier one are proved again.
 *
 *  operation         | locking
 * -------------------+--------------------------------------------------------
 *  slb_epoch_init    | process, nobody else knows the epoch
 *  slb_epoch_doubt,  | @lock of the epoch
 *  _begin, _tend,    |
 *  _judge            |
 *
 * A transaction of nftables applies in parts, before and after its number changes, so that a flow
 * may be proved meanwhile by old rules. So other epochs begin later, too. If no sweep runs then,
 * the next sweep begins the epoch as of that time: flows proved since are right.
 *
 * A packet proves its flow as of the time at which the packet entered the slow path, and meets
 * the rules after that.
 */
#include <linux/jiffies.h>
#include <linux/minmax.h>

#include "flow/flow.h"
#include "state/epoch.h"

/* Times after a transaction at which another epoch begins, in jiffies. */
static const u32 slb_epoch_confirm[] = { HZ / 2, 5 * HZ };

/* An epoch is not older than this, in jiffies: ticks wrap. Longer than a lease. */
#define SLB_EPOCH_OLD		(0x6000u << SLB_TICK_SHIFT)

/**
 * slb_epoch_init() - begin the first epoch of a namespace
 * @e: the epoch
 * @number: slb_nft_generation()
 *
 * Context: process.
 */
void slb_epoch_init(struct slb_epoch *e, u32 number)
{
	spin_lock_init(&e->lock);
	e->number = number;
	e->confirmed = ARRAY_SIZE(slb_epoch_confirm);
	e->noticed = get_jiffies_64() - SLB_EPOCH_CALM - 1;
	/* packets teach at once */
	e->since = get_jiffies_64() - BIT(SLB_TICK_SHIFT);
	e->begun = slb_flow_ticks(e->since);
}

/**
 * slb_epoch_doubt() - rules may have changed: lookups prove no flow until slb_epoch_judge()
 * @e: the epoch
 *
 * A packet reads the time, then whether rules are constant. If it does not see this doubt, its
 * time is not later than any that the caller reads afterwards.
 *
 * Context: @lock is held.
 */
void slb_epoch_doubt(struct slb_epoch *e)
{
	WRITE_ONCE(e->constant, 0);
	/* pairs with slb_recheck() */
	smp_mb();
}

/* Begin an epoch as of a time in the past, unless a later one has begun. @lock is held. */
static void slb_epoch_set(struct slb_epoch *e, u64 since)
{
	e->since = max(e->since, since);
	WRITE_ONCE(e->begun, slb_flow_ticks(e->since));
	WRITE_ONCE(e->count, e->count + 1);
}

/**
 * slb_epoch_begin() - begin an epoch, unless nftables has committed no transaction in this one
 * @e: the epoch
 * @number: slb_nft_generation(), read under @lock
 * @now: get_jiffies_64(), read after slb_epoch_doubt()
 *
 * Context: @lock is held.
 */
void slb_epoch_begin(struct slb_epoch *e, u32 number, u64 now)
{
	if (e->number == number)
		return;
	slb_epoch_set(e, now);
	WRITE_ONCE(e->noticed, now);
	e->confirmed = 0;
	/* pairs with slb_epoch_number() */
	smp_store_release(&e->number, number);
}

/**
 * slb_epoch_tend() - begin the epochs that are due, and keep the present one young
 * @e: the epoch
 * @changed: rules have changed, and it was not nftables that told
 * @now: get_jiffies_64(), read under @lock, so that another CPU's epoch is not to come; with
 *	@changed, after slb_epoch_doubt()
 *
 * Context: @lock is held.
 */
void slb_epoch_tend(struct slb_epoch *e, bool changed, u64 now)
{
	u64 due;

	while (e->confirmed < ARRAY_SIZE(slb_epoch_confirm)) {
		due = e->noticed + slb_epoch_confirm[e->confirmed];
		if (now < due)
			break;
		e->confirmed++;
		slb_epoch_set(e, due);
	}
	if (changed)
		slb_epoch_set(e, now);
	if (now - e->since > SLB_EPOCH_OLD) {
		e->since = now - SLB_EPOCH_OLD;
		WRITE_ONCE(e->begun, slb_flow_ticks(e->since));
	}
}

/**
 * slb_epoch_judge() - rules are constant in this epoch, or not
 * @e: the epoch
 * @constant: see struct slb_epoch
 *
 * Context: @lock is held since slb_epoch_tend() was called.
 */
void slb_epoch_judge(struct slb_epoch *e, u8 constant)
{
	if (e->confirmed < ARRAY_SIZE(slb_epoch_confirm))
		constant = 0;
	/* pairs with slb_epoch_constant() */
	smp_store_release(&e->constant, constant);
}
