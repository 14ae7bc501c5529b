/* SPDX-License-Identifier: GPL-2.0 */
/* Observation: from what the slow path did with a packet to a flow. */
#ifndef _SLB_LEARN_H
#define _SLB_LEARN_H

#include <linux/skbuff.h>

#include "state/cpu.h"

void slb_note(struct slb_net *sn, struct slb_cpu_data *d,
	      struct sk_buff *skb, const struct slb_pkt *pkt,
	      struct slb_pair pair, enum slb_reason reason);
void slb_observe(struct slb_net *sn, struct sk_buff *skb,
		 const struct net_device *dev);

#endif /* _SLB_LEARN_H */
