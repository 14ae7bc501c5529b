// SPDX-License-Identifier: GPL-2.0
/*
 * shadowlb-parse: packets that a flow may serve.
 *
 * The numbered cases are the specification (see parse_cases.c). Behind them, a
 * naive parser's rules (see parse_packet.c) are applied to every combination of
 * flags, chunks and lengths and to packets made at random. Each packet lies in
 * memory of exactly its size, so that KASAN sees any byte read beyond its end.
 */
#include <linux/slab.h>

#include "parse_packet.h"
#include "suite.h"
/* the code under test */
#include "flow/parse.h"

#define SLB_FUZZ	20000

/* The expected key. */
static void slb_check_key(struct kunit *test, const char *what, const u8 *p,
			  bool v6, u32 iif, const struct slb_pkt *pkt)
{
	u32 thoff = slb_thoff(p, v6);
	struct slb_key4 key4 = { 0 };
	struct slb_key6 key6 = { };

	if (v6) {
		memcpy(&key6.saddr, p + SADDR6, 16);
		memcpy(&key6.daddr, p + DADDR6, 16);
		memcpy(&key6.sport, p + thoff, 2);
		memcpy(&key6.dport, p + thoff + 2, 2);
		key6.iif_proto = iif * 256 + p[NEXT6];
		KUNIT_EXPECT_EQ_MSG(test, memcmp(&pkt->key6, &key6, 40), 0,
				    "%s: key", what);
	} else {
		memcpy(&key4.saddr, p + SADDR, 4);
		memcpy(&key4.daddr, p + DADDR, 4);
		memcpy(&key4.sport, p + thoff, 2);
		memcpy(&key4.dport, p + thoff + 2, 2);
		key4.iif_proto = iif * 256 + p[PROTO];
		KUNIT_EXPECT_EQ_MSG(test, memcmp(&pkt->key4, &key4, 16), 0,
				    "%s: key", what);
	}
}

/* INIT is chunk 1 */
static int slb_opens(const u8 *th, u32 proto)
{
	if (proto == SCTP)
		return th[12] == 1 ? SLB_OPENS : SLB_OPENS_NOTHING;
	if (!(th[13] & SYN))
		return SLB_OPENS_NOTHING;
	return th[13] & ACK ? SLB_OPENS_BACK : SLB_OPENS;
}

