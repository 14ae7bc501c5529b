/* SPDX-License-Identifier: GPL-2.0 */
/* Packets that br_netfilter shows at a port of a bridge. */
#ifndef _SLB_BRIDGE_H
#define _SLB_BRIDGE_H

#include <linux/types.h>

struct net;
struct sk_buff;

bool slb_bridge_fit(const struct sk_buff *skb, bool v6);
void slb_bridge_pass(struct net *net, struct sk_buff *skb, bool v6);

#endif /* _SLB_BRIDGE_H */
