// SPDX-License-Identifier: GPL-2.0
/*
 * Tunnels: IPIP, GRE and GUE, as ip_vs_tunnel_xmit() builds them, in each
 * mixture of families.
 *
 *  operation         | locking
 * -------------------+-------------------------------------------------------
 *  all               | RCU
 *
 * "ipvsadm -e" may change type, port and checksum of a real server's tunnel at any time. IPVS
 * reads them for each packet, and so does this file. A flow remembers those of its proof: rules
 * and conntrack treat packets of another tunnel in another way.
 */
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/dsfield.h>
#include <net/gre.h>
#include <net/gue.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip_tunnels.h>
#include <net/udp.h>

#include "ipvs/tunnel.h"

/* Length of GUE's private option, in bytes, see ipvs_gue_encap(). */
#define SLB_GUE_OPT_LEN	(GUE_LEN_PRIV + GUE_PLEN_REMCSUM)
static_assert(SLB_GUE_OPT_LEN == SLB_REMCSUM_LEN);

static u8 slb_tunnel_outer_len(const struct slb_tunnel *e)
{
	return e->outer6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

static u8 slb_tunnel_gre_len(const struct slb_tunnel *e)
{
	return sizeof(struct gre_base_hdr) + (e->csum ? sizeof(__be32) : 0);
}

static u8 slb_tunnel_gue_len(const struct slb_tunnel *e)
{
	return sizeof(struct guehdr) + (e->remcsum ? SLB_GUE_OPT_LEN : 0);
}

static u8 slb_tunnel_outer_proto(const struct slb_tunnel *e)
{
	switch (e->type) {
	case IP_VS_CONN_F_TUNNEL_TYPE_GUE:
		return IPPROTO_UDP;
	case IP_VS_CONN_F_TUNNEL_TYPE_GRE:
		return IPPROTO_GRE;
	default:
		return e->inner6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	}
}

/* Type and flags as a word. */
static u16 slb_tunnel_kind(u8 type, u16 flags)
{
	return type << 8 | (u8)flags;
}

static void slb_tunnel_set(struct slb_tunnel *e, const struct ip_vs_conn *cp, u16 kind,
			   bool partial)
{
	e->kind = kind;
	e->type = kind >> 8;
	e->inner6 = cp->af == AF_INET6;
	e->outer6 = cp->daf == AF_INET6;
	e->df = !e->outer6 && !e->inner6 && sysctl_pmtu_disc(cp->ipvs);
	e->csum = kind & IP_VS_TUNNEL_ENCAP_FLAG_CSUM;
	e->remcsum = false;
	e->hlen = slb_tunnel_outer_len(e);
	if (e->type == IP_VS_CONN_F_TUNNEL_TYPE_GUE) {
		if (kind & IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM) {
			e->csum = true;
			e->remcsum = partial;
		}
		e->hlen += sizeof(struct udphdr) + slb_tunnel_gue_len(e);
	} else if (e->type == IP_VS_CONN_F_TUNNEL_TYPE_GRE) {
		e->hlen += slb_tunnel_gre_len(e);
	}
}

/**
 * slb_tunnel_init() - read the present settings of a connection's tunnel
 * @e: the tunnel
 * @cp: the connection, pinned, forwarded by tunnelling
 * @partial: the packet's transport checksum is offloaded
 *
 * Context: RCU.
 */
void slb_tunnel_init(struct slb_tunnel *e, const struct ip_vs_conn *cp,
		     bool partial)
{
	const struct ip_vs_dest *dest = cp->dest;

	slb_tunnel_set(e, cp, slb_tunnel_kind(READ_ONCE(dest->tun_type),
					      READ_ONCE(dest->tun_flags)), partial);
	e->port = e->type == IP_VS_CONN_F_TUNNEL_TYPE_GUE ? READ_ONCE(dest->tun_port) : 0;
}

/**
 * slb_tunnel_hlen() - length of the outer headers that a flow's packets have
 * @flow: a flow with SLB_FLOW_TUNNEL
 *
 * As of the last proof, and without the option for remote checksum offload.
 *
 * Context: RCU, the flow is the caller's.
 * Return: bytes.
 */
u8 slb_tunnel_hlen(const struct slb_flow *flow)
{
	struct slb_tunnel e;

	slb_tunnel_set(&e, flow->conn, flow->flags & SLB_FLOW_WIDE ?
				       slb_flow6(flow)->act.kind : slb_flow4(flow)->act.kind,
		       false);
	return e.hlen;
}

/* Members of the inner header that the outer header copies. */
static void slb_tunnel_inner_read(const struct slb_tunnel *e, const void *inner,
				  u8 *tos, u8 *ttl, __be16 *df)
{
	const struct ipv6hdr *ip6h = inner;
	const struct iphdr *iph = inner;

	*df = 0;
	if (e->inner6) {
		*tos = ipv6_get_dsfield(ip6h);
		*ttl = ip6h->hop_limit;
	} else {
		*tos = ipv4_get_dsfield(iph);
		*ttl = iph->ttl;
		if (e->df)
			*df = iph->frag_off & htons(IP_DF);
	}
	*tos = INET_ECN_encapsulate(*tos, *tos);
}

/* The headers between the two IP headers: checksums and lengths apart, which
 * are another for each packet.
 */
static bool slb_tunnel_shim_seen(const struct slb_tunnel *e, const void *shim,
				 __be16 sport)
{
	const struct gre_base_hdr *greh = shim;
	const struct udphdr *uh = shim;
	const struct guehdr *gueh = shim + sizeof(*uh);

	switch (e->type) {
	case IP_VS_CONN_F_TUNNEL_TYPE_GUE:
		return uh->source == sport && uh->dest == e->port && !uh->check == !e->csum &&
		       !gueh->version && !gueh->control &&
		       gueh->hlen == (e->remcsum ? SLB_GUE_OPT_LEN >> 2 : 0) &&
		       gueh->proto_ctype == (e->inner6 ? IPPROTO_IPV6 :
							 IPPROTO_IPIP) &&
		       gueh->flags == (e->remcsum ? GUE_FLAG_PRIV : 0);
	case IP_VS_CONN_F_TUNNEL_TYPE_GRE:
		return greh->flags == (e->csum ? GRE_CSUM : 0) &&
		       greh->protocol == htons(e->inner6 ? ETH_P_IPV6 :
							   ETH_P_IP);
	default:
		return true;
	}
}

/**
 * slb_tunnel_seen() - true if slb_tunnel_push() would write these outer headers
 * @e: the tunnel
 * @data: a packet at egress, from its outer header; @e->hlen bytes and an IPv4 or IPv6
 *	header can be read
 * @sport: source port of GUE
 * @saddr: set to the outer source address
 * @daddr: set to the outer destination address
 *
 * The type of service and the time to live are left to slb_tunnel_class().
 *
 * Context: any.
 */
bool slb_tunnel_seen(const struct slb_tunnel *e, const void *data, __be16 sport,
		     union slb_addr *saddr, union slb_addr *daddr)
{
	const struct ipv6hdr *ip6h = data;
	const struct iphdr *iph = data;
	u8 tos, ttl;
	__be16 df;

	slb_tunnel_inner_read(e, data + e->hlen, &tos, &ttl, &df);
	memset(saddr, 0, sizeof(*saddr));
	memset(daddr, 0, sizeof(*daddr));
	if (e->outer6) {
		saddr->in6 = ip6h->saddr;
		daddr->in6 = ip6h->daddr;
		if (ip6h->version != 6 || ip6_flowlabel(ip6h) ||
		    ip6h->nexthdr != slb_tunnel_outer_proto(e))
			return false;
	} else {
		saddr->ip = iph->saddr;
		daddr->ip = iph->daddr;
		if (iph->version != 4 || iph->ihl != 5 ||
		    iph->protocol != slb_tunnel_outer_proto(e) || iph->frag_off != df)
			return false;
	}
	return slb_tunnel_shim_seen(e, data + slb_tunnel_outer_len(e), sport);
}

/**
 * slb_tunnel_class() - compute the type of service and time to live of an outer header
 * @e: the tunnel
 * @data: a packet at egress, from its outer header; as for slb_tunnel_seen()
 * @tos: set to the type of service or traffic class of the outer header
 * @ttl: set to the time to live of the outer header
 *
 * Context: any.
 */
void slb_tunnel_class(const struct slb_tunnel *e, const void *data, u8 *tos,
		      u8 *ttl)
{
	__be16 df;

	slb_tunnel_inner_read(e, data + e->hlen, tos, ttl, &df);
}

/**
 * slb_tunnel_fits() - true if a packet can be tunnelled
 * @e: the tunnel
 * @len: length of the packet from its IP header, in bytes
 * @mtu: longest packet at egress, in bytes, with outer headers
 *
 * Does not compare @len with @mtu.
 *
 * Context: any.
 * Return: false if IPVS drops the packet, or writes a length that overflows.
 */
bool slb_tunnel_fits(const struct slb_tunnel *e, u32 len, u32 mtu)
{
	/* the least that __ip_vs_get_out_rt() and __ip_vs_get_out_rt_v6() take */
	return mtu >= e->hlen + (e->outer6 ? IPV6_MIN_MTU : 68) &&
	       len + e->hlen <= IP_MAX_MTU;
}

static int slb_tunnel_gso_type(const struct slb_tunnel *e)
{
	int type = e->outer6 ? SKB_GSO_IPXIP6 : SKB_GSO_IPXIP4;

	switch (e->type) {
	case IP_VS_CONN_F_TUNNEL_TYPE_GUE:
		type |= e->csum ? SKB_GSO_UDP_TUNNEL_CSUM : SKB_GSO_UDP_TUNNEL;
		if (e->remcsum)
			type |= SKB_GSO_TUNNEL_REMCSUM;
		break;
	case IP_VS_CONN_F_TUNNEL_TYPE_GRE:
		type |= e->csum ? SKB_GSO_GRE_CSUM : SKB_GSO_GRE;
		break;
	}
	return type;
}

/* The checksum is left zero. */
static void slb_tunnel_gre_write(const struct slb_tunnel *e, struct gre_base_hdr *greh)
{
	greh->flags = e->csum ? GRE_CSUM : 0;
	greh->protocol = htons(e->inner6 ? ETH_P_IPV6 : ETH_P_IP);
	if (e->csum)
		*(__be32 *)(greh + 1) = 0;
}

/* Without the private option. */
static void slb_tunnel_gue_write(const struct slb_tunnel *e, struct guehdr *gueh)
{
	gueh->control = 0;
	gueh->version = 0;
	gueh->hlen = (slb_tunnel_gue_len(e) - sizeof(*gueh)) >> 2;
	gueh->flags = 0;
	gueh->proto_ctype = e->inner6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
}

/* The outer header; identification and checksum of IPv4 apart. @len is that of the
 * whole packet.
 */
static void slb_tunnel_outer_write(const struct slb_tunnel *e, void *outer, u32 len,
				   const union slb_addr *saddr,
				   const union slb_addr *daddr,
				   u8 tos, u8 ttl, __be16 df)
{
	struct ipv6hdr *ip6h = outer;
	struct iphdr *iph = outer;

	if (e->outer6) {
		ip6_flow_hdr(ip6h, tos, 0);
		ip6h->payload_len = htons(len - sizeof(*ip6h));
		ip6h->nexthdr = slb_tunnel_outer_proto(e);
		ip6h->hop_limit = ttl;
		ip6h->saddr = saddr->in6;
		ip6h->daddr = daddr->in6;
		return;
	}
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->tos = tos;
	iph->tot_len = htons(len);
	iph->frag_off = df;
	iph->ttl = ttl;
	iph->protocol = slb_tunnel_outer_proto(e);
	iph->saddr = saddr->ip;
	iph->daddr = daddr->ip;
}

static void slb_tunnel_gre_push(const struct slb_tunnel *e, struct sk_buff *skb)
{
	struct gre_base_hdr *greh = skb_push(skb, slb_tunnel_gre_len(e));

	slb_tunnel_gre_write(e, greh);
	skb_set_inner_protocol(skb, greh->protocol);
	skb_reset_transport_header(skb);
	/* segmentation computes a checksum for each segment */
	if (!e->csum || skb_is_gso(skb))
		return;
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		*(__sum16 *)(greh + 1) = csum_fold(lco_csum(skb));
	} else {
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = skb_transport_header(skb) - skb->head;
		skb->csum_offset = sizeof(*greh);
	}
}

