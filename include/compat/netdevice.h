/* SPDX-License-Identifier: GPL-2.0 */
/* Fields of a device that not every configuration has. */
#ifndef _SLB_COMPAT_NETDEVICE_H
#define _SLB_COMPAT_NETDEVICE_H

#include <linux/netdevice.h>
#include <net/sch_generic.h>
#include <linux/netfilter.h>

/* 6.6 moved receive queues out of <linux/netdevice.h> */
#if __has_include("net/netdev_rx_queue.h")
#include <net/netdev_rx_queue.h>
#endif

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
 * slb_dev_egress() - get the netfilter hooks at a device's egress
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

/**
 * slb_dev_classified() - does traffic control, or BPF there, see packets that a device receives?
 * @dev: the device
 *
 * Context: any.
 */
static inline bool slb_dev_classified(const struct net_device *dev)
{
#if defined(CONFIG_NET_XGRESS)
	return rcu_access_pointer(dev->tcx_ingress);
#elif defined(CONFIG_NET_CLS_ACT)
	return rcu_access_pointer(dev->miniq_ingress);
#else
	return false;
#endif
}

/**
 * slb_dev_shapes() - may traffic control tell apart packets that a device sends?
 * @dev: the device
 *
 * Filters at egress, or a queueing discipline that may have filters or that somebody chose: only
 * those have a handle.
 *
 * Context: RCU.
 */
static inline bool slb_dev_shapes(const struct net_device *dev)
{
	if (READ_ONCE(rcu_dereference(dev->qdisc)->handle) ||
	    (rcu_dereference(dev->qdisc)->ops->cl_ops &&
	     rcu_dereference(dev->qdisc)->ops->cl_ops->tcf_block))
		return true;
#if defined(CONFIG_NET_XGRESS)
	return rcu_access_pointer(dev->tcx_egress);
#elif defined(CONFIG_NET_EGRESS) && defined(CONFIG_NET_CLS_ACT)
	return rcu_access_pointer(dev->miniq_egress);
#else
	return false;
#endif
}

/**
 * slb_dev_steered() - true if RPS or RFS may move received packets to another CPU
 * @dev: a device with one receive queue
 *
 * Context: any.
 */
static inline bool slb_dev_steered(const struct net_device *dev)
{
#ifdef CONFIG_RPS
	return rcu_access_pointer(dev->_rx->rps_map) ||
	       (__force unsigned long)READ_ONCE(dev->_rx->rps_flow_table);
#else
	return false;
#endif
}

#endif /* _SLB_COMPAT_NETDEVICE_H */
