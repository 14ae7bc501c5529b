/* SPDX-License-Identifier: GPL-2.0 */
/* Packets of the slow path, counted for their service and the reason why no flow served them. */
#ifndef _SLB_COUNT_H
#define _SLB_COUNT_H

#include <linux/skbuff.h>

#include "state/cpu.h"
#include "state/inflight.h"

void slb_count_packet(struct slb_cpu_state *cpu, const struct slb_record *rec,
		      const struct ip_vs_conn *cp, enum slb_reason reason);
void slb_count_unlearned(const struct slb_ns *ns, struct slb_cpu_state *cpu,
			 const struct slb_record *rec, struct sk_buff *skb, enum slb_reason reason);

#endif /* _SLB_COUNT_H */
