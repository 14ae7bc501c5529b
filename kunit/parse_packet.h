/* SPDX-License-Identifier: GPL-2.0 */
/* Packets for the parser, and expected results: see parse_packet.c. */
#ifndef _SLB_KUNIT_PARSE_PACKET_H
#define _SLB_KUNIT_PARSE_PACKET_H

#include <linux/in.h>
#include <linux/kernel.h>

#include "flow/parse.h"

/* Most bytes that a packet here has. */
#define SLB_ROOM	80

#define TCP		IPPROTO_TCP
#define UDP		IPPROTO_UDP
#define SCTP		IPPROTO_SCTP

/* Offsets in an IPv4 packet without IP options. */
#define VERSION		0	/* and the length of the header, in words */
#define TOS		1
#define LEN		2
#define FRAG		6	/* flags and the offset's high bits */
#define OFFSET		7
#define TTL		8
#define PROTO		9
#define SADDR		12
#define DADDR		16
#define DOFF		32
#define FLAGS		33
#define CHECK		26	/* of UDP */
#define ULEN		24	/* of UDP */
#define CHUNK		32	/* type of the first one of SCTP */

/* Offsets in an IPv6 packet without extension headers. */
#define CLASS6		1	/* its low bits; the high ones are in VERSION */
#define LEN6		4
#define NEXT6		6
#define HOP6		7
#define SADDR6		8
#define DADDR6		24
#define DOFF6		52
#define FLAGS6		53
#define CHECK6		46
#define ULEN6		44
#define CHUNK6		52

#define FIN		0x01
#define SYN		0x02
#define RST		0x04
#define PSH		0x08
#define ACK		0x10
#define URG		0x20
#define ECE		0x40
#define CWR		0x80

/* Types of chunks, RFC 9260, 3.2. */
#define C_INIT		1
#define C_INIT_ACK	2
#define C_SACK		3
#define C_HEARTBEAT	4
#define C_HB_ACK	5
#define C_ABORT		6
#define C_SHUTDOWN	7
#define C_SHUT_ACK	8
#define C_ERROR		9
#define C_COOKIE	10
#define C_COOKIE_ACK	11
#define C_SHUT_DONE	14
#define C_AUTH		15
#define C_ASCONF	193

/* Extension headers, and another protocol. */
#define HOPOPTS		0
#define ROUTING		43
#define FRAGMENT	44
#define DSTOPTS		60

/**
 * struct slb_found - expected result of the parser
 * @verdict: returned reason
 * @key: the packet has ports
 * @ends: the flow ends with this packet
 * @nocsum: UDP without a checksum
 */
struct slb_found {
	enum slb_reason	verdict;
	bool		key;
	bool		ends;
	bool		nocsum;
};

/**
 * struct slb_case - a packet with data, in order except for the named deviation
 * @what: name of the deviation
 * @proto: TCP (with ACK), UDP (with a checksum) or SCTP (with a data chunk)
 * @want: expected result
 * @set: bytes that differ: offset, value
 * @size: bytes present, 0: 60, or 80 with IPv6
 * @len: length by the IP header, 0: @size
 * @ihl: words of the IPv4 header, 0: 5
 * @iif: ingress device, 0: 7
 */
struct slb_case {
	const char		*what;
	u8			proto;
	struct slb_found	want;
	u8			set[2][2];
	u8			size;
	u32			len;
	u8			ihl;
	u32			iif;
};

/* The types of chunk that IPVS takes for anything but data, as bits. */
#define SLB_CHUNKS	0x4fc6

extern const struct slb_case slb_cases4[];
extern const u32 slb_cases4_count;
extern const struct slb_case slb_cases6[];
extern const u32 slb_cases6_count;

u32 slb_thoff(const u8 *p, bool v6);
u32 slb_ip_len(const u8 *p, bool v6);
u32 slb_case_size(const struct slb_case *c, bool v6);
void slb_case_build(const struct slb_case *c, bool v6, u8 *p);
void slb_rules(const u8 *p, bool v6, u32 size, u32 iif, struct slb_found *want);

#endif /* _SLB_KUNIT_PARSE_PACKET_H */
