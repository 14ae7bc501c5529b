// SPDX-License-Identifier: GPL-2.0
/*
 * The sweep: each CPU looks at its flows once a SLB_SWEEP, in process context; at idle ones once a
 * SLB_SWEEP_IDLE.
 *
 *  operation              | locking
 * ------------------------+--------------------------------------------------
 *  slb_sweep_work         | runs on the CPU that owns the flows; BH off for
 *                         | SLB_SWEEP_CHUNK slots at a time
 *  slb_sweep_kick, _arm,  | BH off, on that CPU
 *  _grow                  |
 *  slb_sweep_abandon      | any CPU; no packet reaches the flows, no CPU goes
 *                         | offline
 *  slb_sweep_drop         | process context, slb_mutex
 *  slb_sweep_dead         | process context, that CPU is dead (slb_netns_mutex)
 *  slb_sweep_ns_exit      | process context, no hook runs in that namespace
 *
 * The sweep accounts served packets, so that IPVS's counters and timers lag by a sweep at
 * most. The sweep ends flows that no packet will end: idle flows, and flows whose connection,
 * real server or service is gone. Then tables grow or shrink (sweep_resize.c), last, so that
 * accounting does not wait for memory.
 *
 * Only the CPU that owns a flow touches the flow, so the work checks on which CPU it runs. The
 * workqueue moves the work of an offline CPU; slb_sweep_dead() ends the flows of that CPU. If
 * the CPU stays online after all, sweeps go on.
 *
 * Nothing else should move a sweep. If something does, slb_sweep_abandon() ends the flows
 * before the timers of their connections expire.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/prefetch.h>
#include <net/netns/hash.h>

#include <compat/softirq.h>
#include <compat/workqueue.h>

#include "flow/memory.h"
#include "ipvs/conn.h"
#include "ipvs/conntrack.h"
#include "state/cpu.h"
#include "state/listed.h"
#include "state/sweep.h"
#include "state/valid.h"

/* Slots between two moments at which BHs are let in: some 10 us of them. */
#define SLB_SWEEP_CHUNK	128u

/* The longest time between two sweeps that counts as such, in jiffies. */
#define SLB_SWEEP_SINCE	(60u * HZ)

/* Time between two sweeps that a table which is too small brings forward. */
#define SLB_SWEEP_GROW	(HZ / 8)

/**
 * struct slb_sweep_pass - a sweep of a CPU's flows
 * @began: when, lower half of jiffies
 * @since: time since the last sweep began, in jiffies
 * @patience: for how long flows may be idle, some by the first, the others by the second
 * @all: look at all flows
 * @drop: end all flows
 * @near: set if a connection may expire before the next look at an idle flow of it
 */
struct slb_sweep_pass {
	u32		began;
	u32		since;
	u32		patience[2];
	bool		all;
	bool		drop;
	bool		near;
};

static struct workqueue_struct *slb_wq;

/* Allocate the missing state and tables of this CPU. */
static void slb_sweep_alloc(struct slb_ns_cpu *c)
{
	u32 flows = min(slb_flows_max, SLB_FLOWS_START);
	struct mem_cgroup *payer = c->ns->payer;
	struct slb_cpu_state *cpu = c->own;

	if (!cpu) {
		cpu = slb_cpu_alloc(payer);
		if (!cpu)
			goto err_retry;
		/* pairs with the files in /proc, which show an abandoned CPU too */
		smp_store_release(&c->own, cpu);
	}
	if (!c->data) {
		/* abandoned, and this is still another CPU? */
		if (c->away && raw_smp_processor_id() != c->cpu)
			goto err_retry;
		c->away = false;
		/* pairs with slb_learn_leave() and the hooks: the whole state, or none */
		smp_store_release(&c->data, cpu);
	}
	if (READ_ONCE(c->want) & SLB_WANT_NARROW && !cpu->narrow.slot &&
	    slb_table_init(&cpu->narrow, payer, sizeof(struct slb_flow4), flows))
		goto err_retry;
	if (READ_ONCE(c->want) & SLB_WANT_WIDE && !cpu->wide.slot &&
	    slb_table_init(&cpu->wide, payer, sizeof(struct slb_flow6), flows))
		goto err_retry;
	return;

err_retry:
	c->retry = get_jiffies_64() + HZ;
}

/**
 * slb_sweep_kick() - run the sweep now, to allocate missing state and tables
 * @c: this CPU
 * @want: SLB_WANT_* of the tables that are missing
 *
 * Context: BH off.
 */
