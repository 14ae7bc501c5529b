/* SPDX-License-Identifier: GPL-2.0 */
/* From the bytes of a packet to the key of its flow. */
#ifndef _SLB_PARSE_H
#define _SLB_PARSE_H

#include "flow.h"
#include "stats.h"

/* Bytes of headers of a packet that a flow serves: IPv4 and TCP, no options. */
#define SLB_HEAD_LEN	40

/**
 * struct slb_pkt - what the parser found
 * @key: the key of the packet's flow, if @has_key
 * @len: length by the IP header, in bytes
 * @hlen: bytes of headers, options of TCP apart: SLB_HEAD_LEN at most for a
 *	packet that a flow may serve
 * @tos: type of service, less its ECN bits
 * @has_key: the key is valid, even if the packet itself must go slow
 * @ends: a TCP flag that ends the flow
 * @nocsum: UDP without a checksum
 */
struct slb_pkt {
	struct slb_key	key;
	u16		len;
	u8		hlen;
	u8		tos;
	bool		has_key;
	bool		ends;
	bool		nocsum;
};

enum slb_stat slb_parse_ipv4(const void *data, u32 avail, u32 iif,
			     struct slb_pkt *pkt);

#endif /* _SLB_PARSE_H */
