// SPDX-License-Identifier: GPL-2.0
/*
 * Rung 1: netfilter. Packets meet the flow table in PRE_ROUTING.
 *
 *  operation            | locking
 * ----------------------+----------------------------------------------------
 *  slb_nf_pre_routing   | RCU; BH off on the receive path. A packet that comes
 *                       | back from user space (NFQUEUE in raw) has BHs on: slow
 *  slb_nf_post_routing  | RCU
 *
 * A hit leaves here for the neighbour of its route and skips what the slow
 * path still had to do: conntrack, routing, LOCAL_IN or FORWARD, IPVS,
 * LOCAL_OUT, POST_ROUTING. Anything else goes on as if this hook did not
 * exist; a packet is changed only when nothing can fail any more.
 *
 * A packet of a flow that goes slow takes the flow with it: the flow is ended,
 * or suspended until the slow path has proved it again. So a later packet never
 * overtakes it, also where a driver hands over many packets at once, which all
 * pass this hook before the first of them goes on.
 */
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/arp.h>
#include <net/ip.h>
#include <net/neighbour.h>
#include <net/route.h>
#include <net/xfrm.h>

#include <compat/skbuff.h>

#include "conn.h"
#include "observe.h"
#include "parse.h"
#include "rewrite.h"
#include "trace.h"

/* Does the packet carry what only the slow path knows how to treat? A mark may
 * choose the route, and is not part of the key. "notrack" in the raw table is
 * harmless: so does IPVS treat its packets.
 */
static bool slb_skb_special(const struct sk_buff *skb)
{
	return skb->mark || skb->ipvs_property || skb_dst(skb) || skb->sk ||
	       skb_sec_path(skb) || skb_nfct(skb) || slb_skb_bridged(skb) ||
	       slb_skb_traced(skb) || slb_skb_offloaded(skb) ||
	       IPCB(skb)->frag_max_size ||
	       (skb_is_gso(skb) && !skb_shinfo(skb)->gso_type);
}

static bool slb_skb_fits(const struct sk_buff *skb, u16 mtu)
{
	return skb->len <= mtu ||
	       (skb_is_gso(skb) && skb_gso_validate_network_len(skb, mtu));
}

/* Why a packet goes slow that the parser would have served. */
static enum slb_stat slb_skb_check(struct sk_buff *skb, u32 iif,
				   struct slb_pkt *pkt)
{
	enum slb_stat why;

	pkt->has_key = false;
	if (skb->pkt_type != PACKET_HOST)
		return SLB_MISS_HOST;
	if (!pskb_may_pull(skb, min_t(u32, skb->len, ip_hdrlen(skb) +
				      sizeof(struct tcphdr))))
		return SLB_MISS_NOMEM;
	why = slb_parse_ipv4(skb->data, skb_headlen(skb), iif, pkt);
	if (why == SLB_HIT && slb_skb_special(skb))
		why = SLB_MISS_META;
	return why;
}

/* May this flow be used now? Whatever ends with the connection ends the flow;
 * what the next packet may prove again suspends it.
 */
static enum slb_stat slb_flow_check(struct slb_net *sn,
				    const struct slb_cpu_data *d,
				    const struct slb_flow *flow,
				    const struct slb_pkt *pkt,
				    unsigned long now)
{
	const struct ip_vs_conn *cp = flow->conn;
	u16 lease = slb_ticks((unsigned long)READ_ONCE(sn->lease) * HZ);

	if (!slb_conn_settled(cp, flow->key.iif_proto) ||
	    slb_conn_marked(cp, flow->key.iif_proto, &d->timeouts))
		return SLB_MISS_STATE;
	if (!slb_dest_available(cp->dest))
		return SLB_MISS_SERVER;
	if (flow->flags & SLB_FLOW_SUSPENDED ||
	    (u16)(slb_ticks(now) - flow->proved) >= lease)
		return SLB_MISS_LEASE;
	if (flow->tos != pkt->tos)
		return SLB_MISS_TOS;
	if (!dst_check(flow->dst, 0))
		return SLB_MISS_ROUTE;
	if (slb_conn_synced(sn->net))
		return SLB_MISS_SYNC;
	return SLB_HIT;
}

