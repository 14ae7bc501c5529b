// SPDX-License-Identifier: GPL-2.0
/*
 * shadowlb-parse: which packets may be served by a flow.
 *
 * The numbered cases are the specification. Behind them, rules written without
 * a look at the parser are applied to every combination of flags and lengths
 * and to packets made at random. Each packet lies in memory of exactly its
 * size, so that KASAN sees any byte read beyond its end.
 */
#include <linux/in.h>
#include <linux/slab.h>

#include "suite.h"
/* the code under test */
#include "parse.c"

#define SLB_FUZZ	20000

/* Most bytes that a packet here has. */
#define SLB_ROOM	80

#define TCP		IPPROTO_TCP
#define UDP		IPPROTO_UDP

/* Where to find what in a packet without IP options. */
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

#define FIN		0x01
#define SYN		0x02
#define RST		0x04
#define PSH		0x08
#define ACK		0x10
#define URG		0x20
#define ECE		0x40
#define CWR		0x80

/**
 * struct slb_found - what the parser is to find
 * @verdict: what it returns
 * @key: the ports are there
 * @ends: the flow ends with this packet
 * @nocsum: UDP without a checksum
 */
struct slb_found {
	enum slb_stat	verdict;
	bool		key;
	bool		ends;
	bool		nocsum;
};

/* Verdicts with and without a key. */
#define HIT		{ SLB_HIT, true }
#define HIT_NOCSUM	{ SLB_HIT, true, false, true }
#define NO(why)		{ SLB_MISS_##why }
#define NO_KEY(why)	{ SLB_MISS_##why, true }
#define NO_NOCSUM(why)	{ SLB_MISS_##why, true, false, true }
#define NO_ENDS		{ SLB_MISS_FLAGS, true, true }

/**
 * struct slb_case - a packet that carries data, all in order but what is said
 * @what: what is said
 * @proto: TCP (with ACK) or UDP (with a checksum)
 * @want: what the parser finds
 * @set: bytes that differ: where, value
 * @size: bytes there are, 0: 60
 * @len: bytes there are by the IP header, 0: @size
 * @ihl: words of the IP header, 0: 5
 * @iif: ingress device, 0: 7
 */
struct slb_case {
	const char		*what;
	u8			proto;
	struct slb_found	want;
	u8			set[2][2];
	u8			size;
	u16			len;
	u8			ihl;
	u32			iif;
};

