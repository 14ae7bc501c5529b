// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/net/shadowlb_flows: the flows of a namespace.
 *
 *  operation              | locking
 * ------------------------+--------------------------------------------------
 *  slb_proc_flows_chunk   | RCU, BH off, on the CPU that owns the flows
 *  slb_proc_flows_cpu     | process, a work item on that CPU
 *  all others             | process, the seq_file's mutex
 *
 * Only its CPU may access a flow. So a work item on that CPU copies flows for the reader, with
 * BHs disabled for SLB_PROC_FLOWS_CHUNK sets at a time. A read() returns at most a page, and a
 * signal interrupts.
 *
 * A position is a stop of slb_table_walk(), and a slot in its set. A set is copied as a whole,
 * and the next read() shows copies that found no room. So a flow that exists from the first read
 * to the last is listed once, or twice if a table shrinks; flows that begin or end meanwhile
 * may be missing.
 *
 * Lifetimes while the file is open or being read:
 *
 * The CPU: slb_proc_flows_work() keeps the CPU online until the work is done. An offline CPU has
 * no flows, because slb_sweep_dead() has ended them.
 *
 * The namespace: the open file holds a reference.
 *
 * The module, and the module's state of the namespace: slb_proc_flows_exit() waits for readers
 * and lets later reads fail, before tables are freed (slb_netns_exit_one()). A read ends only
 * after its work. No pointer of a flow is used after its chunk: copies are printed.
 */
#include <linux/cpu.h>
#include <linux/ktime.h>
#include <linux/netdevice.h>
#include <linux/proc_fs.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>
#include <linux/workqueue.h>

#include "show/proc.h"
#include "state/cpu.h"

/* Sets between two moments at which BHs are let in. */
#define SLB_PROC_FLOWS_CHUNK	32u

/* Chunks that a work item visits at most. */
#define SLB_PROC_FLOWS_CHUNKS	64

/* Room for flows that are copied at a time: about a page of text. */
#define SLB_PROC_FLOWS_MAX	32

/* A position, less 1: CPU, table, set with reversed bits, slot. */
#define SLB_PROC_FLOWS_SHIFT	ilog2(SLB_FLOWS_MAX)
#define SLB_PROC_FLOWS_SLOT	(SLB_FLOWS_MAX - 1)

/**
 * struct slb_proc_flow - a copy of a flow
 * @pos: position of the flow
 * @key: key
 * @server: address of the real server
 * @v6: @server is IPv6
 * @port: port of the real server
 * @method: name of the forwarding method
 * @iif: name of the ingress device
 * @oif: name of the egress device
 * @flags: enum slb_flow_flags
 * @age: seconds since the flow was learned
 * @idle: milliseconds since the last packet served or proved
 * @packets: packets served
 */
struct slb_proc_flow {
	loff_t			pos;
	struct slb_key6		key;
	union nf_inet_addr	server;
	bool			v6;
	__be16			port;
	const char		*method;
	char			iif[IFNAMSIZ];
	char			oif[IFNAMSIZ];
	u8			flags;
	u32			age;
	u32			idle;
	u64			packets;
};

/**
 * struct slb_proc_flows - a reader
 * @p: first, for seq_file_net()
 * @ns: the namespace
 * @pos: next position
 * @n: flows copied
 * @i: copy to show
 * @flow: copies
 */
struct slb_proc_flows {
	struct seq_net_private	p;
	struct slb_ns		*ns;
	loff_t			pos;
	u32			n;
	u32			i;
	struct slb_proc_flow	flow[SLB_PROC_FLOWS_MAX];
};

/* The forwarding method as in ipvsadm, or the kind of tunnel. */
static const char *slb_proc_flows_method(const struct ip_vs_conn *cp)
{
	switch (slb_conn_method(cp)) {
	case IP_VS_CONN_F_MASQ:
		return "masq";
	case IP_VS_CONN_F_DROUTE:
		return "route";
	}
	switch (READ_ONCE(cp->dest->tun_type)) {
	case IP_VS_CONN_F_TUNNEL_TYPE_GUE:
		return "gue";
	case IP_VS_CONN_F_TUNNEL_TYPE_GRE:
		return "gre";
	default:
		return "ipip";
	}
}

static void slb_proc_flows_copy(struct slb_proc_flows *l, const struct slb_table *t,
				struct slb_flow *flow)
{
	struct slb_proc_flow *f = &l->flow[l->n++];
	const struct slb_flow_stats *stats = slb_table_stats(t, flow);
	const struct ip_vs_conn *cp = flow->conn;
	const struct net_device *dev;
	u32 iif;