void slb_sweep_kick(struct slb_ns_cpu *c, u8 want)
{
	WRITE_ONCE(c->want, c->want | want);
	if (time_after_eq64(get_jiffies_64(), c->retry)) {
		c->rests = false;
		WRITE_ONCE(c->due, jiffies);
		mod_delayed_work_on(c->cpu, slb_wq, &c->work, 0);
	}
}

/**
 * slb_sweep_grow() - run the sweep early, to grow a full table
 * @c: this CPU
 *
 * After a failed allocation, not before @c->resize. If the last run did not grow a table, at most
 * once in SLB_SWEEP_GROW, however often flows begin and end.
 *
 * Context: BH off.
 */
void slb_sweep_grow(struct slb_ns_cpu *c)
{
	u64 now = get_jiffies_64();

	if (time_before64(now, c->resize) || time_before64(now, c->grow))
		return;
	c->grow = now + SLB_SWEEP_GROW;
	slb_sweep_kick(c, 0);
}

/* Time until the next sweep. Sweeps begin at the same point of each second: a sample of IPVS's
 * estimators, of two seconds, has the packets of two sweeps. CPUs and namespaces have different
 * points. A long sweep leaves time to others.
 */
static unsigned long slb_sweep_left(const struct slb_ns_cpu *c)
{
	unsigned long point = net_hash_mix(c->ns->net) + 3 * c->cpu;
	unsigned long left = SLB_SWEEP - (jiffies - point) % SLB_SWEEP;

	return max(left, SLB_SWEEP / 2UL);
}

/**
 * slb_sweep_arm() - schedule the next sweep of this CPU
 * @c: this CPU
 *
 * Context: BH off, on that CPU.
 */
void slb_sweep_arm(struct slb_ns_cpu *c)
{
	unsigned long left;

	if (likely(!c->rests) && READ_ONCE(c->armed))
		return;
	left = slb_sweep_left(c);
	c->rests = false;
	WRITE_ONCE(c->armed, true);
	WRITE_ONCE(c->due, jiffies + left);
	/* not late, see slb_sweep_early() */
	mod_delayed_work_on(c->cpu, slb_wq, &c->work, left - left / 8);
}

/* True if the sweep is not due yet. Then it is scheduled again: a timer may be late by an eighth of
 * its delay, so the last eighth is a delay by itself. Otherwise the next one may be scheduled.
 */
static bool slb_sweep_early(struct slb_ns_cpu *c)
{
	unsigned long now, due;
	bool early;

	local_bh_disable();
	now = jiffies;
	due = READ_ONCE(c->due);
	early = time_before(now, due) && !READ_ONCE(c->drop) && cpu_online(c->cpu);
	if (early)
		queue_delayed_work_on(c->cpu, slb_wq, &c->work, due - now);
	else
		WRITE_ONCE(c->armed, false);
	local_bh_enable();
	return early;
}

/* True if this sweep looks at a flow: the first one after a packet and the next one do, and later
 * those after each SLB_SWEEP_IDLE, and after the time for which flows may be idle. The connections
 * of idle flows are not in the CPU's caches. A packet may have come since the sweep began.
 */
static bool slb_sweep_looks(const struct slb_sweep_pass *pass, const struct slb_flow *flow)
{
	u32 idle = pass->began - flow->last;

	return pass->all || (s32)idle < (s32)(SLB_SWEEP + pass->since) ||
	       idle % SLB_SWEEP_IDLE < pass->since ||
	       idle - pass->patience[0] - 1 < pass->since ||
	       idle - pass->patience[1] - 1 < pass->since;
}

/* True if the connection's timer may expire before the next sweep can end this flow. If it may
 * before this flow is looked at again, the next sweep looks at all flows.
 */
static bool slb_sweep_expires(struct slb_sweep_pass *pass, const struct slb_flow *flow,
			      unsigned long now)
{
	unsigned long expires = READ_ONCE(flow->conn->timer.expires);

	if (time_before(expires, now + SLB_SWEEP_IDLE + pass->since + SLB_SWEEP))
		pass->near = true;
	return time_before(expires, now + 2 * SLB_SWEEP);
}

/* For how long a flow may be idle, if for more than a lease. In a pause of learning, packets of its
 * address are not looked at once there is no flow.
 */
static u32 slb_sweep_patience(const struct slb_ns *ns, const struct slb_cpu_state *cpu,
			      const struct slb_flow *flow)
{
	return slb_valid_patience(ns, !slb_cpu_paused(cpu, flow) && slb_valid_by_lookup(ns, flow));
}

