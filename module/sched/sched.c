// SPDX-License-Identifier: GPL-2.0
/*
 * The IPVS scheduler "shadow": consistent hashing by Maglev's table. The module ip_vs_shadow.
 *
 *  operation                        | locking
 * ----------------------------------+-------------------------------------------
 *  slb_sched_init_service,          | IPVS's service mutex, take slb_watch_mutex
 *  slb_sched_done_service           |
 *  slb_sched_changed                | IPVS's service mutex
 *  slb_sched_build                  | worker
 *  slb_sched_schedule               | RCU
 *
 * Directors with the same real servers choose the same one for a connection, without talking.
 * A change of real servers has its table when it returns. Further changes within a tenth of a
 * second have one that a worker fills: a program that adds a thousand real servers does not wait
 * for a thousand tables. Without memory the worker tries again. The service's flag-3 asks for the
 * real server with the fewest connections for its weight. With bounded loads, connections go there,
 * too, when no slot tried has a real server with room.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <compat/ip_vs.h>

#include "flow/memory.h"
#include "sched/bound.h"
#include "sched/flags.h"
#include "sched/key.h"
#include "sched/sched.h"
#include "sched/servers.h"
#include "sched/watch.h"

/* Between two tables of a service. */
#define SLB_SCHED_PAUSE		(HZ / 10)

/* After no memory for a table. */
#define SLB_SCHED_RETRY		HZ

/* A table that was in force for this time has connections, in seconds. */
#define SLB_SCHED_SETTLED	60u

/* Of fewer connections, the number tells little. */
#define SLB_SCHED_MANY		100

#define SLB_SCHED_SIZE_MAX	4194304

/**
 * struct slb_sched_service - a service scheduled by "shadow"
 * @watched: as the watcher sees it
 * @svc: the service, as IPVS has it
 * @payer: whose memory the tables are, see slb_memory_alloc()
 * @lock: guards @stale, and who replaces @servers
 * @servers: the real servers with their table, and with the table before
 * @stale: the real servers have changed since
 * @lacking: there was no memory for a table
 * @build: the worker
 * @built: when @servers was last replaced, in jiffies
 * @changed: when the table before was replaced, in jiffies
 * @older: number of connections at that time; 0 if there were few
 * @newer: number of connections that have begun since
 * @bound: for flag-2
 * @rcu: for kfree_rcu()
 */
struct slb_sched_service {
	struct slb_watch_service	watched;
	struct ip_vs_service		*svc;
	struct mem_cgroup		*payer;
	struct mutex			lock;		/* of @stale, and to replace @servers */
	struct slb_servers __rcu	*servers;
	bool				stale;
	bool				lacking;
	struct delayed_work		build;
	unsigned long			built;
	unsigned long			changed;
	u32				older;
	atomic_t			newer;
	struct slb_bound		bound;
	struct rcu_head			rcu;
};

static unsigned int slb_sched_size = 65537;
module_param_named(table_size, slb_sched_size, uint, 0444);
MODULE_PARM_DESC(table_size, "Slots of a service's table, two bytes each: a prime, the same on all directors (default 65537)");

static unsigned long long slb_sched_seed;
module_param_named(seed, slb_sched_seed, ullong, 0400);
MODULE_PARM_DESC(seed, "Secret of all hashes, the same on all directors (default 0)");

static unsigned int slb_sched_grace = 300;
module_param_named(grace, slb_sched_grace, uint, 0444);
MODULE_PARM_DESC(grace, "Seconds after a change of real servers in which packets of unknown connections may go by the table before it, 0 to 3600 (default 300)");

static siphash_key_t slb_sched_key;
static struct workqueue_struct *slb_sched_wq;

/* Drop the table before the last changes. */
static void slb_sched_forget(struct slb_servers *servers)
{
	slb_servers_put_rcu(rcu_replace_pointer(servers->before, NULL, true));
}

/*
 * True if most connections are newer than the last changes, or soon will be. If connections last
 * for random times, half of them are newer once ln 2 times as many have begun as there were.
 * @counted: @newer counts the connections of the service. If it does not, or there were few, some
 * time has to pass, too.
 */
