// SPDX-License-Identifier: GPL-2.0
/*
 * Route changes: when any route, address or policy changes, the kernel marks all routes of the
 * namespace as expired, and most lookups find the same route again. A packet whose flow has an
 * expired route repeats the lookups of the slow path. If all results are as before, the flow
 * takes the new route and goes on.
 *
 *  operation               | locking
 * -------------------------+-------------------------------------------------
 *  slb_reroute_dst_equal   | RCU, or both routes are held
 *  slb_reroute             | RCU, BH off, the flow is the caller's
 *
 * For a request, the virtual address must be local, and IPVS must have a valid route to the real
 * server, which IPVS looks up for the first packet. For an answer, the kernel must forward to the
 * client, and the route from the virtual address (net.ipv4.vs.snat_reroute) must be the flow's.
 *
 * Whatever else may decide is left to the slow path: policy rules, whose
 * answer may depend on a mark that a rule sets for the lookup alone; IPsec; VRFs;
 * packets with a mark or a conntrack entry; IPv6 multipath, which goes by flow labels.
 */
#include <net/dst.h>
#include <net/inet_dscp.h>
#include <net/ip.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/l3mdev.h>
#include <net/route.h>

#include <compat/route.h>

#include "learn/reroute.h"
#include "state/inflight.h"
#include "state/valid.h"

/**
 * slb_reroute_dst_equal() - true if two routes lead to the same next hop
 * @a: a route
 * @b: another route
 *
 * Context: RCU, or both are held.
 */
bool slb_reroute_dst_equal(const struct dst_entry *a, const struct dst_entry *b)
{
	const struct rt6_info *ra6, *rb6;
	const struct rtable *ra, *rb;

	if (a == b)
		return true;
	if (a->dev != b->dev || a->ops->family != b->ops->family)
		return false;
	if (a->ops->family == AF_INET6) {
		ra6 = container_of(a, struct rt6_info, dst);
		rb6 = container_of(b, struct rt6_info, dst);
		return ipv6_addr_equal(&ra6->rt6i_gateway, &rb6->rt6i_gateway);
	}
	ra = container_of(a, struct rtable, dst);
	rb = container_of(b, struct rtable, dst);
	if (ra->rt_gw_family != rb->rt_gw_family)
		return false;
	return ra->rt_gw_family == AF_INET6 ?
	       ipv6_addr_equal(&ra->rt_gw6, &rb->rt_gw6) :
	       ra->rt_gw4 == rb->rt_gw4;
}

/* Do the lookups below decide alone? */
static bool slb_reroute_fit(struct net *net, const struct slb_flow *flow,
			    const struct sk_buff *skb)
{
	const struct slb_flow6 *f6;

	if (flow->flags & SLB_FLOW_WIDE) {
		f6 = slb_flow6(flow);
		if (flow->flags & SLB_FLOW_EXTRA || f6->ct || f6->mark)
			return false;
	}
	return !skb->mark && !netif_is_l3_master(skb->dev) &&
	       !netif_is_l3_slave(flow->dst->dev) &&
	       READ_ONCE(flow->dst->dev) != blackhole_netdev &&
	       !slb_net_policies(net) && (slb_flow_v6(flow) || !slb_net_realms(net));
}

/* Set the route that ip_rcv_finish() would set. */
static bool slb_reroute_input4(struct sk_buff *skb, bool *local)
{
	const struct iphdr *iph = ip_hdr(skb);
	const struct rtable *rt;

	if (ip_route_input_noref(skb, iph->daddr, iph->saddr,
				 (__force u8)inet_dsfield_to_dscp(iph->tos),
				 skb->dev))
		return false;
	rt = skb_rtable(skb);
	if (rt->dst.error || rt->dst.lwtstate)
		return false;
	*local = rt->rt_type == RTN_LOCAL;
	return *local || rt->rt_type == RTN_UNICAST;
}

