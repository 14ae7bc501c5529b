// SPDX-License-Identifier: GPL-2.0
/*
 * Deriving the action of a flow: proof that an action repeats the slow path's changes to a
 * packet, and that these changes agree with IPVS's connection.
 *
 *  operation     | locking
 * ---------------+----------------------------------------------------------
 *  slb_derive    | RCU, BH off
 *
 * The action, applied to the headers recorded at the entry of the slow path, must give the
 * headers at its end to the bit. The connection must be fit, and the egress must need only a
 * neighbour.
 */
#include <linux/sctp.h>
#include <net/dst.h>
#include <net/ip.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/udp.h>
#include <net/xfrm.h>

#include <compat/route.h>

#include "flow/rewrite.h"
#include "ipvs/conntrack.h"
#include "ipvs/tunnel.h"
#include "learn/derive.h"
#include "state/listed.h"
#include "state/valid.h"

/* True if the packet was neither rerouted nor put together from fragments, by the control block
 * of the packet's family. In a tunnel, that block is a remainder of the inner packet.
 */
static bool slb_derive_cb_fit(const struct sk_buff *skb, bool v6)
{
	if (v6)
		return !(IP6CB(skb)->flags & IP6SKB_REROUTED) &&
		       !IP6CB(skb)->frag_max_size;
	return !(IPCB(skb)->flags & IPSKB_REROUTED) &&
	       !IPCB(skb)->frag_max_size;
}

static bool slb_derive_route_fit(const struct dst_entry *dst)
{
	const struct rt6_info *rt6;
	const struct rtable *rt;

	if (dst->output == ip_output) {
		rt = container_of(dst, struct rtable, dst);
		return rt->rt_type == RTN_UNICAST &&
		       !(rt->rt_flags & RTCF_LOCAL);
	}
	if (dst->output == ip6_output) {
		rt6 = container_of(dst, struct rt6_info, dst);
		return !(rt6->rt6i_flags & (RTF_LOCAL | RTF_ANYCAST |
					    RTF_REJECT));
	}
	return false;
}

/* True if sending a packet by this route needs only a neighbour. Routes through IPsec, tunnels,
 * VRF devices or multicast have other output functions. If ingress and egress device are the
 * same, the kernel may send a redirect; then so it does for each packet that proves the flow
 * again.
 */
static bool slb_derive_egress_fit(struct slb_ns *ns, const struct slb_derived *p,
				  const struct sk_buff *skb,
				  const struct net_device *dev)
{
	const struct dst_entry *dst = p->dst;

	/* packets forwarded by force_forwarding are left to the slow path */
	if (p->flags & SLB_FLOW_OUT && p->rec->pkt.v6 && !slb_net_forwards6(ns->net))
		return false;
	if (!p->rec->pkt.v6 && slb_net_realms(ns->net))
		return false;
	if (!dst || dst->dev != dev || dst->lwtstate || dst_xfrm(dst) ||
	    skb_sec_path(skb) || !net_eq(dev_net(dev), ns->net) ||
	    !slb_derive_route_fit(dst))
		return false;
	return p->flags & SLB_FLOW_TUNNEL || slb_derive_cb_fit(skb, p->rec->pkt.v6);
}

/* True if the kernel may choose another route for another flow label: by a policy rule, or
 * among the routes of a multipath. IPVS keeps its own routes to real servers, but conntrack's
 * NAT and rules may have the kernel route a request again. A tunnel's own flow label is 0.
 */
static bool slb_derive_by_label(const struct slb_ns *ns, const struct slb_derived *p)
{
	const struct dst_entry *dst = p->dst;

	return p->rec->pkt.v6 &&
	       (slb_net_rules6(ns->net) || p->rec->multipath ||
		(!(p->flags & SLB_FLOW_TUNNEL) && dst->ops->family == AF_INET6 &&
		 slb_valid_multipath6(dst)));
}

/* Derive the action besides headers: MTU, marks, a priority that a rule may have set, and a
 * flow label that decides.
 */