static const struct slb_case slb_cases[] = {
/* 1 */	{ "TCP with ACK", TCP, HIT },
/* 2 */	{ "UDP", UDP, HIT },
/* 3 */	{ "UDP without checksum", UDP, HIT_NOCSUM, { { CHECK }, { CHECK + 1 } } },
/* 4 */	{ "UDP checksum 0xff00", UDP, HIT, { { CHECK, 0xff }, { CHECK + 1 } } },
/* 5 */	{ "UDP checksum 0x00ff", UDP, HIT, { { CHECK }, { CHECK + 1, 0xff } } },

	/* which protocol, which device */
/* 6 */	{ "ICMP", TCP, NO(PROTO), { { PROTO, IPPROTO_ICMP } } },
/* 7 */	{ "IPIP", TCP, NO(PROTO), { { PROTO, IPPROTO_IPIP } } },
/* 8 */	{ "SCTP", TCP, NO(PROTO), { { PROTO, IPPROTO_SCTP } } },
/* 9 */	{ "UDP-Lite", UDP, NO(PROTO), { { PROTO, IPPROTO_UDPLITE } } },
/* 10 */{ "ESP", TCP, NO(PROTO), { { PROTO, IPPROTO_ESP } } },
/* 11 */{ "protocol 0", TCP, NO(PROTO), { { PROTO, 0 } } },
/* 12 */{ "protocol 255", UDP, NO(PROTO), { { PROTO, 255 } } },
/* 13 */{ "device 1", TCP, HIT, .iif = 1 },
/* 14 */{ "highest device", UDP, HIT, .iif = SLB_IIF_MAX },
/* 15 */{ "device too high", UDP, NO(META), .iif = SLB_IIF_MAX + 1 },
/* 16 */{ "device far too high", TCP, NO(META), .iif = U32_MAX },

	/* the IP header */
/* 17 */{ "version 6", TCP, NO(SHORT), { { VERSION, 0x65 } } },
/* 18 */{ "version 0", UDP, NO(SHORT), { { VERSION, 0x05 } } },
/* 19 */{ "header of 4 words", TCP, NO(SHORT), { { VERSION, 0x44 } } },
/* 20 */{ "header of 0 words", UDP, NO(SHORT), { { VERSION, 0x40 } } },
/* 21 */{ "any type of service", TCP, HIT, { { TOS, 0xff } } },
/* 22 */{ "one option, TCP", TCP, NO_KEY(OPTIONS), .ihl = 6 },
/* 23 */{ "one option, UDP", UDP, NO_KEY(OPTIONS), .ihl = 6 },
/* 24 */{ "most options", TCP, NO_KEY(OPTIONS), .ihl = 15, .size = 80 },
/* 25 */{ "options, ports not there", TCP, NO(SHORT), .ihl = 15 },
/* 26 */{ "TTL 0", TCP, NO_KEY(TTL), { { TTL, 0 } } },
/* 27 */{ "TTL 1", UDP, NO_KEY(TTL), { { TTL, 1 } } },
/* 28 */{ "TTL 2", TCP, HIT, { { TTL, 2 } } },
/* 29 */{ "TTL 255", UDP, HIT, { { TTL, 255 } } },
/* 30 */{ "options before TTL", TCP, NO_KEY(OPTIONS), { { TTL, 1 } }, .ihl = 6 },
/* 31 */{ "TTL 1, no checksum", UDP, NO_NOCSUM(TTL),
	  { { TTL, 1 }, { CHECK + 1 } } },

	/* fragments: only the first has ports */
/* 32 */{ "don't fragment", TCP, HIT, { { FRAG, 0x40 } } },
/* 33 */{ "reserved flag", UDP, HIT, { { FRAG, 0x80 } } },
/* 34 */{ "first fragment", TCP, NO_KEY(FRAGMENT), { { FRAG, 0x20 } } },
/* 35 */{ "middle fragment", UDP, NO(FRAGMENT), { { FRAG, 0x20 }, { OFFSET, 185 } } },
/* 36 */{ "last fragment", UDP, NO(FRAGMENT), { { OFFSET, 185 } } },
/* 37 */{ "offset of 1", TCP, NO(FRAGMENT), { { OFFSET, 1 } } },
/* 38 */{ "highest offset", TCP, NO(FRAGMENT), { { FRAG, 0x1f }, { OFFSET, 0xff } } },
/* 39 */{ "fragment and DF", TCP, NO(FRAGMENT), { { FRAG, 0x50 } } },
/* 40 */{ "ICMP fragment", TCP, NO(PROTO),
	  { { PROTO, IPPROTO_ICMP }, { FRAG, 0x20 } } },

	/* how much there is */
/* 41 */{ "shortest TCP", TCP, HIT, .size = 40 },
/* 42 */{ "TCP, a byte missing", TCP, NO_KEY(SHORT), .size = 39, .len = 40 },
/* 43 */{ "shortest UDP", UDP, HIT, .size = 28 },
/* 44 */{ "UDP, a byte missing", UDP, NO_KEY(SHORT), .size = 27, .len = 28 },
/* 45 */{ "ports alone", TCP, NO_KEY(SHORT), .size = 24 },
/* 46 */{ "a byte of them missing", TCP, NO(SHORT), .size = 23 },
/* 47 */{ "IP header alone", UDP, NO(SHORT), .size = 20 },
/* 48 */{ "less than that", TCP, NO(SHORT), .size = 19 },
/* 49 */{ "headers here, data elsewhere", TCP, HIT, .size = 40, .len = 1500 },
/* 50 */{ "longest packet", UDP, HIT, .len = 65535 },
/* 51 */{ "padding behind the packet", TCP, HIT, .len = 40 },
/* 52 */{ "length without all of TCP", TCP, NO_KEY(SHORT), .len = 39 },
/* 53 */{ "length without all of UDP", UDP, NO_KEY(SHORT), .len = 27 },
/* 54 */{ "length of IP's header", UDP, NO_KEY(SHORT), .len = 20 },
/* 55 */{ "length of 1", TCP, NO_KEY(SHORT), .len = 1 },

	/* TCP; flags have a test of their own */
/* 56 */{ "TCP header of 4 words", TCP, NO_KEY(SHORT), { { DOFF, 0x40 } } },
/* 57 */{ "TCP header of 0 words", TCP, NO_KEY(SHORT), { { DOFF, 0x00 } } },
/* 58 */{ "TCP options, no data", TCP, HIT, { { DOFF, 0xa0 } } },
/* 59 */{ "TCP options too long", TCP, NO_KEY(SHORT), { { DOFF, 0xb0 } } },
/* 60 */{ "TCP options elsewhere", TCP, HIT, { { DOFF, 0xf0 } },
	  .size = 40, .len = 80 },
/* 61 */{ "FIN, header of 0 words", TCP, NO_ENDS,
	  { { DOFF, 0x00 }, { FLAGS, FIN | ACK } } },
/* 62 */{ "RST, TTL 1", TCP, NO_ENDS, { { TTL, 1 }, { FLAGS, RST } } },
/* 63 */{ "FIN in the first fragment", TCP, NO_ENDS,
	  { { FRAG, 0x20 }, { FLAGS, FIN | ACK } } },
/* 64 */{ "what could be FIN in the last", TCP, NO(FRAGMENT),
	  { { OFFSET, 185 }, { FLAGS, FIN | ACK } } },
/* 65 */{ "first fragment, too short", TCP, NO_KEY(SHORT), { { FRAG, 0x20 } },
	  .size = 36 },
/* 66 */{ "first fragment with options", UDP, NO_KEY(FRAGMENT), { { FRAG, 0x20 } },
	  .ihl = 6 },
/* 67 */{ "first fragment, no checksum", UDP, NO_NOCSUM(FRAGMENT),
	  { { FRAG, 0x20 }, { CHECK + 1 } } },
/* 68 */{ "options, ports alone", TCP, NO_KEY(SHORT), .ihl = 15, .size = 64 },
};

