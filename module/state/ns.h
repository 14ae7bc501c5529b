/* SPDX-License-Identifier: GPL-2.0 */
/* What shadowlb keeps for a network namespace, and for a CPU in it. */
#ifndef _SLB_NS_H
#define _SLB_NS_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/percpu.h>
#include <linux/workqueue.h>
#include <net/ip6_fib.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "flow/reason.h"

struct slb_cpu_state;
struct ctl_table;
struct ctl_table_header;
struct mem_cgroup;

/* A lease in seconds; the longest is well below what slb_flow_ticks() can tell. */
#define SLB_LEASE_DEFAULT	10
#define SLB_LEASE_MAX		600

/* Hooks of netfilter: three places, two families. */
#define SLB_NF_HOOKS	6

/* Of struct slb_ns_cpu's @want. */
#define SLB_WANT_NARROW	BIT(0)
#define SLB_WANT_WIDE	BIT(1)

/**
 * struct slb_ns_cpu - the part of a namespace that belongs to one CPU
 * @data: flow tables and observations that packets may use, or NULL: before first
 *	use, and after slb_sweep_abandon(). Written by @work (release); read by its CPU,
 *	RCU and BH off (acquire)
 * @own: the memory behind @data; allocated by @work at first use (release), freed with
 *	the namespace; the files in /proc read it (acquire)
 * @want: which tables are needed, SLB_WANT_*; this CPU adds to it
 * @retry: when to try again after a first table could not be had, in jiffies; this CPU,
 *	which where it reads half a word is early or late once
 * @resize: when memory for a table of another size is asked for again, in jiffies; @work
 *	writes, this CPU reads; early or late once where it reads half a word
 * @grow: when a table that is too small may bring a sweep forward again, in jiffies; this
 *	CPU, BH off
 * @away: a sweep ran on another CPU, and @data is NULL for that; @work alone
 * @rests: there are no flows, and @work comes back to free their tables; this CPU, BH off
 * @drop: end all flows at the next run of @work; set under slb_mutex, cleared by @work
 *	when the flows are ended
 * @stat: counters by enum slb_reason; this CPU writes, anybody reads
 * @work: allocates @own, then sweeps it; runs on its CPU only
 * @swept: how long the last sweep took, in us; @work writes, anybody reads
 * @bh_off_max: longest time the last sweep kept BHs disabled, in ns; @work writes, anybody reads
 * @ns: the namespace
 * @cpu: the CPU
 */
struct slb_ns_cpu {
	struct slb_cpu_state	*data;
	struct slb_cpu_state	*own;
	u8			want;
	bool			away;
	bool			rests;
	u64			retry;
	u64			resize;
	u64			grow;
	bool			drop;
	unsigned long		stat[SLB_REASON_MAX];
	struct delayed_work	work;
	u32			swept;
	u32			bh_off_max;
	struct slb_ns		*ns;
	int			cpu;
};

/**
 * struct slb_ns - what shadowlb keeps for a network namespace
 * @cpu: one for each CPU
 * @net: the namespace
 * @payer: memory cgroup that is charged for flows, or NULL for nobody; a reference, from
 *	init to exit
 * @scope: enum slb_scope; written under slb_mutex, read anywhere
 * @lease: how long a flow is used without proof, in seconds; sysctl
 * @verify: of so many packets that flows could serve, give one to the slow path
 *	and compare; 0: none; sysctl
 * @services: IPVS services scheduled by "shadow"; slb_mutex
 * @hooked: the netfilter hooks are registered; written under slb_mutex
 * @dead: the namespace is going away; slb_mutex
 * @nf_ops: its hooks, see hook_nf.c; do not change
 * @list: in slb_netns_list; slb_netns_mutex
 * @sysctl: handle of net.shadowlb
 * @table: its table
 * @scope_new: where a write to net.shadowlb.scope is checked; slb_mutex
 */
struct slb_ns {
	struct slb_ns_cpu __percpu	*cpu;
	struct net			*net;
	struct mem_cgroup		*payer;
	int				scope;
	int				lease;
	int				verify;
	int				services;
	bool				hooked;
	bool				dead;
	struct nf_hook_ops		nf_ops[SLB_NF_HOOKS];
	struct list_head		list;
	struct ctl_table_header		*sysctl;
	struct ctl_table		*table;
	int				scope_new;
};

extern unsigned int slb_ns_id;
extern unsigned int slb_flows_max;
extern int slb_scope_default;
extern struct mutex slb_mutex;

/**
 * slb_ns() - shadowlb's part of a namespace
 * @net: the namespace
 *
 * Context: RCU, or a reference on @net.
 * Return: never NULL between init and exit of the pernet operations.
 */
static inline struct slb_ns *slb_ns(const struct net *net)
{
	return net_generic(net, slb_ns_id);
}

/**
 * slb_ns_rcu() - the same, where net_generic() needs not enter RCU
 * @net: the namespace
 *
 * Context: RCU.
 * Return: as slb_ns().
 */
static inline struct slb_ns *slb_ns_rcu(const struct net *net)
{
	return rcu_dereference(net->gen)->ptr[slb_ns_id];
}

/**
 * slb_ns_routes() - a number that changes with the routes and policy rules of a namespace
 * @net: the namespace
 *
 * Not when an IPv6 route is deleted.
 *
 * Context: any.
 */
static inline u32 slb_ns_routes(const struct net *net)
{
	return (u32)rt_genid_ipv6(net) + ((u32)rt_genid_ipv4(net) << 16);
}

/**
 * slb_ns_count() - count a packet or a flow
 * @ns: the namespace
 * @stat: what
 *
 * Context: any; exact with preemption on as well.
 */
static inline void slb_ns_count(struct slb_ns *ns, enum slb_reason stat)
{
	this_cpu_inc(ns->cpu->stat[stat]);
}

#endif /* _SLB_NS_H */
