/* SPDX-License-Identifier: GPL-2.0 */
/* Policies and settings of routing, as far as the kernel is configured to have any. */
#ifndef _SLB_COMPAT_ROUTE_H
#define _SLB_COMPAT_ROUTE_H

#include <linux/ipv6.h>
#include <linux/jhash.h>
#include <linux/xfrm.h>
#include <net/ip_fib.h>
#include <net/net_namespace.h>

#include "probed.h"

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

/**
 * slb_net_realms() - true if IPv4 routes or rules have realms, whose packets the kernel counts
 * @net: the namespace
 *
 * Context: any.
 */
static inline bool slb_net_realms(const struct net *net)
{
#ifdef CONFIG_IP_ROUTE_CLASSID
	return atomic_read(&net->ipv4.fib_num_tclassid_users);
#else
	return false;
#endif
}

/* True if a table has several default routes: the state of neighbours chooses. */
static inline bool slb_net_defaults(const struct fib_table *table)
{
	return table && READ_ONCE(table->tb_num_default) > 1;
}

/**
 * slb_net_picks_legs() - true if IPv4 routes may lead another way, while no route has changed
 * @net: the namespace, without policy rules
 *
 * The state of neighbours may choose among the legs of a multipath route, and among default routes,
 * and the load may choose in a group of next-hop objects.
 *
 * Context: RCU.
 */
static inline bool slb_net_picks_legs(const struct net *net)
{
#ifdef CONFIG_IP_ROUTE_MULTIPATH
	if (READ_ONCE(net->ipv4.sysctl_fib_multipath_use_neigh))
		return true;
#endif
#ifdef CONFIG_IP_MULTIPLE_TABLES
	return READ_ONCE(net->nexthop.rb_root.rb_node) ||
	       slb_net_defaults(rcu_dereference(net->ipv4.fib_main)) ||
	       slb_net_defaults(rcu_dereference(net->ipv4.fib_default));
#else
	return true;
#endif
}

/**
 * slb_net_leg_hash() - a number that changes with how IPv4 routes hash packets to legs
 * @net: the namespace
 *
 * Context: any.
 */
static inline u32 slb_net_leg_hash(const struct net *net)
{
	u32 hash = 0;

#ifdef CONFIG_IP_ROUTE_MULTIPATH
	hash = jhash_3words(READ_ONCE(net->ipv4.sysctl_fib_multipath_hash_policy),
			    READ_ONCE(net->ipv4.sysctl_fib_multipath_hash_fields),
			    READ_ONCE(net->ipv4.sysctl_fib_multipath_use_neigh), 0);
#ifdef SLB_HAVE_MULTIPATH_SEED
	hash ^= READ_ONCE(net->ipv4.sysctl_fib_multipath_hash_seed.mp_seed);
#endif
#endif
	return hash;
}

#endif /* _SLB_COMPAT_ROUTE_H */