static void slb_derive_meta(struct slb_ns *ns, struct slb_derived *p,
			    const struct sk_buff *skb)
{
	const struct slb_record *rec = p->rec;
	u32 priority = rec->priority, mtu = dst_mtu(p->dst);
	bool out = p->flags & SLB_FLOW_OUT;

	if (p->dst->ops->family == AF_INET)
		mtu = min(mtu, ip_skb_dst_mtu(NULL, skb));
	else
		mtu = min(mtu, ip6_dst_mtu_maybe_forward(p->dst, true));
	mtu = min(mtu, out ? rec->mtu : slb_conn_mtu(p->cp));
	p->act.mtu = min_t(u32, mtu, U16_MAX);

	p->mark = skb->mark;
	p->extra.mark = rec->mark;
	if (out && !rec->pkt.v6 &&
	    READ_ONCE(ns->net->ipv4.sysctl_ip_fwd_update_priority)) {
		priority = rt_tos2priority(((const struct iphdr *)rec->head)->tos);
		p->flags |= SLB_FLOW_PRIO;
	}
	if (skb->priority != priority) {
		p->extra.priority = skb->priority;
		p->extra.how |= SLB_EXTRA_PRIORITY;
	}
	if (slb_derive_by_label(ns, p)) {
		p->extra.label = ip6_flowlabel((const struct ipv6hdr *)rec->head);
		p->extra.how |= SLB_EXTRA_LABEL;
	}
	if (rec->mark || p->extra.how)
		p->flags |= SLB_FLOW_EXTRA;
}

/* A rule at the exit may set the type of service or the time to live: the outermost
 * header, @seen, would else have @tos and @ttl. Of the time to live a rule may
 * make anything: a flow then takes only packets that come with the same.
 */
static bool slb_derive_class(struct slb_derived *p, const u8 *seen, u8 tos,
			     u8 ttl)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)seen;
	const struct iphdr *iph = (const struct iphdr *)seen;
	bool v6 = iph->version == 6;
	u8 seen_tos = v6 ? ipv6_get_dsfield(ip6h) : iph->tos;
	u8 seen_ttl = v6 ? ip6h->hop_limit : iph->ttl;

	if (seen_tos != tos) {
		if ((seen_tos ^ tos) & INET_ECN_MASK)
			return false;
		p->extra.tos = seen_tos & ~INET_ECN_MASK;
		p->extra.how |= SLB_EXTRA_TOS;
	}
	if (seen_ttl != ttl) {
		p->extra.ttl_in = slb_rewrite_hop_limit(p->rec->head, p->rec->pkt.v6);
		p->extra.ttl_out = seen_ttl;
		p->extra.how |= SLB_EXTRA_TTL;
	}
	return true;
}

/* SCTP's checksum is of the ports too, but of another kind, see skb.c: not
 * compared where they change.
 */
static bool slb_derive_head_equal(const struct slb_record *rec, u8 *want, const u8 *seen,
				  bool nat)
{
	u32 csum = rec->pkt.hlen - sizeof(struct sctphdr) +
		   offsetof(struct sctphdr, checksum);

	if (nat && rec->pkt.proto == IPPROTO_SCTP)
		memcpy(want + csum, seen + csum, sizeof(__le32));
	return !memcmp(want, seen, rec->pkt.hlen);
}

static bool slb_derive_nat4(struct slb_derived *p, const u8 *seen)
{
	const struct slb_record *rec = p->rec;
	const struct slb_key4 *key = &rec->pkt.key4;
	const struct iphdr *iph = (const struct iphdr *)seen;
	const __be16 *ports = (const __be16 *)(iph + 1);
	struct slb_action4 act;
	u8 want[SLB_HEAD_LEN];
	const struct iphdr *want_ip = (const struct iphdr *)want;
	unsigned int how = 0;

	if (iph->version != 4 || iph->ihl != 5)
		return false;
	slb_rewrite_init4(&act, key, iph->saddr, iph->daddr, ports[0], ports[1]);
	if (act.saddr != key->saddr || act.daddr != key->daddr ||
	    act.sport != key->sport || act.dport != key->dport)
		p->flags |= SLB_FLOW_NAT;
	if (p->flags & SLB_FLOW_NAT)
		how |= SLB_REWRITE_NAT;
	if (rec->partial)
		how |= SLB_REWRITE_PARTIAL;
	memcpy(want, rec->head, rec->pkt.hlen);
	slb_rewrite_ipv4(want, &act, how);
	if (!slb_derive_class(p, seen, want_ip->tos, want_ip->ttl))
		return false;
	slb_rewrite_class(want, &p->extra);
	p->act.saddr.ip = act.saddr;
	p->act.daddr.ip = act.daddr;
	p->act.sport = act.sport;
	p->act.dport = act.dport;
	p->act.csum = act.csum;
	return slb_derive_head_equal(rec, want, seen, how & SLB_REWRITE_NAT);
}

