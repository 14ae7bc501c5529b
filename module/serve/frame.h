/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A frame at ingress of XDP, from the link layer to the packet.
 *
 *  operation            | locking
 * ----------------------+----------------------------------------------------
 *  slb_frame_open       | RCU
 *
 * A frame does not have all that an skb has. It must not matter whether the device stripped a VLAN
 * tag, whether a checksum is still to be completed, or whether packets were merged: see
 * slb_frame_strips_vlan(), slb_csum_partial() and slb_frame_open().
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
 * struct slb_frame - a frame at ingress
 * @xdp: the buffer
 * @dev: ingress device for IP; with a tag the VLAN device
 * @ip: IP header
 * @proto: ETH_P_IP, ETH_P_IPV6 or another
 * @tci: VLAN tag, or 0
 */
struct slb_frame {
	struct xdp_buff		*xdp;
	struct net_device	*dev;
	void			*ip;
	__be16			proto;
	u16			tci;
};

bool slb_frame_peer_strips_vlan(struct net_device *dev);
enum slb_reason slb_frame_untag(struct slb_frame *f);

/**
 * slb_frame_iphlen() - the length of an IP header without options
 * @v6: of IPv6
 */
static __always_inline u32 slb_frame_iphlen(bool v6)
{
	return v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

/* True for generic XDP, which passes an rx queue of the device; native XDP passes the driver's.
 */
static __always_inline bool slb_frame_generic(const struct xdp_buff *xdp)
{
	const struct net_device *dev = xdp->rxq->dev;
	const void *rxq = xdp->rxq, *first = dev->_rx;

	return rxq >= first && rxq < (const void *)(dev->_rx + dev->num_rx_queues);
}

/* True if another device takes this device's packets: for ports of a bridge or bond, or of a
 * VRF.
 */
static inline bool slb_frame_is_port(const struct net_device *dev)
{
	return rcu_access_pointer(dev->rx_handler) || netif_is_l3_slave(dev);
}

/* True for an upper device (bridge, bond, macvlan). Its lower device may have merged packets or
 * stripped tags, which XDP cannot see here.
 */
static inline bool slb_frame_is_upper(const struct net_device *dev)
{
	return !list_empty(&dev->adj_list.lower);
}

/* True if the VLAN tag of a frame may be in an skb or a descriptor, instead of in the frame. */
static inline bool slb_frame_strips_vlan(struct net_device *dev)
{
	if (dev->netdev_ops->ndo_get_peer_dev)
		return slb_frame_peer_strips_vlan(dev);
	return dev->features & (NETIF_F_HW_VLAN_CTAG_RX |
				NETIF_F_HW_VLAN_STAG_RX);
}

/**
 * slb_frame_open() - parse the link layer of a frame
 * @f: set to the result
 * @xdp: the frame
 *
 * Context: RCU.
 * Return: 0, or the reason why the frame is left to the hook.
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
	if (unlikely(slb_frame_is_port(dev) || slb_frame_is_upper(dev)))
		return SLB_XDP_DEVICE;
	/* merged datagrams look like a single datagram */
	if (unlikely(dev->features & NETIF_F_GRO_FRAGLIST) &&
	    slb_frame_generic(xdp))
		return SLB_XDP_DEVICE;
	if (unlikely(slb_frame_strips_vlan(dev)))
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
 * slb_frame_valid() - true if ip_rcv() or ipv6_rcv() would accept this packet
 * @f: the frame
 * @pkt: the packet, which the parser accepts
 * @v6: an IPv6 packet
 *
 * Context: any.
 */
static __always_inline bool slb_frame_valid(const struct slb_frame *f,
					    const struct slb_pkt *pkt, bool v6)
{
	if (f->ip + pkt->len > f->xdp->data_end)
		return false;
	return v6 || !ip_fast_csum(f->ip, sizeof(struct iphdr) / 4);
}

#endif /* _SLB_FRAME_H */
