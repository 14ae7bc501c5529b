// SPDX-License-Identifier: GPL-2.0
/*
 * The IPVS scheduler "shadow": weighted least connection. The module ip_vs_shadow.
 *
 *  operation                | locking
 * --------------------------+----------------------------------------------------
 *  slb_sched_init_service,  | IPVS's service mutex, takes slb_watch_mutex
 *  slb_sched_done_service   |
 *  slb_sched_schedule       | RCU
 *
 * The scheduler selects services for flows (scope 1). A new connection gets the real server
 * with the fewest connections for its weight, counted as IPVS's "wlc" does. Real servers of
 * weight 0 or above their upper threshold get none.
 */
#include <linux/module.h>
#include <linux/slab.h>

#include <compat/ip_vs.h>

#include "sched/sched.h"
#include "sched/watch.h"

static int slb_sched_init_service(struct ip_vs_service *svc)
{
	struct slb_watch_service *s;
	int err;

	s = kmalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	err = slb_watch_service_add(s, svc->ipvs->net);
	if (err) {
		kfree(s);
		return err;
	}
	svc->sched_data = s;
	return 0;
}

static void slb_sched_done_service(struct ip_vs_service *svc)
{
	struct slb_watch_service *s = svc->sched_data;

	slb_watch_service_del(s);
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
