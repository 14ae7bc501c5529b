/* SPDX-License-Identifier: GPL-2.0 */
/* Flows proved again by lookups alone. */
#ifndef _SLB_RECHECK_H
#define _SLB_RECHECK_H

#include "state/cpu.h"

bool slb_recheck(struct slb_ns *ns, struct slb_cpu_state *cpu, struct slb_flow *flow,
		 struct sk_buff *skb, const struct slb_pkt *pkt, unsigned long now);

#endif /* _SLB_RECHECK_H */
