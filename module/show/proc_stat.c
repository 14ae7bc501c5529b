// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/net/stat/shadowlb: the counters of a namespace, a row for each CPU.
 *
 * Names in the first row, hexadecimal numbers in the others, as of other files there. lnstat(8)
 * reads no more than 32 columns.
 */
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>

#include "show/proc.h"
#include "state/ns.h"

static struct slb_ns_cpu *slb_proc_stat_from(struct seq_file *seq, loff_t *pos)
{
	struct slb_ns *ns = slb_ns(seq_file_net(seq));
	unsigned int cpu;

	cpu = cpumask_next(*pos - 2, cpu_possible_mask);
	if (cpu >= nr_cpu_ids)
		return NULL;
	*pos = cpu + 1;
	return per_cpu_ptr(ns->cpu, cpu);
}

static void *slb_proc_stat_start(struct seq_file *seq, loff_t *pos)
{
	return *pos ? (void *)slb_proc_stat_from(seq, pos) : SEQ_START_TOKEN;
}

static void *slb_proc_stat_next(struct seq_file *seq, void *v, loff_t *pos)
{
	++*pos;
	return slb_proc_stat_from(seq, pos);
}

static void slb_proc_stat_stop(struct seq_file *seq, void *v)
{
}

static int slb_proc_stat_show(struct seq_file *seq, void *v)
{
	const struct slb_ns_cpu *c = v;
	int i;

	for (i = 0; i < SLB_REASON_MAX; i++) {
		if (v == SEQ_START_TOKEN)
			seq_puts(seq, slb_reason_names[i]);
		else
			seq_printf(seq, "%08lx", READ_ONCE(c->stat[i]));
		seq_putc(seq, i < SLB_REASON_MAX - 1 ? ' ' : '\n');
	}
	return 0;
}

static const struct seq_operations slb_proc_stat_ops = {
	.start	= slb_proc_stat_start,
	.next	= slb_proc_stat_next,
	.stop	= slb_proc_stat_stop,
	.show	= slb_proc_stat_show,
};

/**
 * slb_proc_stat_init() - show the counters of a namespace
 * @net: the namespace
 *
 * Context: process.
 * Return: 0, or -ENOMEM.
 */
int slb_proc_stat_init(struct net *net)
{
	if (!proc_create_net("shadowlb", 0444, net->proc_net_stat,
			     &slb_proc_stat_ops, sizeof(struct seq_net_private)))
		return -ENOMEM;
	return 0;
}

/**
 * slb_proc_stat_exit() - stop showing them
 * @net: the namespace
 *
 * Context: process; waits for readers.
 */
void slb_proc_stat_exit(struct net *net)
{
	remove_proc_entry("shadowlb", net->proc_net_stat);
}
