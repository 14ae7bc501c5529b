// SPDX-License-Identifier: GPL-2.0
/*
 * Frames of a bridge with br_netfilter. PRE_ROUTING of IP sees them at their port, before the
 * bridge has them, and not a second time as packets of the bridge's device. So a packet for the
 * bridge itself is served at the port, and skips the bridge.
 *
 *  operation         | locking
 * -------------------+-------------------------------------------------------
 *  slb_bridge_fit    | RCU
 *  slb_bridge_pass   | BH off, as the device's statistics are this CPU's
 *
 * The port is in the flow's key, in the bridge's place: whatever the bridge asks by port (VLAN,
 * state, learned addresses, rules of its own) is proved for each port, once a lease, by packets
 * that it has passed up. Whoever sees each packet at the bridge's device keeps packets slow
 * for as long: taps, traffic control, BPF, rules at ingress, a device on top, and RPS, behind
 * which packets wait that a hit would overtake.
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
 * slb_bridge_fit() - is a bridged packet the bridge's own, and nobody else sees it?
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
 * slb_bridge_pass() - count a packet for the bridge's device and make it one of its
 * @net: the namespace
 * @skb: the packet, slb_bridge_fit(), as it came
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
