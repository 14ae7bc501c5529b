/* SPDX-License-Identifier: GPL-2.0 */
/* The slow path's changes to a packet, see rewrite_slow.c. */
#ifndef _SLB_KUNIT_REWRITE_SLOW_H
#define _SLB_KUNIT_REWRITE_SLOW_H

#include "rewrite_packet.h"

/**
 * enum slb_slow_way - translators of a packet, in this order
 * @SLB_SLOW_DNAT: IPVS, to the real server
 * @SLB_SLOW_SNAT: IPVS, to the client
 * @SLB_SLOW_DNAT_NF: IPVS to the real server, then nf_nat its source
 * @SLB_SLOW_NF_SNAT: nf_nat the destination, then IPVS to the client
 * @SLB_SLOW_WAYS: number of ways
 */
enum slb_slow_way {
	SLB_SLOW_DNAT,
	SLB_SLOW_SNAT,
	SLB_SLOW_DNAT_NF,
	SLB_SLOW_NF_SNAT,
	SLB_SLOW_WAYS
};

void slb_slow(struct slb_packet *pkt, enum slb_slow_way way, bool partial);
void slb_slow_restrict(struct slb_packet *pkt, enum slb_slow_way way);

#endif /* _SLB_KUNIT_REWRITE_SLOW_H */
