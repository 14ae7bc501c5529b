// SPDX-License-Identifier: GPL-2.0
/* Frames that XDP has: what few of them need. See frame.h. */
#include <linux/crc32c.h>

#include "serve/frame.h"
#include "state/ns.h"

/**
 * slb_peer_tags() - may frames from the other end of a pair have hidden VLAN tags?
 * @dev: this end
 *
 * They come as the other end sent them.
 *
 * Context: RCU.
 */
bool slb_peer_tags(struct net_device *dev)
{
	struct net_device *peer = dev->netdev_ops->ndo_get_peer_dev(dev);

	return !peer || peer->features & (NETIF_F_HW_VLAN_CTAG_TX |
					  NETIF_F_HW_VLAN_STAG_TX);
}

/**
 * slb_frame_untag() - the VLAN device that a tagged frame is for
 * @f: the frame; set to what is behind the tag
 *
 * The device may be another namespace's, where the frame is none of ours, and its number
 * may be that of a device here.
 *
 * Context: RCU.
 * Return: 0, or why the frame is left to the hook.
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
	return slb_dev_joined(f->dev) ? SLB_XDP_DEVICE : 0;
}

/**
 * slb_way_vlan() - the tag of a VLAN device
 * @way: its @tag_proto and @tci are set
 * @f: the frame, as it came
 * @flags: of its flow
 * @dev: the VLAN device
 *
 * Its priority is what the packet would have: that of the tag that it came with, or of its
 * type of service.
 *
 * Context: RCU.
 * Return: the device that sends the frame.
 */
struct net_device *slb_way_vlan(struct slb_way *way, const struct slb_frame *f,
				u8 flags, struct net_device *dev)
{
	u32 priority = 0;

	if (flags & SLB_FLOW_PRIO)
		priority = rt_tos2priority(((const struct iphdr *)f->ip)->tos);
	else if (f->tci)
		priority = vlan_dev_priv(f->dev)->
			ingress_priority_map[f->tci >> VLAN_PRIO_SHIFT];
	way->tag_proto = vlan_dev_priv(dev)->vlan_proto;
	way->tci = vlan_dev_priv(dev)->vlan_id |
		   vlan_dev_get_egress_qos_mask(dev, priority);
	return vlan_dev_priv(dev)->real_dev;
}

/**
 * slb_sctp_crc() - the checksum of an SCTP packet
 * @data: the packet, from its SCTP header, all of it readable
 * @len: its length, in bytes
 *
 * Context: any.
 */
__le32 slb_sctp_crc(const void *data, u32 len)
{
	const u32 at = offsetof(struct sctphdr, checksum);
	const __le32 none = 0;
	u32 crc;

	crc = crc32c(~0, data, at);
	crc = crc32c(crc, &none, sizeof(none));
	crc = crc32c(crc, data + at + sizeof(none), len - at - sizeof(none));
	return cpu_to_le32(~crc);
}

/**
 * slb_frame_csum_wrong() - true if the checksum of a packet is wrong
 * @ip: the packet, from its IP header, all of it readable
 * @pkt: what the parser found in it
 *
 * False if it has none.
 *
 * Context: any.
 */
bool slb_frame_csum_wrong(const void *ip, const struct slb_pkt *pkt)
{
	u32 hlen = slb_iphlen(pkt->v6), len = pkt->len - hlen;
	const struct sctphdr *sh = ip + hlen;

	if (pkt->nocsum)
		return false;
	if (pkt->proto == IPPROTO_SCTP)
		return sh->checksum != slb_sctp_crc(sh, len);
	return slb_pseudo(ip, pkt->proto, pkt->v6, len,
			  csum_partial(sh, len, 0));
}
