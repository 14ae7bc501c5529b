// SPDX-License-Identifier: GPL-2.0
/* 6.6 ("sysctl: Add size to register_net_sysctl function").
 * expect: implicit declaration of function .register_net_sysctl_sz.
 */
#include <net/net_namespace.h>
void *slb_probe(struct net *net, struct ctl_table *table);
void *slb_probe(struct net *net, struct ctl_table *table)
{
	return register_net_sysctl_sz(net, "net/shadowlb", table, 1);
}
