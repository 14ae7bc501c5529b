/* SPDX-License-Identifier: GPL-2.0 */
/* A frame that XDP has: its link layer, its checksums, and how it leaves. */
#ifndef _SLB_FRAME_H
#define _SLB_FRAME_H

#include <net/neighbour.h>
#include <net/xdp.h>

#include "flow.h"
#include "parse.h"
#include "stats.h"

struct slb_net;

/**
 * struct slb_frame - a frame, as it came
 * @xdp: where it is
 * @dev: the device that IP sees it come by, a VLAN device if it has a tag
 * @ip: its IP header
 * @proto: ETH_P_IP or ETH_P_IPV6
 * @tci: its VLAN tag, or 0
 * @generic: there is an skb behind it
 */
struct slb_frame {
	struct xdp_buff		*xdp;
	struct net_device	*dev;
	void			*ip;
	__be16			proto;
	u16			tci;
	bool			generic;
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

/**
 * slb_iphlen() - the length of a packet's IP header
 * @pkt: a packet that the parser takes, and so without options
 */
static inline u32 slb_iphlen(const struct slb_pkt *pkt)
{
	return pkt->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

enum slb_stat slb_frame_open(struct slb_frame *f, struct xdp_buff *xdp);
bool slb_frame_whole(const struct slb_frame *f, const struct slb_pkt *pkt);
bool slb_csum_partial(const void *ip, const struct slb_pkt *pkt);
bool slb_frame_csum_wrong(const struct slb_net *sn, const void *ip,
			  const struct slb_pkt *pkt);
__le32 slb_sctp_crc(const void *data, u32 len);
enum slb_stat slb_way_find(struct slb_way *way, const struct slb_frame *f,
			   const struct slb_flow *flow);
void slb_frame_close(struct xdp_buff *xdp, const struct slb_way *way,
		     void *ip, u32 len, __be16 proto);

#endif /* _SLB_FRAME_H */
