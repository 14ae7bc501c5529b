// SPDX-License-Identifier: GPL-2.0
/*
 * Verification: net.shadowlb.verify=N gives one in N packets that a flow could serve to the
 * slow path, and compares the result with the flow's action.
 *
 *  operation          | locking
 * --------------------+------------------------------------------------------
 *  slb_verify         | RCU, BH off, the flow is the caller's
 *
 * A difference means that something changed less than a lease ago of which nothing tells (an
 * ipset), that rules or settings just changed, or that there is a bug. Packets that the slow
 * path drops are not compared; their flow stays suspended.
 */
#include "flow/trace.h"
#include "ipvs/conntrack.h"
#include "learn/reroute.h"
#include "learn/verify.h"
#include "state/cpu.h"
#include "state/valid.h"

/* True if the flow's conntrack entries, if any, are still fit. */
static bool slb_verify_tracked(const struct slb_cpu_state *cpu,
			       const struct slb_flow *flow)
{
	const struct nf_conn *inner = slb_cpu_inner(cpu, flow);

	if (inner && !slb_ct_inner_fit(inner))
		return false;
	return !(flow->flags & SLB_FLOW_WIDE) || !slb_flow6(flow)->ct ||
	       slb_ct_fit(slb_flow6(flow)->ct);
}

/* Rare parts, without the flow label: slb_gate_extra() compares the label of each packet, and
 * routes may cease to depend on it.
 */
static bool slb_verify_extra_equal(const struct slb_cpu_state *cpu,
				   const struct slb_flow *flow,
				   const struct slb_derived *p)
{
	static const struct slb_extra none;
	const struct slb_extra *a = flow->flags & SLB_FLOW_EXTRA ?
				    slb_table_extra(&cpu->wide, flow) : &none;
	const struct slb_extra *b = p->flags & SLB_FLOW_EXTRA ? &p->extra : &none;

	return a->mark == b->mark &&
	       !((a->how ^ b->how) & ~SLB_EXTRA_LABEL) && a->inner == b->inner &&
	       a->priority == b->priority && a->tos == b->tos &&
	       a->ttl_in == b->ttl_in && a->ttl_out == b->ttl_out;
}

/**
 * slb_verify_equal() - true if a flow has the derived action
 * @cpu: state of the CPU that owns the flow
 * @flow: the flow
 * @p: action derived from a packet of the flow
 *
 * Does not compare MTUs, which path MTU discovery may change at any time, and GUE's source
 * ports, which depend on the packet's hash.
 *
 * Context: RCU, the flow is the caller's.
 */
bool slb_verify_equal(const struct slb_cpu_state *cpu, const struct slb_flow *flow,
		      const struct slb_derived *p)
{
	struct slb_action6 act;
	const struct slb_flow6 *f6;

	if ((flow->flags ^ p->flags) & ~(SLB_FLOW_SUSPENDED | SLB_FLOW_EXTRA) ||
	    !slb_reroute_dst_equal(flow->dst, p->dst))
		return false;
	slb_flow_action(flow, &act);
	if (flow->flags & SLB_FLOW_TUNNEL)
		act.sport = p->act.sport;
	if (memcmp(&act, &p->act, offsetof(struct slb_action6, mtu)))
		return false;
	if (!(flow->flags & SLB_FLOW_WIDE))
		return true;
	f6 = slb_flow6(flow);
	return f6->ct == p->ct && f6->mark == p->mark &&
	       slb_verify_extra_equal(cpu, flow, p);
}

/**
 * slb_verify() - compare a flow with the slow path
 * @ns: the namespace
 * @cpu: state of the CPU that owns the flow
 * @flow: a flow that could have served the packet
 * @p: action derived from the packet
 * @reason: result of slb_derive()
 *
 * Context: RCU, BH off, the flow is the caller's.
 * Return: false if they differ.
 */
bool slb_verify(struct slb_ns *ns, const struct slb_cpu_state *cpu,
		const struct slb_flow *flow, const struct slb_derived *p,
		enum slb_reason reason)
{
	switch (reason) {
	case 0:
	case SLB_SKIP_CHANGED:
	case SLB_SKIP_EGRESS:
	case SLB_SKIP_CONNTRACK:
		break;
	default:
		/* the connection has changed since, and the flow ends */
		return true;
	}
	/* meanwhile routes changed, or conntrack saw the end of the connection */
	if (!slb_valid_route(ns, flow) || !slb_verify_tracked(cpu, flow))
		return true;
	slb_ns_count(ns, SLB_VERIFIED);
	/* conntrack may keep a flow from being proved that still does as the slow path */
	if ((!reason || reason == SLB_SKIP_CONNTRACK) && slb_verify_equal(cpu, flow, p))
		return true;
	slb_ns_count(ns, SLB_DIFFERS);
	trace_slb_differ(flow, &p->act, p->dst, p->mark, p->flags, reason);
	return false;
}
