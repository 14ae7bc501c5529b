/* SPDX-License-Identifier: GPL-2.0 */
/* A packet and its flow: may it be served, and how. */
#ifndef _SLB_SERVE_H
#define _SLB_SERVE_H

#include <linux/skbuff.h>

#include "flows.h"

enum slb_stat slb_serve(struct slb_net *sn, struct slb_cpu_data *d,
			struct slb_flow *flow, struct sk_buff *skb,
			const struct slb_pkt *pkt);

#endif /* _SLB_SERVE_H */
