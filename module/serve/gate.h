/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The gate: all checks between a packet and its flow, once for both hooks, in one order. Inline,
 * because each hit runs through them.
 *
 * Checks that need an skb or a frame are functions of the hook: struct slb_gate_ops, which is
 * constant, so that the compiler inlines them, too.
 */
#ifndef _SLB_GATE_H
#define _SLB_GATE_H

#include <linux/skbuff.h>
#include <net/addrconf.h>
#include <net/arp.h>
#include <net/ip6_route.h>
#include <net/ndisc.h>
#include <net/neighbour.h>
#include <net/route.h>

#include "ipvs/conntrack.h"
#include "ipvs/tunnel.h"
#include "learn/verify.h"
#include "serve/sync.h"
#include "state/cpu.h"
#include "state/valid.h"

/**
 * slb_gate_ipv6_off() - true if IPv6 is disabled on this device
 * @dev: the device
 *
 * ipv6_rcv() drops such packets. Frames in XDP, and packets at a port of the bridge @dev, have
 * not been there.
 *
 * Context: RCU.
 */
static inline bool slb_gate_ipv6_off(const struct net_device *dev)
{
	const struct inet6_dev *idev = __in6_dev_get(dev);

	return !idev || READ_ONCE(idev->cnf.disable_ipv6);
}

/**
 * struct slb_gate - a packet at the gate; part of a structure of the hook
 * @ns: the namespace
 * @cpu: state of this CPU
 * @flow: the packet's flow
 * @pkt: result of the parser, without a reason
 * @now: jiffies
 * @len: length of the packet from its IP header, in bytes
 * @v6: an IPv6 packet
 * @partial: the transport checksum is offloaded
 *
 * Must not escape: then all members stay in registers.
 */
struct slb_gate {
	struct slb_ns		*ns;
	struct slb_cpu_state	*cpu;
	struct slb_flow		*flow;
	const struct slb_pkt	*pkt;
	unsigned long		now;
	u32			len;
	bool			v6;
	bool			partial;
};

/**
 * struct slb_gate_ops - checks that need an skb or a frame
 * @reroute: look up an expired route again; true if the flow has a valid route. NULL: that is
 *	left to the slow path
 * @recheck: prove a flow again by lookups; true if so. NULL: that is left to the other hook
 * @match: compare metadata of the packet with the flow; 0 or a reason
 * @csum: true if only the slow path can handle the packet's checksum
 * @remcsum: true if GUE's remote checksum offload is possible; NULL: packets are not partial
 * @sport: source port of GUE for the packet; NULL: that of the last proof
 * @leave: check length and egress, with outer headers of @hlen bytes; 0 or a reason
 * @verify: true if the slow path must verify this packet; net.shadowlb.verify is set
 */
struct slb_gate_ops {
	bool		(*reroute)(const struct slb_gate *g);
	bool		(*recheck)(const struct slb_gate *g);
	enum slb_reason	(*match)(const struct slb_gate *g);
	bool		(*csum)(const struct slb_gate *g);
	bool		(*remcsum)(const struct slb_gate *g);
	__be16		(*sport)(const struct slb_gate *g);
	enum slb_reason	(*leave)(struct slb_gate *g, u32 hlen, u32 mtu);
	bool		(*verify)(const struct slb_gate *g);
};

/**
 * slb_gate_flow() - check whether a flow may serve a packet now
 * @g: the packet
 * @ops: checks of the hook, a constant
 *
 * Checks connection, real server, lease, type of service, route and conntrack entry. A flow
 * with an expired route may get a new one, see slb_reroute(); a flow that has not been proved for a
 * lease may be looked up, see slb_recheck(). The caller checks mark, rare
 * parts, checksum, length, neighbour, sync messages and verification.
 *
 * Context: RCU, BH off.
 * Return: 0, or the reason for the slow path.
 */
static __always_inline enum slb_reason
slb_gate_flow(const struct slb_gate *g, const struct slb_gate_ops *ops)
{
	const struct slb_flow *flow = g->flow;
	const struct slb_pkt *pkt = g->pkt;
	const struct ip_vs_conn *cp = flow->conn;
	const struct nf_conn *ct;
	bool proved;

	if (!slb_conn_settled(cp, pkt->proto) || slb_conn_doubtful(cp))
		return SLB_MISS_STATE;
	if (!slb_dest_available(cp->dest))
		return SLB_MISS_SERVER;
	slb_ruleset_check(&g->ns->epoch, g->ns->net);
	proved = slb_valid_lease(g->ns, flow, g->now);
	if (flow->flags & SLB_FLOW_SUSPENDED || (!proved && !ops->recheck))
		return SLB_MISS_LEASE;
	if (flow->tos != pkt->tos || !(flow->ecn & pkt->ecn))
		return SLB_MISS_TOS;
	if (unlikely(!proved) && !ops->recheck(g))
		return SLB_MISS_LEASE;
	if (unlikely(!slb_valid_route(g->ns, flow)) &&
	    !(ops->reroute && ops->reroute(g)))
		return SLB_MISS_ROUTE;
	ct = flow->flags & SLB_FLOW_WIDE ? slb_flow6(flow)->ct : NULL;
	if (ct && !slb_ct_alive(ct))
		return SLB_MISS_STATE;
	return ct && slb_ct_due(ct) ? SLB_MISS_LEASE : 0;
}

/**
 * slb_gate_extra() - check rare parts of a flow that both hooks know
 * @extra: rare parts of the flow
 * @data: the packet, from its IP header
 *
 * Checks the flow label, and the conntrack entry of a connection inside a tunnel.
 *
 * Context: RCU, the flow is the caller's.
 * Return: 0, or the reason for the slow path.
 */
