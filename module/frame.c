// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that XDP has: from the link layer to the packet and back, and what else an skb
 * would tell of a packet.
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
#include <linux/crc32c.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/sctp.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/arp.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ndisc.h>
#include <net/netdev_rx_queue.h>
#include <net/route.h>

#include "frame.h"
#include "net.h"

/* Does the stack run XDP, on an skb, and not the driver? Then the queue is one of the
 * device's own.
 */
static bool slb_xdp_generic(const struct xdp_buff *xdp)
{
	const struct net_device *dev = xdp->rxq->dev;
	const void *rxq = xdp->rxq, *first = dev->_rx;

	return rxq >= first && rxq < (const void *)(dev->_rx + dev->num_rx_queues);
}

/* Are its packets another device's, as those of a port of a bridge are? */
static bool slb_dev_joined(const struct net_device *dev)
{
	return rcu_access_pointer(dev->rx_handler) || netif_is_l3_slave(dev);
}

/* May frames come with a VLAN tag that is not in them, but in an skb or a descriptor?
 * Those of a pair of devices come as the other one sent them.
 */
static bool slb_tag_hidden(struct net_device *dev)
{
	const struct net_device_ops *ops = dev->netdev_ops;
	struct net_device *peer;

	if (!ops->ndo_get_peer_dev)
		return dev->features & (NETIF_F_HW_VLAN_CTAG_RX |
					NETIF_F_HW_VLAN_STAG_RX);
	peer = ops->ndo_get_peer_dev(dev);
	return !peer || peer->features & (NETIF_F_HW_VLAN_CTAG_TX |
					  NETIF_F_HW_VLAN_STAG_TX);
}

/* The VLAN device that a tagged frame is for. It may be another namespace's, where the
 * frame is none of ours, and its number may be that of a device here.
 */
static enum slb_stat slb_frame_untag(struct slb_frame *f)
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
	return slb_dev_joined(f->dev) ? SLB_XDP_DEVICE : SLB_XDP_HIT;
}

/**
 * slb_frame_open() - from the link layer of a frame to its IP header
 * @f: set to what is there
 * @xdp: the frame
 *
 * Context: RCU.
 * Return: SLB_XDP_HIT; all of the IP header without options can be read then. Or why
 *	the frame is left to the hook.
 */
enum slb_stat slb_frame_open(struct slb_frame *f, struct xdp_buff *xdp)
{
	const struct ethhdr *eth = xdp->data;
	enum slb_stat why;

	f->xdp = xdp;
	f->dev = xdp->rxq->dev;
	f->ip = xdp->data + sizeof(*eth);
	f->tci = 0;
	if (unlikely(f->ip > xdp->data_end))
		return SLB_XDP_OTHER;
	if (unlikely(xdp_buff_has_frags(xdp)))
		return SLB_XDP_FRAGS;
	if (slb_dev_joined(f->dev))
		return SLB_XDP_DEVICE;
	f->generic = slb_xdp_generic(xdp);
	/* datagrams that were merged, and look like one */
	if (f->generic && f->dev->features & NETIF_F_GRO_FRAGLIST)
		return SLB_XDP_DEVICE;
	if (slb_tag_hidden(f->dev))
		return SLB_XDP_VLAN;
	f->proto = eth->h_proto;
	if (eth_type_vlan(f->proto)) {
		why = slb_frame_untag(f);
		if (why != SLB_XDP_HIT)
			return why;
	}
	if (!ether_addr_equal(eth->h_dest, xdp->rxq->dev->dev_addr) &&
	    !ether_addr_equal(eth->h_dest, f->dev->dev_addr))
		return SLB_XDP_OTHER;
	if (f->proto == htons(ETH_P_IP) &&
	    f->ip + sizeof(struct iphdr) <= xdp->data_end)
		return SLB_XDP_HIT;
	if (f->proto == htons(ETH_P_IPV6) &&
	    f->ip + sizeof(struct ipv6hdr) <= xdp->data_end)
		return SLB_XDP_HIT;
	return SLB_XDP_OTHER;
}

/**
 * slb_frame_whole() - do ip_rcv() and ipv6_rcv() take this packet?
 * @f: its frame
 * @pkt: the packet, which the parser takes
 *
 * Context: any.
 */
bool slb_frame_whole(const struct slb_frame *f, const struct slb_pkt *pkt)
{
	if (f->ip + pkt->len > f->xdp->data_end)
		return false;
	return pkt->v6 || !ip_fast_csum(f->ip, sizeof(struct iphdr) / 4);
}

static __sum16 slb_pseudo(const void *ip, const struct slb_pkt *pkt, u32 len,
			  __wsum sum)
{
	const struct ipv6hdr *ip6h = ip;
	const struct iphdr *iph = ip;

	if (pkt->v6)
		return csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, len,
				       pkt->proto, sum);
	return csum_tcpudp_magic(iph->saddr, iph->daddr, len, pkt->proto, sum);
}

/**
 * slb_csum_partial() - is the checksum still to be completed?
 * @ip: the packet, from its IP header
 * @pkt: what the parser found in it
 *
 * By hardware, or by whoever takes merged packets apart. Then it is the sum of the pseudo
 * header, or for SCTP nothing at all. A complete one seldom is.
 *
 * Context: any.
 */
