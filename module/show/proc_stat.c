// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/net/stat/shadowlb: the counters of a namespace, a row for each CPU.
 *
 * Names in the first row, hexadecimal numbers in the others: the form that
 * lnstat(8) reads.
 */
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>

#include "state/ns.h"

const char *const slb_stat_names[SLB_STAT_MAX] = {
	[SLB_HIT]		= "hits",
	[SLB_LEARNED]		= "learned",
	[SLB_RENEWED]		= "renewed",
	[SLB_EVICTED]		= "evicted",
	[SLB_ENDED]		= "ended",
	[SLB_VERIFIED]		= "verified",
	[SLB_DIFFERS]		= "differs",
	[SLB_MISS_NONE]		= "miss_none",
	[SLB_MISS_FOREIGN]	= "miss_foreign",
	[SLB_MISS_PROTO]	= "miss_proto",
	[SLB_MISS_SHORT]	= "miss_short",
	[SLB_MISS_OPTIONS]	= "miss_options",
	[SLB_MISS_FRAGMENT]	= "miss_fragment",
	[SLB_MISS_FLAGS]	= "miss_flags",
	[SLB_MISS_TTL]		= "miss_ttl",
	[SLB_MISS_MTU]		= "miss_mtu",
	[SLB_MISS_TOS]		= "miss_tos",
	[SLB_MISS_MARK]		= "miss_mark",
	[SLB_MISS_CSUM]		= "miss_csum",
	[SLB_MISS_HOST]		= "miss_host",
	[SLB_MISS_META]		= "miss_meta",
	[SLB_MISS_LEASE]	= "miss_lease",
	[SLB_MISS_STATE]	= "miss_state",
	[SLB_MISS_SERVER]	= "miss_server",
	[SLB_MISS_ROUTE]	= "miss_route",
	[SLB_MISS_NEIGH]	= "miss_neigh",
	[SLB_MISS_SYNC]		= "miss_sync",
	[SLB_MISS_NOMEM]	= "miss_nomem",
	[SLB_MISS_VERIFY]	= "miss_verify",
	[SLB_SKIP_SCOPE]	= "skip_scope",
	[SLB_SKIP_UNSETTLED]	= "skip_unsettled",
	[SLB_SKIP_METHOD]	= "skip_method",
	[SLB_SKIP_KIND]		= "skip_kind",
	[SLB_SKIP_CONNTRACK]	= "skip_conntrack",
	[SLB_SKIP_SERVER]	= "skip_server",
	[SLB_SKIP_TIMEOUT]	= "skip_timeout",
	[SLB_SKIP_EGRESS]	= "skip_egress",
	[SLB_SKIP_CHANGED]	= "skip_changed",
	[SLB_SKIP_FULL]		= "skip_full",
	[SLB_SKIP_TABLE]	= "skip_table",
	[SLB_XDP_HIT]		= "xdp_hits",
	[SLB_XDP_FOREIGN]	= "xdp_foreign",
	[SLB_XDP_OTHER]		= "xdp_other",
	[SLB_XDP_NONE]		= "xdp_none",
	[SLB_XDP_FLOW]		= "xdp_flow",
	[SLB_XDP_ORDER]		= "xdp_order",
	[SLB_XDP_DEVICE]	= "xdp_device",
	[SLB_XDP_VLAN]		= "xdp_vlan",
	[SLB_XDP_NEIGH]		= "xdp_neigh",
	[SLB_XDP_MTU]		= "xdp_mtu",
	[SLB_XDP_CSUM]		= "xdp_csum",
	[SLB_XDP_FRAGS]		= "xdp_frags",
	[SLB_XDP_ROOM]		= "xdp_room",
};

static_assert(SLB_XDP_ROOM + 1 == SLB_STAT_MAX,
	      "name every reason in slb_stat_names");

static struct slb_cpu *slb_stats_from(struct seq_file *seq, loff_t *pos)
{
	struct slb_net *sn = slb_net(seq_file_net(seq));
	unsigned int cpu;

	cpu = cpumask_next(*pos - 2, cpu_possible_mask);
	if (cpu >= nr_cpu_ids)
		return NULL;
	*pos = cpu + 1;
	return per_cpu_ptr(sn->cpu, cpu);
}

static void *slb_stats_start(struct seq_file *seq, loff_t *pos)
{
	return *pos ? (void *)slb_stats_from(seq, pos) : SEQ_START_TOKEN;
}

static void *slb_stats_next(struct seq_file *seq, void *v, loff_t *pos)
{
	++*pos;
	return slb_stats_from(seq, pos);
}

static void slb_stats_stop(struct seq_file *seq, void *v)
{
}

static int slb_stats_show(struct seq_file *seq, void *v)
{
	const struct slb_cpu *c = v;
	int i;

	for (i = 0; i < SLB_STAT_MAX; i++) {
		if (v == SEQ_START_TOKEN)
			seq_puts(seq, slb_stat_names[i]);
		else
			seq_printf(seq, "%08lx", READ_ONCE(c->stat[i]));
		seq_putc(seq, i < SLB_STAT_MAX - 1 ? ' ' : '\n');
	}
	return 0;
}

static const struct seq_operations slb_stats_ops = {
	.start	= slb_stats_start,
	.next	= slb_stats_next,
	.stop	= slb_stats_stop,
	.show	= slb_stats_show,
};

/**
 * slb_stats_init() - show the counters of a namespace
 * @net: the namespace
 *
 * Context: process.
 * Return: 0, or -ENOMEM.
 */
int slb_stats_init(struct net *net)
{
	if (!proc_create_net("shadowlb", 0444, net->proc_net_stat,
			     &slb_stats_ops, sizeof(struct seq_net_private)))
		return -ENOMEM;
	return 0;
}

/**
 * slb_stats_exit() - stop showing them
 * @net: the namespace
 *
 * Context: process; waits for readers.
 */
void slb_stats_exit(struct net *net)
{
	remove_proc_entry("shadowlb", net->proc_net_stat);
}
