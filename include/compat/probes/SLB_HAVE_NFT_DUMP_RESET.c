// SPDX-License-Identifier: GPL-2.0
/* 6.2, 8daa8fde3fc3 ("netfilter: nf_tables: Introduce NFT_MSG_GETRULE_RESET"), and stable 6.1.
 * expect: too many arguments
 */
#include <net/netfilter/nf_tables.h>
int slb_probe(struct sk_buff *skb, const struct nft_expr *expr);
int slb_probe(struct sk_buff *skb, const struct nft_expr *expr)
{
	return expr->ops->dump(skb, expr, false);
}
