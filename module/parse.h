/* SPDX-License-Identifier: GPL-2.0 */
/* From the bytes of a packet to the key of its flow. */
#ifndef _SLB_PARSE_H
#define _SLB_PARSE_H

#include "flow.h"
#include "stats.h"

/* Bytes of headers of a packet that a flow serves: IPv6 and TCP, no options. */
#define SLB_HEAD_LEN	60

/**
 * struct slb_pkt - what the parser found
 * @key4: the key of the packet's flow, if @has_key and not @v6
 * @key6: the key of the packet's flow, if @has_key and @v6
 * @hash: room for the key's hash; not set by the parser
 * @len: length by the IP header, in bytes, that header included
 * @hlen: bytes of headers, options of TCP and chunks of SCTP apart:
 *	SLB_HEAD_LEN at most for a packet that a flow may serve
 * @tos: type of service or traffic class, less its ECN bits
 * @proto: IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP, if @has_key
 * @v6: an IPv6 packet
 * @has_key: the key is valid, even if the packet itself must go slow
 * @ends: a TCP flag or SCTP chunk that ends the flow
 * @nocsum: UDP without a checksum
 */
struct slb_pkt {
	union {
		struct slb_key4	key4;
		struct slb_key6	key6;
	};
	u32		hash;
	u32		len;
	u8		hlen;
	u8		tos;
	u8		proto;
	bool		v6;
	bool		has_key;
	bool		ends;
	bool		nocsum;
};

enum slb_stat slb_parse_ipv4(const void *data, u32 avail, u32 iif,
			     struct slb_pkt *pkt);
enum slb_stat slb_parse_ipv6(const void *data, u32 avail, u32 iif,
			     struct slb_pkt *pkt);

#endif /* _SLB_PARSE_H */
