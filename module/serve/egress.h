/* SPDX-License-Identifier: GPL-2.0 */
/* Egress of a frame: device, VLAN tag, neighbour, link layer. */
#ifndef _SLB_EGRESS_H
#define _SLB_EGRESS_H

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <net/neighbour.h>
#include <net/xdp.h>

#include "flow/flow.h"
#include "flow/reason.h"
#include "serve/frame.h"
#include "serve/gate.h"

/**
 * struct slb_egress - egress of a frame
 * @dev: device that sends the frame
 * @smac: source address
 * @neigh: neighbour with the destination address; RCU
 * @tag_proto: protocol of the VLAN tag, or 0 without a tag
 * @tci: VLAN tag
 */
struct slb_egress {
	struct net_device	*dev;
	const u8		*smac;
	struct neighbour	*neigh;
	__be16			tag_proto;
	u16			tci;
};

struct net_device *slb_egress_vlan(struct slb_egress *egress, const struct slb_frame *f,
				   u8 flags, struct net_device *dev);

/* Does this device, or the device of this VLAN, send frames from XDP? */
static __always_inline bool slb_egress_device(struct slb_egress *egress,
					      const struct slb_frame *f, u8 flags,
					      struct net_device *dev)
{
	struct net_device *from = f->xdp->rxq->dev;
	struct slb_frame frame __uninitialized;
	struct slb_egress tagged __uninitialized;

	egress->smac = dev->dev_addr;
	egress->tag_proto = 0;
	if (unlikely(is_vlan_dev(dev))) {
		frame = *f;
		dev = slb_egress_vlan(&tagged, &frame, flags, dev);
		egress->tag_proto = tagged.tag_proto;
		egress->tci = tagged.tci;
	}
	egress->dev = dev;
	if (!dev->header_ops || dev->header_ops->create != eth_header ||
	    is_vlan_dev(dev) || !(dev->flags & IFF_UP) ||
	    !net_eq(dev_net(dev), dev_net(from)))
		return false;
	return READ_ONCE(dev->xdp_features) & NETDEV_XDP_ACT_NDO_XMIT ||
	       (dev == from && !dev->netdev_ops->ndo_get_peer_dev) ||
	       slb_frame_generic(f->xdp);
}

/**
 * slb_egress_find() - find the egress of a frame
 * @egress: set to the egress
 * @f: the frame at ingress
 * @flow: the flow, with a valid route
 *
 * Context: RCU, BH off.
 * Return: 0, SLB_XDP_DEVICE or SLB_XDP_NEIGH.
 */
static __always_inline enum slb_reason slb_egress_find(struct slb_egress *egress,
						       const struct slb_frame *f,
						       const struct slb_flow *flow)
{
	if (!slb_egress_device(egress, f, flow->flags, flow->dst->dev))
		return SLB_XDP_DEVICE;
	egress->neigh = slb_gate_neigh(flow);
	return egress->neigh ? 0 : SLB_XDP_NEIGH;
}

/**
 * slb_egress_write() - write the link layer of a frame
 * @xdp: the frame; begin and end are set
 * @egress: the egress
 * @ip: the packet, from its outermost IP header at egress; up to VLAN_ETH_HLEN bytes before
 *	are written
 * @len: length of the packet, in bytes
 * @proto: ETH_P_IP or ETH_P_IPV6
 *
 * Bytes behind the packet stay only as padding to Ethernet's minimum: not every driver pads
 * frames from XDP.
 *
 * Context: RCU.
 */
static __always_inline void slb_egress_write(struct xdp_buff *xdp,
					     const struct slb_egress *egress,
					     void *ip, u32 len, __be16 proto)
{
	bool whole = xdp->data_end - xdp->data >= ETH_ZLEN;
	struct ethhdr *eth = ip - ETH_HLEN;
	struct neighbour *n = egress->neigh;
	struct vlan_ethhdr *vh;
	unsigned int seq;
	void *end;

	if (unlikely(egress->tag_proto)) {
		vh = ip - VLAN_ETH_HLEN;
		vh->h_vlan_TCI = htons(egress->tci);
		vh->h_vlan_encapsulated_proto = proto;
		proto = egress->tag_proto;
		eth = (struct ethhdr *)vh;
	}
	eth->h_proto = proto;
	ether_addr_copy(eth->h_source, egress->smac);
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
	/* the tag that is gone was a part of the least length */
	if (unlikely(whole && end > xdp->data_end && end <= xdp_data_hard_end(xdp))) {
		memset(xdp->data_end, 0, end - xdp->data_end);
		xdp->data_end = end;
	}
	xdp->data_end = min(end, xdp->data_end);
}

#endif /* _SLB_EGRESS_H */
