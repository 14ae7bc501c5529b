/* SPDX-License-Identifier: GPL-2.0 */
/* Fields of a device that not every configuration has. */
#ifndef _SLB_COMPAT_NETDEVICE_H
#define _SLB_COMPAT_NETDEVICE_H

#include <linux/netdevice.h>
#include <linux/netfilter.h>

/**
 * slb_dev_ingress() - the netfilter hooks at a device's ingress
 * @dev: the device
 *
 * Context: RCU.
 * Return: the hooks, or NULL.
 */
static inline const struct nf_hook_entries *
slb_dev_ingress(const struct net_device *dev)
{
#ifdef CONFIG_NETFILTER_INGRESS
	return rcu_dereference(dev->nf_hooks_ingress);
#else
	return NULL;
#endif
}

/**
 * slb_dev_egress() - the same of its egress
 * @dev: the device
 *
 * Context: RCU.
 * Return: the hooks, or NULL.
 */
static inline const struct nf_hook_entries *
slb_dev_egress(const struct net_device *dev)
{
#ifdef CONFIG_NETFILTER_EGRESS
	return rcu_dereference(dev->nf_hooks_egress);
#else
	return NULL;
#endif
}

#endif /* _SLB_COMPAT_NETDEVICE_H */
