/* SPDX-License-Identifier: GPL-2.0 */
/* Packets, and their checksums in full, see rewrite_packet.c. */
#ifndef _SLB_KUNIT_REWRITE_PACKET_H
#define _SLB_KUNIT_REWRITE_PACKET_H

#include <kunit/test.h>

#include "flow/flow.h"
#include "rnd.h"

/* Offsets in an IPv4 header. */
#define TTL4		8
#define PROTO4		9
#define IP_CHECK	10
#define ENDS4		12
/* In an IPv6 header. */
#define NEXT6		6
#define HOP6		7
#define ENDS6		8
/* In a transport header. */
#define UDP_LEN		4
#define UDP_CHECK	6
#define TCP_CHECK	16

#define SLB_PAYLOAD	1500
#define SLB_ROOM	(60 + SLB_PAYLOAD)

/* Both addresses and both ports, in the order of a packet. */
#define SLB_ENDS	36

/**
 * struct slb_packet - a packet, and the requested translation
 * @bytes: the packet from its IP header
 * @len: number of bytes
 * @hlen: length of all headers
 * @iplen: length of the IP header
 * @alen: length of an address
 * @check: offset of the transport checksum; 0 for SCTP
 * @proto: TCP, UDP or SCTP
 * @v6: an IPv6 packet
 * @nat: bits for changes of source and destination address, source and destination port
 * @to: addresses and ports to write
 */
struct slb_packet {
	u8	bytes[SLB_ROOM] __aligned(8);
	u32	len;
	u32	hlen;
	u32	iplen;
	u32	alen;
	u32	check;
	u8	proto;
	bool	v6;
	u8	nat;
	u8	to[SLB_ENDS] __aligned(8);
};

/* Where addresses and ports begin. */
static inline u32 slb_ends(const struct slb_packet *pkt)
{
	return pkt->v6 ? ENDS6 : ENDS4;
}

static inline u8 *slb_ttl(struct slb_packet *pkt)
{
	return pkt->bytes + (pkt->v6 ? HOP6 : TTL4);
}

u32 slb_get16(const u8 *p);
void slb_put16(u8 *p, u32 value);
u32 slb_pseudo(const struct slb_packet *pkt);
u32 slb_transport_sum(const struct slb_packet *pkt);
void slb_set_ip_check(struct slb_packet *pkt);
void slb_set_check(struct slb_packet *pkt);
void slb_get_ends(const struct slb_packet *pkt, u8 *ends);
void slb_set_ends(struct slb_packet *pkt, const u8 *ends);
void slb_packet_kind(struct slb_packet *pkt, bool v6, u8 proto,
		     struct rnd_state *rnd);
void slb_packet_make(struct slb_packet *pkt, struct rnd_state *rnd);
void slb_packet_make_sum(struct slb_packet *pkt, struct rnd_state *rnd);
void slb_expect(struct slb_packet *want, bool nat);
void slb_check_bytes(struct kunit *test, const struct slb_packet *pkt,
		     const struct slb_packet *want);

#endif /* _SLB_KUNIT_REWRITE_PACKET_H */
