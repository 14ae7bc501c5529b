// SPDX-License-Identifier: GPL-2.0
/*
 * The size of a CPU's tables follows the number of their flows.
 *
 *  operation               | locking
 * -------------------------+------------------------------------------------
 *  slb_sweep_resize_begin, | process context, the sweep of the CPU that owns the
 *  _move, _rest            | tables; BH off where flows are touched
 *
 * Runs after each sweep. Memory is allocated and freed with BHs enabled. Several sweeps move a
 * large table.
 */
#include <linux/jiffies.h>

#include "state/cpu.h"
#include "state/sweep.h"

/* Sets that move with BHs disabled; each flow goes to another cache line. */
#define SLB_CHUNK_SETS	16u

/* Time to wait after a failed resize, in jiffies. Resizing is only an optimisation. */
#define SLB_RETRY	(10 * HZ)

/* Time after which a sweep interrupts a resize, in jiffies. */
#define SLB_MOVE	(HZ / 4)

/**
 * slb_sweep_resize_wanted() - true if a table should grow or shrink
 * @t: the table
 *
 * Context: any.
 */
bool slb_sweep_resize_wanted(const struct slb_table *t)
{
	return slb_table_want(t, slb_flows_max) != slb_table_size(t);
}

/**
 * slb_sweep_resize_begin() - begin to grow or shrink a table, if needed
 * @c: the CPU of the table
 * @t: the table
 *
 * Does not shrink a table that filled up while memory was allocated.
 *
 * Context: process, the sweep.
 * Return: false if this is another CPU.
 */
bool slb_sweep_resize_begin(struct slb_ns_cpu *c, struct slb_table *t)
{
	u32 flows = slb_table_want(t, slb_flows_max);
	void *slots;
	u64 since;
	bool here;

	if (t->old || time_before64(get_jiffies_64(), c->resize))
		return true;
	if (flows == slb_table_size(t)) {
		here = slb_sweep_enter(c, false, &since);
		if (here) {
			t->refused = 0;
			slb_sweep_leave(c, since);
		}
		return here;
	}
	slots = slb_table_slots_alloc(c->ns->payer, t->size, flows);
	here = slb_sweep_enter(c, false, &since);
	if (!slots) {
		c->resize = get_jiffies_64() + SLB_RETRY;
		/* next time for the flows that there are */
		if (here)
			t->refused = 0;
	} else if (here && (flows > slb_table_size(t) ||
			    flows == slb_table_want(t, slb_flows_max))) {
		/* the new size may soon be too small, too */
		if (flows > slb_table_size(t))
			c->grow = 0;
		slb_table_resize(t, slots, flows);
		slots = NULL;
	}
	if (here)
		slb_sweep_leave(c, since);
	slb_table_slots_free(slots, t->size, flows);
	return here;
}

/**
 * slb_sweep_resize_move() - continue a resize
 * @c: the CPU of the table
 * @t: the table
 *
 * Enables BHs every few sets.
 *
 * Context: process, the sweep.
 * Return: false if this is another CPU.
 */
bool slb_sweep_resize_move(struct slb_ns_cpu *c, struct slb_table *t)
{
	unsigned long end = jiffies + SLB_MOVE;
	struct slb_flow *flow;
	void *old = NULL;
	u64 since;
	u32 i;

	while (t->old && time_before(jiffies, end)) {
		if (!slb_sweep_enter(c, false, &since))
			return false;
		rcu_read_lock();
		for (i = 0; i < SLB_CHUNK_SETS && !old; i++) {
			while ((flow = slb_table_move(t, &c->own->seed)))
				slb_cpu_end(c->ns, c->own, flow, SLB_EVICTED);
			old = slb_table_moved(t);
		}
		rcu_read_unlock();
		slb_sweep_leave(c, since);
	}
	slb_table_slots_free(old, t->size, slb_table_old_size(t));
	return true;
}

/**
 * slb_sweep_resize_rest() - free tables in which there is no flow, and was none the last time
 * @c: their CPU
 *
 * Context: process, the sweep.
 * Return: true if that must be asked again, SLB_REST later.
 */
bool slb_sweep_resize_rest(struct slb_ns_cpu *c)
{
	struct slb_table *t[] = { &c->own->narrow, &c->own->wide };
	void *slot[ARRAY_SIZE(t)];
	bool rested;
	u64 since;
	int i;

	if (!t[0]->slot && !t[1]->slot)
		return false;
	if (!slb_sweep_enter(c, false, &since))
		return false;
	rested = c->rests && !t[0]->used && !t[1]->used;
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		slot[i] = rested ? t[i]->slot : NULL;
		if (rested)
			WRITE_ONCE(t[i]->slot, NULL);
	}
	if (rested)
		WRITE_ONCE(c->want, 0);
	c->rests = !rested;
	slb_sweep_leave(c, since);
	for (i = 0; i < ARRAY_SIZE(t); i++)
		slb_table_slots_free(slot[i], t[i]->size, slb_table_size(t[i]));
	return !rested;
}
