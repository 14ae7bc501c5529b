/* SPDX-License-Identifier: GPL-2.0 */
/* Bounded loads: no real server has much more than its fair share of connections. */
#ifndef _SLB_BOUND_H
#define _SLB_BOUND_H

#include <linux/in.h>
#include <linux/types.h>

struct ip_vs_dest;
struct slb_maglev_server;

/**
 * struct slb_bound - load of a service, as last counted
 * @counted: when, in jiffies
 * @total: of all real servers that have a weight, by ip_vs_dest_conn_overhead()
 * @weights: sum of their weights
 * @since: of connections scheduled since
 *
 * Any CPU counts, once in a tick. CPUs that count together write nearly the same values.
 */
struct slb_bound {
	unsigned long	counted;
	u64		total;
	u64		weights;
	atomic_t	since;
};

void slb_bound_count(struct slb_bound *bound, const struct slb_maglev_server *server, u32 n);
bool slb_bound_fits(const struct slb_bound *bound, struct ip_vs_dest *dest, u32 unit);

/**
 * slb_bound_unit() - the load of a new connection
 * @proto: protocol
 *
 * IPVS counts connections of TCP as active from the first packet on, those of SCTP later, and
 * those of UDP never. An inactive connection is 1/256 of an active one.
 *
 * Context: any.
 */
static inline u32 slb_bound_unit(u8 proto)
{
	return proto == IPPROTO_TCP ? 256 : 1;
}

#endif /* _SLB_BOUND_H */
