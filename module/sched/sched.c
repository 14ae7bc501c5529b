// SPDX-License-Identifier: GPL-2.0
/*
 * The IPVS scheduler "shadow": weighted least connection. The module ip_vs_shadow.
 *
 *  operation                | locking
 * --------------------------+----------------------------------------------------
 *  slb_sched_init_service,  | IPVS's service mutex, takes slb_sched_mutex
 *  slb_sched_done_service   |
 *  slb_sched_schedule       | RCU
 *  slb_sched_watch, _unwatch| process context, takes slb_sched_mutex
 *
 * The scheduler selects services for flows (scope 1). A new connection gets the real server
 * with the fewest connections for its weight, counted as IPVS's "wlc" does. Real servers of
 * weight 0 or above their upper threshold get none.
 *
 * IPVS loads a scheduler by name, and until Linux 7.2 holds a mutex meanwhile that the exit of
 * a namespace waits for. That exit, in turn, blocks the loading of modules with state in each
 * namespace, such as shadowlb. So IPVS loads this module, which has no such state, and a
 * process that nobody waits for loads shadowlb. This module then tells shadowlb of all
 * services with the scheduler, present and future.
 */
#include <linux/kmod.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include <compat/ip_vs.h>

#include "sched/sched.h"

/**
 * struct slb_sched_service - a service scheduled by "shadow"
 * @list: in slb_sched_services
 * @net: the namespace, which outlives the service
 */
struct slb_sched_service {
	struct list_head	list;
	struct net		*net;
};

/* Guards the list and the watcher. Taken before shadowlb's own mutexes. */
static DEFINE_MUTEX(slb_sched_mutex);
static LIST_HEAD(slb_sched_services);
static const struct slb_sched_watcher *slb_sched_watcher;

static int slb_sched_init_service(struct ip_vs_service *svc)
{
	struct slb_sched_service *s;
	bool alone;
	int err = 0;

	s = kmalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	s->net = svc->ipvs->net;
	mutex_lock(&slb_sched_mutex);
	alone = !slb_sched_watcher;
	if (!alone)
		err = slb_sched_watcher->add(s->net);
	if (!err)
		list_add(&s->list, &slb_sched_services);
	mutex_unlock(&slb_sched_mutex);
	if (err) {
		kfree(s);
		return err;
	}
	svc->sched_data = s;
	/* without shadowlb the service works, but not by flows */
	if (alone)
		request_module_nowait("shadowlb");
	return 0;
}

static void slb_sched_done_service(struct ip_vs_service *svc)
{
	struct slb_sched_service *s = svc->sched_data;

	mutex_lock(&slb_sched_mutex);
	list_del(&s->list);
	if (slb_sched_watcher)
		slb_sched_watcher->del(s->net);
	mutex_unlock(&slb_sched_mutex);
	kfree(s);
}

/* load / weight is compared crosswise: weights are above zero */
static struct ip_vs_dest *
slb_sched_schedule(struct ip_vs_service *svc, const struct sk_buff *skb,
		   struct ip_vs_iphdr *iph)
{
	struct ip_vs_dest *dest, *least = NULL;
	s64 load, weight, least_load = 0, least_weight = 0;

	list_for_each_entry_rcu(dest, &svc->destinations, n_list) {
		weight = atomic_read(&dest->weight);
		if (weight <= 0 || dest->flags & IP_VS_DEST_F_OVERLOAD)
			continue;
		load = ip_vs_dest_conn_overhead(dest);
		if (least && load * least_weight >= least_load * weight)
			continue;
		least = dest;
		least_load = load;
		least_weight = weight;
	}
	if (!least)
		ip_vs_scheduler_err(svc, "no destination available");
	return least;
}

static struct ip_vs_scheduler slb_scheduler = {
	.name		= "shadow",
	.refcnt		= ATOMIC_INIT(0),
	.module		= THIS_MODULE,
	.n_list		= LIST_HEAD_INIT(slb_scheduler.n_list),
	.init_service	= slb_sched_init_service,
	.done_service	= slb_sched_done_service,
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

/**
 * slb_sched_watch() - register the watcher of services scheduled by "shadow"
 * @watcher: the watcher; there is only one
 *
 * Before this returns, @watcher->add() is called for all present services.
 *
 * Context: process.
 * Return: 0, or the error of @watcher->add(), after @watcher->del() for all added services.
 */
int slb_sched_watch(const struct slb_sched_watcher *watcher)
{
	struct slb_sched_service *s;
	int err = 0;

	mutex_lock(&slb_sched_mutex);
	list_for_each_entry(s, &slb_sched_services, list) {
		err = watcher->add(s->net);
		if (err)
			break;
	}
	if (err)
		list_for_each_entry_continue_reverse(s, &slb_sched_services, list)
			watcher->del(s->net);
	else
		slb_sched_watcher = watcher;
	mutex_unlock(&slb_sched_mutex);
	return err;
}
EXPORT_SYMBOL_GPL(slb_sched_watch);

/**
 * slb_sched_unwatch() - be told no more
 *
 * When this returns nobody calls the watcher.
 *
 * Context: process.
 */
void slb_sched_unwatch(void)
{
	mutex_lock(&slb_sched_mutex);
	slb_sched_watcher = NULL;
	mutex_unlock(&slb_sched_mutex);
}
EXPORT_SYMBOL_GPL(slb_sched_unwatch);

static int __init slb_sched_init(void)
{
	return register_ip_vs_scheduler(&slb_scheduler);
}

/* No service is left: each holds a reference on the module. Packets that the last service was
 * still scheduling have left after a grace period.
 */
static void __exit slb_sched_exit(void)
{
	unregister_ip_vs_scheduler(&slb_scheduler);
	synchronize_rcu();
}

module_init(slb_sched_init);
module_exit(slb_sched_exit);

MODULE_AUTHOR("The shadowlb developers");
MODULE_DESCRIPTION("IPVS scheduler of services that shadowlb serves by flows");
MODULE_LICENSE("GPL");
MODULE_VERSION(SLB_VERSION);