static bool slb_sched_turned(const struct slb_sched_service *s, bool counted)
{
	u64 newer = (u32)atomic_read(&s->newer);
	u32 older = READ_ONCE(s->older);

	if (older && counted)
		return newer * 3 > older * 2ull;
	return newer * 3 > SLB_SCHED_MANY * 2 &&
	       jiffies - READ_ONCE(s->changed) > SLB_SCHED_SETTLED * HZ;
}

/* Does a connection that begins count once in @newer, as it does in @older? */
static bool slb_sched_counted(const struct ip_vs_service *svc)
{
	return !(svc->flags & IP_VS_SVC_F_PERSISTENT);
}

/*
 * Replace the table. The old one chooses for packets in mid-connection if it was in force for some
 * time: tables of a service that is being set up scheduled no connections.
 */
static void slb_sched_publish(struct slb_sched_service *s, struct slb_servers *servers)
{
	struct slb_servers *old = rcu_dereference_protected(s->servers, lockdep_is_held(&s->lock));
	unsigned long settled = min(slb_sched_grace, SLB_SCHED_SETTLED) * HZ, now = jiffies;
	struct slb_servers *before;
	bool keep;
	u32 n;

	if (old && rcu_access_pointer(old->before) &&
	    slb_sched_turned(s, slb_sched_counted(s->svc)))
		slb_sched_forget(old);
	before = old ? rcu_dereference_protected(old->before, true) : NULL;
	keep = !before && old && old->n && slb_sched_grace && now - s->built >= settled;
	if (keep) {
		n = slb_servers_connections(old);
		WRITE_ONCE(s->older, n < SLB_SCHED_MANY ? 0 : n);
		atomic_set(&s->newer, 0);
		WRITE_ONCE(s->changed, now);
	}
	rcu_assign_pointer(servers->before, keep ? old : before);
	rcu_assign_pointer(s->servers, servers);
	s->built = now;
	if (!keep)
		slb_servers_put_rcu(old);
}

/* Fill a table for the real servers of now. Returns false without memory. */
static bool slb_sched_renew(struct slb_sched_service *s)
{
	struct slb_servers *old = rcu_dereference_protected(s->servers, lockdep_is_held(&s->lock));
	struct slb_servers *servers = slb_servers_get(s->svc, slb_sched_size, &slb_sched_key,
						      s->payer);

	if (!servers && !s->lacking)
		pr_err_ratelimited("no memory for a table: the old one stays until there is\n");
	s->lacking = !servers;
	s->stale = s->lacking;
	if (!servers)
		return false;
	if (slb_servers_same(servers, old)) {
		slb_servers_put(servers);
		return true;
	}
	slb_servers_fill(servers);
	slb_sched_publish(s, servers);
	return true;
}

/* Forget a table, fill a table, and arm the worker for the next time, as far as each is due. */
static void slb_sched_work(struct slb_sched_service *s)
{
	unsigned long grace = slb_sched_grace * HZ, again = SLB_SCHED_PAUSE;
	struct slb_servers *servers;

	servers = rcu_dereference_protected(s->servers, lockdep_is_held(&s->lock));
	if (servers && rcu_access_pointer(servers->before) && jiffies - s->changed >= grace)
		slb_sched_forget(servers);
	if (s->stale && jiffies - s->built >= SLB_SCHED_PAUSE && !slb_sched_renew(s))
		again = SLB_SCHED_RETRY;
	servers = rcu_dereference_protected(s->servers, lockdep_is_held(&s->lock));
	if (s->stale)
		mod_delayed_work(slb_sched_wq, &s->build, again);
	else if (servers && rcu_access_pointer(servers->before))
		mod_delayed_work(slb_sched_wq, &s->build, s->changed + grace - jiffies);
}

static void slb_sched_build(struct work_struct *work)
{
	struct slb_sched_service *s = container_of(to_delayed_work(work), struct slb_sched_service,
						   build);

	mutex_lock(&s->lock);
	slb_sched_work(s);
	mutex_unlock(&s->lock);
}