static void slb_case_build(const struct slb_case *c, u8 *p)
{
	u32 size = c->size ?: 60, len = c->len ?: size, ihl = c->ihl ?: 5, i;

	for (i = 0; i < SLB_ROOM; i++)
		p[i] = i | 0x80;
	p[VERSION] = 0x40 | ihl;
	p[LEN] = len >> 8;
	p[LEN + 1] = len;
	p[FRAG] = 0;
	p[OFFSET] = 0;
	p[TTL] = 64;
	p[PROTO] = c->proto;
	if (c->proto == TCP) {
		p[DOFF + (ihl - 5) * 4] = 0x50;
		p[FLAGS + (ihl - 5) * 4] = ACK;
	} else {
		p[CHECK + (ihl - 5) * 4] = 0;
		p[CHECK + (ihl - 5) * 4 + 1] = 1;
	}
	for (i = 0; i < 2; i++)
		if (c->set[i][0] || c->set[i][1])
			p[c->set[i][0]] = c->set[i][1];
}

/* Parse the first @size bytes of @p, and hold against @want all that is found. */
static void slb_check(struct kunit *test, const char *what, const u8 *p,
		      u32 size, u32 iif, const struct slb_found *want)
{
	u32 thoff = (p[VERSION] & 15) * 4, proto = p[PROTO];
	u32 len = p[LEN] << 8 | p[LEN + 1];
	struct slb_key key = { 0 };
	enum slb_stat verdict;
	struct slb_pkt pkt;
	u8 **exact = test->priv;

	memcpy(exact[size], p, size);
	/* all is found anew, whatever was in there */
	memset(&pkt, 1, sizeof(pkt));
	verdict = slb_parse_ipv4(exact[size], size, iif, &pkt);
	KUNIT_EXPECT_EQ_MSG(test, memcmp(exact[size], p, size), 0,
			    "%s: packet changed", what);

	KUNIT_EXPECT_EQ_MSG(test, verdict, want->verdict, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pkt.has_key, want->key, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pkt.ends, want->ends, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pkt.nocsum, want->nocsum, "%s", what);
	if (!want->key)
		return;
	memcpy(&key.saddr, p + SADDR, 4);
	memcpy(&key.daddr, p + DADDR, 4);
	memcpy(&key.sport, p + thoff, 2);
	memcpy(&key.dport, p + thoff + 2, 2);
	key.iif_proto = iif * 256 + proto;
	KUNIT_EXPECT_EQ_MSG(test, memcmp(&pkt.key, &key, sizeof(key)), 0,
			    "%s: key", what);
	KUNIT_EXPECT_EQ_MSG(test, pkt.tos, p[TOS] & 0xfc, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pkt.len, len, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pkt.hlen, thoff + (proto == TCP ? 20 : 8),
			    "%s", what);
}

