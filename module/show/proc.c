// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/net/shadowlb: settings of a namespace, tables, and hooks that served packets skip.
 *
 *  operation       | locking
 * -----------------+---------------------------------------------------------
 *  slb_proc_show   | process; RCU for the hooks. State of CPUs is read word by
 *                  | word
 *
 * An open file holds the namespace. slb_proc_exit() waits for readers and lets later reads fail,
 * before shown objects are freed.
 */
#include <linux/cpumask.h>
#include <linux/netfilter.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>
#include <net/netfilter/nf_tables.h>
#include <net/sch_generic.h>

#include <compat/bridge.h>
#include <compat/netdevice.h>

#include "serve/hook_nf.h"
#include "serve/hook_xdp.h"
#include "show/proc.h"
#include "show/rules.h"
#include "state/cpu.h"
#include "state/valid.h"

/**
 * struct slb_proc_tables - figures of the tables of a CPU, or of all CPUs
 * @size: room for flows: narrow, wide
 * @used: flows in use: narrow, wide
 * @bytes: memory allocated
 * @swept: duration of the last sweep, in us; longest of all CPUs
 * @bh_off: longest time that the last sweep kept BHs disabled, in ns; longest of all CPUs
 */
struct slb_proc_tables {
	u64	size[2];
	u64	used[2];
	u64	bytes;
	u32	swept;
	u32	bh_off;
};

static void slb_proc_tables_add(struct slb_proc_tables *sum, const struct slb_table *t,
				bool wide)
{
	u32 bytes = slb_table_flow_bytes(t->size);
	u64 size;

	if (!slb_table_ready(t))
		return;
	size = slb_table_size(t);
	sum->size[wide] += size;
	sum->used[wide] += READ_ONCE(t->used);
	sum->bytes += size * bytes;
	/* moved from, for a moment */
	if (READ_ONCE(t->old))
		sum->bytes += ((u64)READ_ONCE(t->old_mask) + 1) * SLB_WAYS * bytes;
}

static void slb_proc_tables_show(struct seq_file *seq, const struct slb_proc_tables *t)
{
	seq_printf(seq, " %10llu %10llu %10llu %10llu %12llu %8u %9u\n",
		   t->size[0], t->used[0], t->size[1], t->used[1], t->bytes,
		   t->swept, t->bh_off / (u32)NSEC_PER_USEC);
}

static void slb_proc_cpus_show(struct seq_file *seq, struct slb_ns *ns)
{
	const struct slb_cpu_state *state;
	struct slb_proc_tables all = {};
	const struct slb_ns_cpu *c;
	unsigned int cpu;

	seq_puts(seq, "\ncpu     narrow       used       wide       used        bytes sweep_us bh_off_us\n");
	for_each_possible_cpu(cpu) {
		struct slb_proc_tables one = {};

		c = per_cpu_ptr(ns->cpu, cpu);
		/* pairs with slb_sweep_alloc() */
		state = smp_load_acquire(&c->own);
		if (state) {
			one.bytes = sizeof(*state) +
				    slb_service_rows() * sizeof(void *) +
				    READ_ONCE(state->services.taken) *
				    sizeof(struct slb_service);
			slb_proc_tables_add(&one, &state->narrow, false);
			slb_proc_tables_add(&one, &state->wide, true);
		}
		seq_printf(seq, "%-3u", cpu);
		one.swept = READ_ONCE(c->swept);
		one.bh_off = READ_ONCE(c->bh_off_max);
		slb_proc_tables_show(seq, &one);
		all.size[0] += one.size[0];
		all.used[0] += one.used[0];
		all.size[1] += one.size[1];
		all.used[1] += one.used[1];
		all.bytes += one.bytes;
		all.swept = max(all.swept, one.swept);
		all.bh_off = max(all.bh_off, one.bh_off);
	}
	seq_puts(seq, "all");
	slb_proc_tables_show(seq, &all);
}

/* The name of an nftables chain. Chain and hook live for a grace period longer than the list of
 * hooks.
 */
static void slb_proc_chain_show(struct seq_file *seq, const struct nf_hook_ops *ops)
{
	const struct nft_chain *chain = ops->priv;

	seq_puts(seq, " chain ");
	seq_escape(seq, chain->table->name, " \t\n\\");
	seq_putc(seq, '/');
	seq_escape(seq, chain->name, " \t\n\\");
}

