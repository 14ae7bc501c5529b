// SPDX-License-Identifier: GPL-2.0
/*
 * Frames of a bridge with br_netfilter. IP's PRE_ROUTING sees them at their port, before the
 * bridge does, and not again at the bridge's device. So a packet for the bridge itself is served
 * at the port, and skips the bridge.
 *
 *  operation         | locking
 * -------------------+-------------------------------------------------------
 *  slb_bridge_fit    | RCU
 *  slb_bridge_pass   | BH off, as the device's statistics are this CPU's
 *
 * The flow's key has the port, in place of the bridge: packets that the bridge passed up prove
 * its decisions by port (VLAN, state, learned addresses, rules) for each port, once a lease.
 * Packets stay on the slow path while somebody may see each packet at the bridge's device: taps,
 * traffic control, BPF, rules at ingress, or an upper device. So they do with RPS, because a
 * served packet would overtake queued packets.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include <compat/bridge.h>
#include <compat/netdevice.h>
#include <compat/snmp.h>

#include "serve/bridge.h"
#include "serve/gate.h"

/* Does IP alone get packets that this device receives, and at once? */
static bool slb_bridge_private(struct net_device *dev)
{
	return !rcu_access_pointer(dev->rx_handler) && !dev_nit_active(dev) &&
	       list_empty(&dev->ptype_specific) && !slb_dev_ingress(dev) &&
	       !slb_dev_classified(dev) && !slb_dev_steered(dev) &&
	       !rcu_access_pointer(dev->xdp_prog);
}

/**
 * slb_bridge_fit() - true if a bridged packet is for the bridge, and only IP would see it
 * @skb: the packet, slb_skb_bridged(), in PRE_ROUTING
 * @v6: an IPv6 packet
 *
 * Context: RCU.
 */
bool slb_bridge_fit(const struct sk_buff *skb, bool v6)
{
	struct net_device *dev = skb->dev;

	return slb_bridge_entry(skb) && !skb_vlan_tag_present(skb) &&
	       netif_is_bridge_master(dev) && dev->flags & IFF_UP &&
	       ether_addr_equal(eth_hdr(skb)->h_dest, dev->dev_addr) &&
	       slb_bridge_private(dev) && !(v6 && slb_gate_ipv6_off(dev));
}

/**
 * slb_bridge_pass() - move a packet to the bridge's device, and count the packet there
 * @net: the namespace
 * @skb: the packet at ingress, slb_bridge_fit()
 * @v6: an IPv6 packet
 *
 * Context: RCU, BH off.
 */
void slb_bridge_pass(struct net *net, struct sk_buff *skb, bool v6)
{
	struct net_device *dev = skb->dev;

	dev_sw_netstats_rx_add(dev, skb->len);
	slb_snmp_in(net, dev, skb->len, max_t(u16, 1, skb_shinfo(skb)->gso_segs),
		    v6, v6 ? ipv6_get_dsfield(ipv6_hdr(skb)) : ip_hdr(skb)->tos);
	skb->skb_iif = dev->ifindex;
	slb_bridge_forget(skb);
}