/* The real servers of a service have changed, or their weights. */
static int slb_sched_changed(struct ip_vs_service *svc, struct ip_vs_dest *dest)
{
	struct slb_sched_service *s = svc->sched_data;

	mutex_lock(&s->lock);
	s->stale = true;
	slb_sched_work(s);
	mutex_unlock(&s->lock);
	return 0;
}

/* Packets that are being scheduled may still look at it. */
static void slb_sched_free(struct slb_sched_service *s)
{
	struct slb_servers *servers;

	cancel_delayed_work_sync(&s->build);
	servers = rcu_dereference_protected(s->servers, true);
	if (servers)
		slb_sched_forget(servers);
	slb_servers_put_rcu(servers);
	slb_memory_payer_put(s->payer);
	kfree_rcu(s, rcu);
}

/*
 * Flags of a new service that make no sense together are refused. When a service is edited, IPVS
 * sets its flags later, and flag-3 prevails.
 */
static int slb_sched_check_flags(const struct ip_vs_service *svc)
{
	if (svc->flags & IP_VS_SVC_F_HASHED || !(svc->flags & SLB_SCHED_F_LEAST) ||
	    !(svc->flags & (SLB_SCHED_F_CLIENT | SLB_SCHED_F_BOUND)))
		return 0;
	pr_err("flag-3 of a service goes with neither flag-1 nor flag-2\n");
	return -EINVAL;
}

static int slb_sched_init_service(struct ip_vs_service *svc)
{
	struct slb_sched_service *s;
	int err;

	err = slb_sched_check_flags(svc);
	if (err)
		return err;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	mutex_init(&s->lock);
	INIT_DELAYED_WORK(&s->build, slb_sched_build);
	s->built = jiffies - SLB_SCHED_PAUSE;
	s->svc = svc;
	s->payer = slb_memory_payer();
	svc->sched_data = s;
	/* the first real server need not wait */
	if (svc->num_dests)
		slb_sched_changed(svc, NULL);
	err = slb_watch_service_add(&s->watched, svc->ipvs->net);
	if (err) {
		svc->sched_data = NULL;
		slb_sched_free(s);
	}
	return err;
}

static void slb_sched_done_service(struct ip_vs_service *svc)
{
	struct slb_sched_service *s = svc->sched_data;

	slb_watch_service_del(&s->watched);
	slb_sched_free(s);
}

/* load / weight is compared crosswise: weights are above zero */
static struct ip_vs_dest *slb_sched_least(struct ip_vs_service *svc)
{
	struct ip_vs_dest *dest, *least = NULL;
	s64 load, weight, least_load = 0, least_weight = 0;

	list_for_each_entry_rcu(dest, &svc->destinations, n_list) {
		weight = atomic_read(&dest->weight);
		if (weight <= 0 || dest->flags & IP_VS_DEST_F_OVERLOAD)
			continue;
		load = (u32)ip_vs_dest_conn_overhead(dest);
		if (least && load * least_weight >= least_load * weight)
			continue;
		least = dest;
		least_load = load;
		least_weight = weight;
	}
	return least;
}

/* True if a packet's connection is probably older than the last changes. Counts new ones. */
static bool slb_sched_older(struct slb_sched_service *s, const struct ip_vs_service *svc,
			    const struct sk_buff *skb, const struct ip_vs_iphdr *iph)
{
	if (slb_key_midway(skb, iph))
		return !slb_sched_turned(s, slb_sched_counted(svc));
	if (iph->protocol != IPPROTO_UDP)
		atomic_inc(&s->newer);
	return false;
}

/*
 * The real server that the tables choose, if there is one. Of a persistent service, all further
 * connections of the client go there, too: a drained real server must not get those.
 */
