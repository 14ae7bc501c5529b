// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/net/shadowlb_services: packets of each service, served by flows or by reason.
 *
 *  operation       | locking
 * -----------------+---------------------------------------------------------
 *  all             | process; rows of all CPUs, read word by word
 *
 * A service may have a row on each CPU. The first of these CPUs shows the sum. Rows may be added
 * while the file is read, but none is removed: rows that exist at the first read are all shown,
 * once each.
 * Rows are freed after slb_proc_services_exit(), which waits for readers and lets later reads
 * fail.
 */
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>

#include "show/proc.h"
#include "state/cpu.h"

static const struct slb_services *slb_proc_services_of(struct seq_file *seq,
						       unsigned int cpu)
{
	const struct slb_ns *ns = slb_ns(seq_file_net(seq));
	const struct slb_cpu_state *state;

	/* pairs with slb_sweep_alloc(); not @data: a CPU that was abandoned has rows */
	state = smp_load_acquire(&per_cpu_ptr(ns->cpu, cpu)->own);
	return state ? &state->services : NULL;
}

/* True if an earlier CPU has a row for the service, and has shown the sum. */
static bool slb_proc_services_shown(struct seq_file *seq, unsigned int cpu,
				    const struct slb_service_key *key)
{
	const struct slb_services *s;
	unsigned int before;

	for_each_possible_cpu(before) {
		if (before >= cpu)
			return false;
		s = slb_proc_services_of(seq, before);
		if (s && slb_service_find(s, key))
			return true;
	}
	return false;
}

/* A position, less 1: CPU and row; the position behind all rows is for other packets. */
static void *slb_proc_services_from(struct seq_file *seq, loff_t *pos)
{
	const struct slb_services *s;
	struct slb_service *row;
	u32 rows = slb_service_rows();
	unsigned int cpu;

	for (; *pos - 1 < (loff_t)nr_cpu_ids * rows; ++*pos) {
		cpu = (u32)(*pos - 1) / rows;
		s = cpu_possible(cpu) ? slb_proc_services_of(seq, cpu) : NULL;
		if (!s) {
			*pos = (loff_t)(cpu + 1) * rows;
			cond_resched();
			continue;
		}
		/* pairs with slb_service_row() */
		row = smp_load_acquire(&s->row[(*pos - 1) & s->mask]);
		if (row && !slb_proc_services_shown(seq, cpu, &row->key))
			return row;
	}
	return *pos - 1 == (loff_t)nr_cpu_ids * rows ? seq : NULL;
}

static void *slb_proc_services_start(struct seq_file *seq, loff_t *pos)
{
	return *pos ? slb_proc_services_from(seq, pos) : SEQ_START_TOKEN;
}

static void *slb_proc_services_next(struct seq_file *seq, void *v, loff_t *pos)
{
	++*pos;
	return slb_proc_services_from(seq, pos);
}

static void slb_proc_services_stop(struct seq_file *seq, void *v)
{
}

/* Sums up the packets of a service, or other packets, on all CPUs. */
static void slb_proc_services_sum(struct seq_file *seq,
				  const struct slb_service_key *key, u64 *sum)
{
	const struct slb_service *row;
	const struct slb_services *s;
	const unsigned long *stat;
	unsigned int cpu;
	int i;

	for_each_possible_cpu(cpu) {
		s = slb_proc_services_of(seq, cpu);
		if (!s)
			continue;
		row = key ? slb_service_find(s, key) : NULL;
		if (key && !row)
			continue;
		stat = key ? row->stat : s->others;
		for (i = 0; i < SLB_REASON_XDP; i++)
			sum[i] += READ_ONCE(stat[i]);
	}
}

static void slb_proc_services_name(struct seq_file *seq,
				   const struct slb_service_key *key)
{
	if (!key)
		seq_puts(seq, "- others");
	else if (key->fwmark)
		seq_printf(seq, "FWM%s %u", key->af == AF_INET6 ? "6" : "",
			   key->fwmark);
	else if (key->af == AF_INET6)
		seq_printf(seq, "%s [%pI6c]:%u", slb_proc_proto_name(key->proto),
			   &key->addr.in6, ntohs(key->port));
	else
		seq_printf(seq, "%s %pI4:%u", slb_proc_proto_name(key->proto),
			   &key->addr.ip, ntohs(key->port));
}

static int slb_proc_services_show(struct seq_file *seq, void *v)
{
	const struct slb_service *row = v;
	const struct slb_service_key *key = v == seq ? NULL : &row->key;
	u64 sum[SLB_REASON_XDP] = {}, slow = 0;
	int i;

	if (v == SEQ_START_TOKEN) {
		seq_puts(seq, "proto service served slow reasons\n");
		return 0;
	}
	slb_proc_services_sum(seq, key, sum);
	for (i = SLB_HIT + 1; i < SLB_REASON_XDP; i++)
		slow += sum[i];
	slb_proc_services_name(seq, key);
	seq_printf(seq, " %llu %llu", sum[SLB_HIT], slow);
	for (i = SLB_HIT + 1; i < SLB_REASON_XDP; i++)
		if (sum[i])
			seq_printf(seq, " %s=%llu", slb_reason_names[i], sum[i]);
	seq_putc(seq, '\n');
	return 0;
}

static const struct seq_operations slb_proc_services_ops = {
	.start	= slb_proc_services_start,
	.next	= slb_proc_services_next,
	.stop	= slb_proc_services_stop,
	.show	= slb_proc_services_show,
};

/**
 * slb_proc_services_init() - create the file of a namespace
 * @net: the namespace
 *
 * Context: process.
 * Return: 0, or -ENOMEM.
 */
int slb_proc_services_init(struct net *net)
{
	if (!proc_create_net("shadowlb_services", 0440, net->proc_net,
			     &slb_proc_services_ops, sizeof(struct seq_net_private)))
		return -ENOMEM;
	return 0;
}

/**
 * slb_proc_services_exit() - remove the file of a namespace
 * @net: the namespace
 *
 * Context: process; waits for readers.
 */
void slb_proc_services_exit(struct net *net)
{
	remove_proc_entry("shadowlb_services", net->proc_net);
}
