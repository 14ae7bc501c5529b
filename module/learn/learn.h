/* SPDX-License-Identifier: GPL-2.0 */
/* Learning flows from packets on the slow path. */
#ifndef _SLB_LEARN_H
#define _SLB_LEARN_H

#include <linux/skbuff.h>

#include "state/cpu.h"

/* Of packets that nothing can be learned from, one in N is recorded, and counts for all. */
#define SLB_LEARN_SAMPLE	8

/* Of packets that are not looked at while learning pauses, one in N is looked at, and recorded. */
#define SLB_LEARN_UNSEEN	128

void slb_enter_slow(struct slb_ns *ns, struct slb_cpu_state *cpu,
		    const struct slb_flow *flow, struct sk_buff *skb,
		    const struct slb_pkt *pkt, struct slb_addr_pair pair,
		    enum slb_reason reason);
void slb_learn_leave_slow(struct slb_ns *ns, struct sk_buff *skb,
			  const struct net_device *dev);

/**
 * slb_learn_leave() - handle a packet at the end of the slow path
 * @ns: the namespace
 * @skb: the packet, which IPVS has handled
 * @dev: the egress device
 *
 * Context: RCU, the last hook of POST_ROUTING.
 */
static inline void slb_learn_leave(struct slb_ns *ns, struct sk_buff *skb,
				   const struct net_device *dev)
{
	struct slb_cpu_state *cpu;

	if (likely(in_softirq())) {
		/* pairs with slb_sweep_alloc() */
		cpu = smp_load_acquire(&this_cpu_ptr(ns->cpu)->data);
		if (likely(cpu) && slb_inflight_take_plain(&cpu->inflight, &cpu->clients, skb))
			return;
	}
	slb_learn_leave_slow(ns, skb, dev);
}

#endif /* _SLB_LEARN_H */
