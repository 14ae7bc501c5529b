/* SPDX-License-Identifier: GPL-2.0 */
/* The outer headers of packets that IPVS tunnels. */
#ifndef _SLB_TUNNEL_H
#define _SLB_TUNNEL_H

#include <linux/skbuff.h>

#include <compat/ip_vs.h>

#include "flow/flow.h"

/* The longest: IPv6, UDP, GUE with remote checksum offload. */
#define SLB_TUNNEL_MAX	60

/* Length of GUE's option for remote checksum offload, in bytes. */
#define SLB_REMCSUM_LEN	8

/**
 * struct slb_tunnel - a tunnel, for one packet
 * @type: IP_VS_CONN_F_TUNNEL_TYPE_*
 * @csum: GRE or UDP with a checksum
 * @remcsum: GUE leaves the inner checksum to the other end
 * @inner6: the packet is IPv6
 * @outer6: the tunnel is IPv6
 * @df: the outer header copies "don't fragment" from the inner header
 * @port: destination port of GUE; 0 for other types
 * @kind: type and flags of the real server's tunnel
 * @hlen: bytes of all headers put before the packet
 */
struct slb_tunnel {
	u8	type;
	bool	csum;
	bool	remcsum;
	bool	inner6;
	bool	outer6;
	bool	df;
	__be16	port;
	u16	kind;
	u8	hlen;
};

void slb_tunnel_init(struct slb_tunnel *e, const struct ip_vs_conn *cp,
		     bool partial);
u8 slb_tunnel_hlen(const struct slb_flow *flow);
bool slb_tunnel_seen(const struct slb_tunnel *e, const void *data, __be16 sport,
		     union slb_addr *saddr, union slb_addr *daddr);
void slb_tunnel_class(const struct slb_tunnel *e, const void *data, u8 *tos,
		      u8 *ttl);
bool slb_tunnel_fits(const struct slb_tunnel *e, u32 len, u32 mtu);
void slb_tunnel_push(const struct slb_tunnel *e, struct net *net,
		     struct sk_buff *skb, const union slb_addr *saddr,
		     const union slb_addr *daddr);
void slb_tunnel_write(const struct slb_tunnel *e, struct net *net, void *inner,
		      u32 len, const union slb_addr *saddr,
		      const union slb_addr *daddr, __be16 sport);

/**
 * slb_tunnel_same() - true if a tunnel is that of the last proof of a flow
 * @e: the tunnel
 * @flow: a flow with SLB_FLOW_TUNNEL
 *
 * Context: the flow is the caller's.
 */
static inline bool slb_tunnel_same(const struct slb_tunnel *e, const struct slb_flow *flow)
{
	const struct slb_action6 *act6;
	const struct slb_action4 *act4;

	if (flow->flags & SLB_FLOW_WIDE) {
		act6 = &slb_flow6(flow)->act;
		return act6->kind == e->kind && act6->dport == e->port;
	}
	act4 = &slb_flow4(flow)->act;
	return act4->kind == e->kind && act4->dport == e->port;
}

#endif /* _SLB_TUNNEL_H */
