// SPDX-License-Identifier: GPL-2.0
/* VLAN tags of frames that leave. */
#include "serve/egress.h"

/**
 * slb_egress_vlan() - set the tag of a VLAN device
 * @egress: @tag_proto and @tci are set
 * @f: the frame at ingress
 * @flags: flags of the flow
 * @dev: the VLAN device
 *
 * The priority is the packet's: by type of service, or by the tag at ingress.
 *
 * Context: RCU.
 * Return: the device that sends the frame.
 */
struct net_device *slb_egress_vlan(struct slb_egress *egress, const struct slb_frame *f,
				   u8 flags, struct net_device *dev)
{
	u32 priority = 0;

	if (flags & SLB_FLOW_PRIO)
		priority = rt_tos2priority(((const struct iphdr *)f->ip)->tos);
	else if (f->tci)
		priority = vlan_dev_priv(f->dev)->
			ingress_priority_map[f->tci >> VLAN_PRIO_SHIFT];
	egress->tag_proto = vlan_dev_priv(dev)->vlan_proto;
	egress->tci = vlan_dev_priv(dev)->vlan_id |
		   vlan_dev_get_egress_qos_mask(dev, priority);
	return vlan_dev_priv(dev)->real_dev;
}