/* Properties that differ between packets of a flow, and that rules of an nftables hook read. */
static void slb_proc_looks_show(struct seq_file *seq, u32 looks)
{
	const char *name, *sep = " per-packet=";
	unsigned int bit;

	for (bit = 0; (name = slb_rules_name(bit)); bit++) {
		if (!(looks & BIT(bit)))
			continue;
		seq_printf(seq, "%s%s", sep, name);
		sep = ",";
	}
}

static const char *slb_proc_family_name(u8 family)
{
	switch (family) {
	case NFPROTO_IPV4:
		return "ipv4";
	case NFPROTO_IPV6:
		return "ipv6";
	case NFPROTO_BRIDGE:
		return "bridge";
	default:
		return "netdev";
	}
}

/* Without symbols %ps would print the address. @dev: the device of the hook, or NULL. */
static void slb_proc_hook_show(struct seq_file *seq, struct slb_rules *rules,
			       u8 family, const char *hook,
			       const struct nf_hook_ops *ops,
			       const struct net_device *dev)
{
	seq_printf(seq, "%-7s %-11s %11d", slb_proc_family_name(family), hook,
		   ops->priority);
	if (IS_ENABLED(CONFIG_KALLSYMS))
		seq_printf(seq, " %ps", ops->hook);
	else
		seq_puts(seq, " ?");
	if (ops->hook_ops_type == NF_HOOK_OP_NF_TABLES)
		slb_proc_chain_show(seq, ops);
	seq_printf(seq, "%s%s", dev ? " dev " : "", dev ? dev->name : "");
	slb_proc_looks_show(seq, slb_rules_looks(rules, ops, family));
	seq_putc(seq, '\n');
}

/* Hooks behind shadowlb's own in PRE_ROUTING, and all hooks elsewhere; for XDP, hooks before.
 * An unregistered hook leaves a placeholder without family, if there was no memory for a
 * shorter list.
 */
static void slb_proc_hooks_show(struct seq_file *seq, struct slb_rules *rules,
				u8 family,
				struct nf_hook_entries __rcu * const *heads,
				bool before)
{
	static const char *const names[NF_INET_NUMHOOKS] = {
		[NF_INET_PRE_ROUTING]	= "prerouting",
		[NF_INET_LOCAL_IN]	= "input",
		[NF_INET_FORWARD]	= "forward",
		[NF_INET_LOCAL_OUT]	= "output",
		[NF_INET_POST_ROUTING]	= "postrouting",
	};
	const struct nf_hook_entries *e;
	const struct nf_hook_ops *ops;
	unsigned int hook, last, i;
	bool behind;

	last = before ? NF_INET_PRE_ROUTING : NF_INET_POST_ROUTING;
	for (hook = NF_INET_PRE_ROUTING; hook <= last; hook++) {
		e = rcu_dereference(heads[hook]);
		behind = hook != NF_INET_PRE_ROUTING;
		for (i = 0; e && i < e->num_hook_entries; i++) {
			ops = READ_ONCE(nf_hook_entries_get_hook_ops(e)[i]);
			if (slb_nf_own(ops))
				behind = true;
			else if (behind != before && ops->pf != NFPROTO_UNSPEC)
				slb_proc_hook_show(seq, rules, family, names[hook],
						   ops, NULL);
		}
	}
}

/* With br_netfilter: hooks of the bridge behind br_netfilter's, until the bridge passes up. */
static void slb_proc_bridge_show(struct seq_file *seq, struct slb_rules *rules,
				 const struct net *net)
{
	static const char *const names[] = {
		[NF_BR_PRE_ROUTING]	= "prerouting",
		[NF_BR_LOCAL_IN]	= "input",
	};
	struct nf_hook_entries __rcu * const *heads = slb_bridge_hooks(net);
	const struct nf_hook_entries *e;
	const struct nf_hook_ops *ops;
	bool behind = false;
	unsigned int hook, i;

	for (hook = NF_BR_PRE_ROUTING; heads && hook <= NF_BR_LOCAL_IN; hook++) {
		e = rcu_dereference(heads[hook]);
		for (i = 0; e && i < e->num_hook_entries; i++) {
			ops = READ_ONCE(nf_hook_entries_get_hook_ops(e)[i]);
			if (ops->pf == NFPROTO_BRIDGE &&
			    ops->priority == NF_BR_PRI_BRNF &&
			    ops->hook_ops_type == NF_HOOK_OP_UNDEFINED)
				behind = true;
			else if (behind && ops->pf != NFPROTO_UNSPEC)
				slb_proc_hook_show(seq, rules, NFPROTO_BRIDGE,
						   names[hook], ops, NULL);
		}
	}
}

