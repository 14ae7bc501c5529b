// SPDX-License-Identifier: GPL-2.0
/* 6.11, 4ee2a8cace3f ("net: ipv4: Add a sysctl to set multipath hash seed").
 * expect: has no member named
 */
#include <net/net_namespace.h>
u32 slb_probe(const struct net *net);

u32 slb_probe(const struct net *net)
{
#ifdef CONFIG_IP_ROUTE_MULTIPATH
	return net->ipv4.sysctl_fib_multipath_hash_seed.mp_seed;
#else
	return 0;
#endif
}
