// SPDX-License-Identifier: GPL-2.0
/*
 * Epochs: each change of rules begins one. Flows proved in an earlier one are proved again.
 *
 *  operation         | locking
 * -------------------+--------------------------------------------------------
 *  slb_epoch_init    | process, nobody else knows the epoch
 *  slb_epoch_begin   | any; takes @lock
 *  slb_epoch_look    | process; RCU, @looking, @lock
 *
 * nftables counts its transactions, and each packet compares this number. A transaction applies in
 * parts, before and after the number changes, so that a flow may be proved meanwhile by old rules.
 * So other epochs begin later, too.
 *
 * iptables-legacy and other modules count nothing: each sweep compares their hooks, and the
 * addresses of the rules. Rules that are replaced twice between two sweeps may have the old
 * address again. The kernel's nat keeps its hooks, and so the table "nat", in a list of its own.
 * For both a lease remains the bound.
 *
 * A packet proves its flow as of the time at which the packet entered the slow path, and meets
 * the rules after that.
 */
#include <linux/jiffies.h>
#include <linux/net.h>
#include <linux/netfilter/x_tables.h>
#include <linux/siphash.h>
#include <net/net_namespace.h>

#include <compat/bridge.h>

#include "flow/flow.h"
#include "state/epoch.h"

/* Time between two looks, in jiffies. */
#define SLB_EPOCH_LOOK		(HZ / 2)

/* Times after a transaction at which another epoch begins, in jiffies. */
static const u32 slb_epoch_confirm[] = { HZ / 2, 5 * HZ };

/**
 * struct slb_hook_lists - lists of hooks at a moment
 * @ipv4: by place
 * @ipv6: by place
 * @bridge: by place
 * @at: all of these
 */
struct slb_hook_lists {
	union {
		struct {
			const struct nf_hook_entries *ipv4[NF_INET_NUMHOOKS];
			const struct nf_hook_entries *ipv6[NF_INET_NUMHOOKS];
			const struct nf_hook_entries *bridge[NF_INET_NUMHOOKS];
		};
		const struct nf_hook_entries *at[SLB_EPOCH_LISTS];
	};
};

static siphash_key_t slb_epoch_key __read_mostly;

/**
 * slb_epoch_init() - begin the first epoch of a namespace
 * @e: the epoch
 * @w: how epochs come about
 * @net: the namespace
 *
 * Context: process.
 */
void slb_epoch_init(struct slb_epoch *e, struct slb_epoch_watch *w, const struct net *net)
{
	net_get_random_once(&slb_epoch_key, sizeof(slb_epoch_key));
	spin_lock_init(&w->lock);
	mutex_init(&w->looking);
	w->confirmed = ARRAY_SIZE(slb_epoch_confirm);
	w->looked = jiffies - SLB_EPOCH_LOOK;
	e->nft = slb_nft_generation(net);
	e->begun = slb_flow_ticks(jiffies) - 1;
}

/**
 * slb_epoch_begin() - begin an epoch, because slb_epoch_over()
 * @e: the epoch
 * @w: how epochs come about
 * @net: the namespace
 *
 * Context: any.
 */
void slb_epoch_begin(struct slb_epoch *e, struct slb_epoch_watch *w, const struct net *net)
{
	u32 nft;

	spin_lock_bh(&w->lock);
	nft = slb_nft_generation(net);
	if (nft != e->nft) {
		WRITE_ONCE(e->begun, slb_flow_ticks(jiffies));
		w->noticed = jiffies;
		w->confirmed = 0;
		/* pairs with slb_epoch_over() */
		smp_store_release(&e->nft, nft);
	}
	spin_unlock_bh(&w->lock);
}

/**
 * slb_epoch_hook_is() - true if the function of a hook has one of these names
 * @ops: the hook
 * @names: the names
 * @n: number of names
 *
 * Nothing else tells rules of iptables-legacy, and programs of BPF.
 *
 * Context: any. False if the kernel knows no names.
 */
bool slb_epoch_hook_is(const struct nf_hook_ops *ops, const char *const *names, unsigned int n)
{
	char name[32];

	snprintf(name, sizeof(name), "%ps", ops->hook);
	name[strcspn(name, " ")] = '\0';
	while (n--)
		if (!strcmp(name, names[n]))
			return true;
	return false;
}

static u64 slb_epoch_hash_hooks(const struct slb_hook_lists *lists)
{
	const struct nf_hook_entries *e;
	unsigned int i, k;
	u64 hash = 0;

	for (i = 0; i < SLB_EPOCH_LISTS; i++) {
		e = lists->at[i];
		for (k = 0; e && k < e->num_hook_entries; k++)
			hash = siphash_4u64(hash, i, (unsigned long)e->hooks[k].hook,
					    (unsigned long)e->hooks[k].priv, &slb_epoch_key);
	}
	return hash;
}