/* Make room for what is written into the packet and for its link-layer header.
 * May move the packet's data.
 */
static int slb_skb_prepare(struct sk_buff *skb, unsigned int hlen,
			   const struct net_device *dev)
{
	unsigned int room = LL_RESERVED_SPACE(dev);

	if (skb_ensure_writable(skb, hlen))
		return -ENOMEM;
	if (skb_headroom(skb) >= room)
		return 0;
	return pskb_expand_head(skb, SKB_DATA_ALIGN(room - skb_headroom(skb)),
				0, GFP_ATOMIC);
}

/* Leave the skb as the slow path would, and give it to the neighbour. */
static void slb_skb_send(struct sk_buff *skb, struct dst_entry *dst, bool out)
{
	struct rtable *rt = (struct rtable *)dst;
	struct net *net = dev_net(dst->dev);
	struct neighbour *neigh;
	bool is_v6gw = false;

	skb_forward_csum(skb);
	skb_clear_tstamp(skb);
	skb->ipvs_property = 1;
	if (!out)
		skb->ignore_df = 1;
	skb->dev = dst->dev;
	/* the flow's reference lasts for this grace period, and whoever queues
	 * the packet takes one of its own (skb_dst_force())
	 */
	skb_dst_set_noref(skb, dst);
	if (out)
		__IP_INC_STATS(net, IPSTATS_MIB_OUTFORWDATAGRAMS);
	IP_UPD_PO_STATS(net, IPSTATS_MIB_OUT, skb->len);

	neigh = ip_neigh_for_gw(rt, skb, &is_v6gw);
	if (IS_ERR(neigh))
		kfree_skb(skb);
	else
		neigh_output(neigh, skb, is_v6gw);
}

/* Serve a packet by a flow. Returns SLB_HIT if it is gone. */
static enum slb_stat slb_flow_serve(struct slb_net *sn,
				    struct slb_cpu_data *d,
				    struct slb_flow *flow, struct sk_buff *skb,
				    const struct slb_pkt *pkt)
{
	unsigned long now = jiffies;
	struct dst_entry *dst = flow->dst;
	enum slb_stat why;
	unsigned int how;
	bool partial = skb->ip_summed == CHECKSUM_PARTIAL;
	bool nat = flow->flags & SLB_FLOW_NAT;

	if (nat && pkt->nocsum && !partial)
		return SLB_MISS_CSUM;
	why = slb_flow_check(sn, d, flow, pkt, now);
	if (why != SLB_HIT)
		return why;
	if (!slb_skb_fits(skb, flow->act.mtu))
		return SLB_MISS_MTU;
	if (slb_skb_prepare(skb, nat ? pkt->hlen : sizeof(struct iphdr),
			    dst->dev))
		return SLB_MISS_NOMEM;

	/* from here on nothing fails; the packet's data may have moved */
	how = (nat ? SLB_REWRITE_NAT : 0) |
	      (partial ? SLB_REWRITE_PARTIAL : 0);
	slb_rewrite_ipv4(skb->data, &flow->act, how);
	if (flow->flags & SLB_FLOW_PRIO)
		skb->priority = rt_tos2priority(ip_hdr(skb)->tos);
	trace_slb_hit(flow, skb->len);

	/* 32 bits of bytes could wrap between two sweeps */
	if (unlikely(flow->bytes > S32_MAX))
		slb_flow_account(flow, &d->timeouts, now);
	flow->packets++;
	flow->bytes += skb->len;
	flow->last = now;
	slb_count(sn, SLB_HIT);
	slb_skb_send(skb, dst, flow->flags & SLB_FLOW_OUT);
	return SLB_HIT;
}

