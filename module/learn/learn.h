/* SPDX-License-Identifier: GPL-2.0 */
/* Learning flows from packets on the slow path. */
#ifndef _SLB_LEARN_H
#define _SLB_LEARN_H

#include <linux/skbuff.h>

#include "state/cpu.h"

void slb_learn_enter(struct slb_ns *ns, struct slb_cpu_state *cpu,
		     const struct slb_flow *flow, struct sk_buff *skb,
		     const struct slb_pkt *pkt, struct slb_addr_pair pair,
		     enum slb_reason reason);
void slb_learn_leave(struct slb_ns *ns, struct sk_buff *skb,
		     const struct net_device *dev);

#endif /* _SLB_LEARN_H */