static bool slb_derive_nat6(struct slb_derived *p, const u8 *seen)
{
	const struct slb_record *rec = p->rec;
	const struct slb_key6 *key = &rec->pkt.key6;
	const struct ipv6hdr *iph = (const struct ipv6hdr *)seen;
	const __be16 *ports = (const __be16 *)(iph + 1);
	struct slb_action6 *act = &p->act;
	u8 want[SLB_HEAD_LEN];
	const struct ipv6hdr *want_ip = (const struct ipv6hdr *)want;
	unsigned int how = 0;

	if (iph->version != 6)
		return false;
	slb_rewrite_init6(act, key, &iph->saddr, &iph->daddr, ports[0],
			  ports[1]);
	if (!ipv6_addr_equal(&act->saddr.in6, &key->saddr) ||
	    !ipv6_addr_equal(&act->daddr.in6, &key->daddr) ||
	    act->sport != key->sport || act->dport != key->dport)
		p->flags |= SLB_FLOW_NAT;
	if (p->flags & SLB_FLOW_NAT)
		how |= SLB_REWRITE_NAT;
	if (rec->partial)
		how |= SLB_REWRITE_PARTIAL;
	memcpy(want, rec->head, rec->pkt.hlen);
	slb_rewrite_ipv6(want, act, how);
	if (!slb_derive_class(p, seen, ipv6_get_dsfield(want_ip),
			      want_ip->hop_limit))
		return false;
	slb_rewrite_class(want, &p->extra);
	return slb_derive_head_equal(rec, want, seen, how & SLB_REWRITE_NAT);
}

/* Derive the action without a tunnel. False if the slow path did more than an action can. */
static bool slb_derive_nat(struct slb_derived *p, struct sk_buff *skb)
{
	const struct slb_record *rec = p->rec;
	u8 buf[SLB_HEAD_LEN];
	const u8 *seen;

	seen = skb_header_pointer(skb, 0, rec->pkt.hlen, buf);
	if (!seen || (rec->partial != (skb->ip_summed == CHECKSUM_PARTIAL) &&
		      rec->pkt.proto != IPPROTO_SCTP))
		return false;
	if (!(rec->pkt.v6 ? slb_derive_nat6(p, seen) :
			  slb_derive_nat4(p, seen)) ||
	    slb_inflight_rest(skb, rec->pkt.hlen) != rec->rest)
		return false;
	/* a missing checksum: IPVS and conntrack's NAT each have their own rule */
	return !(p->flags & SLB_FLOW_NAT) || !rec->pkt.nocsum;
}

/* Derive the action with a tunnel: a decremented inner time to live, and IPVS's outer headers.
 */
static bool slb_derive_tunnel(struct slb_ns *ns, struct slb_derived *p,
			      struct sk_buff *skb)
{
	u8 buf[SLB_TUNNEL_MAX + SLB_HEAD_LEN], want[SLB_HEAD_LEN];
	const struct slb_record *rec = p->rec;
	struct slb_tunnel e;
	const u8 *seen;
	u8 tos, ttl;

