// SPDX-License-Identifier: GPL-2.0
/*
 * Bounded loads (Mirrokni, Thorup, Zadimoghaddam, SODA 2018): no real server has more connections
 * than some factor times its fair share. Connections above that go to another real server.
 *
 * IPVS tells a scheduler of no connection that ends. So all connections are counted once in a
 * tick, and those scheduled since are added. Loads are as "wlc" counts them: an inactive
 * connection is 1/256 of an active one.
 */
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/moduleparam.h>

#include <compat/ip_vs.h>

#include "sched/bound.h"
#include "sched/maglev.h"

static unsigned int slb_bound_percent = 125;

static int slb_bound_percent_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 101, 1000);
}

static const struct kernel_param_ops slb_bound_percent_ops = {
	.set	= slb_bound_percent_set,
	.get	= param_get_uint,
};

module_param_cb(bound, &slb_bound_percent_ops, &slb_bound_percent, 0644);
MODULE_PARM_DESC(bound, "With a service's flag-2: most connections of a real server, in percent of its fair share, 101 to 1000 (default 125)");

/**
 * slb_bound_count() - count the connections of a service, once in a tick
 * @bound: the service's
 * @server: its real servers
 * @n: number of them
 *
 * Context: RCU.
 */
void slb_bound_count(struct slb_bound *bound, const struct slb_maglev_server *server, u32 n)
{
	unsigned long now = jiffies;
	u64 weights = 0, total = 0;
	u32 i;

	if (READ_ONCE(bound->counted) == now)
		return;
	WRITE_ONCE(bound->counted, now);
	for (i = 0; i < n; i++) {
		struct ip_vs_dest *dest = server[i].data;
		int weight = atomic_read(&dest->weight);

		/* one that is drained has connections, but no share */
		if (weight <= 0)
			continue;
		total += (u32)ip_vs_dest_conn_overhead(dest);
		weights += weight;
	}
	WRITE_ONCE(bound->total, total);
	WRITE_ONCE(bound->weights, weights);
	atomic_set(&bound->since, 0);
}

/**
 * slb_bound_fits() - true if a real server may have one more connection
 * @bound: the service's, just counted
 * @dest: real server
 * @unit: slb_bound_unit() of the connection
 *
 * Context: RCU.
 */
bool slb_bound_fits(const struct slb_bound *bound, struct ip_vs_dest *dest, u32 unit)
{
	u64 total = READ_ONCE(bound->total) + (u32)atomic_read(&bound->since) + unit;
	u64 weights = READ_ONCE(bound->weights), weight = max(atomic_read(&dest->weight), 0), fair;

	/* another CPU may be counting, or the weight may be new: the quotient would not fit */
	if (weight >= weights)
		return true;
	/* the product has up to 90 bits */
	fair = mul_u64_u64_div_u64(READ_ONCE(slb_bound_percent) * total, weight, 100 * weights);
	return (u32)ip_vs_dest_conn_overhead(dest) <= fair;
}