static void slb_proc_dev_hooks_show(struct seq_file *seq, struct slb_rules *rules,
				    const char *hook,
				    const struct nf_hook_entries *e,
				    const struct net_device *dev)
{
	const struct nf_hook_ops *ops;
	unsigned int i;

	for (i = 0; e && i < e->num_hook_entries; i++) {
		ops = READ_ONCE(nf_hook_entries_get_hook_ops(e)[i]);
		if (ops->pf != NFPROTO_UNSPEC)
			slb_proc_hook_show(seq, rules, NFPROTO_NETDEV, hook, ops, dev);
	}
}

/* Hooks that XDP skips, too, if devices have any XDP programs: hooks before shadowlb's own,
 * hooks of these devices, and their queueing disciplines.
 */
static void slb_proc_xdp_show(struct seq_file *seq, struct slb_rules *rules,
			      struct net *net)
{
	struct net_device *dev;
	bool any = false;

	for_each_netdev_rcu(net, dev) {
		if (!dev_xdp_prog_count(dev))
			continue;
		if (!any) {
			seq_puts(seq, "\nskipped by XDP      priority function\n");
			slb_proc_hooks_show(seq, rules, NFPROTO_IPV4,
					    net->nf.hooks_ipv4, true);
			slb_proc_hooks_show(seq, rules, NFPROTO_IPV6,
					    net->nf.hooks_ipv6, true);
			any = true;
		}
		slb_proc_dev_hooks_show(seq, rules, "ingress", slb_dev_ingress(dev),
					dev);
		slb_proc_dev_hooks_show(seq, rules, "egress", slb_dev_egress(dev),
					dev);
		seq_printf(seq, "qdisc   %-23s %s dev %s\n", "egress",
			   rcu_dereference(dev->qdisc)->ops->id, dev->name);
	}
}

static int slb_proc_show(struct seq_file *seq, void *v)
{
	struct net *net = seq_file_single_net(seq);
	struct slb_ns *ns = slb_ns(net);
	bool hooked = READ_ONCE(ns->hooked);
	bool constant[] = { slb_valid_constant(ns, false), slb_valid_constant(ns, true) };
	const char *no_xdp = slb_xdp_missing();
	struct slb_rules rules;

	seq_printf(seq, "scope  %d\nlease  %d\nverify %d\nhooked %d\nflows  %u\nepochs %u\n",
		   READ_ONCE(ns->scope), READ_ONCE(ns->lease),
		   READ_ONCE(ns->verify), hooked, slb_flows_max, READ_ONCE(ns->epoch.count));
	seq_printf(seq, "constant%s%s%s\n", constant[0] ? " ipv4" : "",
		   constant[1] ? " ipv6" : "", constant[0] || constant[1] ? "" : " no");
	seq_printf(seq, "xdp    %d%s%s\n", !no_xdp, no_xdp ? " " : "",
		   no_xdp ?: "");
	slb_proc_cpus_show(seq, ns);
	if (!hooked)
		return 0;
	seq_puts(seq, "\nskipped hook        priority function\n");
	slb_rules_init(&rules, net);
	rcu_read_lock();
	slb_proc_hooks_show(seq, &rules, NFPROTO_IPV4, net->nf.hooks_ipv4, false);
	slb_proc_hooks_show(seq, &rules, NFPROTO_IPV6, net->nf.hooks_ipv6, false);
	slb_proc_bridge_show(seq, &rules, net);
	if (!no_xdp)
		slb_proc_xdp_show(seq, &rules, net);
	rcu_read_unlock();
	slb_rules_exit(&rules);
	return 0;
}

/**
 * slb_proc_proto_name() - a protocol in a word
 * @proto: IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP
 *
 * Context: any.
 */
const char *slb_proc_proto_name(u8 proto)
{
	return proto == IPPROTO_TCP ? "TCP" :
	       proto == IPPROTO_UDP ? "UDP" : "SCTP";
}

/**
 * slb_proc_init() - create the file of a namespace
 * @net: the namespace
 *
 * Context: process.
 * Return: 0, or -ENOMEM.
 */
int slb_proc_init(struct net *net)
{
	if (!proc_create_net_single("shadowlb", 0440, net->proc_net, slb_proc_show,
				    NULL))
		return -ENOMEM;
	return 0;
}

/**
 * slb_proc_exit() - remove the file of a namespace
 * @net: the namespace
 *
 * Context: process; waits for readers.
 */
void slb_proc_exit(struct net *net)
{
	remove_proc_entry("shadowlb", net->proc_net);
}
