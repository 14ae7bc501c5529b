/* SPDX-License-Identifier: GPL-2.0 */
/* Differences of <linux/skbuff.h> between supported kernels. */
#ifndef _SLB_COMPAT_SKBUFF_H
#define _SLB_COMPAT_SKBUFF_H

#include <linux/skbuff.h>

/* 6.5 moved the declarations of GSO out of <linux/skbuff.h> */
#if __has_include("net/gso.h")
#include <net/gso.h>
#endif

/**
 * slb_skb_traced() - true if a rule traces this packet ("nftrace set 1", "-j TRACE")
 * @skb: the packet
 */
static inline bool slb_skb_traced(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_NETFILTER_XT_TARGET_TRACE) || IS_ENABLED(CONFIG_NF_TABLES)
	return skb->nf_trace;
#else
	return false;
#endif
}

/**
 * slb_skb_offloaded() - true if hardware has already forwarded this packet
 * @skb: the packet, then a copy that must not be sent again
 */
static inline bool slb_skb_offloaded(const struct sk_buff *skb)
{
#ifdef CONFIG_NET_SWITCHDEV
	return skb->offload_l3_fwd_mark;
#else
	return false;
#endif
}

#endif /* _SLB_COMPAT_SKBUFF_H */
