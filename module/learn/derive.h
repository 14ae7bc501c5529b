/* SPDX-License-Identifier: GPL-2.0 */
/* Deriving the action of a flow from a packet. */
#ifndef _SLB_DERIVE_H
#define _SLB_DERIVE_H

#include <linux/skbuff.h>

#include "ipvs/conn.h"
#include "state/inflight.h"
#include "state/ns.h"

/**
 * struct slb_derived - action derived from a packet
 * @rec: the packet at ingress
 * @cp: the connection
 * @tracked: conntrack tracks packets in this namespace
 * @ct: conntrack entry, held, or NULL
 * @dst: route at egress
 * @act: the action
 * @mark: packet mark at egress
 * @extra: rare parts of key and action, with SLB_FLOW_EXTRA
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
