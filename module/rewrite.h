/* SPDX-License-Identifier: GPL-2.0 */
/* From an action to the bytes of a packet. */
#ifndef _SLB_REWRITE_H
#define _SLB_REWRITE_H

#include "flow.h"

/**
 * enum slb_rewrite_how - what to do besides decrementing the time to live
 * @SLB_REWRITE_NAT: write addresses, ports and checksum
 * @SLB_REWRITE_PARTIAL: the transport checksum is offloaded
 */
enum slb_rewrite_how {
	SLB_REWRITE_NAT		= 1 << 0,
	SLB_REWRITE_PARTIAL	= 1 << 1,
};

void slb_action_init4(struct slb_action4 *act, const struct slb_key4 *from,
		      __be32 saddr, __be32 daddr, __be16 sport, __be16 dport);
void slb_action_init6(struct slb_action6 *act, const struct slb_key6 *from,
		      const struct in6_addr *saddr,
		      const struct in6_addr *daddr,
		      __be16 sport, __be16 dport);
void slb_rewrite_ipv4(void *data, const struct slb_action4 *act,
		      unsigned int how);
void slb_rewrite_ipv6(void *data, const struct slb_action6 *act,
		      unsigned int how);

#endif /* _SLB_REWRITE_H */
