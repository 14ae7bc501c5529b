/* SPDX-License-Identifier: GPL-2.0 */
/* Validity of a flow's route and lease, and of routes in general. */
#ifndef _SLB_VALID_H
#define _SLB_VALID_H

#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <net/dst.h>
#include <net/ip6_fib.h>
#include <net/l3mdev.h>

#include <compat/ip_vs.h>
#include <compat/route.h>

#include "flow/flow.h"
#include "state/ns.h"

/**
 * slb_valid_dev() - does the egress device of a flow still exist?
 * @flow: the flow
 *
 * When a device is unregistered, its routes lead to blackhole_netdev.
 *
 * Context: RCU, the flow is the caller's.
 */
static inline bool slb_valid_dev(const struct slb_flow *flow)
{
	return likely(READ_ONCE(flow->dst->dev) != blackhole_netdev);
}

/**
 * slb_valid_dst() - does the route of a flow still exist?
 * @flow: the flow
 *
 * A route whose device is gone leads to blackhole_netdev, and is compared with the routes of
 * that device's namespace.
 *
 * Context: RCU, the flow is the caller's.
 */
static inline bool slb_valid_dst(const struct slb_flow *flow)
{
	const struct rt6_info *rt;
	u32 cookie = 0;

	if (!slb_valid_dev(flow))
		return false;
	if (flow->flags & SLB_FLOW_WIDE && flow->dst->ops->family == AF_INET6) {
		rt = container_of(flow->dst, const struct rt6_info, dst);
		cookie = rt6_get_cookie(rt);
	}
	return dst_check(flow->dst, cookie);
}

/**
 * slb_valid_multipath6() - true if this IPv6 route may be one of several, chosen by flow label
 * @dst: the route
 *
 * Context: RCU.
 */
static inline bool slb_valid_multipath6(const struct dst_entry *dst)
{
	const struct fib6_info *from;

	from = rcu_dereference(container_of(dst, const struct rt6_info, dst)->from);
	return !from || from->nh || READ_ONCE(from->fib6_nsiblings);
}

/**
 * slb_valid_lease() - true if a flow needs not be proved again yet
 * @ns: the namespace
 * @flow: the flow
 * @now: jiffies
 *
 * Context: the flow is the caller's.
 */
static __always_inline bool slb_valid_lease(const struct slb_ns *ns,
					    const struct slb_flow *flow,
					    unsigned long now)
{
	u16 lease = slb_flow_ticks((unsigned long)READ_ONCE(ns->lease) * HZ);

	return slb_flow_holds(flow, slb_flow_ticks(now), lease, READ_ONCE(ns->epoch.begun));
}

/* For how long a flow may be idle: IPVS drops connections that have been idle for a minute
 * (drop_entry), and must find them unpinned.
 */
#define SLB_VALID_IDLE	(45u * HZ)

/* Number of leases after which a packet must take the slow path, to prove the flow. */
#define SLB_VALID_LEASES	30

/**
 * slb_valid_constant() - true if nothing in a namespace but connections and routes decides
 * @ns: the namespace
 * @v6: for packets of this family
 *
 * As of the last look at the rules. Rules that change often are not constant for long enough.
 *
 * Context: any.
 */
static inline bool slb_valid_constant(const struct slb_ns *ns, bool v6)
{
	return slb_ruleset_constant(&ns->rules, v6) && slb_epoch_calm(&ns->epoch) &&
	       !slb_net_policies(ns->net) &&
	       !READ_ONCE(net_ipvs(ns->net)->sysctl_nat_icmp_send) &&
	       (v6 ? slb_net_forwards6(ns->net) : !slb_net_realms(ns->net));
}

/**
 * slb_valid_by_lookup() - true if connection and routes decide alone about packets of a flow
 * @ns: the namespace
 * @flow: the flow
 *
 * Not for frames of a bridge. The kernel may send redirects for answers that leave by the device
 * that they came in by.
 *
 * Context: RCU, the flow is the caller's.
 */
static inline bool slb_valid_by_lookup(const struct slb_ns *ns, const struct slb_flow *flow)
{
	const struct net_device *dev = flow->dst->dev;
	bool v6 = slb_flow_v6(flow), v6_out = flow->dst->ops->family == AF_INET6;
	const struct net_device *in;
	const struct slb_flow6 *f6;
	struct in_device *inet;

	if (!slb_valid_constant(ns, v6) || (v6 != v6_out && !slb_valid_constant(ns, v6_out)))
		return false;
	if (flow->flags & SLB_FLOW_WIDE) {
		f6 = slb_flow6(flow);
		if (flow->flags & SLB_FLOW_EXTRA || f6->ct || f6->mark ||
		    (v6_out && slb_valid_multipath6(flow->dst)))
			return false;
	}
	in = dev_get_by_index_rcu(ns->net, slb_flow_iif(flow));
	if (!in || netif_is_bridge_port(in) || netif_is_l3_slave(dev))
		return false;
	if (!(flow->flags & SLB_FLOW_OUT) || in != dev)
		return true;
	inet = v6 ? NULL : __in_dev_get_rcu(in);
	return inet && !IN_DEV_TX_REDIRECTS(inet);
}

/**
 * slb_valid_patience() - for how long a flow may be idle, and still serve the next packet
 * @ns: the namespace
 * @lookup: lookups may stand for a proof
 *
 * Context: any.
 * Return: jiffies.
 */
static inline u32 slb_valid_patience(const struct slb_ns *ns, bool lookup)
{
	u32 lease = (u32)READ_ONCE(ns->lease) * HZ;

	return min(lookup ? lease * (SLB_VALID_LEASES - 1) : lease, SLB_VALID_IDLE);
}

/**
 * slb_valid_route() - true if the slow path would still take the route of a flow
 * @ns: the namespace
 * @flow: the flow
 *
 * An IPv4 route is invalid once routes change. An IPv6 route stays valid when a better route is
 * added or a rule decides otherwise, and the route of a tunnel does not depend on routes to the
 * virtual address: so these flows compare slb_ns_routes(). ip6_forward() checks for each packet
 * whether forwarding is allowed.
 *
 * Context: RCU, the flow is the caller's.
 */
static __always_inline bool slb_valid_route(const struct slb_ns *ns,
					    const struct slb_flow *flow)
{
	const struct slb_flow6 *f6;
	bool v6;

	if (flow->flags & SLB_FLOW_WIDE) {
		f6 = slb_flow6(flow);
		v6 = !(f6->key.iif_proto & SLB_KEY_MAPPED);
		if ((v6 || flow->dst->ops->family == AF_INET6) &&
		    f6->routes != slb_ns_routes(ns->net))
			return false;
		if (v6 && flow->flags & SLB_FLOW_OUT && !slb_net_forwards6(ns->net))
			return false;
	}
	return slb_valid_dst(flow);
}

#endif /* _SLB_VALID_H */
