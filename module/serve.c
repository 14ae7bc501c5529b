// SPDX-License-Identifier: GPL-2.0
/*
 * Serving a packet by a flow: checks, rewriting or tunnelling, counting, and
 * the neighbour.
 *
 *  operation            | locking
 * ----------------------+----------------------------------------------------
 *  slb_serve            | RCU, BH off, this CPU
 *
 * First everything is asked, then room is made, then the packet is changed: from
 * there on nothing can fail, and whatever fails before leaves the packet as it
 * was for the slow path.
 *
 * A hit reads the flow, and of the connection one line: state, timeout and real
 * server; of the real server whether it still is one.
 */
#include <linux/sctp.h>
#include <net/arp.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/neighbour.h>
#include <net/route.h>
#include <net/sctp/checksum.h>

#include <compat/skbuff.h>
#include <compat/snmp.h>

#include "ct.h"
#include "encap.h"
#include "rewrite.h"
#include "serve.h"
#include "sync.h"
#include "trace.h"
#include "verify.h"

/* conntrack calls packets with a wrong checksum invalid: they are not translated,
 * and rules may drop them.
 */
static bool slb_csum_wrong(struct net *net, struct sk_buff *skb,
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

/* What only wide flows have. */
static enum slb_stat slb_check_wide(const struct slb_flow *flow,
				    const struct sk_buff *skb)
{
	const struct slb_flow6 *f6 = slb_flow6(flow);

	if (skb->mark != (flow->flags & SLB_FLOW_MARKED ? f6->mark : 0))
		return SLB_MISS_MARK;
	if (!f6->ct)
		return SLB_HIT;
	if (!slb_ct_alive(f6->ct))
		return SLB_MISS_STATE;
	return slb_ct_due(f6->ct) ? SLB_MISS_LEASE : SLB_HIT;
}

/* May this flow be used now? Whatever ends with the connection ends the flow;
 * what the next packet may prove again suspends it.
 */
static enum slb_stat slb_check(struct slb_net *sn,
			       const struct slb_cpu_data *d,
			       const struct slb_flow *flow,
			       struct sk_buff *skb,
			       const struct slb_pkt *pkt, unsigned long now)
{
	const struct ip_vs_conn *cp = flow->conn;
	u16 lease = slb_ticks((unsigned long)READ_ONCE(sn->lease) * HZ);
	enum slb_stat why;

	if (!slb_conn_settled(cp, pkt->proto) ||
	    slb_conn_marked(cp, pkt->proto, &d->timeouts))
		return SLB_MISS_STATE;
	if (!slb_dest_available(cp->dest))
		return SLB_MISS_SERVER;
	if (flow->flags & SLB_FLOW_SUSPENDED ||
	    (u16)(slb_ticks(now) - flow->proved) >= lease)
		return SLB_MISS_LEASE;
	if (flow->tos != pkt->tos)
		return SLB_MISS_TOS;
	if (!slb_flow_routed(flow))
		return SLB_MISS_ROUTE;
	if (flow->flags & SLB_FLOW_WIDE)
		why = slb_check_wide(flow, skb);
	else
		why = skb->mark ? SLB_MISS_MARK : SLB_HIT;
	if (why == SLB_HIT && READ_ONCE(d->tracked[pkt->v6]) &&
	    slb_csum_wrong(sn->net, skb, pkt))
		why = SLB_MISS_CSUM;
	return why;
}

static bool slb_skb_fits(const struct sk_buff *skb, u32 mtu)
{
	return skb->len <= mtu ||
	       (skb_is_gso(skb) && skb_gso_validate_network_len(skb, mtu));
}

/* Make room for what is written into the packet, before it, and for its
 * link-layer header. May move the packet's data.
 */
static int slb_skb_prepare(struct sk_buff *skb, u32 hlen, u32 encap,
			   const struct net_device *dev)
{
	u32 room = LL_RESERVED_SPACE(dev) + encap;

	if (unlikely(skb_cloned(skb) || hlen > skb_headlen(skb)) &&
	    skb_ensure_writable(skb, hlen))
		return -ENOMEM;
	/* what is pushed must not be a clone's, nor GSO's type */
	if (encap && (skb_cow_head(skb, room) ||
		      (skb_is_gso(skb) && skb_header_unclone(skb, GFP_ATOMIC))))
		return -ENOMEM;
	if (skb_headroom(skb) >= room)
		return 0;
	return pskb_expand_head(skb, SKB_DATA_ALIGN(room - skb_headroom(skb)),
				0, GFP_ATOMIC);
}

/* The checksum of SCTP is of the whole packet. IPVS computes it anew where a
 * port changes or nobody would do it later, and vouches for it.
 */
static void slb_sctp_csum(struct sk_buff *skb, const struct slb_pkt *pkt,
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

static __always_inline void slb_rewrite(const struct slb_flow *flow,
					struct sk_buff *skb,
					const struct slb_pkt *pkt,
					unsigned int how)
{
	const struct slb_action6 *act6;
	struct slb_action4 act4;

	if (!(flow->flags & SLB_FLOW_WIDE)) {
		slb_rewrite_ipv4(skb->data, &slb_flow4(flow)->act, how);
		return;
	}
	act6 = &slb_flow6(flow)->act;
	if (pkt->v6) {
		slb_rewrite_ipv6(skb->data, act6, how);
		return;
	}
	act4.saddr = act6->saddr.ip;
	act4.daddr = act6->daddr.ip;
	act4.sport = act6->sport;
	act4.dport = act6->dport;
	act4.csum = act6->csum;
	slb_rewrite_ipv4(skb->data, &act4, how);
}

static void slb_nat(const struct slb_flow *flow, struct sk_buff *skb,
		    const struct slb_pkt *pkt, bool partial)
{
	unsigned int how = 0;
	__be32 ports;

	if (flow->flags & SLB_FLOW_NAT)
		how = SLB_REWRITE_NAT | (partial ? SLB_REWRITE_PARTIAL : 0);
	slb_rewrite(flow, skb, pkt, how);
	if (how && pkt->proto == IPPROTO_SCTP) {
		ports = pkt->v6 ? pkt->key6.ports : pkt->key4.ports;
		slb_sctp_csum(skb, pkt,
			      memcmp(skb->data + pkt->hlen -
				     sizeof(struct sctphdr), &ports,
				     sizeof(ports)),
			      flow->flags & SLB_FLOW_OUT, flow->dst->dev);
	}
	if (flow->flags & SLB_FLOW_PRIO)
		skb->priority = rt_tos2priority(ip_hdr(skb)->tos);
}

static void slb_tunnel(const struct slb_flow *flow, struct net *net,
		       struct sk_buff *skb, const struct slb_pkt *pkt,
		       const struct slb_encap *e)
{
	union slb_addr saddr, daddr;
	const struct slb_flow6 *f6;
	const struct slb_flow4 *f4;

	slb_rewrite(flow, skb, pkt, 0);
	if (flow->flags & SLB_FLOW_WIDE) {
		f6 = slb_flow6(flow);
		slb_encap_push(e, net, skb, &f6->act.saddr, &f6->act.daddr);
		return;
	}
	f4 = slb_flow4(flow);
	saddr.ip = f4->act.saddr;
	daddr.ip = f4->act.daddr;
	slb_encap_push(e, net, skb, &saddr, &daddr);
}

/* Leave the skb as the slow path would, and give it to the neighbour. */
static void slb_skb_send(struct sk_buff *skb, struct net *net,
			 struct dst_entry *dst, u8 flags)
{
	bool out = flags & SLB_FLOW_OUT;
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
	slb_snmp_out(net, dst, skb->len, out, flags & SLB_FLOW_TUNNEL);

	if (skb->protocol == htons(ETH_P_IPV6)) {
		neigh = ip_neigh_gw6(dst->dev,
				     rt6_nexthop(container_of(dst, struct
							      rt6_info, dst),
						 &ipv6_hdr(skb)->daddr));
	} else {
		neigh = ip_neigh_for_gw(container_of(dst, struct rtable, dst),
					skb, &is_v6gw);
	}
	if (IS_ERR(neigh))
		kfree_skb(skb);
	else
		neigh_output(neigh, skb, is_v6gw);
}

/* The longest packet that leaves whole. What path MTU discovery finds out later
 * changes a route that stays valid; otherwise an IPv4 route whose MTU changes is one
 * no more (rt_cache_flush()), and dst_mtu() needs not be asked for each packet.
 */
static u32 slb_flow_mtu(const struct slb_flow *flow)
{
	const struct dst_entry *dst = flow->dst;
	u32 mtu;

	if (flow->flags & SLB_FLOW_WIDE)
		return min_t(u32, slb_flow6(flow)->act.mtu, dst_mtu(dst));
	mtu = min_t(u32, slb_flow4(flow)->act.mtu, READ_ONCE(dst->dev->mtu));
	if (unlikely(container_of(dst, const struct rtable, dst)->rt_pmtu))
		mtu = min(mtu, dst_mtu(dst));
	return mtu;
}

/**
 * slb_serve() - serve a packet by its flow
 * @sn: the namespace
 * @d: this CPU's data
 * @flow: the flow
 * @skb: the packet
 * @pkt: what the parser found in it: SLB_HIT
 *
 * Context: RCU, BH off.
 * Return: SLB_HIT if the packet is gone, or why it must go slow; then it is as
 *	it was, but that its data may have moved.
 */
enum slb_stat slb_serve(struct slb_net *sn, struct slb_cpu_data *d,
			struct slb_flow *flow, struct sk_buff *skb,
			const struct slb_pkt *pkt)
{
	bool partial = skb->ip_summed == CHECKSUM_PARTIAL;
	struct slb_encap e = { .hlen = 0 };
	struct dst_entry *dst = flow->dst;
	unsigned long now = jiffies;
	u8 flags = flow->flags;
	enum slb_stat why;
	u32 len = skb->len;
	u32 mtu;

	if (flags & SLB_FLOW_NAT && pkt->nocsum && !partial)
		return SLB_MISS_CSUM;
	why = slb_check(sn, d, flow, skb, pkt, now);
	if (why != SLB_HIT)
		return why;
	mtu = slb_flow_mtu(flow);
	if (flags & SLB_FLOW_TUNNEL) {
		slb_encap_init(&e, flow->conn, partial);
		if (!slb_encap_fits(&e, skb, mtu))
			return SLB_MISS_MTU;
	}
	if (!slb_skb_fits(skb, mtu - e.hlen))
		return SLB_MISS_MTU;
	if (slb_sync_due(sn, d, flow, now))
		return SLB_MISS_SYNC;
	if (slb_verify_due(sn))
		return SLB_MISS_VERIFY;
	if (slb_skb_prepare(skb, pkt->hlen, e.hlen, dst->dev))
		return SLB_MISS_NOMEM;

	/* from here on nothing fails; the packet's data may have moved */
	trace_slb_hit(flow, len);
	if (flags & SLB_FLOW_TUNNEL)
		slb_tunnel(flow, sn->net, skb, pkt, &e);
	else
		slb_nat(flow, skb, pkt, partial);
	if (flags & SLB_FLOW_WIDE)
		skb->mark = slb_flow6(flow)->mark;

	/* bits of packets and bytes could wrap between two sweeps */
	if (unlikely(flow->bytes > SLB_BYTES_MAX))
		slb_flow_settle(d, flow, now);
	flow->packets++;
	flow->bytes += len;
	flow->last = now;
	slb_count(sn, SLB_HIT);
	slb_skb_send(skb, sn->net, dst, flags);
	return SLB_HIT;
}
