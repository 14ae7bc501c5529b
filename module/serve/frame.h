/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frames that XDP has: from the link layer to the packet and back, and what else an skb
 * would tell of a packet. What each hit runs through is here, inline.
 *
 *  operation            | locking
 * ----------------------+----------------------------------------------------
 *  slb_frame_open       | RCU
 *  slb_way_find         | RCU, BH off. The neighbour is not held: RCU frees it
 *  slb_frame_close      | RCU
 *
 * What is not known must not matter: a VLAN tag that the device took out, a checksum that
 * is still to be completed, packets that were merged. See slb_tag_hidden(),
 * slb_csum_partial() and slb_frame_open().
 */
#ifndef _SLB_FRAME_H
#define _SLB_FRAME_H

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/sctp.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/arp.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ndisc.h>
#include <net/neighbour.h>
#include <net/netdev_rx_queue.h>
#include <net/route.h>
#include <net/xdp.h>

#include "flow/flow.h"
#include "flow/parse.h"
#include "flow/reason.h"
#include "serve/gate.h"

struct slb_ns;

/**
 * struct slb_frame - a frame, as it came
 * @xdp: where it is
 * @dev: the device that IP sees it come by, a VLAN device if it has a tag
 * @ip: its IP header
 * @proto: ETH_P_IP, ETH_P_IPV6 or another
 * @tci: its VLAN tag, or 0
 */
struct slb_frame {
	struct xdp_buff		*xdp;
	struct net_device	*dev;
	void			*ip;
	__be16			proto;
	u16			tci;
};

/**
 * struct slb_way - how a frame leaves
 * @dev: the device that sends it
 * @smac: its source address
 * @neigh: who has its destination address; under RCU
 * @tag_proto: of its VLAN tag, or 0: it has none
 * @tci: its VLAN tag
 */
struct slb_way {
	struct net_device	*dev;
	const u8		*smac;
	struct neighbour	*neigh;
	__be16			tag_proto;
	u16			tci;
};

bool slb_peer_tags(struct net_device *dev);
enum slb_reason slb_frame_untag(struct slb_frame *f);
__le32 slb_sctp_crc(const void *data, u32 len);
bool slb_frame_csum_wrong(const void *ip, const struct slb_pkt *pkt);
struct net_device *slb_way_vlan(struct slb_way *way, const struct slb_frame *f,
				u8 flags, struct net_device *dev);

/**
 * slb_iphlen() - the length of an IP header without options
 * @v6: of IPv6
 */