/* Set the route that ip6_rcv_finish() would set. */
static bool slb_reroute_input6(struct net *net, struct sk_buff *skb, bool *local)
{
	const struct ipv6hdr *iph = ipv6_hdr(skb);
	struct flowi6 fl6 = {
		.flowi6_iif = skb->dev->ifindex,
		.daddr = iph->daddr,
		.saddr = iph->saddr,
		.flowlabel = ip6_flowinfo(iph),
		.flowi6_proto = iph->nexthdr,
	};
	const struct rt6_info *rt;
	struct dst_entry *dst;

	if (!slb_net_forwards6(net))
		return false;
	dst = ip6_route_input_lookup(net, skb->dev, &fl6, skb,
				     RT6_LOOKUP_F_HAS_SADDR |
				     RT6_LOOKUP_F_DST_NOREF);
	skb_dst_set_noref(skb, dst);
	rt = container_of(dst, const struct rt6_info, dst);
	if (dst->error || dst->lwtstate ||
	    rt->rt6i_flags & (RTF_REJECT | RTF_ANYCAST) ||
	    slb_valid_multipath6(dst))
		return false;
	*local = rt->rt6i_flags & RTF_LOCAL;
	return true;
}

/* The route that an answer leaves by, from the virtual address; held, or NULL. */
static struct dst_entry *slb_reroute_output(struct net *net,
					    const struct slb_flow *flow,
					    const struct sk_buff *skb)
{
	struct slb_action6 act;
	struct dst_entry *dst;
	struct flowi6 fl6;
	struct flowi4 fl4;
	struct rtable *rt;

	if (!READ_ONCE(net_ipvs(net)->sysctl_snat_reroute)) {
		dst = skb_dst(skb);
		return dst_hold_safe(dst) ? dst : NULL;
	}
	slb_flow_action(flow, &act);
	if (flow->dst->ops->family == AF_INET6) {
		memset(&fl6, 0, sizeof(fl6));
		fl6.daddr = act.daddr.in6;
		fl6.saddr = act.saddr.in6;
		fl6.flowi6_uid = sock_net_uid(net, NULL);
		dst = ip6_route_output(net, NULL, &fl6);
		if (!dst->error && !slb_valid_multipath6(dst))
			return dst;
		dst_release(dst);
		return NULL;
	}
	flowi4_init_output(&fl4, 0, 0, flow->tos, RT_SCOPE_UNIVERSE, 0,
			   FLOWI_FLAG_ANYSRC, act.daddr.ip, act.saddr.ip, 0, 0,
			   GLOBAL_ROOT_UID);
	rt = ip_route_output_key(net, &fl4);
	return IS_ERR(rt) ? NULL : &rt->dst;
}

static bool slb_reroute_forwarded_fits(const struct slb_flow *flow, struct dst_entry *dst)
{
	u32 mtu;

	if (dst->ops->family == AF_INET6)
		mtu = ip6_dst_mtu_maybe_forward(dst, true);
	else
		mtu = ip_dst_mtu_maybe_forward(dst, true);
	return mtu >= (flow->flags & SLB_FLOW_WIDE ? slb_flow6(flow)->act.mtu :
						     slb_flow4(flow)->act.mtu);
}

/* IPVS's route to the real server (RCU); NULL if IPVS has to look up the route. */
static struct dst_entry *slb_reroute_server_dst(const struct slb_flow *flow)
{
	const struct ip_vs_dest_dst *dd;
	struct slb_action6 act;
	struct dst_entry *dst;

	dd = rcu_dereference(flow->conn->dest->dest_dst);
	if (!dd)
		return NULL;
	dst = dd->dst_cache;
	if (dst->obsolete && !dst->ops->check(dst, dd->dst_cookie))
		return NULL;
	if (!(flow->flags & SLB_FLOW_TUNNEL))
		return dst;
	slb_flow_action(flow, &act);
	return slb_conn_addr_equal(flow->conn->daf, &act.saddr, &dd->dst_saddr) ? dst : NULL;
}

