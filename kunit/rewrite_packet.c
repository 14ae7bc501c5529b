// SPDX-License-Identifier: GPL-2.0
/*
 * Random packets, and the expected results of NAT: all checksums computed over the whole
 * packet, byte by byte. Shares no code with the rewriter.
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

/* The plain sum of 16-bit words, odd bytes padded: 0 for zeros only, else from 1 to 0xffff,
 * because ones' complement sums of other words are never 0.
 */
static u32 slb_sum(const u8 *p, u32 len, u64 sum)
{
	u32 i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : p[i] << 8;
	return sum ? (sum - 1) % 0xffff + 1 : 0;
}

/* The sum of a packet's pseudo header (RFC 793, RFC 768, RFC 8200). */
u32 slb_pseudo(const struct slb_packet *pkt)
{
	return slb_sum(pkt->bytes + slb_ends(pkt), 2 * pkt->alen,
		       pkt->proto + pkt->len - pkt->iplen);
}

/* The sum of all bytes under the transport checksum: 0xffff if the checksum is right */
u32 slb_transport_sum(const struct slb_packet *pkt)
{
	return slb_sum(pkt->bytes + pkt->iplen, pkt->len - pkt->iplen,
		       slb_pseudo(pkt));
}

/* IPv6 has none. */
void slb_set_ip_check(struct slb_packet *pkt)
{
	if (pkt->v6)
		return;
	slb_put16(pkt->bytes + IP_CHECK, 0);
	slb_put16(pkt->bytes + IP_CHECK, ~slb_sum(pkt->bytes, 20, 0));
}

/* SCTP's CRC does not change: the caller of the rewriter updates the CRC. */
void slb_set_check(struct slb_packet *pkt)
{
	u32 check;

	if (!pkt->check)
		return;
	slb_put16(pkt->bytes + pkt->check, 0);
	check = ~slb_transport_sum(pkt) & 0xffff;
	if (pkt->proto == IPPROTO_UDP && !check)
		check = 0xffff;
	slb_put16(pkt->bytes + pkt->check, check);
}

void slb_get_ends(const struct slb_packet *pkt, u8 *ends)
{
	memcpy(ends, pkt->bytes + slb_ends(pkt), 2 * pkt->alen + 4);
}

void slb_set_ends(struct slb_packet *pkt, const u8 *ends)
{
	memcpy(pkt->bytes + slb_ends(pkt), ends, 2 * pkt->alen + 4);
}

/* Addresses and ports after NAT: some or all change, and of an address a part or all. */
static void slb_packet_nat(struct slb_packet *pkt, struct rnd_state *rnd)
{
	u32 start = slb_once_in(rnd, 2) ? 0 : slb_rnd(rnd, pkt->alen);
	u8 *to = pkt->to;

	slb_get_ends(pkt, to);
	pkt->nat = slb_rnd(rnd, 16);
	if (pkt->nat & 1)
		prandom_bytes_state(rnd, to + start, pkt->alen - start);
	if (pkt->nat & 2)
		prandom_bytes_state(rnd, to + pkt->alen + start,
				    pkt->alen - start);
	if (pkt->nat & 4)
		prandom_bytes_state(rnd, to + 2 * pkt->alen, 2);
	if (pkt->nat & 8)
		prandom_bytes_state(rnd, to + 2 * pkt->alen + 2, 2);
}

/* A good packet of a kind with random contents. */
void slb_packet_kind(struct slb_packet *pkt, bool v6, u8 proto,
		     struct rnd_state *rnd)
{
	u32 thlen = proto == IPPROTO_TCP ? 20 : proto == IPPROTO_UDP ? 8 : 12;
	u8 *p = pkt->bytes;

	prandom_bytes_state(rnd, p, sizeof(pkt->bytes));
	pkt->v6 = v6;
	pkt->proto = proto;
	pkt->alen = v6 ? 16 : 4;
	pkt->iplen = v6 ? 40 : 20;
	pkt->hlen = pkt->iplen + thlen;
	pkt->check = proto == IPPROTO_TCP ? pkt->iplen + TCP_CHECK :
		     proto == IPPROTO_UDP ? pkt->iplen + UDP_CHECK : 0;
	pkt->len = pkt->hlen + slb_rnd(rnd, slb_once_in(rnd, 4) ? SLB_PAYLOAD :
								  16);
	if (v6) {
		p[0] = 0x60 | p[0] % 16;
		slb_put16(p + 4, pkt->len - 40);
		p[NEXT6] = proto;
	} else {
		p[0] = 0x45;
		slb_put16(p + 2, pkt->len);
		p[PROTO4] = proto;
	}
	*slb_ttl(pkt) = 2 + slb_rnd(rnd, 254);
	if (proto == IPPROTO_UDP)
		slb_put16(p + pkt->iplen + UDP_LEN, pkt->len - pkt->iplen);
	slb_set_ip_check(pkt);
	slb_set_check(pkt);
	slb_packet_nat(pkt, rnd);
}

/* Of any kind. */
void slb_packet_make(struct slb_packet *pkt, struct rnd_state *rnd)
{
	static const u8 protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	bool v6 = slb_once_in(rnd, 2);

	slb_packet_kind(pkt, v6, protos[slb_rnd(rnd, ARRAY_SIZE(protos))], rnd);
}

/* Of a kind whose checksum is a sum. */
void slb_packet_make_sum(struct slb_packet *pkt, struct rnd_state *rnd)
{
	bool v6 = slb_once_in(rnd, 2);

	slb_packet_kind(pkt, v6, slb_once_in(rnd, 2) ? IPPROTO_TCP :
						       IPPROTO_UDP, rnd);
}

/* The expected result of a rewrite, apart from the transport checksum. */
void slb_expect(struct slb_packet *want, bool nat)
{
	if (nat)
		slb_set_ends(want, want->to);
	--*slb_ttl(want);
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
				    "byte %u, v6 %d, protocol %u, length %u, nat %x",
				    i, pkt->v6, pkt->proto, pkt->len, pkt->nat);
}
