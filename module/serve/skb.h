/* SPDX-License-Identifier: GPL-2.0 */
/* An skb and its flow. */
#ifndef _SLB_SKB_H
#define _SLB_SKB_H

#include <linux/skbuff.h>

#include "flow/parse.h"
#include "flow/reason.h"

struct slb_cpu_state;
struct slb_flow;
struct slb_ns;

enum slb_reason slb_skb_serve(struct slb_ns *ns, struct slb_cpu_state *cpu,
			      struct slb_flow *flow, struct sk_buff *skb,
			      const struct slb_pkt *pkt);

#endif /* _SLB_SKB_H */
