// SPDX-License-Identifier: GPL-2.0
/*
 * Rechecks: a packet whose flow has not been proved for a lease, and which is served all the same.
 * Where nothing decides about packets but IPVS's connections and the kernel's routes, looking both
 * up tells as much as a proof, and costs less.
 *
 *  operation         | locking
 * -------------------+-------------------------------------------------------
 *  slb_recheck       | RCU, BH off, the flow is the caller's
 *
 * The conditions are that rules are constant (ruleset.c), and no epoch is to begin yet; that no
 * mark, conntrack entry or other rare part belongs to the flow; and that the kernel sends no
 * redirects for its packets. Time limits what nobody thought of: a packet must prove the flow on
 * the slow path once in SLB_VALID_LEASES.
 */
#include <linux/ktime.h>
#include <net/net_namespace.h>
#include <net/udp.h>

#include "ipvs/conn.h"
#include "learn/recheck.h"
#include "learn/reroute.h"
#include "state/valid.h"

/* True if the proof of a flow holds, but for its age: nothing has begun an epoch since. */
static bool slb_recheck_holds(const struct slb_ns *ns, const struct slb_flow *flow,
			      unsigned long now)
{
	/* the time was read before: pairs with slb_epoch_doubt() */
	smp_mb();
	return slb_epoch_constant(&ns->epoch, slb_flow_v6(flow)) &&
	       slb_epoch_constant(&ns->epoch, flow->dst->ops->family == AF_INET6) &&
	       slb_flow_holds(flow, slb_flow_ticks(now), U16_MAX, READ_ONCE(ns->epoch.begun));
}

/* True if the last proof by the slow path is not too long ago. */
static bool slb_recheck_young(const struct slb_ns *ns, const struct slb_cpu_state *cpu,
			      const struct slb_flow *flow)
{
	const struct slb_table *t = flow->flags & SLB_FLOW_WIDE ? &cpu->wide : &cpu->narrow;
	u32 age = (u32)ktime_get_seconds() - slb_table_stats(t, flow)->proved;

	return age < (SLB_VALID_LEASES - 1) * (u32)READ_ONCE(ns->lease);
}

/* True if connection and routes decide alone. slb_reroute() asks further questions. */
static bool slb_recheck_fit(const struct slb_ns *ns, const struct slb_flow *flow,
			    const struct sk_buff *skb, bool v6)
{
	if (skb->mark || !slb_valid_by_lookup(ns, flow))
		return false;
	return v6 || !(flow->flags & SLB_FLOW_OUT) ||
	       !(flow->flags & SLB_FLOW_PRIO) ==
	       !READ_ONCE(ns->net->ipv4.sysctl_ip_fwd_update_priority);
}

/* True if IPVS would handle the packet by the flow's connection, and leave its timeout as it is. */
static bool slb_recheck_conn(const struct slb_ns *ns, const struct slb_flow *flow,
			     const struct slb_pkt *pkt)
{
	struct ip_vs_conn *cp;
	bool out;

	cp = slb_conn_pin_asked(net_ipvs(ns->net), pkt, &out);
	if (cp)
		slb_conn_unpin(cp);
	return cp == flow->conn && out == !!(flow->flags & SLB_FLOW_OUT) &&
	       READ_ONCE(cp->timeout) == slb_conn_timeout(cp);
}

/* The outer source port of GUE follows the packet; XDP takes it from the last packet here. */
static void slb_recheck_sport(struct net *net, struct slb_flow *flow, struct sk_buff *skb)
{
	__be16 sport;

	if (!(flow->flags & SLB_FLOW_TUNNEL) ||
	    flow->conn->dest->tun_type != IP_VS_CONN_F_TUNNEL_TYPE_GUE)
		return;
	sport = udp_flow_src_port(net, skb, 0, 0, false);
	if (flow->flags & SLB_FLOW_WIDE)
		slb_flow6(flow)->act.sport = sport;
	else
		slb_flow4(flow)->act.sport = sport;
}

/**
 * slb_recheck() - prove a flow again by lookups alone
 * @ns: the namespace
 * @cpu: state of this CPU
 * @flow: a flow that has not been proved for a lease, and is not suspended
 * @skb: a packet of the flow at ingress, without a route
 * @pkt: result of the parser, without a reason
 * @now: jiffies, read before slb_ruleset_check()
 *
 * Context: RCU, BH off, the flow is the caller's.
 * Return: true if the flow is as good as proved, with a valid route. Otherwise only its route may
 *	have changed, to an equal one.
 */
bool slb_recheck(struct slb_ns *ns, struct slb_cpu_state *cpu, struct slb_flow *flow,
		 struct sk_buff *skb, const struct slb_pkt *pkt, unsigned long now)
{
	if (slb_cpu_paused(cpu, flow) || !slb_recheck_holds(ns, flow, now) ||
	    !slb_recheck_young(ns, cpu, flow) || !slb_recheck_fit(ns, flow, skb, pkt->v6) ||
	    !slb_recheck_conn(ns, flow, pkt) || !slb_reroute(ns, flow, skb))
		return false;
	slb_recheck_sport(ns->net, flow, skb);
	flow->proved = slb_flow_ticks(now);
	slb_ns_count(ns, SLB_RECHECKED);
	return true;
}