static __always_inline u32 slb_iphlen(bool v6)
{
	return v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

/* Does the stack run XDP, on an skb, and not the driver? Then the queue is one of the
 * device's own.
 */
static __always_inline bool slb_xdp_generic(const struct xdp_buff *xdp)
{
	const struct net_device *dev = xdp->rxq->dev;
	const void *rxq = xdp->rxq, *first = dev->_rx;

	return rxq >= first && rxq < (const void *)(dev->_rx + dev->num_rx_queues);
}

/* Are its packets another device's, as those of a port of a bridge are? */
static inline bool slb_dev_joined(const struct net_device *dev)
{
	return rcu_access_pointer(dev->rx_handler) || netif_is_l3_slave(dev);
}

/* Were they, and is what that one did to them not to be seen here? */
static inline bool slb_dev_stacked(const struct net_device *dev)
{
	return !list_empty(&dev->adj_list.lower);
}

/* May frames come with a VLAN tag that is not in them, but in an skb or a descriptor? */
static inline bool slb_tag_hidden(struct net_device *dev)
{
	if (dev->netdev_ops->ndo_get_peer_dev)
		return slb_peer_tags(dev);
	return dev->features & (NETIF_F_HW_VLAN_CTAG_RX |
				NETIF_F_HW_VLAN_STAG_RX);
}

/**
 * slb_frame_open() - from the link layer of a frame to its network layer
 * @f: set to what is there
 * @xdp: the frame
 *
 * Context: RCU.
 * Return: 0, or why the frame is left to the hook.
 */
static __always_inline enum slb_reason slb_frame_open(struct slb_frame *f,
						      struct xdp_buff *xdp)
{
	struct net_device *dev = xdp->rxq->dev;
	const struct ethhdr *eth = xdp->data;
	struct slb_frame tagged __uninitialized;
	enum slb_reason reason;

	f->xdp = xdp;
	f->dev = dev;
	f->ip = xdp->data + sizeof(*eth);
	f->tci = 0;
	if (unlikely(f->ip > xdp->data_end))
		return SLB_XDP_OTHER;
	if (unlikely(slb_dev_joined(dev) || slb_dev_stacked(dev)))
		return SLB_XDP_DEVICE;
	/* datagrams that were merged, and look like one */
	if (unlikely(dev->features & NETIF_F_GRO_FRAGLIST) &&
	    slb_xdp_generic(xdp))
		return SLB_XDP_DEVICE;
	if (unlikely(slb_tag_hidden(dev)))
		return SLB_XDP_VLAN;
	f->proto = eth->h_proto;
	if (unlikely(eth_type_vlan(f->proto))) {
		/* not @f itself, which can then be registers alone */
		tagged = *f;
		reason = slb_frame_untag(&tagged);
		*f = tagged;
		if (reason)
			return reason;
		if (ether_addr_equal(eth->h_dest, f->dev->dev_addr))
			return 0;
	}
	return ether_addr_equal(eth->h_dest, dev->dev_addr) ? 0 : SLB_XDP_OTHER;
}

/**
 * slb_frame_whole() - do ip_rcv() and ipv6_rcv() take this packet?
 * @f: its frame
 * @pkt: the packet, which the parser takes
 * @v6: its @v6
 *
 * Context: any.
 */
static __always_inline bool slb_frame_whole(const struct slb_frame *f,
					    const struct slb_pkt *pkt, bool v6)
{
	if (f->ip + pkt->len > f->xdp->data_end)
		return false;
	return v6 || !ip_fast_csum(f->ip, sizeof(struct iphdr) / 4);
}

/**
 * slb_pseudo() - the checksum of a packet's pseudo header and more
 * @ip: the packet, from its IP header
 * @proto: its protocol
 * @v6: it is IPv6
 * @len: its length without IP header, in bytes
 * @sum: of what else is to be summed up
 *
 * Context: any.
 */
static __always_inline __sum16 slb_pseudo(const void *ip, u8 proto, bool v6,
					  u32 len, __wsum sum)
{
	const struct ipv6hdr *ip6h = ip;
	const struct iphdr *iph = ip;

	if (v6)
		return csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, len, proto,
				       sum);
	return csum_tcpudp_magic(iph->saddr, iph->daddr, len, proto, sum);
}

/**
 * slb_csum_partial() - is the checksum still to be completed?
 * @ip: the packet, from its IP header
 * @pkt: what the parser found in it
 * @v6: its @v6
 *
 * By hardware, or by whoever takes merged packets apart. Then it is the sum of the pseudo
 * header, or for SCTP nothing at all. A complete one seldom is.
 *
 * Context: any.
 */
static __always_inline bool slb_csum_partial(const void *ip,
					     const struct slb_pkt *pkt, bool v6)
{
	u32 hlen = slb_iphlen(v6);
	const void *th = ip + hlen;
	__sum16 check;
	u16 sum;

	if (pkt->proto == IPPROTO_TCP) {
		check = ((const struct tcphdr *)th)->check;
	} else if (pkt->proto == IPPROTO_UDP) {
		if (pkt->nocsum)
			return false;
		check = ((const struct udphdr *)th)->check;
	} else {
		return !((const struct sctphdr *)th)->checksum;
	}
	/* 0 and 0xffff are the same sum; the pseudo header's is never 0 */
	sum = ~(__force u16)slb_pseudo(ip, pkt->proto, v6, pkt->len - hlen, 0);
	return (__force u16)check == sum || (!check && sum == 0xffff);
}

/**
 * slb_csum_nested() - true if the checksum of a packet inside may be pending
 * @xdp: the frame
 * @pkt: its packet, of UDP
 *
 * Devices without hardware (veth, tun), and generic XDP, pass frames whose checksum somebody was
 * to complete later; XDP does not see that, and what it sends on nobody completes. In a tunnel
 * over UDP that may be the inner packet's. Then the outer checksum is zero, or is
 * the sum of the frame as it will be, and wrong until then.
 *
 * Context: any.
 */
