/* SPDX-License-Identifier: GPL-2.0 */
/* Apply an action to the bytes of a packet. */
#ifndef _SLB_REWRITE_H
#define _SLB_REWRITE_H

#include "flow.h"

/**
 * enum slb_rewrite_how - what a rewrite touches
 * @SLB_REWRITE_NAT: addresses, ports and the transport checksum
 * @SLB_REWRITE_PARTIAL: that checksum is completed by hardware
 */
enum slb_rewrite_how {
	SLB_REWRITE_NAT		= 1 << 0,
	SLB_REWRITE_PARTIAL	= 1 << 1,
};

void slb_action_init(struct slb_action *act, const struct slb_key *from,
		     __be32 saddr, __be32 daddr, __be16 sport, __be16 dport);
void slb_rewrite_ipv4(void *data, const struct slb_action *act,
		      unsigned int how);

#endif /* _SLB_REWRITE_H */