/* GUE's remote checksum offload: offsets of the inner checksum and of the bytes that it
 * covers. The other end completes the checksum.
 */
static void slb_tunnel_remcsum_push(struct sk_buff *skb, void *opt)
{
	u16 start = skb_checksum_start_offset(skb) - (SLB_GUE_OPT_LEN +
						      sizeof(struct guehdr));
	__be16 *field = opt + GUE_LEN_PRIV;

	*(__be32 *)opt = GUE_PFLAG_REMCSUM;
	field[0] = htons(start);
	field[1] = htons(start + skb->csum_offset);
	if (!skb_is_gso(skb)) {
		skb->ip_summed = CHECKSUM_NONE;
		skb->encapsulation = 0;
	}
}

static void slb_tunnel_gue_push(const struct slb_tunnel *e, struct net *net,
				struct sk_buff *skb, const union slb_addr *saddr,
				const union slb_addr *daddr)
{
	__be16 sport = udp_flow_src_port(net, skb, 0, 0, false);
	struct guehdr *gueh = skb_push(skb, slb_tunnel_gue_len(e));
	struct udphdr *uh;

	slb_tunnel_gue_write(e, gueh);
	if (e->remcsum) {
		gueh->flags = GUE_FLAG_PRIV;
		slb_tunnel_remcsum_push(skb, gueh + 1);
	}

	uh = skb_push(skb, sizeof(*uh));
	skb_reset_transport_header(skb);
	uh->source = sport;
	uh->dest = e->port;
	uh->len = htons(skb->len);
	uh->check = 0;
	if (e->outer6)
		udp6_set_csum(!e->csum, skb, &saddr->in6, &daddr->in6,
			      skb->len);
	else
		udp_set_csum(!e->csum, skb, saddr->ip, daddr->ip, skb->len);
}

