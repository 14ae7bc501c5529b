/* SPDX-License-Identifier: GPL-2.0 */
/* Properties of packets that rules of a netfilter hook read. */
#ifndef _SLB_RULES_H
#define _SLB_RULES_H

#include <linux/types.h>

struct net;
struct nf_hook_ops;
struct sk_buff;

/**
 * struct slb_rules - a walk over the rules of hooks
 * @net: namespace of the hooks
 * @skb: buffer for the description of an expression, or NULL without memory
 * @budget: remaining number of chains, sets, rules and expressions
 */
struct slb_rules {
	const struct net	*net;
	struct sk_buff		*skb;
	unsigned int		budget;
};

void slb_rules_init(struct slb_rules *rules, const struct net *net);
void slb_rules_exit(struct slb_rules *rules);
u32 slb_rules_looks(struct slb_rules *rules, const struct nf_hook_ops *ops,
		    u8 family);
const char *slb_rules_name(unsigned int bit);

#endif /* _SLB_RULES_H */
