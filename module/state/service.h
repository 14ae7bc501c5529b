/* SPDX-License-Identifier: GPL-2.0 */
/* What became of the packets of each IPVS service, and why. */
#ifndef _SLB_SERVICE_H
#define _SLB_SERVICE_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>

#include "flow/reason.h"

struct ip_vs_conn;
struct mem_cgroup;
struct slb_record;

/**
 * struct slb_service_key - which service, as ipvsadm names it
 * @addr: virtual address; zero if @fwmark is not
 * @fwmark: firewall mark, or 0
 * @port: virtual port, 0 for any
 * @proto: protocol; 0 if @fwmark is not
 * @af: AF_INET or AF_INET6
 *
 * A copy: a service may be deleted at any time. Compared as 24 bytes: no padding.
 */
struct slb_service_key {
	union nf_inet_addr	addr;
	u32			fwmark;
	__be16			port;
	u8			proto;
	u8			af;
};

/**
 * struct slb_service - what one CPU knows of a service
 * @key: which
 * @stat: its packets: SLB_HIT served, all others why not
 *
 * This CPU writes, BH off; anybody reads.
 */
struct slb_service {
	struct slb_service_key	key;
	unsigned long		stat[SLB_REASON_XDP];
};

/**
 * struct slb_services - the services that a CPU has seen packets of
 * @row: by hash of the key; NULL, or set once (release) and read anywhere (acquire)
 * @others: packets whose service could not be told, or had no row left
 * @mask: places for rows less one
 * @taken: rows in use
 * @seed: of the hash
 * @retry: when a row that could not be allocated is tried again, in jiffies; this CPU,
 *	BH off
 * @payer: who pays for rows; does not change
 */
struct slb_services {
	struct slb_service	**row;
	unsigned long		others[SLB_REASON_XDP];
	u32			mask;
	u32			taken;
	u32			seed;
	u64			retry;
	struct mem_cgroup	*payer;
};

u32 slb_service_rows(void);
int slb_services_alloc(struct slb_services *s, struct mem_cgroup *payer);
void slb_services_free(struct slb_services *s);
struct slb_service *slb_service_find(const struct slb_services *s,
				     const struct slb_service_key *key);
void slb_service_add(struct slb_services *s, const struct ip_vs_conn *cp,
		     enum slb_reason reason, u32 packets);
void slb_service_add_other(struct slb_services *s, enum slb_reason reason);
bool slb_service_add_known(struct slb_services *s, const struct slb_record *rec,
			   const struct sk_buff *skb, enum slb_reason reason);

#endif /* _SLB_SERVICE_H */