	slb_tunnel_init(&e, p->cp, rec->partial);
	if (skb_inner_network_offset(skb) != e.hlen)
		return false;
	seen = skb_header_pointer(skb, 0, e.hlen + rec->pkt.hlen, buf);
	/* the hash of the skb is still that of the inner packet */
	p->act.sport = udp_flow_src_port(ns->net, skb, 0, 0, false);
	p->act.dport = e.port;
	p->act.kind = e.kind;
	if (!seen || !slb_tunnel_seen(&e, seen, p->act.sport, &p->act.saddr,
				      &p->act.daddr))
		return false;
	slb_tunnel_class(&e, seen, &tos, &ttl);
	if (!slb_derive_class(p, seen, tos, ttl))
		return false;
	memcpy(want, rec->head, rec->pkt.hlen);
	if (rec->pkt.v6)
		slb_rewrite_ipv6(want, NULL, 0);
	else
		slb_rewrite_ipv4(want, NULL, 0);
	return !memcmp(want, seen + e.hlen, rec->pkt.hlen) &&
	       slb_inflight_rest(skb, e.hlen + rec->pkt.hlen) == rec->rest;
}

/* True if the other end of the connection does not change, or as conntrack's NAT says. */
static bool slb_derive_peer_fit(const struct slb_derived *p)
{
	const struct slb_pkt *pkt = &p->rec->pkt;
	bool out = p->flags & SLB_FLOW_OUT;

	if (p->ct)
		return slb_ct_explains(p->ct, p->flags & SLB_FLOW_REPLY ?
					      IP_CT_DIR_REPLY :
					      IP_CT_DIR_ORIGINAL,
				       p->cp->af, &p->act);
	if (pkt->v6)
		return out ? ipv6_addr_equal(&p->act.daddr.in6,
					     &pkt->key6.daddr) &&
			     p->act.dport == pkt->key6.dport :
			     ipv6_addr_equal(&p->act.saddr.in6,
					     &pkt->key6.saddr) &&
			     p->act.sport == pkt->key6.sport;
	return out ? p->act.daddr.ip == pkt->key4.daddr &&
		     p->act.dport == pkt->key4.dport :
		     p->act.saddr.ip == pkt->key4.saddr &&
		     p->act.sport == pkt->key4.sport;
}

/* The entry of a connection whose packets leave without that entry. In a tunnel they leave with
 * the tunnel's entry. And conntrack calls packets invalid if no answer to their SYN was seen.
 * Not for SCTP: some chunks that a flow serves begin an entry, data chunks do not.
 */
static bool slb_derive_ct_inner(struct slb_ns *ns, struct slb_derived *p)
{
	enum ip_conntrack_dir dir;
	struct nf_conn *ct;

	if (p->rec->pkt.proto == IPPROTO_SCTP)
		return false;
	if (p->rec->untracked)
		return true;
	ct = slb_ct_find(ns->net, &p->rec->pkt, &dir);
	if (!ct)
		return true;
	p->extra.inner = ct;
	p->flags |= SLB_FLOW_EXTRA;
	return dir == IP_CT_DIR_ORIGINAL && slb_ct_inner_fit(ct) &&
	       slb_ct_lasts(ct);
}

/* The conntrack entry that a packet leaves with, for the flow to update. A tunnelled packet
 * leaves with the tunnel's entry; then the flow holds the connection's entry, too. There is no
 * entry if conntrack tracks no packets, or calls these invalid.
 */
static bool slb_derive_ct(struct slb_ns *ns, struct slb_derived *p,
			  const struct sk_buff *skb)
{
	bool nfct = p->cp->flags & IP_VS_CONN_F_NFCT;
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (p->flags & SLB_FLOW_TUNNEL) {
		if (nfct && !slb_derive_ct_inner(ns, p))
			return false;
		if (!ct)
			return true;
	} else {
		/* conntrack counts a packet of another connection's entry before IPVS drops that */
		if (!nfct)
			return !p->tracked || p->rec->untracked ||
			       !slb_ct_known(ns->net, &p->rec->pkt);
		/* conntrack takes no data chunk for a beginning, but other
		 * chunks that a flow serves
		 */
		if (p->rec->pkt.proto == IPPROTO_SCTP)
			return false;
		/* found invalid, and so not translated as others will be? */
		if (!ct && slb_conn_method(p->cp) != IP_VS_CONN_F_MASQ)
			return slb_derive_ct_inner(ns, p);
		if (!ct)
			return !p->tracked &&
			       !slb_ct_known(ns->net, &p->rec->pkt);
	}
	if (nf_ct_is_template(ct) || !slb_ct_fit(ct) || !slb_ct_lasts(ct))
		return false;
	nf_conntrack_get(&ct->ct_general);
	p->ct = ct;
	if (CTINFO2DIR(ctinfo) == IP_CT_DIR_REPLY)
		p->flags |= SLB_FLOW_REPLY;
	return true;
}

