// SPDX-License-Identifier: GPL-2.0
/*
 * Serving an skb by a flow: checks, rewriting or tunnelling, counting, sending.
 *
 *  operation            | locking
 * ----------------------+----------------------------------------------------
 *  slb_skb_serve        | RCU, BH off, this CPU
 *
 * First come all checks, then making room, then changes to the packet. From there on nothing
 * can fail; an earlier failure leaves the packet unchanged for the slow path.
 *
 * A hit reads the flow; state, timeout and real server of the connection (one cache line until
 * Linux 7.2, three since); and whether the real server is available.
 */
#include <linux/if_vlan.h>
#include <linux/sctp.h>
#include <net/arp.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/neighbour.h>
#include <net/route.h>
#include <net/sctp/checksum.h>
#include <net/udp.h>

#include <compat/bridge.h>
#include <compat/netdevice.h>
#include <compat/skbuff.h>
#include <compat/snmp.h>

#include "flow/rewrite.h"
#include "flow/trace.h"
#include "ipvs/conntrack.h"
#include "ipvs/tunnel.h"
#include "learn/recheck.h"
#include "learn/reroute.h"
#include "learn/verify.h"
#include "serve/apply.h"
#include "serve/bridge.h"
#include "serve/gate.h"
#include "serve/skb.h"
#include "serve/sync.h"

/* conntrack calls packets with a wrong checksum invalid: they are not translated,
 * and rules may drop them.
 */
static bool slb_skb_csum_wrong(struct net *net, struct sk_buff *skb,
			       const struct slb_pkt *pkt)
{
	u32 offset = pkt->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	const struct sctphdr *sh;
	struct sctphdr buf;

	if (skb->ip_summed == CHECKSUM_UNNECESSARY ||
	    skb->ip_summed == CHECKSUM_PARTIAL || pkt->nocsum ||
	    !READ_ONCE(net->ct.sysctl_checksum))
		return false;
	if (pkt->proto != IPPROTO_SCTP)
		return nf_checksum(skb, NF_INET_PRE_ROUTING, offset, pkt->proto,
				   pkt->v6 ? AF_INET6 : AF_INET);
	/* the header may still be outside of the linear part */
	sh = skb_header_pointer(skb, offset, sizeof(buf), &buf);
	return !sh || sh->checksum != sctp_compute_cksum(skb, offset);
}

/* noinline: few flows ask for more than no mark. */
static noinline enum slb_reason slb_skb_extra_check(const struct slb_extra *extra,
						    const struct sk_buff *skb,
						    const struct slb_pkt *pkt)
{
	if (skb->mark != extra->mark)
		return SLB_MISS_MARK;
	if (extra->how & SLB_EXTRA_TTL &&
	    slb_rewrite_hop_limit(skb_network_header(skb), pkt->v6) != extra->ttl_in)
		return SLB_MISS_TTL;
	return slb_gate_extra(extra, skb_network_header(skb));
}

/**
 * struct slb_skb_gate - an skb at the gate
 * @g: common part
 * @skb: the packet
 * @neigh: next hop, set by slb_skb_leave()
 */
struct slb_skb_gate {
	struct slb_gate		g;
	struct sk_buff		*skb;
	struct neighbour	*neigh;
};

static __always_inline struct slb_skb_gate *slb_skb_gate(const struct slb_gate *g)
{
	return container_of(g, struct slb_skb_gate, g);
}

static __always_inline bool slb_skb_reroute(const struct slb_gate *g)
{
	return slb_reroute(g->ns, g->flow, slb_skb_gate(g)->skb);
}

static __always_inline bool slb_skb_recheck(const struct slb_gate *g)
{
	return slb_recheck(g->ns, g->cpu, g->flow, slb_skb_gate(g)->skb, g->pkt, g->now);
}

/* Mark, time to live, and conntrack's state of the packet. */
static __always_inline enum slb_reason slb_skb_match(const struct slb_gate *g)
{
	const struct sk_buff *skb = slb_skb_gate(g)->skb;
	const struct slb_flow *flow = g->flow;
	enum slb_reason reason;

	if (flow->flags & SLB_FLOW_EXTRA) {
		reason = slb_skb_extra_check(slb_table_extra(&g->cpu->wide, flow),
					     skb, g->pkt);
		if (reason)
			return reason;
	} else if (skb->mark) {
		return SLB_MISS_MARK;
	}
	/* "notrack" in raw bypasses the entry; in a tunnel, the entry of the inner packet */
	if (flow->flags & SLB_FLOW_WIDE && skb_get_nfct(skb) &&
	    (flow->flags & SLB_FLOW_TUNNEL ? slb_cpu_inner(g->cpu, flow) :
					     slb_flow6(flow)->ct))
		return SLB_MISS_META;
	return 0;
}

static __always_inline bool slb_skb_csum(const struct slb_gate *g)
{
	return READ_ONCE(g->cpu->tracked[g->v6]) &&
	       slb_skb_csum_wrong(g->ns->net, slb_skb_gate(g)->skb, g->pkt);
}

