/* SPDX-License-Identifier: GPL-2.0 */
/* The real servers of a service, and the table that chooses among them. */
#ifndef _SLB_SERVERS_H
#define _SLB_SERVERS_H

#include <linux/siphash.h>
#include <linux/types.h>

#include <compat/ip_vs.h>

#include "sched/maglev.h"

struct mem_cgroup;
struct slb_bound;

/**
 * struct slb_servers - real servers of a service at some time
 * @rcu: to free it
 * @before: those before the last changes, for packets in mid-connection; or NULL
 * @n: number of real servers
 * @max: number of real servers that there is memory for
 * @size: number of slots
 * @slot: the table, or NULL
 * @server: real servers in the order of their hashes, with a reference on each
 */
struct slb_servers {
	struct rcu_head			rcu;
	struct slb_servers __rcu	*before;
	u32				n;
	u32				max;
	u32				size;
	u16				*slot;
	struct slb_maglev_server	server[];
};

struct slb_servers *slb_servers_get(struct ip_vs_service *svc, u32 size, const siphash_key_t *key,
				    struct mem_cgroup *payer);
u32 slb_servers_connections(const struct slb_servers *servers);
bool slb_servers_same(const struct slb_servers *a, const struct slb_servers *b);
void slb_servers_fill(struct slb_servers *servers);
void slb_servers_put(struct slb_servers *servers);
void slb_servers_put_rcu(struct slb_servers *servers);
struct ip_vs_dest *slb_servers_past(const struct slb_servers *servers, u64 hash,
				    const siphash_key_t *key);
struct ip_vs_dest *slb_servers_pick(const struct slb_servers *servers, u64 hash,
				    const siphash_key_t *key, struct slb_bound *bound, u32 unit);

/**
 * slb_servers_takes() - true if a real server takes new connections
 * @dest: real server
 *
 * Context: RCU.
 */
static inline bool slb_servers_takes(const struct ip_vs_dest *dest)
{
	return atomic_read(&dest->weight) > 0 && !(dest->flags & IP_VS_DEST_F_OVERLOAD) &&
	       slb_dest_available(dest);
}

#endif /* _SLB_SERVERS_H */
