// SPDX-License-Identifier: GPL-2.0
/* Packets of the slow path, counted for their service and the reason why no flow served them. */
#include "ipvs/conn.h"
#include "learn/count.h"

/**
 * slb_count_packet() - count a packet of the slow path for its service
 * @cpu: state of this CPU
 * @rec: the packet's record
 * @cp: the connection
 * @reason: why no flow was made of the packet, or SLB_LEARNED or SLB_RENEWED; only used if the
 *	packet had no flow
 *
 * Context: BH off.
 */
void slb_count_packet(struct slb_cpu_state *cpu, const struct slb_record *rec,
		      const struct ip_vs_conn *cp, enum slb_reason reason)
{
	slb_service_add(&cpu->services, cp,
			rec->reason == SLB_MISS_NONE ? reason : rec->reason, 1);
}

/**
 * slb_count_unlearned() - count a packet of the slow path without a connection at hand
 * @ns: the namespace
 * @cpu: state of this CPU
 * @rec: the packet's record
 * @skb: the packet at egress
 * @reason: why no flow was made of the packet
 *
 * Finding the connection is a walk of IPVS's table: only if no known service matches, and not for
 * each packet of an unserved connection.
 *
 * Context: RCU, BH off.
 */
void slb_count_unlearned(const struct slb_ns *ns, struct slb_cpu_state *cpu,
			 const struct slb_record *rec, struct sk_buff *skb, enum slb_reason reason)
{
	struct ip_vs_conn *cp = NULL;
	bool out, walk;

	if (rec->pkt.has_key &&
	    slb_service_add_known(&cpu->services, rec, skb, reason, rec->packets))
		return;
	/* of single questions there are many; of TCP and SCTP few wait for another packet */
	if (reason == SLB_SKIP_UNSETTLED || reason == SLB_MISS_NONE || reason == SLB_MISS_PAUSED)
		walk = rec->pkt.proto != IPPROTO_UDP;
	else
		walk = reason < SLB_SKIP_SCOPE;
	if (rec->pkt.has_key && walk)
		cp = slb_conn_pin_skb(net_ipvs(ns->net), &rec->pkt, skb, &out);
	if (cp) {
		slb_service_add(&cpu->services, cp, reason, rec->packets);
		slb_conn_unpin(cp);
	} else {
		slb_service_add_other(&cpu->services, reason, rec->packets);
	}
}
