/* SPDX-License-Identifier: GPL-2.0 */
/* Packets, and their checksums in full, see rewrite_packet.c. */
#ifndef _SLB_KUNIT_REWRITE_PACKET_H
#define _SLB_KUNIT_REWRITE_PACKET_H

#include <kunit/test.h>

#include "flow.h"
#include "rnd.h"

/* Where to find what in a packet: IP, then both, then one of TCP and UDP. */
#define TTL		8
#define PROTO		9
#define IP_CHECK	10
#define SADDR		12
#define DADDR		16
#define SPORT		20
#define DPORT		22
#define UDP_LEN		24
#define UDP_CHECK	26
#define TCP_CHECK	36

#define SLB_PAYLOAD	1500
#define SLB_ROOM	(40 + SLB_PAYLOAD)

/**
 * struct slb_packet - a packet, and what is to become of it
 * @bytes: from its IP header
 * @len: how many
 * @hlen: how many of them are headers
 * @check: where the transport checksum is
 * @to: addresses and ports to write
 */
struct slb_packet {
	u8		bytes[SLB_ROOM];
	u32		len;
	u32		hlen;
	u32		check;
	struct slb_key	to;
};

u32 slb_get16(const u8 *p);
void slb_put16(u8 *p, u32 value);
u32 slb_pseudo(const struct slb_packet *pkt);
u32 slb_transport_sum(const struct slb_packet *pkt);
void slb_set_ip_check(struct slb_packet *pkt);
void slb_set_check(struct slb_packet *pkt);
void slb_get_key(const struct slb_packet *pkt, struct slb_key *key);
void slb_set_key(struct slb_packet *pkt, const struct slb_key *key);
void slb_packet_make(struct slb_packet *pkt, struct rnd_state *rnd);
void slb_expect(struct slb_packet *want, bool nat);
void slb_check_bytes(struct kunit *test, const struct slb_packet *pkt,
		     const struct slb_packet *want);

#endif /* _SLB_KUNIT_REWRITE_PACKET_H */