/* Look up the route that a packet has before IPVS; true if the flow may go on by this route. */
static bool slb_reroute_input(struct net *net, const struct slb_flow *flow, struct sk_buff *skb)
{
	bool v6 = ip_hdr(skb)->version == 6, local = false;

	if (!(v6 ? slb_reroute_input6(net, skb, &local) : slb_reroute_input4(skb, &local)))
		return false;
	if (!(flow->flags & SLB_FLOW_OUT))
		return local;
	/* the kernel sends redirects by the route from before IPVS */
	if (skb_dst(skb)->dev == skb->dev && flow->dst->dev != skb->dev)
		return false;
	return !local && slb_reroute_forwarded_fits(flow, skb_dst(skb));
}

/* The route of a packet behind IPVS, held, or NULL. */
static struct dst_entry *slb_reroute_lookup(struct net *net, const struct slb_flow *flow,
					    struct sk_buff *skb)
{
	struct dst_entry *dst;

	if (!slb_reroute_input(net, flow, skb))
		return NULL;
	if (flow->flags & SLB_FLOW_OUT)
		return slb_reroute_output(net, flow, skb);
	dst = slb_reroute_server_dst(flow);
	return dst && dst_hold_safe(dst) ? dst : NULL;
}

/* True if lookups would lead to the valid route of a flow again. While no IPv4 route has changed
 * (IPv6 does not tell of all changes), the kernel would choose the same route to the client, and
 * deliver requests as before, unless a check of their source may drop them.
 */
static bool slb_reroute_stands(const struct slb_ns *ns, const struct slb_flow *flow,
			       struct sk_buff *skb)
{
	struct in_device *in = __in_dev_get_rcu(skb->dev);
	const struct rtable *rt;
	bool stands;

	if (slb_flow_v6(flow) || slb_net_picks_legs(ns->net) || !slb_valid_route(ns, flow))
		return false;
	if (!(flow->flags & SLB_FLOW_OUT))
		return in && !IN_DEV_RPFILTER(in) && slb_reroute_server_dst(flow) == flow->dst;
	/* by an ICMP message, which time may undo */
	rt = container_of(flow->dst, const struct rtable, dst);
	if (rt->rt_flags & RTCF_REDIRECTED || !READ_ONCE(net_ipvs(ns->net)->sysctl_snat_reroute))
		return false;
	stands = slb_reroute_input(ns->net, flow, skb);
	skb_dst_drop(skb);
	return stands;
}

/**
 * slb_reroute() - look up the route of a flow again
 * @ns: the namespace
 * @flow: a flow
 * @skb: a packet of the flow at ingress, without a route
 *
 * Context: RCU, BH off, the flow is the caller's.
 * Return: true if the flow has a valid route again, with the same next hop and MTU. Otherwise
 *	the flow has not changed.
 */
bool slb_reroute(const struct slb_ns *ns, struct slb_flow *flow,
		 struct sk_buff *skb)
{
	struct dst_entry *dst, *old = flow->dst;
	u32 routes = slb_ns_routes(ns->net);
	bool same;

	if (!slb_reroute_fit(ns->net, flow, skb))
		return false;
	if (slb_reroute_stands(ns, flow, skb))
		return true;
	/* pairs with the kernel, which changes routes first, then the number */
	smp_rmb();
	dst = slb_reroute_lookup(ns->net, flow, skb);
	skb_dst_drop(skb);
	if (!dst)
		return false;
	/* two lookups: of the same state */
	smp_rmb();
	same = slb_ns_routes(ns->net) == routes && slb_reroute_dst_equal(old, dst) &&
	       dst->output == old->output &&
	       dst_mtu(dst) == dst_mtu(old) && !dst->lwtstate && !dst_xfrm(dst);
	if (!same) {
		dst_release(dst);
		return false;
	}
	flow->dst = dst;
	if (flow->flags & SLB_FLOW_WIDE)
		slb_flow6(flow)->routes = routes;
	dst_release(old);
	return true;
}
