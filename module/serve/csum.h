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
 * slb_csum_pseudo() - the checksum of a packet's pseudo header and more
 * @ip: the packet, from its IP header
 * @proto: its protocol
 * @v6: it is IPv6
 * @len: its length without IP header, in bytes
 * @sum: of what else is to be summed up
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
 * slb_csum_partial() - is the checksum still to be completed?
 * @ip: the packet, from its IP header
 * @pkt: what the parser found in it
 * @v6: its @v6
 *
 * By hardware, or by whoever takes merged packets apart. Then it is the sum of the pseudo
 * header, or for SCTP nothing at all. A complete one seldom is.
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
 * slb_csum_nested() - true if the checksum of a packet inside may be pending
 * @xdp: the frame
 * @pkt: its packet, of UDP
 *
 * Devices without hardware (veth, tun), and generic XDP, pass frames whose checksum somebody was
 * to complete later; XDP does not see that, and what it sends on nobody completes. In a tunnel
 * over UDP that may be the inner packet's. Then the outer checksum is zero, or is
 * the sum of the frame as it will be, and wrong until then.
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
