// SPDX-License-Identifier: GPL-2.0
/*
 * Answers that belong to a new connection and to an older connection, too.
 *
 *  operation     | locking
 * ---------------+----------------------------------------------------------
 *  slb_outdate   | RCU, BH off, this CPU
 *
 * Two connections may have client, real server and their ports in common, with different
 * virtual addresses or ports. Their answers look alike, and IPVS takes the newest connection.
 * So the first packet of a connection ends the flow of another connection's answers. Flows on
 * other CPUs end when they are proved again.
 */
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "learn/outdate.h"
#include "state/cpu.h"

/* The addresses and ports that a packet leaves with. */
static bool slb_outdate_key(struct slb_pkt *left, const struct slb_pkt *pkt,
			    const struct sk_buff *skb)
{
	__be16 buf[2];
	const __be16 *ports;

	ports = skb_header_pointer(skb, pkt->v6 ? sizeof(struct ipv6hdr) :
						  sizeof(struct iphdr),
				   sizeof(buf), buf);
	if (!ports)
		return false;
	*left = (struct slb_pkt){ .v6 = pkt->v6, .proto = pkt->proto };
	if (pkt->v6)
		left->key6 = (struct slb_key6){
			.saddr = ipv6_hdr(skb)->saddr,
			.daddr = ipv6_hdr(skb)->daddr,
			.sport = ports[0],
			.dport = ports[1],
		};
	else
		left->key4 = (struct slb_key4){
			.saddr = ip_hdr(skb)->saddr,
			.daddr = ip_hdr(skb)->daddr,
			.sport = ports[0],
			.dport = ports[1],
		};
	return true;
}

static bool slb_outdate_virtual(const struct ip_vs_conn *cp,
				const struct slb_pkt *pkt)
{
	if (pkt->v6)
		return ipv6_addr_equal(&cp->vaddr.in6, &pkt->key6.daddr) &&
		       cp->vport == pkt->key6.dport;
	return cp->vaddr.ip == pkt->key4.daddr && cp->vport == pkt->key4.dport;
}

/**
 * slb_outdate() - end the flow of an older connection's answers
 * @ns: the namespace
 * @cpu: state of this CPU
 * @pkt: a packet at ingress
 * @skb: the packet at egress, handled by IPVS
 * @dev: the egress device
 *
 * Context: RCU, BH off.
 */
void slb_outdate(struct slb_ns *ns, struct slb_cpu_state *cpu,
		 const struct slb_pkt *pkt, const struct sk_buff *skb,
		 const struct net_device *dev)
{
	struct slb_pkt left;
	struct slb_flow *flow;

	if (!pkt->has_key || (!cpu->narrow.used && !cpu->wide.used) ||
	    (pkt->v6 ? ipv6_hdr(skb)->version != 6 ||
		       ipv6_addr_equal(&ipv6_hdr(skb)->daddr,
				       &pkt->key6.daddr) :
		       ip_hdr(skb)->version != 4 || ip_hdr(skb)->ihl != 5 ||
		       ip_hdr(skb)->daddr == pkt->key4.daddr) ||
	    !slb_outdate_key(&left, pkt, skb))
		return;
	flow = slb_cpu_find_answers(cpu, &left, dev);
	if (flow && flow->flags & SLB_FLOW_OUT &&
	    !slb_outdate_virtual(flow->conn, pkt))
		slb_cpu_end(ns, cpu, flow, SLB_MISS_STATE);
}
