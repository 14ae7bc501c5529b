// SPDX-License-Identifier: GPL-2.0
/* Transport checksums that need the whole packet. */
#include <linux/crc32c.h>

#include "serve/csum.h"

/**
 * slb_csum_sctp() - compute the checksum of an SCTP packet
 * @data: the packet, from its SCTP header, fully readable
 * @len: length of the packet from its SCTP header, in bytes
 *
 * Context: any.
 */
__le32 slb_csum_sctp(const void *data, u32 len)
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
 * slb_csum_wrong() - true if the checksum of a packet is wrong
 * @ip: the packet, from its IP header, fully readable
 * @pkt: result of the parser
 *
 * False for a packet without a checksum.
 *
 * Context: any.
 */
bool slb_csum_wrong(const void *ip, const struct slb_pkt *pkt)
{
	u32 hlen = slb_frame_iphlen(pkt->v6), len = pkt->len - hlen;
	const struct sctphdr *sh = ip + hlen;

	if (pkt->nocsum)
		return false;
	if (pkt->proto == IPPROTO_SCTP)
		return sh->checksum != slb_csum_sctp(sh, len);
	return slb_csum_pseudo(ip, pkt->proto, pkt->v6, len,
			       csum_partial(sh, len, 0));
}