bool slb_csum_partial(const void *ip, const struct slb_pkt *pkt)
{
	u32 hlen = slb_iphlen(pkt);
	const void *th = ip + hlen;
	__sum16 check;
	u16 sum;

	switch (pkt->proto) {
	case IPPROTO_TCP:
		check = ((const struct tcphdr *)th)->check;
		break;
	case IPPROTO_UDP:
		if (pkt->nocsum)
			return false;
		check = ((const struct udphdr *)th)->check;
		break;
	default:
		return !((const struct sctphdr *)th)->checksum;
	}
	sum = ~(__force u16)slb_pseudo(ip, pkt, pkt->len - hlen, 0);
	return (__force u16)check == sum || (!check && sum == 0xffff);
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
 * slb_frame_csum_wrong() - does conntrack call this packet invalid?
 * @sn: the namespace
 * @ip: the packet, from its IP header, all of it readable
 * @pkt: what the parser found in it
 *
 * See slb_csum_wrong() of serve.c.
 *
 * Context: any.
 */
bool slb_frame_csum_wrong(const struct slb_net *sn, const void *ip,
			  const struct slb_pkt *pkt)
{
	u32 hlen = slb_iphlen(pkt), len = pkt->len - hlen;
	const struct sctphdr *sh = ip + hlen;

	if (pkt->nocsum || !READ_ONCE(sn->net->ct.sysctl_checksum))
		return false;
	if (pkt->proto == IPPROTO_SCTP)
		return sh->checksum != slb_sctp_crc(sh, len);
	return slb_pseudo(ip, pkt, len, csum_partial(sh, len, 0));
}

/* The neighbour that the packet goes to next. What the slow path would wait for, or
 * drop, is left to it; a neighbour that nobody has confirmed lately is asked, as the
 * slow path does.
 */
static struct neighbour *slb_neigh(const struct dst_entry *dst, __be32 daddr,
				   const struct in6_addr *daddr6)
{
	struct net_device *dev = dst->dev;
	struct neighbour *n;
	const struct rtable *rt;
	u8 state;

	if (daddr6) {
		daddr6 = rt6_nexthop(container_of(dst, struct rt6_info, dst),
				     daddr6);
		n = __ipv6_neigh_lookup_noref_stub(dev, daddr6);
	} else {
		rt = container_of(dst, const struct rtable, dst);
		if (rt->rt_gw_family == AF_INET6)
			n = __ipv6_neigh_lookup_noref_stub(dev, &rt->rt_gw6);
		else
			n = __ipv4_neigh_lookup_noref(dev, (__force u32)
				(rt->rt_gw_family ? rt->rt_gw4 : daddr));
	}
	if (!n)
		return NULL;
	state = READ_ONCE(n->nud_state);
	if (!(state & NUD_VALID))
		return NULL;
	if (!(state & (NUD_CONNECTED | NUD_DELAY | NUD_PROBE)) &&
	    neigh_event_send(n, NULL))
		return NULL;
	return n;
}

/* Does this device, or the device of this VLAN, send frames from XDP? */
static bool slb_way_device(struct slb_way *way, const struct slb_frame *f,
			   struct net_device *dev, u32 priority)
{
	struct net_device *from = f->xdp->rxq->dev;

	way->smac = dev->dev_addr;
	way->tag_proto = 0;
	if (is_vlan_dev(dev)) {
		way->tag_proto = vlan_dev_priv(dev)->vlan_proto;
		way->tci = vlan_dev_priv(dev)->vlan_id |
			   vlan_dev_get_egress_qos_mask(dev, priority);
		dev = vlan_dev_priv(dev)->real_dev;
	}
	way->dev = dev;
	if (!dev->header_ops || dev->header_ops->create != eth_header ||
	    is_vlan_dev(dev) || !(dev->flags & IFF_UP) ||
	    !net_eq(dev_net(dev), dev_net(from)))
		return false;
	if (f->generic || (dev == from && !dev->netdev_ops->ndo_get_peer_dev))
		return true;
	return READ_ONCE(dev->xdp_features) & NETDEV_XDP_ACT_NDO_XMIT;
}

/* The priority that the packet would have: that of its VLAN tag, or of its type of
 * service.
 */
static u32 slb_frame_priority(const struct slb_frame *f,
			      const struct slb_flow *flow)
{
	if (flow->flags & SLB_FLOW_PRIO)
		return rt_tos2priority(((const struct iphdr *)f->ip)->tos);
	if (!f->tci)
		return 0;
	return vlan_dev_priv(f->dev)->ingress_priority_map[f->tci >>
							   VLAN_PRIO_SHIFT];
}

/**
 * slb_way_find() - how does a frame leave?
 * @way: set to that
 * @f: the frame, as it came
 * @flow: its flow, whose route is still right
 *
 * Context: RCU, BH off.
 * Return: SLB_XDP_HIT, SLB_XDP_DEVICE or SLB_XDP_NEIGH.
 */
enum slb_stat slb_way_find(struct slb_way *way, const struct slb_frame *f,
			   const struct slb_flow *flow)
{
	const struct dst_entry *dst = flow->dst;
	const struct slb_action6 *act6;

	if (!slb_way_device(way, f, dst->dev, slb_frame_priority(f, flow)))
		return SLB_XDP_DEVICE;
	if (!(flow->flags & SLB_FLOW_WIDE)) {
		way->neigh = slb_neigh(dst, slb_flow4(flow)->act.daddr, NULL);
	} else {
		act6 = &slb_flow6(flow)->act;
		way->neigh = slb_neigh(dst, act6->daddr.ip,
				       dst->ops->family == AF_INET6 ?
				       &act6->daddr.in6 : NULL);
	}
	return way->neigh ? SLB_XDP_HIT : SLB_XDP_NEIGH;
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
void slb_frame_close(struct xdp_buff *xdp, const struct slb_way *way,
		     void *ip, u32 len, __be16 proto)
{
	struct ethhdr *eth = ip - ETH_HLEN;
	struct neighbour *n = way->neigh;
	struct vlan_ethhdr *vh;
	unsigned int seq;
	void *end;

	if (way->tag_proto) {
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
