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
 * slb_sync_take() - account the next packet for sync messages
 * @ns: the namespace
 * @cpu: state of this CPU
 * @flow: the flow
 * @now: jiffies
 *
 * Context: RCU, BH off, the flow is the caller's.
 * Return: true if IPVS may have to send a message for the next packet.
 */
static inline bool slb_sync_take(const struct slb_ns *ns, struct slb_cpu_state *cpu,
				 struct slb_flow *flow, unsigned long now)
{
	/* no messages for answers; cp->ipvs is in a cache line that a hit does not need */
	if (flow->flags & SLB_FLOW_OUT || likely(!slb_conn_syncs(net_ipvs(ns->net))))
		return false;
	return slb_sync_take_owed(cpu, flow, now);
}

#endif /* _SLB_SYNC_H */
