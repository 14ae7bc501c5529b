/* SPDX-License-Identifier: GPL-2.0 */
/* Packets of each IPVS service, by reason. */
#ifndef _SLB_SERVICE_H
#define _SLB_SERVICE_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>

#include "flow/reason.h"

struct ip_vs_conn;
struct mem_cgroup;
struct slb_record;

/**
 * struct slb_service_key - key of a service, as in ipvsadm
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
 * struct slb_service - packets of a service on a CPU
 * @key: key of the service
 * @stat: packets by enum slb_reason; SLB_HIT: served
 *
 * This CPU writes, BH off; anybody reads.
 */
struct slb_service {
	struct slb_service_key	key;
	unsigned long		stat[SLB_REASON_XDP];
};

/**
 * struct slb_services - services whose packets a CPU has seen
 * @row: by hash of the key; NULL, or set once (release) and read anywhere (acquire)
 * @others: packets of unknown services, or of services without a row
 * @mask: number of places for rows, less 1
 * @taken: rows in use
 * @seed: seed of the hash
 * @retry: jiffies at which a failed allocation of a row is retried; this CPU, BH off
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

bool slb_service_key(struct slb_service_key *key, const struct ip_vs_conn *cp);
u32 slb_service_rows(void);
int slb_services_alloc(struct slb_services *s, struct mem_cgroup *payer);
void slb_services_free(struct slb_services *s);
struct slb_service *slb_service_find(const struct slb_services *s,
				     const struct slb_service_key *key);
void slb_service_add(struct slb_services *s, const struct ip_vs_conn *cp,
		     enum slb_reason reason, u32 packets);
void slb_service_add_other(struct slb_services *s, enum slb_reason reason, u32 packets);
bool slb_service_add_known(struct slb_services *s, const struct slb_record *rec,
			   const struct sk_buff *skb, enum slb_reason reason,
			   u32 packets);

#endif /* _SLB_SERVICE_H */