static __always_inline bool slb_skb_remcsum(const struct slb_gate *g)
{
	return skb_checksum_start_offset(slb_skb_gate(g)->skb) >= 0;
}

/* noinline: few tunnels are tracked. */
static noinline __be16 slb_skb_sport(const struct slb_gate *g)
{
	return udp_flow_src_port(g->ns->net, slb_skb_gate(g)->skb, 0, 0, false);
}

static __always_inline enum slb_reason slb_skb_leave(struct slb_gate *g, u32 hlen,
						     u32 mtu)
{
	struct slb_skb_gate *s = slb_skb_gate(g);

	if (s->skb->len > mtu - hlen &&
	    !(skb_is_gso(s->skb) &&
	      skb_gso_validate_network_len(s->skb, mtu - hlen)))
		return SLB_MISS_MTU;
	s->neigh = slb_gate_neigh(g->flow);
	return s->neigh ? 0 : SLB_MISS_NEIGH;
}

static __always_inline bool slb_skb_verify(const struct slb_gate *g)
{
	return slb_verify_due(g->ns) || slb_verify_take(g->cpu, g->pkt->hash);
}

static const struct slb_gate_ops slb_skb_gate_ops = {
	.reroute	= slb_skb_reroute,
	.recheck	= slb_skb_recheck,
	.match		= slb_skb_match,
	.csum		= slb_skb_csum,
	.remcsum	= slb_skb_remcsum,
	.sport		= slb_skb_sport,
	.leave		= slb_skb_leave,
	.verify		= slb_skb_verify,
};

/* Make headers writable, and make room for outer and link-layer headers. May move the packet's
 * data.
 */
static int slb_skb_prepare(struct sk_buff *skb, u32 hlen, u32 encap,
			   const struct net_device *dev)
{
	u32 room = LL_RESERVED_SPACE(dev) + encap;

	if (unlikely(skb_cloned(skb) || hlen > skb_headlen(skb)) &&
	    skb_ensure_writable(skb, hlen))
		return -ENOMEM;
	/* neither pushed headers nor the GSO type may be shared with a clone */
	if (encap && (skb_cow_head(skb, room) ||
		      (skb_is_gso(skb) && skb_header_unclone(skb, GFP_ATOMIC))))
		return -ENOMEM;
	if (skb_headroom(skb) >= room)
		return 0;
	return pskb_expand_head(skb, SKB_DATA_ALIGN(room - skb_headroom(skb)),
				0, GFP_ATOMIC);
}

/* The checksum of SCTP covers the whole packet. IPVS computes the checksum if a port changes,
 * or if no device would, and sets CHECKSUM_UNNECESSARY.
 */
static void slb_skb_sctp_csum(struct sk_buff *skb, const struct slb_pkt *pkt,
			      bool ports, bool out, const struct net_device *dev)
{
	u32 offset = pkt->hlen - sizeof(struct sctphdr);
	struct sctphdr *sh = (struct sctphdr *)(skb->data + offset);
	bool partial = skb->ip_summed == CHECKSUM_PARTIAL;

	if (ports ||
	    (partial && (out || !(dev->features & NETIF_F_SCTP_CRC)))) {
		if (skb_is_gso(skb))
			return;
		sh->checksum = sctp_compute_cksum(skb, offset);
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	} else if (!partial) {
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	}
}

static void slb_skb_nat(const struct slb_flow *flow, struct sk_buff *skb,
			const struct slb_pkt *pkt, bool partial)
{
	unsigned int how = 0;
	__be32 ports;

	if (flow->flags & SLB_FLOW_NAT)
		how = SLB_REWRITE_NAT | (partial ? SLB_REWRITE_PARTIAL : 0);
	slb_apply_headers(flow, skb->data, pkt->v6, how);
	if (how && pkt->proto == IPPROTO_SCTP) {
		ports = pkt->v6 ? pkt->key6.ports : pkt->key4.ports;
		slb_skb_sctp_csum(skb, pkt,
				  memcmp(skb->data + pkt->hlen -
					 sizeof(struct sctphdr), &ports,
					 sizeof(ports)),
				  flow->flags & SLB_FLOW_OUT, flow->dst->dev);
	}
	if (flow->flags & SLB_FLOW_PRIO)
		skb->priority = rt_tos2priority(ip_hdr(skb)->tos);
}

static __always_inline void
slb_skb_tunnel(const struct slb_flow *flow, struct net *net, struct sk_buff *skb,
	       const struct slb_pkt *pkt, const struct slb_tunnel *e)
{
	union slb_addr saddr, daddr;

	slb_apply_headers(flow, skb->data, pkt->v6, 0);
	slb_apply_outer(flow, &saddr, &daddr);
	slb_tunnel_push(e, net, skb, &saddr, &daddr);
	if (unlikely(e->remcsum) && flow->flags & SLB_FLOW_WIDE &&
	    slb_flow6(flow)->ct)
		slb_ct_account_bytes(flow, SLB_REMCSUM_LEN);
}

