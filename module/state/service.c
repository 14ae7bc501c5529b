// SPDX-License-Identifier: GPL-2.0
/*
 * Services: packets of each, served by flows or by reason.
 *
 *  operation                       | locking
 * ---------------------------------+------------------------------------------
 *  slb_service_add, _add_known     | RCU, BH off, on the CPU that owns the rows
 *  slb_service_find                | as above; for readers anywhere
 *  slb_services_alloc, _free       | process, nobody else refers to the services
 *
 * Each CPU counts in rows of its own, which only this CPU adds and nobody removes. So readers
 * (proc_services.c) need no lock. Slow-path packets are counted at egress if IPVS has handled
 * them, most of them by samples: a row sums up to about IPVS's packets for the service, less
 * unrelated packets (addrs.h). A row
 * has a copy of the service's key and outlives the service. Without place or memory for a row,
 * packets count as others.
 */
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/ip_vs.h>

#include "flow/memory.h"
#include "flow/table.h"
#include "state/inflight.h"
#include "state/ns.h"
#include "state/service.h"

/* Flows of a table per row: 1024 flows, 64 rows; 65536 flows, 4096 rows. The first packet of a
 * service allocates the row.
 */
#define SLB_SERVICE_FLOWS	16u

#define SLB_SERVICES_MAX	4096u

/**
 * slb_service_rows() - how many rows each CPU may have
 *
 * Return: a power of two, the same while the module is loaded.
 */
u32 slb_service_rows(void)
{
	return min(slb_flows_max / SLB_SERVICE_FLOWS, SLB_SERVICES_MAX);
}

/* The place of a service's row, or the free place for a new row. At least one place in eight is
 * free, so the search ends.
 */
static struct slb_service **slb_service_place(const struct slb_services *s,
					      const struct slb_service_key *key)
{
	u32 i = jhash2((const u32 *)key, sizeof(*key) / sizeof(u32), s->seed);
	const struct slb_service *row;

	for (;; i++) {
		/* pairs with slb_service_row() */
		row = smp_load_acquire(&s->row[i & s->mask]);
		if (!row || !memcmp(&row->key, key, sizeof(*key)))
			return &s->row[i & s->mask];
	}
}

/**
 * slb_service_find() - the row of a service
 * @s: the services of a CPU
 * @key: which
 *
 * Context: any.
 * Return: the row, or NULL.
 */
struct slb_service *slb_service_find(const struct slb_services *s,
				     const struct slb_service_key *key)
{
	/* pairs with slb_service_row() */
	return smp_load_acquire(slb_service_place(s, key));
}

/* The row of a service, allocated if missing; NULL without room. */
static struct slb_service *slb_service_row(struct slb_services *s,
					   const struct slb_service_key *key)
{
	struct slb_service **place = slb_service_place(s, key);
	struct slb_service *row = *place;

	if (row || s->taken >= s->mask - s->mask / 8 ||
	    time_before64(get_jiffies_64(), s->retry))
		return row;
	row = slb_memory_atomic(s->payer, sizeof(*row));
	if (!row) {
		s->retry = get_jiffies_64() + HZ;
		return NULL;
	}
	row->key = *key;
	s->taken++;
	/* pairs with readers on other CPUs */
	smp_store_release(place, row);
	return row;
}

static void slb_service_count(unsigned long *stat, u32 packets)
{
	WRITE_ONCE(*stat, *stat + packets);
}

/**
 * slb_service_key() - get the key of a connection's service
 * @key: the key
 * @cp: the connection, held
 *
 * Context: RCU.
 * Return: false if the service was deleted.
 */
bool slb_service_key(struct slb_service_key *key, const struct ip_vs_conn *cp)
{
	const struct ip_vs_dest *dest = READ_ONCE(cp->dest);
	const struct ip_vs_service *svc;

	svc = dest ? rcu_dereference(dest->svc) : NULL;
	if (!svc)
		return false;
	memset(key, 0, sizeof(*key));
	key->af = svc->af;
	key->fwmark = svc->fwmark;
	if (svc->fwmark)
		return true;
	key->proto = svc->protocol;
	key->port = svc->port;
	ip_vs_addr_copy(svc->af, &key->addr, &svc->addr);
	return true;
}

/**
 * slb_service_add() - count packets to the service of a connection
 * @s: this CPU's services
 * @cp: the connection, held
 * @reason: SLB_HIT, or why they were not served
 * @packets: how many
 *
 * Context: RCU, BH off.
 */
void slb_service_add(struct slb_services *s, const struct ip_vs_conn *cp,
		     enum slb_reason reason, u32 packets)
{
	struct slb_service *row = NULL;
	struct slb_service_key key;