static void slb_tunnel_outer_push(const struct slb_tunnel *e, struct net *net,
				  struct sk_buff *skb,
				  const union slb_addr *saddr,
				  const union slb_addr *daddr,
				  u8 tos, u8 ttl, __be16 df)
{
	void *outer = skb_push(skb, slb_tunnel_outer_len(e));

	skb_reset_network_header(skb);
	slb_tunnel_outer_write(e, outer, skb->len, saddr, daddr, tos, ttl, df);
	if (e->outer6) {
		skb->protocol = htons(ETH_P_IPV6);
		return;
	}
	ip_select_ident(net, skb, NULL);
	ip_send_check(outer);
	skb->protocol = htons(ETH_P_IP);
}

/**
 * slb_tunnel_push() - put a packet into its tunnel
 * @e: the tunnel; slb_tunnel_fits() the packet
 * @net: the namespace
 * @skb: the packet, with decremented time to live and @e->hlen bytes of headroom; the header
 *	of a GSO packet is not shared with a clone
 * @saddr: outer source address
 * @daddr: outer destination address
 *
 * Order matters: for drivers, GSO and checksum offload, the skb's offsets at each step
 * separate inner from outer headers.
 *
 * Context: RCU.
 */
void slb_tunnel_push(const struct slb_tunnel *e, struct net *net,
		     struct sk_buff *skb, const union slb_addr *saddr,
		     const union slb_addr *daddr)
{
	u8 tos, ttl;
	__be16 df;

	slb_tunnel_inner_read(e, skb->data, &tos, &ttl, &df);
	/* fails only where a GSO packet's header is shared */
	iptunnel_handle_offloads(skb, slb_tunnel_gso_type(e));
	skb->transport_header = skb->network_header;
	skb_set_inner_ipproto(skb, e->inner6 ? IPPROTO_IPV6 : IPPROTO_IPIP);
	skb_set_inner_mac_header(skb, skb_inner_network_offset(skb));

	if (e->type == IP_VS_CONN_F_TUNNEL_TYPE_GUE)
		slb_tunnel_gue_push(e, net, skb, saddr, daddr);
	else if (e->type == IP_VS_CONN_F_TUNNEL_TYPE_GRE)
		slb_tunnel_gre_push(e, skb);
	slb_tunnel_outer_push(e, net, skb, saddr, daddr, tos, ttl, df);
}