static inline enum slb_reason slb_gate_extra(const struct slb_extra *extra,
					     const void *data)
{
	if (extra->how & SLB_EXTRA_LABEL && extra->label != ip6_flowlabel(data))
		return SLB_MISS_TOS;
	if (!extra->inner)
		return 0;
	if (!slb_ct_alive(extra->inner))
		return SLB_MISS_STATE;
	return slb_ct_due(extra->inner) ? SLB_MISS_LEASE : 0;
}

/**
 * slb_gate_mtu() - get the MTU for packets of a flow
 * @flow: the flow, with a valid route
 *
 * Path MTU discovery lowers the MTU of a route that stays valid. Other changes of its MTU
 * invalidate an IPv4 route (rt_cache_flush()), so few packets need dst_mtu().
 *
 * Context: RCU, the flow is the caller's.
 * Return: bytes.
 */
static __always_inline u32 slb_gate_mtu(const struct slb_flow *flow)
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
 * slb_gate_neigh() - find the next hop of a flow's packets
 * @flow: the flow, with a valid route
 *
 * Probes a stale neighbour, as the slow path does.
 *
 * Context: RCU, BH off.
 * Return: the neighbour, not held (RCU). NULL if unknown or unreachable: the slow path queues,
 *	reroutes or drops the packet.
 */
static __always_inline struct neighbour *
slb_gate_neigh(const struct slb_flow *flow)
{
	bool wide = flow->flags & SLB_FLOW_WIDE;
	const struct dst_entry *dst = flow->dst;
	struct net_device *dev = dst->dev;
	const struct in6_addr *daddr6;
	const struct rtable *rt;
	struct neighbour *n;
	__be32 daddr;
	u8 state;

	if (wide && dst->ops->family == AF_INET6) {
		daddr6 = rt6_nexthop(container_of(dst, struct rt6_info, dst),
				     &slb_flow6(flow)->act.daddr.in6);
		n = __ipv6_neigh_lookup_noref(dev, daddr6);
	} else {
		daddr = wide ? slb_flow6(flow)->act.daddr.ip :
			       slb_flow4(flow)->act.daddr;
		rt = container_of(dst, const struct rtable, dst);
		if (unlikely(rt->rt_gw_family == AF_INET6))
			n = __ipv6_neigh_lookup_noref(dev, &rt->rt_gw6);
		else
			n = __ipv4_neigh_lookup_noref(dev, (__force u32)
				(rt->rt_gw_family ? rt->rt_gw4 : daddr));
	}
	if (unlikely(!n))
		return NULL;
	state = READ_ONCE(n->nud_state);
	if (unlikely(!(state & NUD_VALID)))
		return NULL;
	if (unlikely(!(state & (NUD_CONNECTED | NUD_DELAY | NUD_PROBE))) &&
	    neigh_event_send(n, NULL))
		return NULL;
	return n;
}

/* Check a packet of a tunnel, initialized for the packet. */
static __always_inline enum slb_reason
slb_gate_tunnel(const struct slb_gate *g, const struct slb_gate_ops *ops,
		const struct slb_tunnel *tunnel, u32 mtu)
{
	const struct slb_flow *flow = g->flow;

	if (!slb_tunnel_fits(tunnel, g->len, mtu) ||
	    (ops->remcsum && tunnel->remcsum && !ops->remcsum(g)))
		return SLB_MISS_MTU;
	if (!slb_tunnel_same(tunnel, flow))
		return SLB_MISS_TUNNEL;
	/* conntrack has an entry for each source port */
	if (ops->sport && tunnel->type == IP_VS_CONN_F_TUNNEL_TYPE_GUE &&
	    flow->flags & SLB_FLOW_WIDE && slb_flow6(flow)->ct &&
	    slb_flow6(flow)->act.sport != ops->sport(g))
		return SLB_MISS_TUNNEL;
	return 0;
}

/**
 * slb_gate() - check whether the flow of a packet may serve the packet
 * @g: the packet
 * @ops: checks of the hook, a constant
 * @tunnel: set to the flow's tunnel, with SLB_FLOW_TUNNEL
 *
 * Checks without side effects come first: slb_sync_take() reserves packets.
 *
 * Context: RCU, BH off.
 * Return: 0, or the reason for the slow path.
 */
static __always_inline enum slb_reason slb_gate(struct slb_gate *g,
						const struct slb_gate_ops *ops,
						struct slb_tunnel *tunnel)
{
	const u8 flags = g->flow->flags;
	enum slb_reason reason;
	u32 mtu, hlen = 0;

	reason = slb_gate_flow(g, ops);
	if (reason)
		return reason;
	reason = ops->match(g);
	if (reason)
		return reason;
	if ((flags & SLB_FLOW_NAT && g->pkt->nocsum) || ops->csum(g))
		return SLB_MISS_CSUM;
	mtu = slb_gate_mtu(g->flow);
	if (flags & SLB_FLOW_TUNNEL) {
		slb_tunnel_init(tunnel, g->flow->conn, g->partial);
		reason = slb_gate_tunnel(g, ops, tunnel, mtu);
		if (reason)
			return reason;
		hlen = tunnel->hlen;
	}
	reason = ops->leave(g, hlen, mtu);
	if (reason)
		return reason;
	if (slb_sync_take(g->ns, g->cpu, g->flow, g->now))
		return SLB_MISS_SYNC;
	return unlikely(READ_ONCE(g->ns->verify)) && ops->verify(g) ?
	       SLB_MISS_VERIFY : 0;
}

#endif /* _SLB_GATE_H */
