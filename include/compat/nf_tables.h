/* SPDX-License-Identifier: GPL-2.0 */
/* Differences of nftables' rules between supported kernels. */
#ifndef _SLB_COMPAT_NF_TABLES_H
#define _SLB_COMPAT_NF_TABLES_H

#include <net/netfilter/nf_tables.h>

#include "probed.h"

/**
 * slb_nft_active() - true if an object of nftables is committed
 * @net: the namespace
 * @obj: a rule, chain or set
 */
#if IS_ENABLED(CONFIG_NF_TABLES)
#define slb_nft_active(net, obj)	nft_is_active(net, obj)
#else
#define slb_nft_active(net, obj)	true
#endif

/**
 * slb_nft_generation() - a number that changes with each transaction of nftables
 * @net: the namespace
 *
 * Before 6.12 only one bit: two transactions are none.
 *
 * Context: any.
 */
static inline u32 slb_nft_generation(const struct net *net)
{
#if !IS_ENABLED(CONFIG_NF_TABLES)
	return 0;
#elif defined(SLB_HAVE_NFT_BASE_SEQ)
	return READ_ONCE(net->nft.base_seq);
#else
	return READ_ONCE(net->nft.gencursor);
#endif
}

/**
 * slb_nft_dump() - describe an expression of a rule, as for "nft list"
 * @skb: buffer for the description
 * @expr: the expression
 *
 * Return: negative if @skb has no room for all of it.
 */
static inline int slb_nft_dump(struct sk_buff *skb, const struct nft_expr *expr)
{
#ifdef SLB_HAVE_NFT_DUMP_RESET
	return expr->ops->dump(skb, expr, false);
#else
	return expr->ops->dump(skb, expr);
#endif
}

#endif /* _SLB_COMPAT_NF_TABLES_H */
