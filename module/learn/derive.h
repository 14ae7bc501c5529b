/* SPDX-License-Identifier: GPL-2.0 */
/* The proof that an action does what the slow path did. */
#ifndef _SLB_DERIVE_H
#define _SLB_DERIVE_H

#include <linux/skbuff.h>

#include "ipvs/conn.h"
#include "state/inflight.h"
#include "state/ns.h"

/**
 * struct slb_derived - what was found out about a packet
 * @rec: the packet as it came
 * @cp: its connection
 * @tracked: conntrack sees packets in this namespace
 * @ct: its conntrack entry, held, or NULL
 * @dst: the route that it leaves by
 * @act: the action that explains how it leaves
 * @mark: the mark that it leaves with
 * @extra: rare parts of its flow's key and action, with SLB_FLOW_EXTRA
 * @flags: enum slb_flow_flags
 */
struct slb_derived {
	const struct slb_record	*rec;
	struct ip_vs_conn	*cp;
	bool			tracked;
	struct nf_conn		*ct;
	struct dst_entry	*dst;
	struct slb_action6	act;
	u32			mark;
	struct slb_extra	extra;
	u8			flags;
};

enum slb_reason slb_derive(struct slb_ns *ns, struct slb_derived *p,
			   struct sk_buff *skb, const struct net_device *dev);

#endif /* _SLB_DERIVE_H */
