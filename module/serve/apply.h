/* SPDX-License-Identifier: GPL-2.0 */
/* The action of a flow, applied to the headers of a packet; and the flow's counters. */
#ifndef _SLB_APPLY_H
#define _SLB_APPLY_H

#include "flow/rewrite.h"
#include "state/cpu.h"

/**
 * slb_apply_headers() - apply a flow's action to the headers of a packet
 * @flow: the flow
 * @data: the packet, from its IP header; see slb_rewrite_ipv4()
 * @v6: an IPv6 packet
 * @how: enum slb_rewrite_how
 *
 * Context: the flow is the caller's.
 */
static __always_inline void slb_apply_headers(const struct slb_flow *flow,
					      void *data, bool v6,
					      unsigned int how)
{
	const struct slb_action6 *act6;
	struct slb_action4 act4;

	if (!(flow->flags & SLB_FLOW_WIDE)) {
		slb_rewrite_ipv4(data, &slb_flow4(flow)->act, how);
		return;
	}
	act6 = &slb_flow6(flow)->act;
	if (v6) {
		slb_rewrite_ipv6(data, act6, how);
		return;
	}
	act4.saddr = act6->saddr.ip;
	act4.daddr = act6->daddr.ip;
	act4.sport = act6->sport;
	act4.dport = act6->dport;
	act4.csum = act6->csum;
	slb_rewrite_ipv4(data, &act4, how);
}

/**
 * slb_apply_outer() - get the addresses of a flow's tunnel
 * @flow: a flow with SLB_FLOW_TUNNEL
 * @saddr: set to the outer source address
 * @daddr: set to the outer destination address
 *
 * Context: the flow is the caller's.
 */
static inline void slb_apply_outer(const struct slb_flow *flow,
				   union slb_addr *saddr, union slb_addr *daddr)
{
	if (flow->flags & SLB_FLOW_WIDE) {
		*saddr = slb_flow6(flow)->act.saddr;
		*daddr = slb_flow6(flow)->act.daddr;
	} else {
		saddr->ip = slb_flow4(flow)->act.saddr;
		daddr->ip = slb_flow4(flow)->act.daddr;
	}
}

/**
 * slb_apply_count() - count a packet that a flow serves
 * @ns: the namespace
 * @cpu: state of this CPU
 * @flow: the flow
 * @len: length of the packet at ingress from its IP header, in bytes
 * @now: jiffies
 *
 * Context: BH off, the flow is the caller's.
 */
static inline void slb_apply_count(struct slb_ns *ns, struct slb_cpu_state *cpu,
				   struct slb_flow *flow, u32 len,
				   unsigned long now)
{
	/* bits of packets and bytes could wrap between two sweeps */
	if (unlikely(flow->bytes > SLB_BYTES_MAX))
		slb_cpu_account(cpu, flow, now);
	flow->packets++;
	flow->bytes += len;
	flow->last = now;
	slb_ns_count(ns, SLB_HIT);
}

#endif /* _SLB_APPLY_H */