static void slb_test_cases(struct kunit *test)
{
	const struct slb_case *c;
	u8 p[SLB_ROOM];
	char what[64];

	for (c = slb_cases; c < slb_cases + ARRAY_SIZE(slb_cases); c++) {
		slb_case_build(c, p);
		snprintf(what, sizeof(what), "case %zu, %s",
			 c - slb_cases + 1, c->what);
		slb_check(test, what, p, c->size ?: 60, c->iif ?: 7, &c->want);
	}
}

/* An empty packet may not be looked at, not even where it begins. */
static void slb_test_empty(struct kunit *test)
{
	struct slb_pkt pkt;

	KUNIT_EXPECT_EQ(test, slb_parse_ipv4(ZERO_SIZE_PTR, 0, 7, &pkt),
			SLB_MISS_SHORT);
	KUNIT_EXPECT_FALSE(test, pkt.has_key);
}

/* All 256 combinations of TCP flags, of which SYN, FIN, RST and ACK count. */
static void slb_test_flags(struct kunit *test)
{
	struct slb_case c = { .proto = TCP };
	struct slb_found want = { .key = true };
	u8 p[SLB_ROOM];
	char what[32];
	int flags, ihl;

	for (ihl = 5; ihl <= 6; ihl++) {
		c.ihl = ihl;
		slb_case_build(&c, p);
		for (flags = 0; flags < 256; flags++) {
			p[FLAGS + (ihl - 5) * 4] = flags;
			want.ends = flags & (SYN | FIN | RST);
			want.verdict = ihl > 5 ? SLB_MISS_OPTIONS : SLB_HIT;
			if (want.ends || !(flags & ACK))
				want.verdict = SLB_MISS_FLAGS;
			snprintf(what, sizeof(what), "ihl %d flags 0x%02x",
				 ihl, flags);
			slb_check(test, what, p, 60, 7, &want);
		}
	}
}

/* The rules, first that applies, read off the bytes. */
static void slb_rules(const u8 *p, u32 size, u32 iif, struct slb_found *want)
{
	u32 thoff, need, len;
	const u8 *th;

	memset(want, 0, sizeof(*want));
	want->verdict = SLB_MISS_SHORT;
	if (size < 20 || p[VERSION] < 0x45 || p[VERSION] > 0x4f)
		return;
	want->verdict = SLB_MISS_PROTO;
	if (p[PROTO] != TCP && p[PROTO] != UDP)
		return;
	want->verdict = SLB_MISS_META;
	if (iif >> 24)
		return;
	want->verdict = SLB_MISS_FRAGMENT;
	if (p[FRAG] & 0x1f || p[OFFSET])
		return;

	thoff = (p[VERSION] - 0x40) * 4;
	need = thoff + (p[PROTO] == TCP ? 20 : 8);
	len = p[LEN] * 256 + p[LEN + 1];
	want->verdict = SLB_MISS_SHORT;
	if (size < thoff + 4)
		return;
	want->key = true;
	if (size < need || len < need)
		return;

	th = p + thoff;
	want->verdict = SLB_MISS_FLAGS;
	want->ends = p[PROTO] == TCP && th[13] & (SYN | FIN | RST);
	if (want->ends || (p[PROTO] == TCP && !(th[13] & ACK)))
		return;
	want->verdict = SLB_MISS_SHORT;
	if (p[PROTO] == TCP && (th[12] < 0x50 || len - thoff < th[12] / 16 * 4))
		return;
	want->nocsum = p[PROTO] == UDP && !th[6] && !th[7];
	want->verdict = SLB_MISS_FRAGMENT;
	if (p[FRAG] & 0x20)
		return;
	want->verdict = SLB_MISS_OPTIONS;
	if (thoff > 20)
		return;
	want->verdict = p[TTL] < 2 ? SLB_MISS_TTL : SLB_HIT;
}