/* The kernel replaces all rules of a table, or none. */
static u64 slb_epoch_hash_tables(const struct slb_epoch_watch *w,
				 const struct slb_hook_lists *lists)
{
	const struct nf_hook_entries *e;
	const struct xt_table *table;
	unsigned int i, k;
	u64 hash = 0;

	for (i = 0; i < SLB_EPOCH_LISTS; i++) {
		e = lists->at[i];
		for (k = 0; e && k < min_t(u32, e->num_hook_entries, 64); k++) {
			if (!(w->legacy[i] & BIT_ULL(k)))
				continue;
			table = e->hooks[k].priv;
			hash = siphash_2u64(hash, (unsigned long)READ_ONCE(table->private),
					    &slb_epoch_key);
		}
	}
	return hash;
}

/* Find the hooks that are tables of iptables-legacy. */
static void slb_epoch_find_tables(struct slb_epoch_watch *w, const struct slb_hook_lists *lists)
{
	static const char *const names[] = {
		"ipt_do_table", "ip6t_do_table", "iptable_mangle_hook", "ip6table_mangle_hook",
	};
	const struct nf_hook_entries *e;
	unsigned int i, k;

	for (i = 0; i < SLB_EPOCH_LISTS; i++) {
		e = lists->at[i];
		w->legacy[i] = 0;
		for (k = 0; e && k < min_t(u32, e->num_hook_entries, 64); k++)
			if (slb_epoch_hook_is(nf_hook_entries_get_hook_ops(e)[k], names,
					      ARRAY_SIZE(names)))
				w->legacy[i] |= BIT_ULL(k);
	}
}

/* True if hooks, or rules of iptables-legacy, are others than at the last look. */
static bool slb_epoch_changed(struct slb_epoch_watch *w, const struct net *net)
{
	struct nf_hook_entries __rcu * const *bridge = slb_bridge_hooks(net);
	struct slb_hook_lists lists = {};
	unsigned int i;
	bool changed;
	u64 hash;

	for (i = 0; i < NF_INET_NUMHOOKS; i++) {
		lists.ipv4[i] = rcu_dereference(net->nf.hooks_ipv4[i]);
		lists.ipv6[i] = rcu_dereference(net->nf.hooks_ipv6[i]);
		if (bridge)
			lists.bridge[i] = rcu_dereference(bridge[i]);
	}
	hash = slb_epoch_hash_hooks(&lists);
	changed = hash != w->hooks;
	if (changed)
		slb_epoch_find_tables(w, &lists);
	w->hooks = hash;
	hash = slb_epoch_hash_tables(w, &lists);
	changed |= hash != w->tables;
	w->tables = hash;
	return changed;
}

/* Begin another epoch for the last transaction of nftables, if due, and keep the epoch young. */
static void slb_epoch_tend(struct slb_epoch *e, struct slb_epoch_watch *w, bool changed)
{
	u16 tick;

	spin_lock_bh(&w->lock);
	if (w->confirmed < ARRAY_SIZE(slb_epoch_confirm) &&
	    time_after_eq(jiffies, w->noticed + slb_epoch_confirm[w->confirmed])) {
		w->confirmed++;
		changed = true;
	}
	tick = slb_flow_ticks(jiffies);
	if (changed)
		WRITE_ONCE(e->begun, tick);
	else if (slb_epoch_lasts(e, tick) < 0 || slb_epoch_lasts(e, tick) > SLB_EPOCH_OLD)
		WRITE_ONCE(e->begun, tick - SLB_EPOCH_OLD);
	spin_unlock_bh(&w->lock);
}

/**
 * slb_epoch_look() - begin an epoch if rules have changed
 * @e: the epoch
 * @w: how epochs come about
 * @net: the namespace
 *
 * Context: process.
 */
void slb_epoch_look(struct slb_epoch *e, struct slb_epoch_watch *w, const struct net *net)
{
	bool changed;

	if (slb_epoch_over(e, net))
		slb_epoch_begin(e, w, net);
	/* another CPU's sweep */
	if (!mutex_trylock(&w->looking))
		return;
	if (time_after_eq(jiffies, w->looked + SLB_EPOCH_LOOK)) {
		w->looked = jiffies;
		rcu_read_lock();
		changed = slb_epoch_changed(w, net);
		rcu_read_unlock();
		slb_epoch_tend(e, w, changed);
	}
	mutex_unlock(&w->looking);
}