static struct ip_vs_dest *
slb_sched_hash(struct slb_sched_service *s, const struct ip_vs_service *svc,
	       const struct sk_buff *skb, const struct ip_vs_iphdr *iph, struct slb_bound *bound)
{
	struct slb_servers *before, *servers = rcu_dereference(s->servers);
	struct ip_vs_dest *dest;
	u64 hash;

	if (!servers)
		return NULL;
	hash = slb_key_hash(svc, skb, iph, &slb_sched_key);
	before = rcu_dereference(servers->before);
	if (before && slb_sched_older(s, svc, skb, iph)) {
		dest = slb_servers_past(before, hash, &slb_sched_key);
		if (dest && (!(svc->flags & IP_VS_SVC_F_PERSISTENT) || slb_servers_takes(dest)))
			return dest;
	}
	return slb_servers_pick(servers, hash, &slb_sched_key, bound,
				slb_bound_unit(iph->protocol));
}

static struct ip_vs_dest *
slb_sched_schedule(struct ip_vs_service *svc, const struct sk_buff *skb,
		   struct ip_vs_iphdr *iph)
{
	struct slb_sched_service *s = svc->sched_data;
	struct slb_bound *bound = svc->flags & SLB_SCHED_F_BOUND ? &s->bound : NULL;
	struct ip_vs_dest *dest = NULL;

	if (!(svc->flags & SLB_SCHED_F_LEAST))
		dest = slb_sched_hash(s, svc, skb, iph, bound);
	if (!dest)
		dest = slb_sched_least(svc);
	if (!dest)
		ip_vs_scheduler_err(svc, "no destination available");
	else if (bound)
		atomic_add(slb_bound_unit(iph->protocol), &bound->since);
	return dest;
}

static struct ip_vs_scheduler slb_scheduler = {
	.name		= "shadow",
	.refcnt		= ATOMIC_INIT(0),
	.module		= THIS_MODULE,
	.n_list		= LIST_HEAD_INIT(slb_scheduler.n_list),
	.init_service	= slb_sched_init_service,
	.done_service	= slb_sched_done_service,
	.add_dest	= slb_sched_changed,
	.del_dest	= slb_sched_changed,
	.upd_dest	= slb_sched_changed,
	.schedule	= slb_sched_schedule,
};

/**
 * slb_sched_is() - is this the scheduler "shadow"?
 * @sched: a scheduler, or NULL
 *
 * Context: any.
 */
bool slb_sched_is(const struct ip_vs_scheduler *sched)
{
	return sched == &slb_scheduler;
}
EXPORT_SYMBOL_GPL(slb_sched_is);

static bool slb_sched_prime(u32 n)
{
	u32 i;

	for (i = 2; i * i <= n; i++)
		if (n % i == 0)
			return false;
	return n > 1;
}

static int __init slb_sched_init(void)
{
	int err;

	slb_sched_grace = min(slb_sched_grace, 3600U);
	if (slb_sched_size < 3 || slb_sched_size > SLB_SCHED_SIZE_MAX ||
	    !slb_sched_prime(slb_sched_size)) {
		pr_err("table_size is a prime from 3 to %u, not %u\n", SLB_SCHED_SIZE_MAX,
		       slb_sched_size);
		return -EINVAL;
	}
	slb_sched_key = (siphash_key_t){ { slb_sched_seed, 0 } };
	slb_sched_wq = alloc_workqueue("ip_vs_shadow", WQ_UNBOUND, 0);
	if (!slb_sched_wq)
		return -ENOMEM;
	err = register_ip_vs_scheduler(&slb_scheduler);
	if (err)
		destroy_workqueue(slb_sched_wq);
	return err;
}

/* No service is left: each holds a reference on the module. Packets that the last service was
 * still scheduling have left when the memory of its tables is free.
 */
static void __exit slb_sched_exit(void)
{
	unregister_ip_vs_scheduler(&slb_scheduler);
	destroy_workqueue(slb_sched_wq);
	rcu_barrier();
}

module_init(slb_sched_init);
module_exit(slb_sched_exit);

MODULE_AUTHOR("The shadowlb developers");
MODULE_DESCRIPTION("IPVS scheduler of services that shadowlb serves by flows");
MODULE_LICENSE("GPL");
MODULE_VERSION(SLB_VERSION);