	f->pos = l->pos + 1;
	slb_flow_key(flow, &f->key);
	iif = (f->key.iif_proto & ~SLB_KEY_MAPPED) >> 8;
	dev = dev_get_by_index_rcu(l->ns->net, iif);
	strscpy(f->iif, dev ? dev->name : "?", sizeof(f->iif));
	strscpy(f->oif, flow->dst->dev->name, sizeof(f->oif));
	f->server = cp->daddr;
	f->port = cp->dport;
	f->v6 = cp->daf == AF_INET6;
	f->method = slb_proc_flows_method(cp);
	f->flags = flow->flags;
	f->age = (u32)ktime_get_seconds() - stats->born;
	f->idle = jiffies_to_msecs(slb_flow_idle(flow, jiffies));
	f->packets = stats->packets + flow->packets;
}

/* Copies flows of the set at the position, from its slot on, and moves the position
 * to the next set. There is room for a whole set.
 */
static void slb_proc_flows_set(struct slb_proc_flows *l, const struct slb_table *t,
			       const struct slb_seed *seed)
{
	u32 at = (l->pos & SLB_PROC_FLOWS_SLOT) / SLB_WAYS, hash, mask, next;
	void *set = slb_table_walk(t, at, &hash, &mask, &next);
	u32 way = l->pos & (SLB_WAYS - 1);
	struct slb_flow *flow;

	for (; way < SLB_WAYS; way++, l->pos++) {
		flow = slb_table_set_at(t, set, way);
		if (flow->dst &&
		    (!t->old || (slb_flow_hash(flow, seed) & mask) == hash))
			slb_proc_flows_copy(l, t, flow);
	}
	/* the position is the next set */
	l->pos += (loff_t)(next - at - 1) * SLB_WAYS;
}

/* Is there room for the flows of another set? */
static bool slb_proc_flows_room(const struct slb_proc_flows *l)
{
	return l->n + SLB_WAYS <= SLB_PROC_FLOWS_MAX;
}

/* Copies flows from the position on, and moves the position behind the last visited set, or to
 * the next table.
 */
static void slb_proc_flows_chunk(struct slb_proc_flows *l, const struct slb_cpu_state *state)
{
	bool wide = l->pos >> SLB_PROC_FLOWS_SHIFT & 1;
	const struct slb_table *t = wide ? &state->wide : &state->narrow;
	loff_t next = ((l->pos >> SLB_PROC_FLOWS_SHIFT) + 1) << SLB_PROC_FLOWS_SHIFT;
	u32 i;

	if (!slb_table_ready(t) || !t->used) {
		l->pos = next;
		return;
	}
	for (i = 0; i < SLB_PROC_FLOWS_CHUNK && l->pos < next && slb_proc_flows_room(l); i++)
		slb_proc_flows_set(l, t, &state->seed);
}

/* On the CPU that the position tells. */
static long slb_proc_flows_cpu(void *arg)
{
	struct slb_proc_flows *l = arg;
	unsigned int cpu = l->pos >> (SLB_PROC_FLOWS_SHIFT + 1);
	const struct slb_cpu_state *state;
	u32 i;

	for (i = 0; i < SLB_PROC_FLOWS_CHUNKS; i++) {
		if (!slb_proc_flows_room(l) ||
		    l->pos >> (SLB_PROC_FLOWS_SHIFT + 1) != cpu)
			break;
		local_bh_disable();
		rcu_read_lock();
		/* pairs with slb_sweep_alloc() and slb_sweep_abandon() */
		state = smp_load_acquire(&per_cpu_ptr(l->ns->cpu, cpu)->data);
		/* on another CPU, flows could change meanwhile */
		if (smp_processor_id() != cpu)
			state = NULL;
		if (state)
			slb_proc_flows_chunk(l, state);
		rcu_read_unlock();
		local_bh_enable();
		if (!state)
			return -ENOENT;
		cond_resched();
	}
	return 0;
}

/* Run slb_proc_flows_cpu() on a CPU. Linux 7.x keeps work_on_cpu_safe(), which would do
 * the same, to itself.
 */
static long slb_proc_flows_work(struct slb_proc_flows *l, unsigned int cpu)
{
	long err = -ENODEV;

	cpus_read_lock();
	if (cpu_online(cpu))
		err = work_on_cpu(cpu, slb_proc_flows_cpu, l);
	cpus_read_unlock();
	return err;
}

