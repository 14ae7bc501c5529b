/* SPDX-License-Identifier: GPL-2.0 */
/* Notes of br_netfilter on a packet; not every configuration has them. */
#ifndef _SLB_COMPAT_BRIDGE_H
#define _SLB_COMPAT_BRIDGE_H

#include <linux/netfilter_bridge.h>
#include <net/net_namespace.h>
#include <linux/skbuff.h>

/**
 * slb_skb_bridged() - true if br_netfilter passes a bridged packet to IP's hooks
 * @skb: the packet, which need not be for this host
 */
static inline bool slb_skb_bridged(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	return skb_ext_exist(skb, SKB_EXT_BRIDGE_NF);
#else
	return false;
#endif
}

/**
 * slb_bridge_port() - the port that a bridged packet came by
 * @skb: the packet, slb_skb_bridged()
 *
 * Return: index of the device.
 */
static inline u32 slb_bridge_port(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	return nf_bridge_get_physinif(skb);
#else
	return 0;
#endif
}

/**
 * slb_bridge_entry() - true if a bridged packet is at its port, without VLAN or PPPoE header
 * @skb: the packet, slb_skb_bridged()
 *
 * Return: false also if the bridge has already forwarded the packet.
 */
static inline bool slb_bridge_entry(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	const struct nf_bridge_info *info = nf_bridge_info_get(skb);

	return info->in_prerouting && info->orig_proto == BRNF_PROTO_UNCHANGED;
#else
	return false;
#endif
}

/**
 * slb_bridge_forget() - make a bridged packet one of the bridge's own device
 * @skb: the packet, slb_skb_bridged()
 *
 * Clears the mark of hardware that has already forwarded the frame: this is a new frame now.
 */
static inline void slb_bridge_forget(struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	skb_ext_del(skb, SKB_EXT_BRIDGE_NF);
#endif
#ifdef CONFIG_NET_SWITCHDEV
	skb->offload_fwd_mark = 0;
#endif
}

/**
 * slb_bridge_hooks() - the netfilter hooks of bridges
 * @net: the namespace
 *
 * Return: by NF_BR_PRE_ROUTING and so on, or NULL: there are none.
 */
static inline struct nf_hook_entries __rcu * const *
slb_bridge_hooks(const struct net *net)
{
#ifdef CONFIG_NETFILTER_FAMILY_BRIDGE
	return net->nf.hooks_bridge;
#else
	return NULL;
#endif
}

#endif /* _SLB_COMPAT_BRIDGE_H */
