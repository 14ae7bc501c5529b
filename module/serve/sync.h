/* SPDX-License-Identifier: GPL-2.0 */
/* Connection sync messages, which IPVS sends to backup directors. */
#ifndef _SLB_SYNC_H
#define _SLB_SYNC_H

#include "flow/flow.h"
#include "ipvs/conn.h"
#include "state/ns.h"

struct slb_cpu_data;

bool slb_sync_owed(struct slb_cpu_data *d, struct slb_flow *flow,
		   unsigned long now);

/**
 * slb_sync_due() - may IPVS have to send a sync message for the next packet?
 * @sn: the namespace
 * @d: this CPU's data
 * @flow: its flow
 * @now: jiffies
 *
 * Context: RCU, BH off, the flow is the caller's.
 * Return: true if the packet must go slow.
 */
static inline bool slb_sync_due(const struct slb_net *sn, struct slb_cpu_data *d,
				struct slb_flow *flow, unsigned long now)
{
	/* of replies it sends none; the connection would say which IPVS it is of, but in
	 * a cache line that nothing else needs
	 */
	if (flow->flags & SLB_FLOW_OUT || likely(!slb_conn_syncs(net_ipvs(sn->net))))
		return false;
	return slb_sync_owed(d, flow, now);
}

#endif /* _SLB_SYNC_H */
