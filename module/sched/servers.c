// SPDX-License-Identifier: GPL-2.0
/*
 * The real servers of a service, and the table that chooses among them.
 *
 * The table depends on addresses, ports and weights of the real servers alone: not on their order,
 * on the past, or on the machine. A real server of weight 0 keeps slots, which are passed over.
 * There are as many as a real server of average weight has, because a director that starts now
 * knows no other weight. Where all weights are equal, nothing moves when one becomes 0.
 *
 * References: IPVS frees a real server minutes after the last reference, or with its namespace,
 * whose services go first. So a table gives back its references when no further packet can find it,
 * although packets on other CPUs still look at it.
 */
#include <linux/overflow.h>
#include <linux/sort.h>

#include "flow/memory.h"
#include "sched/bound.h"
#include "sched/servers.h"

/* Number of slots that are tried. With nine in ten real servers down, one key in 1,000 has none. */
#define SLB_SERVERS_TRIES	64

/* A real server's identity, the same on every machine. */
static u64 slb_servers_hash(const struct ip_vs_dest *dest, const siphash_key_t *key)
{
	struct {
		__be32	addr[4];
		__be16	port;
		u8	ip;
		u8	zero[5];
	} id = { .port = dest->port, .ip = dest->af == AF_INET6 ? 6 : 4 };

	if (dest->af == AF_INET6)
		memcpy(id.addr, dest->addr.ip6, sizeof(id.addr));
	else
		id.addr[0] = dest->addr.ip;
	return siphash(&id, sizeof(id), key);
}