/* Parse the first @size bytes of @p, and hold against @want all that is found. */
static void slb_check(struct kunit *test, const char *what, const u8 *p,
		      bool v6, u32 size, u32 iif, const struct slb_found *want)
{
	u32 proto = p[v6 ? NEXT6 : PROTO], tos, hlen;
	enum slb_reason verdict;
	struct slb_pkt pkt;
	u8 **exact = test->priv;

	memcpy(exact[size], p, size);
	/* all is found anew, whatever was in there */
	memset(&pkt, 1, sizeof(pkt));
	pkt.v6 = !v6;
	verdict = (v6 ? slb_parse_ipv6 : slb_parse_ipv4)(exact[size], size,
							 iif, &pkt);
	KUNIT_EXPECT_EQ_MSG(test, memcmp(exact[size], p, size), 0,
			    "%s: packet changed", what);

	KUNIT_EXPECT_EQ_MSG(test, verdict, want->verdict, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pkt.v6, v6, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pkt.has_key, want->key, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pkt.ends, want->ends, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pkt.nocsum, want->nocsum, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pkt.hash, 0x01010101, "%s", what);
	if (!want->key)
		return;
	slb_check_key(test, what, p, v6, iif, &pkt);
	tos = v6 ? p[VERSION] % 16 * 16 + p[CLASS6] / 16 : p[TOS];
	hlen = slb_thoff(p, v6) + (proto == TCP ? 20 : proto == UDP ? 8 : 12);
	KUNIT_EXPECT_EQ_MSG(test, pkt.proto, proto, "%s", what);
	if (want->ends)
		KUNIT_EXPECT_EQ_MSG(test, pkt.opens,
				    slb_opens(p + slb_thoff(p, v6), proto), "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pkt.tos, tos & 0xfc, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pkt.ecn, 1 << (tos & 3), "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pkt.len, slb_ip_len(p, v6), "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pkt.hlen, hlen, "%s", what);
	if (!verdict)
		KUNIT_EXPECT_LE_MSG(test, pkt.hlen, SLB_HEAD_LEN, "%s", what);
}

static void slb_check_cases(struct kunit *test, bool v6,
			    const struct slb_case *cases, u32 n)
{
	const struct slb_case *c;
	u8 p[SLB_ROOM];
	char what[64];

	for (c = cases; c < cases + n; c++) {
		slb_case_build(c, v6, p);
		snprintf(what, sizeof(what), "case %zu of IPv%c, %s",
			 c - cases + 1, "46"[v6], c->what);
		slb_check(test, what, p, v6, slb_case_size(c, v6),
			  c->iif ?: 7, &c->want);
	}
}

static void slb_test_cases4(struct kunit *test)
{
	slb_check_cases(test, false, slb_cases4, slb_cases4_count);
}

static void slb_test_cases6(struct kunit *test)
{
	slb_check_cases(test, true, slb_cases6, slb_cases6_count);
}

/* No byte of an empty packet may be read. */
static void slb_test_empty(struct kunit *test)
{
	struct slb_pkt pkt;

	KUNIT_EXPECT_EQ(test, slb_parse_ipv4(ZERO_SIZE_PTR, 0, 7, &pkt),
			SLB_MISS_SHORT);
	KUNIT_EXPECT_FALSE(test, pkt.has_key);
	KUNIT_EXPECT_EQ(test, slb_parse_ipv6(ZERO_SIZE_PTR, 0, 7, &pkt),
			SLB_MISS_SHORT);
	KUNIT_EXPECT_FALSE(test, pkt.has_key);
}

/* All 256 combinations of TCP flags, of which SYN, FIN, RST and ACK count. */
static void slb_test_flags(struct kunit *test)
{
	struct slb_case c = { .proto = TCP, .size = 60 };
	struct slb_found want = { .key = true };
	u8 p[SLB_ROOM];
	char what[32];
	int flags, ihl;

	/* 4 words stand for IPv6 */
	for (ihl = 4; ihl <= 6; ihl++) {
		c.ihl = ihl;
		slb_case_build(&c, ihl == 4, p);
		for (flags = 0; flags < 256; flags++) {
			p[slb_thoff(p, ihl == 4) + 13] = flags;
			want.ends = flags & (SYN | FIN | RST);
			want.verdict = ihl > 5 ? SLB_MISS_OPTIONS : 0;
			if (want.ends || !(flags & ACK))
				want.verdict = SLB_MISS_FLAGS;
			snprintf(what, sizeof(what), "ihl %d flags 0x%02x",
				 ihl, flags);
			slb_check(test, what, p, ihl == 4, 60, 7, &want);
		}
	}
}

/* All 256 types of SCTP's first chunk. */
static void slb_test_chunks(struct kunit *test)
{
	struct slb_case c = { .proto = SCTP, .size = 60 };
	struct slb_found want = { .key = true };
	u8 p[SLB_ROOM];
	char what[32];
	int type, v6;

	for (v6 = 0; v6 <= 1; v6++) {
		slb_case_build(&c, v6, p);
		for (type = 0; type < 256; type++) {
			p[v6 ? CHUNK6 : CHUNK] = type;
			want.ends = type < 16 && SLB_CHUNKS >> type & 1;
			want.verdict = want.ends ? SLB_MISS_FLAGS : 0;
			snprintf(what, sizeof(what), "v6 %d chunk %d", v6, type);
			slb_check(test, what, p, v6, 60, 7, &want);
		}
	}
}

static const u8 slb_protos[] = { TCP, UDP, SCTP };

/* Every number of bytes present, for a fixed length. */
static void slb_check_sizes(struct kunit *test, const struct slb_case *c,
			    bool v6)
{
	struct slb_found want;
	u8 p[SLB_ROOM];
	char what[64];
	u32 size;

	slb_case_build(c, v6, p);
	for (size = 1; size <= SLB_ROOM; size++) {
		slb_rules(p, v6, size, 7, &want);
		snprintf(what, sizeof(what),
			 "v6 %d proto %u ihl %u len %u of %u", v6,
			 c->proto, c->ihl, size, c->len);
		slb_check(test, what, p, v6, size, 7, &want);
	}
}

/* Every length of the header, of bytes present, and by the IP header. */
static void slb_test_lengths(struct kunit *test)
{
	struct slb_case c = { };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(slb_protos); i++) {
		c.proto = slb_protos[i];
		for (c.len = 1; c.len <= SLB_ROOM + 1; c.len++) {
			for (c.ihl = 5; c.ihl < 16; c.ihl++)
				slb_check_sizes(test, &c, false);
			c.ihl = 0;
			slb_check_sizes(test, &c, true);
			if (test->status == KUNIT_FAILURE)
				return;
		}
	}
}

static u32 slb_fuzz_iif(struct rnd_state *rnd)
{
	static const u32 odd[] = { 0, 1, SLB_IIF_MAX - 1, SLB_IIF_MAX,
				   SLB_IIF_MAX + 1, U32_MAX };

	return slb_once_in(rnd, 8) ? odd[slb_rnd(rnd, ARRAY_SIZE(odd))] :
				     1 + slb_rnd(rnd, 1000);
}

