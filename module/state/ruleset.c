// SPDX-License-Identifier: GPL-2.0
/*
 * What tells that rules have changed, and so begins an epoch.
 *
 *  operation           | locking
 * ---------------------+------------------------------------------------------
 *  slb_ruleset_init    | process, nobody else knows the namespace
 *  slb_ruleset_notice  | any; takes the epoch's @lock
 *  slb_ruleset_look    | process; RCU, @looking, the epoch's @lock
 *
 * nftables counts its transactions. Each packet compares this number: slb_ruleset_check().
 *
 * iptables-legacy and other modules count nothing: each sweep compares their hooks, and the
 * addresses of the rules. Rules that are replaced twice between two sweeps may have the old
 * address again. The kernel's nat keeps its hooks, and so the table "nat", in a list of its own.
 * For both a lease remains the bound.
 *
 * Rules are constant if what they do with packets of a flow changes only with the rules: if all
 * hooks are known to decide nothing about packets of flows. These are IPVS's, shadowlb's, those
 * that put fragments together, AppArmor's (for packets of sockets), and br_netfilter's (for frames
 * of a bridge). Hooks in front of shadowlb's see every packet that it sees. Then lookups may prove
 * a flow again (recheck.c).
 *
 * Settings of IPVS and of multipath routes have no number, either: each sweep compares these, too.
 */
#include <linux/jiffies.h>
#include <linux/net.h>
#include <linux/netfilter/x_tables.h>
#include <linux/siphash.h>
#include <net/net_namespace.h>

#include <compat/bridge.h>
#include <compat/route.h>

#include "ipvs/settings.h"
#include "state/epoch.h"
#include "state/ruleset.h"

/* Time between two looks, in jiffies. */
#define SLB_RULESET_LOOK	(HZ / 2)

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
		const struct nf_hook_entries *at[SLB_RULESET_LISTS];
	};
};

static siphash_key_t slb_ruleset_key __read_mostly;

/**
 * slb_ruleset_init() - know the rules of a namespace
 * @r: what is known of them
 * @e: the epoch
 * @net: the namespace
 *
 * Context: process.
 */
void slb_ruleset_init(struct slb_ruleset *r, struct slb_epoch *e, const struct net *net)
{
	net_get_random_once(&slb_ruleset_key, sizeof(slb_ruleset_key));
	mutex_init(&r->looking);
	r->looked = get_jiffies_64() - SLB_RULESET_LOOK;
	slb_epoch_init(e, slb_nft_generation(net));
}

/**
 * slb_ruleset_notice() - begin an epoch, because nftables has committed a transaction
 * @e: the epoch
 * @net: the namespace
 *
 * The number is read under the lock, so that an older one never follows a newer one.
 *
 * Context: any.
 */
void slb_ruleset_notice(struct slb_epoch *e, const struct net *net)
{
	spin_lock_bh(&e->lock);
	slb_epoch_doubt(e);
	slb_epoch_begin(e, slb_nft_generation(net), get_jiffies_64());
	spin_unlock_bh(&e->lock);
}

/**
 * slb_ruleset_hook_is() - true if the function of a hook has one of these names
 * @hook: address of the function
 * @names: the names
 * @n: number of names
 *
 * Nothing else tells rules of iptables-legacy, and programs of BPF.
 *
 * Context: any. False if the kernel knows no names.
 */
bool slb_ruleset_hook_is(unsigned long hook, const char *const *names, unsigned int n)
{
	char name[32];

	snprintf(name, sizeof(name), "%ps", (void *)hook);
	name[strcspn(name, " ")] = '\0';
	while (n--)
		if (!strcmp(name, names[n]))
			return true;
	return false;
}

/* True if a hook in a list has one of these names. The list lives as long as its readers; what the
 * owner of the hook registered may not.
 */
static bool slb_ruleset_entry_is(const struct nf_hook_entries *e, unsigned int k,
				 const char *const *names, unsigned int n)
{
	return slb_ruleset_hook_is((unsigned long)e->hooks[k].hook, names, n);
}

static u64 slb_ruleset_hash_hooks(const struct slb_hook_lists *lists)
{
	const struct nf_hook_entries *e;
	unsigned int i, k;
	u64 hash = 0;

	for (i = 0; i < SLB_RULESET_LISTS; i++) {
		e = lists->at[i];
		for (k = 0; e && k < e->num_hook_entries; k++)
			hash = siphash_4u64(hash, i, (unsigned long)e->hooks[k].hook,
					    (unsigned long)e->hooks[k].priv, &slb_ruleset_key);
	}
	return hash;
}

/* The kernel replaces all rules of a table, or none. */
static u64 slb_ruleset_hash_tables(const struct slb_ruleset *r,
				   const struct slb_hook_lists *lists)
{
	const struct nf_hook_entries *e;
	const struct xt_table *table;
	unsigned int i, k;
	u64 hash = 0;

	for (i = 0; i < SLB_RULESET_LISTS; i++) {
		e = lists->at[i];
		for (k = 0; e && k < min_t(u32, e->num_hook_entries, 64); k++) {
			if (!(r->legacy[i] & BIT_ULL(k)))
				continue;
			table = e->hooks[k].priv;
			hash = siphash_2u64(hash, (unsigned long)READ_ONCE(table->private),
					    &slb_ruleset_key);
		}
	}
	return hash;
}

