/* SPDX-License-Identifier: GPL-2.0 */
/* Policies of routing, as far as the kernel is configured to have any. */
#ifndef _SLB_COMPAT_ROUTE_H
#define _SLB_COMPAT_ROUTE_H

#include <linux/ipv6.h>
#include <linux/xfrm.h>
#include <net/net_namespace.h>

/**
 * slb_net_rules6() - true if there were ever IPv6 routing policy rules
 * @net: the namespace
 *
 * Context: any.
 */
static inline bool slb_net_rules6(const struct net *net)
{
#ifdef CONFIG_IPV6_MULTIPLE_TABLES
	return READ_ONCE(net->ipv6.fib6_has_custom_rules);
#else
	return false;
#endif
}

/**
 * slb_net_forwards6() - true if the kernel forwards IPv6 packets
 * @net: the namespace
 *
 * With ipv6.disable=1, there are no settings.
 *
 * Context: any.
 */
static inline bool slb_net_forwards6(const struct net *net)
{
	const struct ipv6_devconf *all = net->ipv6.devconf_all;

	return all && READ_ONCE(all->forwarding);
}

/**
 * slb_net_policies() - true if more than the main routes may decide about a packet
 * @net: the namespace
 *
 * IPsec policies, also default ones, or routing policy rules.
 *
 * Context: any.
 */
static inline bool slb_net_policies(const struct net *net)
{
#ifdef CONFIG_XFRM
	int i;

	for (i = 0; i < ARRAY_SIZE(net->xfrm.policy_count); i++) {
		if (READ_ONCE(net->xfrm.policy_count[i]))
			return true;
	}
	for (i = 0; i < ARRAY_SIZE(net->xfrm.policy_default); i++) {
		if (READ_ONCE(net->xfrm.policy_default[i]) != XFRM_USERPOLICY_ACCEPT)
			return true;
	}
#endif
#ifdef CONFIG_IP_MULTIPLE_TABLES
	if (READ_ONCE(net->ipv4.fib_has_custom_rules))
		return true;
#endif
	return slb_net_rules6(net);
}

#endif /* _SLB_COMPAT_ROUTE_H */