/* Random bytes, or a good packet with some random bytes. */
static void slb_fuzz_build(u8 *p, bool v6, u32 size, struct rnd_state *rnd)
{
	static const u8 next[] = { HOPOPTS, ROUTING, FRAGMENT, DSTOPTS,
				   IPPROTO_AH, IPPROTO_ESP, 59 };
	struct slb_case c = { };
	u32 n;

	c.proto = slb_protos[slb_rnd(rnd, ARRAY_SIZE(slb_protos))];
	c.ihl = slb_once_in(rnd, 4) ? 5 + slb_rnd(rnd, 11) : 5;
	c.len = slb_once_in(rnd, 4) ? 1 + slb_rnd(rnd, 100) : size;
	slb_case_build(&c, v6, p);
	p[v6 ? HOP6 : TTL] = slb_rnd(rnd, 16);
	if (c.proto == SCTP && slb_once_in(rnd, 2))
		p[slb_thoff(p, v6) + 12] = slb_rnd(rnd, 20);
	if (c.proto == UDP && slb_once_in(rnd, 4))
		p[slb_thoff(p, v6) + 5] = slb_rnd(rnd, SLB_ROOM);
	if (v6 && slb_once_in(rnd, 8))
		p[NEXT6] = next[slb_rnd(rnd, ARRAY_SIZE(next))];
	if (slb_once_in(rnd, 8))
		prandom_bytes_state(rnd, p, SLB_ROOM);
	for (n = slb_rnd(rnd, 4); n; n--)
		p[slb_rnd(rnd, v6 ? 60 : 40)] = prandom_u32_state(rnd);
}

static void slb_fuzz(struct kunit *test, bool v6, struct rnd_state *rnd)
{
	u32 verdicts[SLB_REASON_MAX] = { 0 }, i, size, iif, ends = 0;
	struct slb_found want;
	u8 p[SLB_ROOM];
	char what[32];

	for (i = 0; i < SLB_FUZZ; i++) {
		size = 1 + slb_rnd(rnd, SLB_ROOM);
		slb_fuzz_build(p, v6, size, rnd);
		iif = slb_fuzz_iif(rnd);
		snprintf(what, sizeof(what), "v6 %d packet %u", v6, i);
		slb_rules(p, v6, size, iif, &want);
		verdicts[want.verdict]++;
		ends += want.ends;
		slb_check(test, what, p, v6, size, iif, &want);
		if (test->status == KUNIT_FAILURE)
			return;
	}
	for (i = SLB_MISS_PROTO; i <= SLB_MISS_TTL; i++)
		KUNIT_EXPECT_GT_MSG(test, verdicts[i], 20,
				    "v6 %d verdict %u hardly tested", v6, i);
	KUNIT_EXPECT_GT(test, verdicts[0], SLB_FUZZ / 20);
	KUNIT_EXPECT_GT(test, ends, 100);
}

static void slb_fuzz4(struct kunit *test, struct rnd_state *rnd)
{
	slb_fuzz(test, false, rnd);
}

static void slb_fuzz6(struct kunit *test, struct rnd_state *rnd)
{
	slb_fuzz(test, true, rnd);
}

static void slb_test_fuzz4(struct kunit *test)
{
	slb_run_seeds(test, slb_fuzz4);
}

static void slb_test_fuzz6(struct kunit *test)
{
	slb_run_seeds(test, slb_fuzz6);
}

/* Memory of every size, none with room to spare. */
static int slb_parse_test_init(struct kunit *test)
{
	u8 **exact = kunit_kcalloc(test, SLB_ROOM + 1, sizeof(*exact),
				   GFP_KERNEL);
	u32 size;

	if (!exact)
		return -ENOMEM;
	for (size = 1; size <= SLB_ROOM; size++) {
		exact[size] = kunit_kmalloc(test, size, GFP_KERNEL);
		if (!exact[size])
			return -ENOMEM;
	}
	test->priv = exact;
	return 0;
}

static struct kunit_case slb_parse_cases[] = {
	KUNIT_CASE(slb_test_cases4),
	KUNIT_CASE(slb_test_cases6),
	KUNIT_CASE(slb_test_empty),
	KUNIT_CASE(slb_test_flags),
	KUNIT_CASE(slb_test_chunks),
	KUNIT_CASE(slb_test_lengths),
	KUNIT_CASE(slb_test_fuzz4),
	KUNIT_CASE(slb_test_fuzz6),
	{}
};

static struct kunit_suite slb_suite = {
	.name = "shadowlb-parse",
	.init = slb_parse_test_init,
	.test_cases = slb_parse_cases,
};

MODULE_DESCRIPTION("KUnit suite of shadowlb's header parser");
