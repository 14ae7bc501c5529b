/* SPDX-License-Identifier: GPL-2.0 */
/* Asking the kernel for the route of a flow anew, when routes have changed. */
#ifndef _SLB_REROUTE_H
#define _SLB_REROUTE_H

#include <linux/skbuff.h>

#include "state/cpu.h"

bool slb_reroute_dst_equal(const struct dst_entry *a, const struct dst_entry *b);
bool slb_reroute(const struct slb_ns *ns, struct slb_flow *flow,
		 struct sk_buff *skb);

#endif /* _SLB_REROUTE_H */