/* Every length of the header, of what is there, and of what should be there. */
static void slb_test_lengths(struct kunit *test)
{
	struct slb_case c = { };
	struct slb_found want;
	u8 p[SLB_ROOM];
	char what[48];
	u32 size;

	for (c.proto = TCP; c.proto; c.proto = c.proto == TCP ? UDP : 0)
		for (c.ihl = 5; c.ihl < 16; c.ihl++)
			for (c.len = 1; c.len <= SLB_ROOM + 1; c.len++) {
				slb_case_build(&c, p);
				for (size = 1; size <= SLB_ROOM; size++) {
					slb_rules(p, size, 7, &want);
					snprintf(what, sizeof(what),
						 "proto %u ihl %u len %u of %u",
						 c.proto, c.ihl, size, c.len);
					slb_check(test, what, p, size, 7, &want);
				}
				if (test->status == KUNIT_FAILURE)
					return;
			}
}

static u32 slb_fuzz_iif(struct rnd_state *rnd)
{
	static const u32 odd[] = { 0, 1, SLB_IIF_MAX - 1, SLB_IIF_MAX,
				   SLB_IIF_MAX + 1, U32_MAX };

	return slb_once_in(rnd, 8) ? odd[slb_rnd(rnd, ARRAY_SIZE(odd))] :
				     1 + slb_rnd(rnd, 1000);
}

/* Bytes at random, or a good packet with some of its bytes at random. */
static void slb_fuzz(struct kunit *test, struct rnd_state *rnd)
{
	u32 verdicts[SLB_STAT_MAX] = { 0 }, i, n, size, iif;
	struct slb_case c = { };
	struct slb_found want;
	u8 p[SLB_ROOM];
	char what[32];

	for (i = 0; i < SLB_FUZZ; i++) {
		size = 1 + slb_rnd(rnd, SLB_ROOM);
		c.proto = slb_once_in(rnd, 2) ? TCP : UDP;
		c.ihl = slb_once_in(rnd, 4) ? 5 + slb_rnd(rnd, 11) : 5;
		c.len = slb_once_in(rnd, 4) ? 1 + slb_rnd(rnd, 100) : size;
		slb_case_build(&c, p);
		p[TTL] = slb_rnd(rnd, 16);
		if (slb_once_in(rnd, 8))
			prandom_bytes_state(rnd, p, sizeof(p));
		for (n = slb_rnd(rnd, 4); n; n--)
			p[slb_rnd(rnd, 40)] = prandom_u32_state(rnd);
		iif = slb_fuzz_iif(rnd);
		snprintf(what, sizeof(what), "packet %u", i);
		slb_rules(p, size, iif, &want);
		verdicts[want.verdict]++;
		slb_check(test, what, p, size, iif, &want);
		if (test->status == KUNIT_FAILURE)
			return;
	}
	for (i = SLB_MISS_PROTO; i <= SLB_MISS_TTL; i++)
		KUNIT_EXPECT_GT_MSG(test, verdicts[i], 20,
				    "verdict %u hardly tested", i);
	KUNIT_EXPECT_GT(test, verdicts[SLB_HIT], SLB_FUZZ / 20);
}

static void slb_test_fuzz(struct kunit *test)
{
	slb_run_seeds(test, slb_fuzz);
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
	KUNIT_CASE(slb_test_cases),
	KUNIT_CASE(slb_test_empty),
	KUNIT_CASE(slb_test_flags),
	KUNIT_CASE(slb_test_lengths),
	KUNIT_CASE(slb_test_fuzz),
	{}
};

static struct kunit_suite slb_suite = {
	.name = "shadowlb-parse",
	.init = slb_parse_test_init,
	.test_cases = slb_parse_cases,
};

MODULE_DESCRIPTION("KUnit suite of shadowlb's header parser");
