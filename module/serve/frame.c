// SPDX-License-Identifier: GPL-2.0
/* VLAN tags of frames. See frame.h. */
#include "serve/frame.h"

/**
 * slb_frame_peer_strips_vlan() - may frames from the other end of a pair have hidden VLAN tags?
 * @dev: this end
 *
 * They come as the other end sent them.
 *
 * Context: RCU.
 */
bool slb_frame_peer_strips_vlan(struct net_device *dev)
{
	struct net_device *peer = dev->netdev_ops->ndo_get_peer_dev(dev);

	return !peer || peer->features & (NETIF_F_HW_VLAN_CTAG_TX |
					  NETIF_F_HW_VLAN_STAG_TX);
}

/**
 * slb_frame_untag() - find the VLAN device of a tagged frame
 * @f: the frame; set to the packet behind the tag
 *
 * A device in another namespace is refused: its index may be that of a device here.
 *
 * Context: RCU.
 * Return: 0, or the reason why the frame is left to the hook.
 */
enum slb_reason slb_frame_untag(struct slb_frame *f)
{
	const struct vlan_hdr *vh = f->ip;

	if (f->ip + sizeof(*vh) > f->xdp->data_end)
		return SLB_XDP_OTHER;
	f->tci = ntohs(vh->h_vlan_TCI);
	f->dev = __vlan_find_dev_deep_rcu(f->dev, f->proto,
					  f->tci & VLAN_VID_MASK);
	if (!f->dev || !(f->tci & VLAN_VID_MASK) ||
	    vlan_dev_priv(f->dev)->real_dev != f->xdp->rxq->dev ||
	    !net_eq(dev_net(f->dev), dev_net(f->xdp->rxq->dev)) ||
	    !(f->dev->flags & IFF_UP))
		return SLB_XDP_VLAN;
	f->proto = vh->h_vlan_encapsulated_proto;
	f->ip += sizeof(*vh);
	return slb_frame_is_port(f->dev) ? SLB_XDP_DEVICE : 0;
}
