// SPDX-License-Identifier: GPL-2.0
/*
 * The IPVS scheduler "shadow": weighted least connection.
 *
 * A service says with it that it wants to be served by flows (scope 1). Which
 * real server a new connection gets is a choice of its own: the one with the
 * fewest connections for its weight, counted as IPVS's "wlc" counts them.
 * Real servers of weight 0 or above their upper threshold get none.
 */
#include <linux/module.h>

#include <compat/ip_vs.h>

#include "net.h"
#include "sched.h"

static int slb_sched_init_service(struct ip_vs_service *svc)
{
	return slb_net_service_add(svc->ipvs->net);
}

static void slb_sched_done_service(struct ip_vs_service *svc)
{
	slb_net_service_del(svc->ipvs->net);
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

/**
 * slb_sched_init() - offer the scheduler to IPVS
 *
 * Context: process.
 * Return: 0, or what register_ip_vs_scheduler() returns.
 */
int slb_sched_init(void)
{
	return register_ip_vs_scheduler(&slb_scheduler);
}

/**
 * slb_sched_exit() - take it back
 *
 * No service uses it: each holds a reference on the module. A packet that was
 * being scheduled when the last one let go has left after a grace period.
 *
 * Context: process.
 */
void slb_sched_exit(void)
{
	unregister_ip_vs_scheduler(&slb_scheduler);
	synchronize_rcu();
}

MODULE_ALIAS("ip_vs_shadow");