static void slb_sweep_flow(struct slb_ns *ns, struct slb_cpu_state *cpu,
			   struct slb_flow *flow, struct slb_sweep_pass *pass)
{
	unsigned long now = jiffies;
	struct ip_vs_conn *cp = flow->conn;
	u32 idle = slb_flow_idle(flow, now), patience;
	struct nf_conn *inner;
	enum slb_reason reason;

	slb_cpu_account(cpu, flow, now);
	reason = pass->drop ? SLB_SKIP_SCOPE : slb_conn_fit(cp, READ_ONCE(ns->scope));
	/* whoever changes a list has ended all flows: only services_on can matter here */
	if (reason == SLB_SKIP_SCOPE && !pass->drop)
		reason = slb_conn_fit(cp, slb_listed_scope(ns, cp));
	if (!reason && slb_conn_doubtful(cp))
		reason = SLB_MISS_STATE;
	/* an expired route is looked up again by the next packet */
	if (!reason && !slb_valid_dev(flow))
		reason = SLB_MISS_ROUTE;
	if (!reason && flow->flags & SLB_FLOW_WIDE &&
	    slb_flow6(flow)->ct && !slb_ct_fit(slb_flow6(flow)->ct))
		reason = SLB_SKIP_CONNTRACK;
	inner = slb_cpu_inner(cpu, flow);
	if (!reason && inner && !slb_ct_inner_fit(inner))
		reason = SLB_SKIP_CONNTRACK;
	patience = slb_valid_patience(ns, false);
	if (!reason && idle > patience)
		patience = slb_sweep_patience(ns, cpu, flow);
	if (!reason &&
	    (idle > patience ||
	     (idle >= SLB_SWEEP && slb_sweep_expires(pass, flow, now))))
		reason = SLB_MISS_LEASE;
	if (reason)
		slb_cpu_end(ns, cpu, flow, reason);
}

/**
 * slb_sweep_enter() - disable BHs to access the flows of a CPU
 * @c: the CPU
 * @anywhere: any CPU may access the flows: their CPU is dead or abandoned, or no hook runs
 * @since: set to the time
 *
 * Context: process.
 * Return: true with BHs disabled, or false on another CPU.
 */
bool slb_sweep_enter(const struct slb_ns_cpu *c, bool anywhere, u64 *since)
{
	local_bh_disable();
	if (!anywhere && smp_processor_id() != c->cpu) {
		local_bh_enable();
		return false;
	}
	*since = ktime_get_ns();
	return true;
}

/**
 * slb_sweep_leave() - enable BHs again
 * @c: the CPU
 * @since: of slb_sweep_enter()
 *
 * Context: process, BH off.
 */
void slb_sweep_leave(struct slb_ns_cpu *c, u64 since)
{
	u64 bh_off = ktime_get_ns() - since;

	if (bh_off > c->bh_off_max)
		WRITE_ONCE(c->bh_off_max, min_t(u64, bh_off, U32_MAX));
	local_bh_enable();
	cond_resched();
}

/* Prefetch the members of a connection that slb_sweep_flow() reads. */
static void slb_sweep_prefetch(const struct ip_vs_conn *cp)
{
	prefetch(&cp->timer);
	/* volatile, which prefetch() does not care for */
	prefetch((const void *)&cp->timeout);
}

/* Sweep the slots from @from on, SLB_SWEEP_CHUNK at most. */
static void slb_sweep_chunk(struct slb_ns_cpu *c, struct slb_table *t, u32 from,
			    struct slb_sweep_pass *pass)
{
	u32 n = min(slb_table_slots(t) - from, SLB_SWEEP_CHUNK), i;
	DECLARE_BITMAP(looks, SLB_SWEEP_CHUNK) = {};
	const struct slb_flow *flow;

	for (i = 0; i < n; i++) {
		flow = slb_table_at(t, from + i);
		if (!flow->dst || !slb_sweep_looks(pass, flow))
			continue;
		slb_sweep_prefetch(flow->conn);
		__set_bit(i, looks);
	}
	for_each_set_bit(i, looks, n)
		slb_sweep_flow(c->ns, c->own, slb_table_at(t, from + i), pass);
}

static bool slb_sweep_table(struct slb_ns_cpu *c, struct slb_table *t,
			    struct slb_sweep_pass *pass, bool anywhere)
{
	u32 slots = slb_table_slots(t);
	u32 from;
	u64 since;

	for (from = 0; from < slots && t->used; from += SLB_SWEEP_CHUNK) {
		if (!slb_sweep_enter(c, anywhere, &since))
			return false;
		rcu_read_lock();
		slb_sweep_chunk(c, t, from, pass);
		rcu_read_unlock();
		slb_sweep_leave(c, since);
	}
	return true;
}

