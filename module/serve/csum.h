/* SPDX-License-Identifier: GPL-2.0 */
/* Transport checksums of the packets of frames. */
#ifndef _SLB_CSUM_H
#define _SLB_CSUM_H

#include <linux/sctp.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip6_checksum.h>

#include "flow/parse.h"
#include "serve/frame.h"

__le32 slb_csum_sctp(const void *data, u32 len);
bool slb_csum_wrong(const void *ip, const struct slb_pkt *pkt);

/**
 * slb_csum_pseudo() - compute a checksum that includes the pseudo header
 * @ip: the packet, from its IP header
 * @proto: transport protocol
 * @v6: an IPv6 packet
 * @len: length of the packet without IP header, in bytes
 * @sum: sum of the other bytes
 *
 * Context: any.
 */
static __always_inline __sum16 slb_csum_pseudo(const void *ip, u8 proto, bool v6,
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
 * slb_csum_partial() - true if the checksum must still be completed
 * @ip: the packet, from its IP header
 * @pkt: result of the parser
 * @v6: an IPv6 packet
 *
 * Hardware or segmentation completes such a checksum. Until then the field has the sum of the
 * pseudo header, or zero with SCTP. A complete checksum seldom has these values.
 *
 * Context: any.
 */
static __always_inline bool slb_csum_partial(const void *ip,
					     const struct slb_pkt *pkt, bool v6)
{
	u32 hlen = slb_frame_iphlen(v6);
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
	sum = ~(__force u16)slb_csum_pseudo(ip, pkt->proto, v6, pkt->len - hlen, 0);
	return (__force u16)check == sum || (!check && sum == 0xffff);
}

/**
 * slb_csum_nested() - true if the checksum of an inner packet may be incomplete
 * @xdp: the frame
 * @pkt: the packet in the frame; false unless UDP
 *
 * Devices without hardware (veth, tun), and generic XDP, pass frames with a checksum that is to
 * be completed later. XDP cannot see that, and nobody completes checksums of frames from XDP.
 * In a tunnel over UDP this may be the inner checksum. Then the outer checksum is zero, or the
 * sum of the completed frame, and so wrong until completion.
 *
 * Context: any.
 */
static __always_inline bool slb_csum_nested(const struct xdp_buff *xdp,
					    const struct slb_pkt *pkt)
{
	return pkt->proto == IPPROTO_UDP &&
	       (!xdp->rxq->dev->dev.parent || slb_frame_generic(xdp));
}

#endif /* _SLB_CSUM_H */
