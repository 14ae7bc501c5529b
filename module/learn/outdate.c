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
 * So a packet that IPVS may have begun a connection with ends the flow of another connection's
 * answers. Flows on other CPUs end when they are proved again.
 */
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "learn/outdate.h"
#include "state/cpu.h"

/* The addresses and ports that a packet leaves with. */
static bool slb_outdate_key(struct slb_pkt *left, const struct sk_buff *skb)
{
	__be16 buf[2];
	const __be16 *ports;
	bool v6 = ip_hdr(skb)->version == 6;

	*left = (struct slb_pkt){
		.v6 = v6,
		.proto = v6 ? ipv6_hdr(skb)->nexthdr : ip_hdr(skb)->protocol,
	};
	if (!slb_parse_hlen_min(left->proto))
		return false;
	ports = skb_header_pointer(skb, v6 ? sizeof(struct ipv6hdr) : ip_hdrlen(skb),
				   sizeof(buf), buf);
	if (!ports)
		return false;
	if (v6)
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

/* True if IPVS finds the connection of a flow for the packets of that flow. */
static bool slb_outdate_found(struct slb_ns *ns, const struct slb_flow *flow)
{
	struct slb_pkt pkt = { .proto = slb_flow_proto(flow) };
	struct slb_action6 act;
	struct ip_vs_conn *cp;
	struct slb_key6 key;
	bool out;

	slb_flow_key(flow, &key);
	/* behind source NAT IPVS sees the client's own address and port */
	slb_flow_action(flow, &act);
	pkt.v6 = !(key.iif_proto & SLB_KEY_MAPPED);
	if (pkt.v6) {
		pkt.key6 = key;
	} else {
		pkt.key4.saddr = key.saddr.s6_addr32[3];
		pkt.key4.daddr = key.daddr.s6_addr32[3];
		pkt.key4.ports = key.ports;
	}
	cp = slb_conn_pin(net_ipvs(ns->net), &pkt, &act.daddr, act.dport, &out);
	if (cp)
		slb_conn_unpin(cp);
	return cp == flow->conn;
}

/* True if IPVS may have begun a connection with a packet of which nothing is known from its entry.
 * @left: its addresses and ports at egress
 */
static bool slb_outdate_begins(const struct slb_ns *ns, const struct slb_cpu_state *cpu,
			       const struct slb_pkt *left, const struct sk_buff *skb)
{
	u32 hlen = left->v6 ? sizeof(struct ipv6hdr) : ip_hdrlen(skb);
	const struct tcphdr *th;
	struct tcphdr buf;

	if (left->proto == IPPROTO_TCP && !sysctl_sloppy_tcp(net_ipvs(ns->net))) {
		th = skb_header_pointer(skb, hlen, sizeof(buf), &buf);
		if (!th || !th->syn)
			return false;
	}
	/* the client, unless conntrack has changed the source */
	return skb_nfct(skb) || cpu->clients.flows[slb_clients_place(left)];
}

/**
 * slb_outdate() - end the flow of an older connection's answers
 * @ns: the namespace
 * @cpu: state of this CPU
 * @skb: a packet at egress, handled by IPVS
 * @dev: the egress device
 * @virt: slb_clients_virtual() of the packet at ingress, or 0
 *
 * Context: RCU, BH off.
 */
void slb_outdate(struct slb_ns *ns, struct slb_cpu_state *cpu,
		 const struct sk_buff *skb, const struct net_device *dev, u32 virt)
{
	struct slb_pkt left;
	struct slb_flow *flow;

	if ((!cpu->narrow.used && !cpu->wide.used) || !slb_outdate_key(&left, skb) ||
	    (!virt && !slb_outdate_begins(ns, cpu, &left, skb)))
		return;
	flow = slb_cpu_find_answers(cpu, &left, dev);
	/* of the packet's own connection? */
	if (!flow || !(flow->flags & SLB_FLOW_OUT) ||
	    virt == slb_clients_virtual_of(&cpu->clients, flow->conn))
		return;
	if (!slb_outdate_found(ns, flow))
		slb_cpu_end(ns, cpu, flow, SLB_MISS_STATE);
}
