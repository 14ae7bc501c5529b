// SPDX-License-Identifier: GPL-2.0
/*
 * Packets at random, and what NAT must make of them: all checksums computed
 * anew over the whole packet, byte by byte. Shares no code with the rewriter.
 */
#include <linux/in.h>

#include "rewrite_packet.h"

u32 slb_get16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

void slb_put16(u8 *p, u32 value)
{
	p[0] = value >> 8;
	p[1] = value;
}

/* The plain sum of 16-bit words, odd bytes padded: 0 for zeros only, else from
 * 1 to 0xffff, for one's complement sums of anything else are never 0.
 */
static u32 slb_sum(const u8 *p, u32 len, u64 sum)
{
	u32 i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : p[i] << 8;
	return sum ? (sum - 1) % 0xffff + 1 : 0;
}

/* The sum of a packet's pseudo header (RFC 793, RFC 768). */
u32 slb_pseudo(const struct slb_packet *pkt)
{
	return slb_sum(pkt->bytes + SADDR, 8,
		       pkt->bytes[PROTO] + pkt->len - 20);
}

/* The sum of all that the transport checksum is over: 0xffff if it is right */
u32 slb_transport_sum(const struct slb_packet *pkt)
{
	return slb_sum(pkt->bytes + 20, pkt->len - 20, slb_pseudo(pkt));
}

void slb_set_ip_check(struct slb_packet *pkt)
{
	slb_put16(pkt->bytes + IP_CHECK, 0);
	slb_put16(pkt->bytes + IP_CHECK, ~slb_sum(pkt->bytes, 20, 0));
}

void slb_set_check(struct slb_packet *pkt)
{
	u32 check;

	slb_put16(pkt->bytes + pkt->check, 0);
	check = ~slb_transport_sum(pkt) & 0xffff;
	if (pkt->bytes[PROTO] == IPPROTO_UDP && !check)
		check = 0xffff;
	slb_put16(pkt->bytes + pkt->check, check);
}

void slb_get_key(const struct slb_packet *pkt, struct slb_key *key)
{
	memset(key, 0, sizeof(*key));
	memcpy(key, pkt->bytes + SADDR, 12);
}

void slb_set_key(struct slb_packet *pkt, const struct slb_key *key)
{
	memcpy(pkt->bytes + SADDR, key, 12);
}

/* A good packet with anything in it, and what NAT may make of its addresses
 * and ports: source or destination or both change, all of them or a part.
 */
void slb_packet_make(struct slb_packet *pkt, struct rnd_state *rnd)
{
	bool tcp = slb_once_in(rnd, 2);
	u8 *p = pkt->bytes;
	u32 nat;

	prandom_bytes_state(rnd, p, sizeof(pkt->bytes));
	pkt->hlen = tcp ? 40 : 28;
	pkt->check = tcp ? TCP_CHECK : UDP_CHECK;
	pkt->len = pkt->hlen + slb_rnd(rnd, slb_once_in(rnd, 4) ? SLB_PAYLOAD :
								  16);
	p[0] = 0x45;
	slb_put16(p + 2, pkt->len);
	p[TTL] = 2 + slb_rnd(rnd, 254);
	p[PROTO] = tcp ? IPPROTO_TCP : IPPROTO_UDP;
	if (!tcp)
		slb_put16(p + UDP_LEN, pkt->len - 20);
	slb_set_ip_check(pkt);
	slb_set_check(pkt);

	slb_get_key(pkt, &pkt->to);
	nat = prandom_u32_state(rnd);
	if (nat & 1)
		pkt->to.saddr = (__force __be32)prandom_u32_state(rnd);
	if (nat & 2)
		pkt->to.daddr = (__force __be32)prandom_u32_state(rnd);
	if (nat & 4)
		pkt->to.sport = (__force __be16)prandom_u32_state(rnd);
	if (nat & 8)
		pkt->to.dport = (__force __be16)prandom_u32_state(rnd);
}

/* What a rewrite must leave, the transport checksum apart. */
void slb_expect(struct slb_packet *want, bool nat)
{
	if (nat)
		slb_set_key(want, &want->to);
	want->bytes[TTL]--;
	slb_set_ip_check(want);
}

void slb_check_bytes(struct kunit *test, const struct slb_packet *pkt,
		     const struct slb_packet *want)
{
	u32 i;

	if (!memcmp(pkt->bytes, want->bytes, sizeof(pkt->bytes)))
		return;
	for (i = 0; i < sizeof(pkt->bytes); i++)
		KUNIT_ASSERT_EQ_MSG(test, pkt->bytes[i], want->bytes[i],
				    "byte %u, protocol %u, length %u", i,
				    pkt->bytes[PROTO], pkt->len);
}