static int slb_servers_compare(const void *a, const void *b)
{
	const struct slb_maglev_server *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* The average weight of those that have a weight; 1 if none has. */
static u32 slb_servers_average(const struct slb_servers *servers)
{
	u64 sum = 0;
	u32 i, n = 0;

	for (i = 0; i < servers->n; i++) {
		if (!servers->server[i].idle) {
			sum += servers->server[i].weight;
			n++;
		}
	}
	return n ? div_u64(sum + n / 2, n) : 1;
}

/* List all real servers of a service, by their hashes. Returns false if there are more. */
static bool slb_servers_list(struct slb_servers *servers, u32 max, struct ip_vs_service *svc,
			     const siphash_key_t *key)
{
	struct ip_vs_dest *dest;
	bool all = true;
	u32 average, i;

	rcu_read_lock();
	list_for_each_entry_rcu(dest, &svc->destinations, n_list) {
		int weight = atomic_read(&dest->weight);

		all = servers->n < max;
		if (!all)
			break;
		/* IPVS may be removing this one */
		if (!refcount_inc_not_zero(&dest->refcnt))
			continue;
		servers->server[servers->n++] = (struct slb_maglev_server){
			.data = dest,
			.hash = slb_servers_hash(dest, key),
			.weight = weight,
			.idle = weight <= 0,
		};
	}
	rcu_read_unlock();
	average = slb_servers_average(servers);
	for (i = 0; i < servers->n; i++)
		if (servers->server[i].idle)
			servers->server[i].weight = average;
	sort(servers->server, servers->n, sizeof(*servers->server), slb_servers_compare, NULL);
	return all;
}

/**
 * slb_servers_get() - collect the real servers of a service
 * @svc: service
 * @size: number of slots of the table
 * @key: of all hashes
 * @payer: whose memory it is, see slb_memory_alloc()
 *
 * If there are more real servers than slots, those with the highest hashes are left out. Memory is
 * not waited for: the caller holds IPVS's mutex, and so may everybody who waits for it.
 *
 * Context: process; @svc stays.
 * Return: servers with a table that is not filled, or NULL without memory.
 */
struct slb_servers *slb_servers_get(struct ip_vs_service *svc, u32 size, const siphash_key_t *key,
				    struct mem_cgroup *payer)
{
	u32 n = READ_ONCE(svc->num_dests), most = min_t(u32, size, SLB_MAGLEV_SERVERS);
	/* IPVS may be adding one */
	u32 max = n + 1;
	struct slb_servers *servers = slb_memory_alloc(payer, struct_size(servers, server, max));

	if (!servers)
		return NULL;
	servers->max = max;
	servers->size = size;
	if (n)
		servers->slot = slb_memory_alloc(payer, array_size(size, sizeof(*servers->slot)));
	if ((n && !servers->slot) || !slb_servers_list(servers, n ? max : 0, svc, key)) {
		slb_servers_put(servers);
		return NULL;
	}
	while (servers->n > most)
		ip_vs_dest_put(servers->server[--servers->n].data);
	return servers;
}

/**
 * slb_servers_same() - true if two tables of a service would be the same
 * @a: servers
 * @b: servers, or NULL
 *
 * Context: process.
 */
bool slb_servers_same(const struct slb_servers *a, const struct slb_servers *b)
{
	u32 i;

	if (!b || a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (a->server[i].data != b->server[i].data ||
		    a->server[i].weight != b->server[i].weight ||
		    a->server[i].idle != b->server[i].idle)
			return false;
	return true;
}

/**
 * slb_servers_fill() - fill the table
 * @servers: nobody has seen them yet
 *
 * Context: process.
 */
void slb_servers_fill(struct slb_servers *servers)
{
	if (servers->n)
		slb_maglev_fill(servers->slot, servers->size, servers->server, servers->n);
}

/**
 * slb_servers_connections() - the number of active connections
 * @servers: servers
 *
 * Context: any, while @servers hold references.
 */
u32 slb_servers_connections(const struct slb_servers *servers)
{
	const struct ip_vs_dest *dest;
	u32 i, sum = 0;

	for (i = 0; i < servers->n; i++) {
		dest = servers->server[i].data;
		sum += atomic_read(&dest->activeconns);
	}
	return sum;
}

static void slb_servers_drop(struct slb_servers *servers)
{
	u32 i;

	for (i = 0; i < servers->n; i++)
		ip_vs_dest_put(servers->server[i].data);
}

static void slb_servers_free(struct slb_servers *servers)
{
	slb_memory_free(servers->slot, array_size(servers->size, sizeof(*servers->slot)));
	slb_memory_free(servers, struct_size(servers, server, servers->max));
}

static void slb_servers_free_rcu(struct rcu_head *rcu)
{
	slb_servers_free(container_of(rcu, struct slb_servers, rcu));
}

/**
 * slb_servers_put() - give back references and memory
 * @servers: nobody has seen them; or NULL
 *
 * Context: process.
 */
void slb_servers_put(struct slb_servers *servers)
{
	if (!servers)
		return;
	slb_servers_drop(servers);
	slb_servers_free(servers);
}

/**
 * slb_servers_put_rcu() - give back the references, and the memory after a grace period
 * @servers: no longer reachable by new readers; or NULL
 *
 * Context: process; no packet of a namespace that goes away uses @servers.
 */
void slb_servers_put_rcu(struct slb_servers *servers)
{
	if (!servers)
		return;
	slb_servers_drop(servers);
	call_rcu(&servers->rcu, slb_servers_free_rcu);
}

static const struct slb_maglev_server *slb_servers_at(const struct slb_servers *servers, u64 hash)
{
	return &servers->server[servers->slot[slb_maglev_slot(hash, servers->size)]];
}

/**
 * slb_servers_past() - the real server that a table chose when it was in force
 * @servers: with a table that was in force
 * @hash: of the connection
 * @key: of all hashes
 *
 * A real server without a weight at that time is passed over. Today's weight does not matter: the
 * connection is not new.
 *
 * Context: RCU.
 * Return: NULL if the real server is gone, or if no slot that was tried had one with a weight.
 */
struct ip_vs_dest *slb_servers_past(const struct slb_servers *servers, u64 hash,
				    const siphash_key_t *key)
{
	const struct slb_maglev_server *server;
	int i;

	for (i = 0; i < SLB_SERVERS_TRIES && servers->n; i++) {
		server = slb_servers_at(servers, hash);
		if (!server->idle)
			return slb_dest_available(server->data) ? server->data : NULL;
		hash = siphash_1u64(hash, key);
	}
	return NULL;
}

/* Of all real servers that take new connections, one by weight and hash: alike on all directors. */
static struct ip_vs_dest *slb_servers_any(const struct slb_servers *servers, u64 hash)
{
	struct ip_vs_dest *dest, *any = NULL;
	u64 sum = 0;
	u32 i;

	for (i = 0; i < servers->n; i++) {
		dest = servers->server[i].data;
		if (slb_servers_takes(dest))
			sum += max(atomic_read(&dest->weight), 0);
	}
	hash = mul_u64_u64_shr(hash, sum, 64);
	for (i = 0, sum = 0; i < servers->n; i++) {
		dest = servers->server[i].data;
		if (!slb_servers_takes(dest))
			continue;
		any = dest;
		sum += max(atomic_read(&dest->weight), 0);
		if (sum > hash)
			break;
	}
	return any;
}

/**
 * slb_servers_pick() - choose a real server
 * @servers: with a filled table
 * @hash: of the connection
 * @key: of all hashes
 * @bound: bounded loads, or NULL
 * @unit: slb_bound_unit() of the connection
 *
 * A slot whose real server takes no new connection is passed over, for a slot by another hash.
 *
 * Context: RCU.
 * Return: NULL if no real server takes new connections; with @bound, if none that was tried has
 *	room.
 */
struct ip_vs_dest *slb_servers_pick(const struct slb_servers *servers, u64 hash,
				    const siphash_key_t *key, struct slb_bound *bound, u32 unit)
{
	struct ip_vs_dest *dest;
	int i;

	if (bound)
		slb_bound_count(bound, servers->server, servers->n);
	for (i = 0; i < SLB_SERVERS_TRIES && servers->n; i++) {
		dest = slb_servers_at(servers, hash)->data;
		if (slb_servers_takes(dest) && (!bound || slb_bound_fits(bound, dest, unit)))
			return dest;
		hash = siphash_1u64(hash, key);
	}
	return bound ? NULL : slb_servers_any(servers, hash);
}
