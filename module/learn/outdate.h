/* SPDX-License-Identifier: GPL-2.0 */
/* Answers that belong to a new connection and to an older connection, too. */
#ifndef _SLB_OUTDATE_H
#define _SLB_OUTDATE_H

struct net_device;
struct sk_buff;
struct slb_cpu_state;
struct slb_ns;

void slb_outdate(struct slb_ns *ns, struct slb_cpu_state *cpu,
		 const struct sk_buff *skb, const struct net_device *dev, u32 virt);

#endif /* _SLB_OUTDATE_H */
