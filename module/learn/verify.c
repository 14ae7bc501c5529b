// SPDX-License-Identifier: GPL-2.0
/*
 * Verification: net.shadowlb.verify=N gives one packet in N to the slow path,
 * though its flow could have served it, and compares what came out with what the
 * flow would have done.
 *
 *  operation          | locking
 * --------------------+------------------------------------------------------
 *  slb_verify         | RCU, BH off, the flow is the caller's
 *
 * A difference says that a flow did, for up to a lease, what the slow path no longer
 * does: a rule was added behind the raw table, a sysctl of IPVS was changed, or
 * there is a bug. Packets that the slow path drops do not come out and are
 * not compared; their flow waits for one that does.
 */
#include "flow/trace.h"
#include "ipvs/conntrack.h"
#include "learn/reroute.h"
#include "learn/verify.h"
#include "state/cpu.h"
#include "state/valid.h"

/* Are its conntrack entries such that flows may serve, if it has any? */
static bool slb_verify_tracked(const struct slb_cpu_state *cpu,
			       const struct slb_flow *flow)
{
	const struct nf_conn *inner = slb_cpu_inner(cpu, flow);

	if (inner && !slb_ct_inner_fit(inner))
		return false;
	return !(flow->flags & SLB_FLOW_WIDE) || !slb_flow6(flow)->ct ||
	       slb_ct_fit(slb_flow6(flow)->ct);
}

static bool slb_verify_extra_equal(const struct slb_extra *a, const struct slb_extra *b)
{
	return a->stats.mark == b->stats.mark && a->how == b->how &&
	       a->inner == b->inner &&
	       a->priority == b->priority && a->tos == b->tos &&
	       a->ttl_in == b->ttl_in && a->ttl_out == b->ttl_out;
}

/**
 * slb_verify_equal() - true if a flow does what the slow path did
 * @cpu: the data of the CPU that owns the flow
 * @flow: the flow
 * @p: what was found out about a packet of it, which could be proved
 *
 * The longest packet is left out: path MTU discovery changes it at any time. So is GUE's
 * source port, which follows the hash that a packet comes with.
 *
 * Context: RCU, the flow is the caller's.
 */
bool slb_verify_equal(const struct slb_cpu_state *cpu, const struct slb_flow *flow,
		      const struct slb_derived *p)
{
	struct slb_action6 act;
	const struct slb_flow6 *f6;

	if ((flow->flags ^ p->flags) & ~SLB_FLOW_SUSPENDED ||
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
	       (!(p->flags & SLB_FLOW_EXTRA) ||
		slb_verify_extra_equal(slb_table_extra(&cpu->wide, flow), &p->extra));
}

/**
 * slb_verify() - compare a flow with what the slow path did
 * @ns: the namespace
 * @cpu: the data of the CPU that owns the flow
 * @flow: the flow of a packet that it could have served
 * @p: what was found out about the packet
 * @reason: what slb_derive() said of it
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
	/* routes have changed since, or conntrack has seen the end of it */
	if (!slb_valid_route(ns, flow) || !slb_verify_tracked(cpu, flow))
		return true;
	slb_ns_count(ns, SLB_VERIFIED);
	if (!reason && slb_verify_equal(cpu, flow, p))
		return true;
	slb_ns_count(ns, SLB_DIFFERS);
	trace_slb_differ(flow, &p->act, p->dst, p->mark, p->flags, reason);
	return false;
}