/* The first flow from the position on, and copies of some that follow it. */
static struct slb_proc_flow *slb_proc_flows_fill(struct seq_file *seq, loff_t *pos)
{
	struct slb_proc_flows *l = seq->private;
	unsigned int cpu;

	l->ns = slb_ns(seq_file_net(seq));
	l->pos = *pos - 1;
	l->n = 0;
	l->i = 0;
	while (!l->n) {
		cpu = l->pos >> (SLB_PROC_FLOWS_SHIFT + 1);
		if (cpu >= nr_cpu_ids)
			return NULL;
		if (signal_pending(current))
			return ERR_PTR(-EINTR);
		if (!cpu_possible(cpu) || slb_proc_flows_work(l, cpu))
			l->pos = (loff_t)(cpu + 1) << (SLB_PROC_FLOWS_SHIFT + 1);
	}
	*pos = l->flow[0].pos;
	return &l->flow[0];
}

static void *slb_proc_flows_start(struct seq_file *seq, loff_t *pos)
{
	struct slb_proc_flows *l = seq->private;

	if (!*pos)
		return SEQ_START_TOKEN;
	/* copied for the last read, which had no room */
	if (l->i < l->n && l->flow[l->i].pos == *pos)
		return &l->flow[l->i];
	return slb_proc_flows_fill(seq, pos);
}

static void *slb_proc_flows_next(struct seq_file *seq, void *v, loff_t *pos)
{
	struct slb_proc_flows *l = seq->private;

	++*pos;
	if (v != SEQ_START_TOKEN) {
		if (++l->i < l->n) {
			*pos = l->flow[l->i].pos;
			return &l->flow[l->i];
		}
		*pos = l->pos + 1;
	}
	return slb_proc_flows_fill(seq, pos);
}

static void slb_proc_flows_stop(struct seq_file *seq, void *v)
{
}

static void slb_proc_flows_addr(struct seq_file *seq, bool v6, const void *addr,
				__be16 port)
{
	if (v6)
		seq_printf(seq, " [%pI6c]:%u", addr, ntohs(port));
	else
		seq_printf(seq, " %pI4:%u", addr, ntohs(port));
}

static int slb_proc_flows_show(struct seq_file *seq, void *v)
{
	const struct slb_proc_flow *f = v;
	bool v6;

	if (v == SEQ_START_TOKEN) {
		seq_puts(seq, "proto source destination iif way method server oif age idle packets cpu state\n");
		return 0;
	}
	v6 = !(f->key.iif_proto & SLB_KEY_MAPPED);
	seq_puts(seq, slb_proc_proto_name(f->key.iif_proto));
	slb_proc_flows_addr(seq, v6, &f->key.saddr.s6_addr32[v6 ? 0 : 3],
			    f->key.sport);
	slb_proc_flows_addr(seq, v6, &f->key.daddr.s6_addr32[v6 ? 0 : 3],
			    f->key.dport);
	seq_printf(seq, " %s %s %s", f->iif,
		   f->flags & SLB_FLOW_OUT ? "reply" : "request", f->method);
	slb_proc_flows_addr(seq, f->v6, &f->server, f->port);
	seq_printf(seq, " %s %u %u.%03u %llu %u %s\n", f->oif, f->age,
		   f->idle / 1000, f->idle % 1000, f->packets,
		   (unsigned int)((f->pos - 1) >> (SLB_PROC_FLOWS_SHIFT + 1)),
		   f->flags & SLB_FLOW_SUSPENDED ? "suspended" : "active");
	return 0;
}

static const struct seq_operations slb_proc_flows_ops = {
	.start	= slb_proc_flows_start,
	.next	= slb_proc_flows_next,
	.stop	= slb_proc_flows_stop,
	.show	= slb_proc_flows_show,
};

/**
 * slb_proc_flows_init() - show the flows of a namespace
 * @net: the namespace
 *
 * Context: process.
 * Return: 0, or -ENOMEM.
 */
int slb_proc_flows_init(struct net *net)
{
	if (!proc_create_net("shadowlb_flows", 0440, net->proc_net,
			     &slb_proc_flows_ops, sizeof(struct slb_proc_flows)))
		return -ENOMEM;
	return 0;
}

/**
 * slb_proc_flows_exit() - stop showing them
 * @net: the namespace
 *
 * Context: process; waits for readers.
 */
void slb_proc_flows_exit(struct net *net)
{
	remove_proc_entry("shadowlb_flows", net->proc_net);
}