/* Find the hooks that are tables of iptables-legacy. */
static void slb_ruleset_find_tables(struct slb_ruleset *r, const struct slb_hook_lists *lists)
{
	static const char *const names[] = {
		"ipt_do_table", "ip6t_do_table", "iptable_mangle_hook", "ip6table_mangle_hook",
	};
	const struct nf_hook_entries *e;
	unsigned int i, k;

	for (i = 0; i < SLB_RULESET_LISTS; i++) {
		e = lists->at[i];
		r->legacy[i] = 0;
		for (k = 0; e && k < min_t(u32, e->num_hook_entries, 64); k++)
			if (slb_ruleset_entry_is(e, k, names, ARRAY_SIZE(names)))
				r->legacy[i] |= BIT_ULL(k);
	}
}

/* True if all hooks of a family, behind shadowlb's own, decide nothing about packets of flows. */
static bool slb_ruleset_known(const struct nf_hook_entries *const lists[NF_INET_NUMHOOKS])
{
	static const char *const names[] = {
		"ip_vs_in_hook", "ip_vs_out_hook", "ip_vs_forward_icmp",
		"slb_nf_pre_routing", "slb_nf_forward", "slb_nf_post_routing",
		"ipv4_conntrack_defrag", "ipv6_defrag",
		"apparmor_ip_postroute", "ip_sabotage_in",
	};
	static const char *const own[] = { "slb_nf_pre_routing" };
	const struct nf_hook_entries *e;
	unsigned int i, k;

	for (i = 0; i < NF_INET_NUMHOOKS; i++) {
		e = lists[i];
		if (!e)
			continue;
		k = 0;
		if (i == NF_INET_PRE_ROUTING)
			while (k < e->num_hook_entries && !slb_ruleset_entry_is(e, k, own, 1))
				k++;
		if (i == NF_INET_PRE_ROUTING && k == e->num_hook_entries)
			return false;
		for (; k < e->num_hook_entries; k++)
			if (!slb_ruleset_entry_is(e, k, names, ARRAY_SIZE(names)))
				return false;
	}
	return true;
}

/* True if hooks, rules of iptables-legacy or settings of IPVS are others than at the last look. */
static bool slb_ruleset_changed(struct slb_ruleset *r, struct net *net)
{
	struct nf_hook_entries __rcu * const *bridge = slb_bridge_hooks(net);
	struct slb_hook_lists lists = {};
	unsigned int i;
	bool changed;
	u32 settings;
	u64 hash;

	for (i = 0; i < NF_INET_NUMHOOKS; i++) {
		lists.ipv4[i] = rcu_dereference(net->nf.hooks_ipv4[i]);
		lists.ipv6[i] = rcu_dereference(net->nf.hooks_ipv6[i]);
		if (bridge)
			lists.bridge[i] = rcu_dereference(bridge[i]);
	}
	hash = slb_ruleset_hash_hooks(&lists);
	changed = hash != r->hooks;
	if (changed) {
		slb_ruleset_find_tables(r, &lists);
		WRITE_ONCE(r->constant, slb_ruleset_known(lists.ipv4) |
					slb_ruleset_known(lists.ipv6) << 1);
	}
	r->hooks = hash;
	hash = slb_ruleset_hash_tables(r, &lists);
	changed |= hash != r->tables;
	r->tables = hash;
	settings = slb_settings_hash(net_ipvs(net)) ^ slb_net_leg_hash(net);
	changed |= settings != r->settings;
	r->settings = settings;
	return changed;
}

/**
 * slb_ruleset_look() - begin an epoch if rules have changed
 * @r: what is known of the rules
 * @e: the epoch
 * @net: the namespace
 * @at_once: although the last look was a moment ago
 *
 * Context: process.
 */
void slb_ruleset_look(struct slb_ruleset *r, struct slb_epoch *e, struct net *net, bool at_once)
{
	bool changed;
	u64 now;

	slb_ruleset_check(e, net);
	/* another CPU's sweep */
	if (!mutex_trylock(&r->looking))
		return;
	now = get_jiffies_64();
	if (at_once || now >= r->looked + SLB_RULESET_LOOK) {
		r->looked = now;
		rcu_read_lock();
		changed = slb_ruleset_changed(r, net);
		rcu_read_unlock();
		spin_lock_bh(&e->lock);
		if (changed)
			slb_epoch_doubt(e);
		slb_epoch_tend(e, changed, get_jiffies_64());
		slb_epoch_judge(e, READ_ONCE(r->constant));
		spin_unlock_bh(&e->lock);
	}
	mutex_unlock(&r->looking);
}