static bool slb_sweep(struct slb_ns_cpu *c, struct slb_sweep_pass *pass, bool anywhere)
{
	return slb_sweep_table(c, &c->own->narrow, pass, anywhere) &&
	       slb_sweep_table(c, &c->own->wide, pass, anywhere);
}

/* True if flows may have to end although no packet of theirs comes: since the last sweep a real
 * server was removed, the sync daemon began or ended, or a service left the scheduler "shadow"; or
 * connections may expire soon after a packet on another CPU.
 */
static bool slb_sweep_changed(struct slb_ns_cpu *c)
{
	unsigned long config = slb_conn_config(net_ipvs(c->ns->net));
	u32 left = READ_ONCE(c->ns->left);
	bool changed = config != c->config || left != c->left || c->near;

	c->config = config;
	c->left = left;
	c->near = slb_conn_quick(net_ipvs(c->ns->net), SLB_SWEEP_IDLE + 2 * SLB_SWEEP);
	return changed || c->near;
}

/* Sweep this CPU's flows. Returns false on another CPU. */
static bool slb_sweep_own(struct slb_ns_cpu *c, bool drop)
{
	struct slb_sweep_pass pass = {
		.began = jiffies,
		.patience = { slb_valid_patience(c->ns, false), slb_valid_patience(c->ns, true) },
		.drop = drop,
	};

	pass.since = min(pass.began - c->began, SLB_SWEEP_SINCE);
	pass.all = slb_sweep_changed(c) || drop;
	if (!slb_sweep(c, &pass, false)) {
		/* the next one looks at whatever this one has left out */
		c->near = true;
		return false;
	}
	c->began = pass.began;
	c->near |= pass.near;
	/* packets read this in between */
	WRITE_ONCE(c->own->swept, pass.began);
	return true;
}

/* End the flows of a CPU that does not do so itself. */
static void slb_sweep_end(struct slb_ns_cpu *c)
{
	struct slb_sweep_pass pass = { .all = true, .drop = true };

	slb_sweep(c, &pass, true);
}

/* A sweep ran on another CPU. If the right CPU is online, end its flows: the timer of a
 * connection may expire in two sweeps. That CPU learns no flows until a sweep runs there.
 * Returns true if the CPU has no flows any more.
 *
 * slb_sweep_dead() ends the flows of a CPU that goes offline. cpus_read_trylock() keeps
 * such changes away. Waiting for that lock could deadlock with a hotplug callback that waits
 * for this work.
 */
static bool slb_sweep_abandon(struct slb_ns_cpu *c)
{
	if (!cpus_read_trylock())
		return false;
	if (cpu_online(c->cpu)) {
		pr_warn_once("the sweep of CPU %d ran on another CPU: its flows are ended\n",
			     c->cpu);
		c->away = true;
		c->retry = get_jiffies_64() + HZ;
		WRITE_ONCE(c->data, NULL);
		/* hooks, XDP and slb_proc_flows_cpu() that have read @data */
		synchronize_rcu();
		slb_sweep_end(c);
	}
	cpus_read_unlock();
	return true;
}

/* True if the CPU needs no further sweep. Then @tracked, which flows of the past set, is
 * cleared.
 */
static bool slb_sweep_idle(struct slb_ns_cpu *c)
{
	struct slb_cpu_state *cpu = c->own;
	bool idle;
	u64 since;

	if (!slb_sweep_enter(c, false, &since))
		return false;
	idle = !cpu->narrow.used && !cpu->wide.used && !cpu->narrow.old && !cpu->wide.old &&
	       !slb_sweep_resize_wanted(&cpu->narrow) && !slb_sweep_resize_wanted(&cpu->wide);
	if (idle) {
		cpu->tracked[false] = false;
		cpu->tracked[true] = false;
	}
	slb_sweep_leave(c, since);
	return idle;
}