static __always_inline bool slb_csum_nested(const struct xdp_buff *xdp,
					    const struct slb_pkt *pkt)
{
	return pkt->proto == IPPROTO_UDP &&
	       (!xdp->rxq->dev->dev.parent || slb_xdp_generic(xdp));
}

/* Does this device, or the device of this VLAN, send frames from XDP? */
static __always_inline bool slb_way_device(struct slb_way *way,
					   const struct slb_frame *f, u8 flags,
					   struct net_device *dev)
{
	struct net_device *from = f->xdp->rxq->dev;
	struct slb_frame frame __uninitialized;
	struct slb_way tagged __uninitialized;

	way->smac = dev->dev_addr;
	way->tag_proto = 0;
	if (unlikely(is_vlan_dev(dev))) {
		frame = *f;
		dev = slb_way_vlan(&tagged, &frame, flags, dev);
		way->tag_proto = tagged.tag_proto;
		way->tci = tagged.tci;
	}
	way->dev = dev;
	if (!dev->header_ops || dev->header_ops->create != eth_header ||
	    is_vlan_dev(dev) || !(dev->flags & IFF_UP) ||
	    !net_eq(dev_net(dev), dev_net(from)))
		return false;
	return READ_ONCE(dev->xdp_features) & NETDEV_XDP_ACT_NDO_XMIT ||
	       (dev == from && !dev->netdev_ops->ndo_get_peer_dev) ||
	       slb_xdp_generic(f->xdp);
}

/**
 * slb_way_find() - how does a frame leave?
 * @way: set to that
 * @f: the frame, as it came
 * @flow: its flow, whose route is still right
 *
 * Context: RCU, BH off.
 * Return: 0, SLB_XDP_DEVICE or SLB_XDP_NEIGH.
 */
static __always_inline enum slb_reason slb_way_find(struct slb_way *way,
						    const struct slb_frame *f,
						    const struct slb_flow *flow)
{
	if (!slb_way_device(way, f, flow->flags, flow->dst->dev))
		return SLB_XDP_DEVICE;
	way->neigh = slb_flow_neigh(flow);
	return way->neigh ? 0 : SLB_XDP_NEIGH;
}

/**
 * slb_frame_close() - write the link layer of a frame
 * @xdp: the frame; set to where it begins and ends
 * @way: how it leaves
 * @ip: its packet, from the IP header that it leaves with; VLAN_ETH_HLEN bytes before it are
 *	written
 * @len: the packet's length, in bytes
 * @proto: ETH_P_IP or ETH_P_IPV6
 *
 * What was behind the packet stays only if it makes the frame as long as Ethernet wants:
 * not every driver adds that to what XDP sends.
 *
 * Context: RCU.
 */
static __always_inline void slb_frame_close(struct xdp_buff *xdp,
					    const struct slb_way *way,
					    void *ip, u32 len, __be16 proto)
{
	struct ethhdr *eth = ip - ETH_HLEN;
	struct neighbour *n = way->neigh;
	struct vlan_ethhdr *vh;
	unsigned int seq;
	void *end;

	if (unlikely(way->tag_proto)) {
		vh = ip - VLAN_ETH_HLEN;
		vh->h_vlan_TCI = htons(way->tci);
		vh->h_vlan_encapsulated_proto = proto;
		proto = way->tag_proto;
		eth = (struct ethhdr *)vh;
	}
	eth->h_proto = proto;
	ether_addr_copy(eth->h_source, way->smac);
	do {
		seq = read_seqbegin(&n->ha_lock);
		ether_addr_copy(eth->h_dest, n->ha);
	} while (read_seqretry(&n->ha_lock, seq));

	xdp->data = eth;
	if (!xdp_data_meta_unsupported(xdp))
		xdp->data_meta = eth;
	else
		xdp->data_meta = xdp->data + 1;
	end = max_t(void *, ip + len, (void *)eth + ETH_ZLEN);
	xdp->data_end = min(end, xdp->data_end);
}

#endif /* _SLB_FRAME_H */