/* True if the changes to the packet agree with the connection. */
static bool slb_derive_fit(struct slb_ns *ns, struct slb_derived *p)
{
	const struct ip_vs_conn *cp = p->cp;
	bool out = p->flags & SLB_FLOW_OUT;

	/* replies are routed by the kernel, and with conntrack's NAT so are
	 * requests, after IPVS: a route from before the last change of routes may
	 * be stale
	 */
	if (out || (p->ct && slb_conn_method(cp) == IP_VS_CONN_F_MASQ)) {
		if (p->dst->ops->family == AF_INET6 &&
		    slb_ns_routes(ns->net) != p->rec->routes)
			return false;
	} else if (!slb_conn_via(cp, p->dst)) {
		return false;
	}

	switch (slb_conn_method(cp)) {
	case IP_VS_CONN_F_TUNNEL:
		return !out && slb_conn_addr_equal(cp->daf, &p->act.daddr,
						&cp->daddr);
	case IP_VS_CONN_F_DROUTE:
		return !out && !(p->flags & SLB_FLOW_NAT);
	}

	if (!slb_derive_peer_fit(p))
		return false;
	if (out)
		return slb_conn_addr_equal(cp->af, &p->act.saddr, &cp->vaddr) &&
		       p->act.sport == cp->vport;
	return slb_conn_addr_equal(cp->af, &p->act.daddr, &cp->daddr) &&
	       p->act.dport == cp->dport;
}

/**
 * slb_derive() - derive the action that explains a packet
 * @ns: the namespace
 * @p: in: @rec, @cp, @tracked, @dst, SLB_FLOW_OUT of @flags, all else zero; out: the other
 *	members, valid if 0 is returned, and but for @ct with SLB_SKIP_CONNTRACK
 * @skb: the packet at egress
 * @dev: the egress device
 *
 * Takes references on the conntrack entries @p->ct and @p->extra.inner, if any. The caller
 * drops them, whatever this returns.
 *
 * Context: RCU, BH off.
 * Return: 0, or the reason why a flow must not be made.
 */
enum slb_reason slb_derive(struct slb_ns *ns, struct slb_derived *p,
			   struct sk_buff *skb, const struct net_device *dev)
{
	enum slb_reason reason = slb_conn_fit(p->cp, slb_listed_scope(ns, p->cp));
	bool seen;

	if (reason)
		return reason;
	if (slb_conn_method(p->cp) == IP_VS_CONN_F_TUNNEL)
		p->flags |= SLB_FLOW_TUNNEL;
	/* the bridge forwarded the frame to another port, or passed up to a VLAN device */
	if (p->rec->bridge && p->rec->bridge != skb->skb_iif)
		return SLB_SKIP_CHANGED;
	if (!slb_derive_egress_fit(ns, p, skb, dev))
		return SLB_SKIP_EGRESS;
	seen = p->flags & SLB_FLOW_TUNNEL ? slb_derive_tunnel(ns, p, skb) :
					    slb_derive_nat(p, skb);
	if (!seen)
		return SLB_SKIP_CHANGED;
	slb_derive_meta(ns, p, skb);
	if (!slb_derive_ct(ns, p, skb))
		reason = SLB_SKIP_CONNTRACK;
	else if (!slb_derive_fit(ns, p))
		reason = SLB_SKIP_CHANGED;
	if (p->flags & SLB_FLOW_EXTRA || p->rec->pkt.v6 || p->mark || p->ct ||
	    p->dst->ops->family == AF_INET6)
		p->flags |= SLB_FLOW_WIDE;
	return reason;
}