	if (slb_service_key(&key, cp))
		row = slb_service_row(s, &key);
	slb_service_count(row ? &row->stat[reason] : &s->others[reason], packets);
}

/**
 * slb_service_add_other() - count packets of an unknown service
 * @s: services of this CPU
 * @reason: why no flow served them
 * @packets: how many
 *
 * Context: BH off.
 */
void slb_service_add_other(struct slb_services *s, enum slb_reason reason, u32 packets)
{
	slb_service_count(&s->others[reason], packets);
}

/* By address and port, or on any port. */
static struct slb_service *slb_service_at(const struct slb_services *s,
					  struct slb_service_key *key,
					  __be16 port)
{
	struct slb_service *row;

	key->port = port;
	row = slb_service_find(s, key);
	if (row || !port)
		return row;
	key->port = 0;
	return slb_service_find(s, key);
}

/* By mark, then by destination, as ip_vs_service_find() does. */
static struct slb_service *slb_service_request(const struct slb_services *s,
					       const struct slb_record *rec)
{
	struct slb_service_key key = {
		.af = rec->pkt.v6 ? AF_INET6 : AF_INET,
		.fwmark = rec->mark,
	};
	struct slb_service *row = NULL;

	if (rec->mark)
		row = slb_service_find(s, &key);
	if (row)
		return row;
	key.fwmark = 0;
	key.proto = rec->pkt.proto;
	if (rec->pkt.v6)
		key.addr.in6 = rec->pkt.key6.daddr;
	else
		key.addr.ip = rec->pkt.key4.daddr;
	return slb_service_at(s, &key, rec->pkt.v6 ? rec->pkt.key6.dport :
						   rec->pkt.key4.dport);
}

/* A reply that was masqueraded leaves with the service's address. */
static struct slb_service *slb_service_reply(const struct slb_services *s,
					     const struct slb_record *rec,
					     const struct sk_buff *skb)
{
	struct slb_service_key key = {
		.af = rec->pkt.v6 ? AF_INET6 : AF_INET,
		.proto = rec->pkt.proto,
	};
	u32 offset = rec->pkt.v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	__be16 buf;
	const __be16 *port;

	if (ip_hdr(skb)->version != (rec->pkt.v6 ? 6 : 4))
		return NULL;
	if (rec->pkt.v6)
		key.addr.in6 = ipv6_hdr(skb)->saddr;
	else
		key.addr.ip = ip_hdr(skb)->saddr;
	port = skb_header_pointer(skb, offset, sizeof(buf), &buf);
	return port ? slb_service_at(s, &key, *port) : NULL;
}

/**
 * slb_service_add_known() - count packets of a service that has a row
 * @s: services of this CPU
 * @rec: one of the packets at ingress
 * @skb: this packet at egress
 * @reason: why no flow served them
 * @packets: how many
 *
 * Saves a walk of IPVS's table to find the connection.
 *
 * Context: BH off.
 * Return: false if no row matches, and nothing was counted.
 */
bool slb_service_add_known(struct slb_services *s, const struct slb_record *rec,
			   const struct sk_buff *skb, enum slb_reason reason,
			   u32 packets)
{
	struct slb_service *row = slb_service_request(s, rec);

	if (!row)
		row = slb_service_reply(s, rec, skb);
	if (!row)
		return false;
	slb_service_count(&row->stat[reason], packets);
	return true;
}

static size_t slb_services_bytes(void)
{
	return array_size(slb_service_rows(), sizeof(struct slb_service *));
}

/**
 * slb_services_alloc() - allocate the places for rows of a CPU
 * @s: to be filled in, all zero
 * @payer: who pays for them, and for rows
 *
 * Context: process, may sleep.
 * Return: 0, or -ENOMEM.
 */
int slb_services_alloc(struct slb_services *s, struct mem_cgroup *payer)
{
	BUILD_BUG_ON(sizeof(struct slb_service_key) != 24);
	BUILD_BUG_ON(SLB_FLOWS_MIN / SLB_SERVICE_FLOWS < 8);

	s->row = slb_memory_alloc(payer, slb_services_bytes());
	if (!s->row)
		return -ENOMEM;
	s->mask = slb_service_rows() - 1;
	s->seed = get_random_u32();
	s->payer = payer;
	return 0;
}

/**
 * slb_services_free() - free the services of a CPU
 * @s: the services
 *
 * Context: process.
 */
void slb_services_free(struct slb_services *s)
{
	u32 i;

	for (i = 0; i <= s->mask; i++)
		kfree(s->row[i]);
	slb_memory_free(s->row, slb_services_bytes());
}
