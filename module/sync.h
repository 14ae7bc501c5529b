/* SPDX-License-Identifier: GPL-2.0 */
/* Connection sync messages, which IPVS sends to backup directors. */
#ifndef _SLB_SYNC_H
#define _SLB_SYNC_H

#include <net/ip_vs.h>

#include "conn.h"
#include "flow.h"

struct slb_cpu_data;

/**
 * slb_synced() - does this director send connection sync messages?
 * @ipvs: IPVS's part of the namespace
 *
 * Context: any.
 */
static inline bool slb_synced(const struct netns_ipvs *ipvs)
{
	return ipvs->sync_state & IP_VS_STATE_MASTER;
}

bool slb_sync_fit(const struct ip_vs_conn *cp);
bool slb_sync_due(struct slb_cpu_data *d, struct slb_flow *flow,
		  unsigned long now);

#endif /* _SLB_SYNC_H */