/* Attach the packet's conntrack entry, or IPVS's "untracked", for traffic control at the egress
 * device, and for rules of a bridge or Open vSwitch behind that device.
 */
static void slb_skb_track(struct sk_buff *skb, const struct slb_flow *flow,
			  bool tracked)
{
	const struct net_device *dev = flow->dst->dev;
	enum ip_conntrack_info ctinfo = IP_CT_NEW;
	struct nf_conn *ct = NULL;

	if (flow->flags & SLB_FLOW_WIDE)
		ct = slb_flow6(flow)->ct;
	if (!ct && tracked)
		nf_ct_set(skb, NULL, IP_CT_UNTRACKED);
	if (!ct || !(slb_dev_shapes(dev) || netif_is_ovs_master(dev) ||
		     !list_empty(&dev->adj_list.lower)))
		return;
	if (flow->flags & SLB_FLOW_REPLY)
		ctinfo = IP_CT_ESTABLISHED_REPLY;
	else if (test_bit(IPS_SEEN_REPLY_BIT, &ct->status))
		ctinfo = IP_CT_ESTABLISHED;
	nf_conntrack_get(&ct->ct_general);
	nf_ct_set(skb, ct, ctinfo);
}

static noinline void slb_skb_extra_apply(const struct slb_extra *extra,
					 struct sk_buff *skb)
{
	slb_rewrite_class(skb->data, extra);
	if (extra->how & SLB_EXTRA_PRIORITY)
		skb->priority = extra->priority;
}

/* Does a neighbour of IPv6 lead to an IPv4 packet's destination? */
static bool slb_skb_v6gw(const struct sk_buff *skb, const struct dst_entry *dst)
{
	return skb->protocol == htons(ETH_P_IP) &&
	       container_of(dst, const struct rtable, dst)->rt_gw_family ==
	       AF_INET6;
}

/* Set the skb's members as the slow path would, and pass the skb to the neighbour. */
static void slb_skb_send(struct sk_buff *skb, struct net *net,
			 struct dst_entry *dst, struct neighbour *neigh,
			 u8 flags)
{
	bool out = flags & SLB_FLOW_OUT;

	skb_forward_csum(skb);
	skb_clear_tstamp(skb);
	skb->ipvs_property = 1;
	if (!out)
		skb->ignore_df = 1;
	skb->dev = dst->dev;
	/* the flow's reference lasts for this grace period; queues take their own
	 * reference (skb_dst_force())
	 */
	skb_dst_set_noref(skb, dst);
	slb_snmp_out(net, dst, skb->len, out, flags & SLB_FLOW_TUNNEL);
	neigh_output(neigh, skb, slb_skb_v6gw(skb, dst));
}

/**
 * slb_skb_serve() - serve a packet by its flow
 * @ns: the namespace
 * @cpu: state of this CPU
 * @flow: the flow
 * @skb: the packet
 * @pkt: result of the parser, without a reason
 *
 * Context: RCU, BH off.
 * Return: 0 if the packet is gone, or the reason for the slow path. Then the packet is
 *	unchanged, except that its data may have moved.
 */
enum slb_reason slb_skb_serve(struct slb_ns *ns, struct slb_cpu_state *cpu,
			      struct slb_flow *flow, struct sk_buff *skb,
			      const struct slb_pkt *pkt)
{
	struct slb_skb_gate s = {
		.g = {
			.ns = ns,
			.cpu = cpu,
			.flow = flow,
			.pkt = pkt,
			.now = jiffies,
			.len = skb->len,
			.v6 = pkt->v6,
			.partial = skb->ip_summed == CHECKSUM_PARTIAL,
		},
		.skb = skb,
	};
	struct slb_tunnel tunnel = { .hlen = 0 };
	struct dst_entry *dst;
	u8 flags = flow->flags;
	enum slb_reason reason;

	reason = slb_gate(&s.g, &slb_skb_gate_ops, &tunnel);
	if (reason)
		return reason;
	dst = flow->dst;
	if (slb_skb_prepare(skb, pkt->hlen, tunnel.hlen, dst->dev))
		return SLB_MISS_NOMEM;

	/* from here on nothing fails; the packet's data may have moved */
	trace_slb_hit(flow, s.g.len);
	if (unlikely(slb_skb_bridged(skb)))
		slb_bridge_pass(ns->net, skb, pkt->v6);
	if (flags & SLB_FLOW_TUNNEL)
		slb_skb_tunnel(flow, ns->net, skb, pkt, &tunnel);
	else
		slb_skb_nat(flow, skb, pkt, s.g.partial);
	if (flags & SLB_FLOW_WIDE)
		skb->mark = slb_flow6(flow)->mark;
	if (unlikely(flags & SLB_FLOW_EXTRA))
		slb_skb_extra_apply(slb_table_extra(&cpu->wide, flow), skb);
	slb_skb_track(skb, flow, READ_ONCE(cpu->tracked[pkt->v6]));

	slb_apply_count(ns, cpu, flow, s.g.len, s.g.now);
	slb_skb_send(skb, ns->net, dst, s.neigh, flags);
	return 0;
}