static void slb_sweep_work(struct work_struct *work)
{
	struct slb_ns_cpu *c = container_of(to_delayed_work(work), struct slb_ns_cpu,
					    work);
	u64 since = ktime_get_ns();
	struct slb_cpu_state *cpu;
	bool drop = READ_ONCE(c->drop);

	if (slb_sweep_early(c))
		return;
	slb_sweep_alloc(c);
	cpu = c->data;
	if (!cpu) {
		WRITE_ONCE(c->drop, false);
		return;
	}
	slb_ruleset_look(&c->ns->rules, &c->ns->epoch, c->ns->net, false);
	WRITE_ONCE(c->bh_off_max, 0);
	if (slb_sweep_own(c, drop)) {
		if (drop)
			WRITE_ONCE(c->drop, false);
		WRITE_ONCE(c->swept, div_u64(ktime_get_ns() - since,
					     NSEC_PER_USEC));
		if (slb_sweep_resize_begin(c, &cpu->narrow) &&
		    slb_sweep_resize_begin(c, &cpu->wide) &&
		    slb_sweep_resize_move(c, &cpu->narrow) &&
		    slb_sweep_resize_move(c, &cpu->wide) && slb_sweep_idle(c)) {
			if (slb_sweep_resize_rest(c)) {
				WRITE_ONCE(c->due, jiffies);
				queue_delayed_work_on(c->cpu, slb_wq, &c->work,
						      SLB_REST);
			}
			return;
		}
	} else if (slb_sweep_abandon(c)) {
		WRITE_ONCE(c->drop, false);
		return;
	}
	/* the work of a CPU that is going offline may run here until the CPU is gone */
	local_bh_disable();
	if (cpu_online(c->cpu))
		slb_sweep_arm(c);
	local_bh_enable();
}

/**
 * slb_sweep_drop() - end all flows of a namespace
 * @ns: the namespace
 *
 * Flows learned meanwhile may stay: the caller has made sure that they are right.
 *
 * Context: process, slb_mutex.
 */
void slb_sweep_drop(struct slb_ns *ns)
{
	struct slb_ns_cpu *c;
	int cpu;

	lockdep_assert_held(&slb_mutex);
	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(ns->cpu, cpu);
		if (!READ_ONCE(c->own))
			continue;
		WRITE_ONCE(c->drop, true);
		mod_delayed_work_on(cpu, slb_wq, &c->work, 0);
	}
	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(ns->cpu, cpu);
		while (READ_ONCE(c->drop)) {
			flush_delayed_work(&c->work);
			if (!READ_ONCE(c->drop))
				break;
			/* a CPU is just coming or going */
			msleep(20);
			mod_delayed_work_on(cpu, slb_wq, &c->work, 0);
		}
	}
}

/**
 * slb_sweep_dead() - end the flows of a CPU that has gone offline
 * @ns: the namespace
 * @cpu: the CPU, which runs nothing any more
 *
 * Context: process, CPU hotplug.
 */
void slb_sweep_dead(struct slb_ns *ns, int cpu)
{
	struct slb_ns_cpu *c = per_cpu_ptr(ns->cpu, cpu);

	if (c->own)
		slb_sweep_end(c);
}

/**
 * slb_sweep_ns_init() - prepare a namespace
 * @ns: the namespace
 *
 * Context: process.
 * Return: 0, or -ENOMEM.
 */
int slb_sweep_ns_init(struct slb_ns *ns)
{
	struct slb_ns_cpu *c;
	int cpu;

	ns->cpu = alloc_percpu_gfp(struct slb_ns_cpu,
				   GFP_KERNEL | slb_memory_account(ns->payer));
	if (!ns->cpu)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(ns->cpu, cpu);
		c->ns = ns;
		c->cpu = cpu;
		INIT_DELAYED_WORK(&c->work, slb_sweep_work);
	}
	return 0;
}

/**
 * slb_sweep_ns_exit() - end all flows of a namespace and free their tables
 * @ns: the namespace, in which no hook runs any more
 *
 * Context: process.
 */
void slb_sweep_ns_exit(struct slb_ns *ns)
{
	struct slb_ns_cpu *c;
	int cpu;

	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(ns->cpu, cpu);
		cancel_delayed_work_sync(&c->work);
		if (!c->own)
			continue;
		slb_sweep_end(c);
		slb_cpu_free(c->own);
	}
	free_percpu(ns->cpu);
}

/**
 * slb_sweep_init() - prepare the workqueue
 *
 * A sweep of many flows is long: other work items of the CPU must not wait
 * (WQ_CPU_INTENSIVE). Flows belong to a CPU, and so does their sweep (WQ_PERCPU).
 *
 * Context: process.
 * Return: 0, or -ENOMEM.
 */
int slb_sweep_init(void)
{
	slb_wq = alloc_workqueue("shadowlb", WQ_CPU_INTENSIVE | WQ_PERCPU, 0);
	return slb_wq ? 0 : -ENOMEM;
}

/**
 * slb_sweep_exit() - free the workqueue
 *
 * Context: process; no namespace is left.
 */
void slb_sweep_exit(void)
{
	destroy_workqueue(slb_wq);
}
