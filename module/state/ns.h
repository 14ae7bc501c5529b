/* SPDX-License-Identifier: GPL-2.0 */
/* State of a network namespace, and of a CPU in a namespace. */
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
#include "state/epoch.h"
#include "state/ruleset.h"

struct slb_cpu_state;
struct ctl_table;
struct ctl_table_header;
struct mem_cgroup;
struct slb_listed;

/* Lease in seconds. The maximum is well below the wrap of slb_flow_ticks(). */
#define SLB_LEASE_DEFAULT	10
#define SLB_LEASE_MAX		600

/* Hooks of netfilter: three places, two families. */
#define SLB_NF_HOOKS	6

/* Of struct slb_ns_cpu's @want. */
#define SLB_WANT_NARROW	BIT(0)
#define SLB_WANT_WIDE	BIT(1)

/**
 * struct slb_ns_cpu - state of a CPU in a namespace
 * @data: state that packets may use, or NULL: before first use, and after
 *	slb_sweep_abandon(). Written by @work (release); read by this CPU, RCU and BH off
 *	(acquire)
 * @own: the memory of @data; allocated by @work at first use (release), freed with the
 *	namespace; /proc reads (acquire)
 * @want: tables that are needed, SLB_WANT_*; this CPU, BH off: packets set bits, @work clears
 *	all when the tables are freed
 * @retry: jiffies before which this CPU does not run @work early, after a failed allocation
 *	or slb_sweep_abandon(); @work writes, this CPU reads. On 32 bit a torn read makes
 *	one retry early or late.
 * @resize: jiffies at which a failed resize is retried; @work writes, this CPU reads. On
 *	32 bit a torn read makes one retry early or late.
 * @grow: jiffies at which a small table may bring a sweep forward again; this CPU, BH off
 * @away: a sweep ran on another CPU, therefore @data is NULL; @work only
 * @armed: a sweep is scheduled, and has not begun; this CPU, BH off, or @work elsewhere
 * @due: jiffies at which that sweep is to begin; guarded as @armed
 * @began: when the last sweep began, lower half of jiffies; @work only
 * @config: slb_conn_config() at that time; @work only
 * @left: of struct slb_ns, at that time; @work only
 * @near: the next sweep looks at all flows; @work only
 * @rests: no flows are left, and @work will free the tables; this CPU, BH off
 * @drop: @work must end all flows; set under slb_mutex, cleared by @work when done
 * @stat: counters by enum slb_reason; this CPU writes, anybody reads
 * @work: allocates @own, then sweeps; runs on this CPU only
 * @swept: duration of the last sweep, in us; @work writes, anybody reads
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
	bool			armed;
	unsigned long		due;
	u32			began;
	unsigned long		config;
	u32			left;
	bool			near;
	bool			drop;
	unsigned long		stat[SLB_REASON_MAX];
	struct delayed_work	work;
	u32			swept;
	u32			bh_off_max;
	struct slb_ns		*ns;
	int			cpu;
};

/**
 * struct slb_ns - state of a network namespace
 * @cpu: state of each CPU
 * @net: the namespace
 * @payer: memory cgroup that pays for flows, or NULL for nobody; a reference, from init to
 *	exit
 * @scope: enum slb_scope; written under slb_mutex, read anywhere
 * @listed_on: services that flows serve under scope 1 and 2, or NULL; written under slb_mutex
 * @listed_off: services that flows never serve, or NULL; written under slb_mutex
 * @lease: time for which a flow is used without proof or recheck, in seconds; sysctl
 * @verify: give one packet in N to the slow path and compare; 0: none; sysctl
 * @services: IPVS services scheduled by "shadow"; slb_mutex
 * @left: number of services that were scheduled by "shadow" and are no more; written under
 *	slb_mutex
 * @epoch: since the last change of rules
 * @hooked: the netfilter hooks are registered; written under slb_mutex
 * @dead: the namespace is exiting; slb_mutex
 * @nf_ops: netfilter hooks, see hook_nf.c; do not change
 * @list: in slb_netns_list; slb_netns_mutex
 * @sysctl: handle of net.shadowlb
 * @table: table of net.shadowlb
 * @scope_new: value of a write to net.shadowlb.scope until checked; slb_mutex
 * @rules: what the sweep knows of the rules
 */
struct slb_ns {
	struct slb_ns_cpu __percpu	*cpu;
	struct net			*net;
	struct mem_cgroup		*payer;
	int				scope;
	struct slb_listed __rcu		*listed_on;
	struct slb_listed __rcu		*listed_off;
	int				lease;
	int				verify;
	int				services;
	u32				left;
	struct slb_epoch		epoch;
	bool				hooked;
	bool				dead;
	struct nf_hook_ops		nf_ops[SLB_NF_HOOKS];
	struct list_head		list;
	struct ctl_table_header		*sysctl;
	struct ctl_table		*table;
	int				scope_new;
	struct slb_ruleset		rules;
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
 * slb_ns_count() - increment a counter
 * @ns: the namespace
 * @stat: the counter
 *
 * Context: any; exact with preemption on as well.
 */
static inline void slb_ns_count(struct slb_ns *ns, enum slb_reason stat)
{
	this_cpu_inc(ns->cpu->stat[stat]);
}

#endif /* _SLB_NS_H */