/* The packet goes slow: what becomes of its flow? */
static void slb_flow_miss(struct slb_net *sn, struct slb_cpu_data *d,
			  struct slb_flow *flow, const struct slb_pkt *pkt,
			  enum slb_stat why)
{
	if (pkt->ends || why == SLB_MISS_STATE || why == SLB_MISS_SERVER ||
	    why == SLB_MISS_SYNC)
		slb_flow_end(sn, d, flow, why);
	else
		flow->flags |= SLB_FLOW_SUSPENDED;
}

static unsigned int slb_nf_pre_routing(void *priv, struct sk_buff *skb,
				       const struct nf_hook_state *state)
{
	struct slb_net *sn = slb_net(state->net);
	struct slb_cpu_data *d;
	struct slb_flow *flow = NULL;
	struct slb_pkt pkt;
	enum slb_stat why;

	if (READ_ONCE(sn->scope) == SLB_SCOPE_OFF)
		return NF_ACCEPT;
	if (unlikely(!in_softirq())) {
		slb_count(sn, SLB_MISS_META);
		return NF_ACCEPT;
	}
	/* pairs with slb_cpu_alloc() */
	d = smp_load_acquire(&this_cpu_ptr(sn->cpu)->data);
	why = slb_skb_check(skb, state->in->ifindex, &pkt);
	if (d && pkt.has_key)
		flow = slb_flow_lookup(&d->table, &pkt.key);

	if (flow && why == SLB_HIT) {
		why = slb_flow_serve(sn, d, flow, skb, &pkt);
		if (why == SLB_HIT)
			return NF_STOLEN;
	} else if (why == SLB_HIT) {
		why = SLB_MISS_NONE;
	}

	if (flow)
		slb_flow_miss(sn, d, flow, &pkt, why);
	if (d && (why == SLB_MISS_NONE || why == SLB_MISS_LEASE ||
		  why == SLB_MISS_TOS || why == SLB_MISS_ROUTE))
		slb_watch_add(d, skb, &pkt);
	else if (d)
		slb_watch_del(d, skb);
	slb_count(sn, why);
	trace_slb_miss(skb, why);
	return NF_ACCEPT;
}

static unsigned int slb_nf_post_routing(void *priv, struct sk_buff *skb,
					const struct nf_hook_state *state)
{
	struct slb_net *sn = slb_net(state->net);

	if (skb->ipvs_property && READ_ONCE(sn->scope) != SLB_SCOPE_OFF &&
	    !slb_conn_synced(state->net))
		slb_observe(sn, skb, state->out);
	return NF_ACCEPT;
}

static const struct nf_hook_ops slb_nf_ops[] = {
	/* Behind the raw table, whose rules thus apply to every packet, and
	 * behind defragmentation; before conntrack, which a hit need not see.
	 */
	{
		.hook		= slb_nf_pre_routing,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_PRE_ROUTING,
		.priority	= NF_IP_PRI_RAW + 1,
	},
	/* Behind everybody: what is seen here is what leaves. */
	{
		.hook		= slb_nf_post_routing,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_POST_ROUTING,
		.priority	= NF_IP_PRI_LAST,
	},
};

/**
 * slb_nf_register() - let the packets of a namespace meet the flow table
 * @net: the namespace
 *
 * Context: process.
 * Return: 0, or what nf_register_net_hooks() returns.
 */
int slb_nf_register(struct net *net)
{
	return nf_register_net_hooks(net, slb_nf_ops, ARRAY_SIZE(slb_nf_ops));
}

/**
 * slb_nf_unregister() - stop it
 * @net: the namespace
 *
 * A hook may still be running on another CPU until a grace period has passed.
 *
 * Context: process.
 */
void slb_nf_unregister(struct net *net)
{
	nf_unregister_net_hooks(net, slb_nf_ops, ARRAY_SIZE(slb_nf_ops));
}