static __sum16 slb_tunnel_udp_csum(const struct slb_tunnel *e, const void *shim, u32 len,
				   const union slb_addr *saddr,
				   const union slb_addr *daddr)
{
	__wsum sum = csum_partial(shim, len, 0);
	__sum16 csum;

	if (e->outer6)
		csum = csum_ipv6_magic(&saddr->in6, &daddr->in6, len,
				       IPPROTO_UDP, sum);
	else
		csum = csum_tcpudp_magic(saddr->ip, daddr->ip, len,
					 IPPROTO_UDP, sum);
	return csum ? csum : CSUM_MANGLED_0;
}

/**
 * slb_tunnel_write() - put a packet of plain bytes into its tunnel
 * @e: the tunnel, initialized for a packet without checksum offload
 * @net: the namespace
 * @inner: the packet, with decremented time to live; @e->hlen bytes before are written
 * @len: length of the packet from its IP header, in bytes
 * @saddr: outer source address
 * @daddr: outer destination address
 * @sport: source port of GUE
 *
 * Computes the checksums of GRE and of GUE's UDP, which slb_tunnel_push() leaves to the
 * device.
 *
 * Context: RCU.
 */
void slb_tunnel_write(const struct slb_tunnel *e, struct net *net, void *inner,
		      u32 len, const union slb_addr *saddr,
		      const union slb_addr *daddr, __be16 sport)
{
	u32 shim_len = e->hlen - slb_tunnel_outer_len(e);
	void *shim = inner - shim_len;
	void *outer = inner - e->hlen;
	struct iphdr *iph = outer;
	struct udphdr *uh = shim;
	__sum16 csum;
	u8 tos, ttl;
	__be16 df;

	slb_tunnel_inner_read(e, inner, &tos, &ttl, &df);
	if (e->type == IP_VS_CONN_F_TUNNEL_TYPE_GUE) {
		uh->source = sport;
		uh->dest = e->port;
		uh->len = htons(len + shim_len);
		uh->check = 0;
		slb_tunnel_gue_write(e, (struct guehdr *)(uh + 1));
		if (e->csum)
			uh->check = slb_tunnel_udp_csum(e, uh, len + shim_len, saddr,
							daddr);
	} else if (e->type == IP_VS_CONN_F_TUNNEL_TYPE_GRE) {
		slb_tunnel_gre_write(e, shim);
		if (e->csum) {
			csum = csum_fold(csum_partial(shim, len + shim_len, 0));
			/* as skb_checksum_help() */
			*(__sum16 *)(shim + sizeof(struct gre_base_hdr)) =
				csum ? csum : CSUM_MANGLED_0;
		}
	}
	slb_tunnel_outer_write(e, outer, len + e->hlen, saddr, daddr, tos, ttl, df);
	if (e->outer6)
		return;
	/* as ip_select_ident() */
	iph->id = 0;
	if (!df)
		__ip_select_ident(net, iph, 1);
	ip_send_check(iph);
}
