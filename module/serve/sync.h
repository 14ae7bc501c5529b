/* SPDX-License-Identifier: GPL-2.0 */
/* Connection sync messages, which IPVS sends to backup directors. */
#ifndef _SLB_SYNC_H
#define _SLB_SYNC_H

#include "flow/flow.h"
#include "ipvs/conn.h"
#include "state/ns.h"

struct slb_cpu_state;

bool slb_sync_take_owed(struct slb_cpu_state *cpu, struct slb_flow *flow,
			unsigned long now);

/**
 * slb_sync_take() - may IPVS have to send a sync message for the next packet?
 * @ns: the namespace
 * @cpu: this CPU's data
 * @flow: its flow
 * @now: jiffies
 *
 * Context: RCU, BH off, the flow is the caller's.
 * Return: true if the packet must go slow.
 */
static inline bool slb_sync_take(const struct slb_ns *ns, struct slb_cpu_state *cpu,
				 struct slb_flow *flow, unsigned long now)
{
	/* of replies it sends none; the connection would say which IPVS it is of, but in
	 * a cache line that nothing else needs
	 */
	if (flow->flags & SLB_FLOW_OUT || likely(!slb_conn_syncs(net_ipvs(ns->net))))
		return false;
	return slb_sync_take_owed(cpu, flow, now);
}

#endif /* _SLB_SYNC_H */
