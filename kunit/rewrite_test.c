// SPDX-License-Identifier: GPL-2.0
/*
 * shadowlb-rewrite: the bytes of a packet that an action was applied to.
 *
 * Two oracles: all checksums computed anew over the whole packet (see
 * rewrite_packet.c), and the kernel's own way in IPVS, to the bit. The rewriter
 * gets the headers alone, in memory of their very size, so that KASAN sees any
 * byte touched beyond them.
 */
#include <linux/in.h>
#include <linux/slab.h>

#include "rewrite_packet.h"
#include "suite.h"
/* the code under test */
#include "rewrite.c"

#define SLB_RUNS	10000

/**
 * struct slb_rewrite_test - what a case works with
 * @pkt: a packet
 * @want: what is to become of it
 * @exact: memory of as many bytes as its index says
 */
struct slb_rewrite_test {
	struct slb_packet	pkt;
	struct slb_packet	want;
	u8			*exact[41];
};

/* Let the rewriter have @size bytes and not one more. */
static void slb_rewrite(struct kunit *test, struct slb_packet *pkt,
			unsigned int how, u32 size)
{
	struct slb_action act = { .mtu = 1234 };
	struct slb_rewrite_test *t = test->priv;
	u8 *exact = t->exact[size];
	struct slb_key from;

	slb_get_key(pkt, &from);
	from.iif_proto = 7 << 8 | pkt->bytes[PROTO];
	slb_action_init(&act, &from, pkt->to.saddr, pkt->to.daddr,
			pkt->to.sport, pkt->to.dport);
	KUNIT_ASSERT_EQ(test, act.mtu, 1234);

	memcpy(exact, pkt->bytes, size);
	slb_rewrite_ipv4(exact, &act, how);
	memcpy(pkt->bytes, exact, size);
}

/* NAT: what was right stays right, and nothing changes that needs not. */
static void slb_nat(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt, *want = &t->want;
	int i;

	for (i = 0; i < SLB_RUNS; i++) {
		slb_packet_make(pkt, rnd);
		*want = *pkt;
		slb_expect(want, true);
		slb_set_check(want);
		slb_rewrite(test, pkt, SLB_REWRITE_NAT, pkt->hlen);
		slb_check_bytes(test, pkt, want);
	}
}

/* NAT: what was wrong stays wrong, and by the same difference. */
static void slb_nat_wrong(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt, *want = &t->want;
	u32 before, check;
	int i;

	for (i = 0; i < SLB_RUNS; i++) {
		slb_packet_make(pkt, rnd);
		do {
			check = 1 + slb_rnd(rnd, 0xffff);
			slb_put16(pkt->bytes + pkt->check, check);
			before = slb_transport_sum(pkt);
		} while (before == 0xffff);
		*want = *pkt;
		slb_expect(want, true);
		slb_rewrite(test, pkt, SLB_REWRITE_NAT, pkt->hlen);
		KUNIT_ASSERT_EQ(test, slb_transport_sum(pkt), before);
		check = slb_get16(pkt->bytes + pkt->check);
		KUNIT_ASSERT_TRUE(test, check ||
				  pkt->bytes[PROTO] == IPPROTO_TCP);
		slb_put16(want->bytes + pkt->check, check);
		slb_check_bytes(test, pkt, want);
	}
}

/* NAT, the checksum completed by hardware: the plain sum of the old pseudo
 * header becomes that of the new one.
 */
static void slb_nat_partial(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt, *want = &t->want;
	int i;

	for (i = 0; i < SLB_RUNS; i++) {
		slb_packet_make(pkt, rnd);
		slb_put16(pkt->bytes + pkt->check, slb_pseudo(pkt));
		*want = *pkt;
		slb_expect(want, true);
		slb_put16(want->bytes + want->check, slb_pseudo(want));
		slb_rewrite(test, pkt, SLB_REWRITE_NAT | SLB_REWRITE_PARTIAL,
			    pkt->hlen);
		slb_check_bytes(test, pkt, want);
	}
}

/* NAT there and back again: the packet that it was, but for the time to live. */
static void slb_nat_back(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt, *want = &t->want;
	int i;

	for (i = 0; i < SLB_RUNS; i++) {
		slb_packet_make(pkt, rnd);
		pkt->bytes[TTL] |= 4;
		slb_set_ip_check(pkt);
		*want = *pkt;
		want->bytes[TTL] -= 2;
		slb_set_ip_check(want);
		slb_rewrite(test, pkt, SLB_REWRITE_NAT, pkt->hlen);
		slb_get_key(want, &pkt->to);
		slb_rewrite(test, pkt, SLB_REWRITE_NAT, pkt->hlen);
		slb_check_bytes(test, pkt, want);
	}
}

/* Direct routing: the IP header's time to live and checksum and nothing else,
 * whatever the action says; what is behind that header is not even there.
 */
static void slb_dr(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt, *want = &t->want;
	int i;

	for (i = 0; i < SLB_RUNS; i++) {
		slb_packet_make(pkt, rnd);
		if (slb_once_in(rnd, 2))
			slb_put16(pkt->bytes + pkt->check,
				  prandom_u32_state(rnd));
		*want = *pkt;
		slb_expect(want, false);
		slb_rewrite(test, pkt,
			    slb_once_in(rnd, 2) ? SLB_REWRITE_PARTIAL : 0, 20);
		slb_check_bytes(test, pkt, want);
	}
}

/* Packets whose checksum becomes 0 or, which means the same, 0xffff. */
static void slb_zero(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt, *want = &t->want;
	u8 *to = (u8 *)&pkt->to;
	u32 udp, word;
	int i;

	for (i = 0; i < SLB_RUNS; i++) {
		slb_packet_make(pkt, rnd);
		udp = pkt->bytes[PROTO] == IPPROTO_UDP;
		/* the port that makes up for all the rest of the packet */
		*want = *pkt;
		slb_set_key(want, &want->to);
		slb_put16(want->bytes + want->check, 0);
		word = slb_once_in(rnd, 2) ? SPORT : DPORT;
		slb_put16(want->bytes + word, 0);
		slb_put16(to + word - SADDR, 0xffff - slb_transport_sum(want));
		slb_rewrite(test, pkt, SLB_REWRITE_NAT, pkt->hlen);
		KUNIT_ASSERT_EQ(test, slb_get16(pkt->bytes + pkt->check),
				udp ? 0xffff : 0);
		KUNIT_ASSERT_EQ(test, slb_transport_sum(pkt), 0xffff);

		/* an address that does so for the pseudo header: a sum that
		 * is not inverted is written as 0xffff
		 */
		slb_put16(pkt->bytes + pkt->check, slb_pseudo(pkt));
		word = SADDR + 2 * slb_rnd(rnd, 4);
		*want = *pkt;
		slb_set_key(want, &want->to);
		slb_put16(want->bytes + word, 0);
		slb_put16(to + word - SADDR, 0xffff - slb_pseudo(want));
		slb_rewrite(test, pkt, SLB_REWRITE_NAT | SLB_REWRITE_PARTIAL,
			    pkt->hlen);
		KUNIT_ASSERT_EQ(test, slb_get16(pkt->bytes + pkt->check),
				0xffff);
	}
}

/* One of the two addresses and ports, as IPVS writes them. */
static __wsum slb_ipvs_diff4(__be32 old, __be32 to, __wsum sum)
{
	__be32 terms[] = { ~old, to };

	return csum_partial(terms, sizeof(terms), sum);
}

static __wsum slb_ipvs_diff2(__be16 old, __be16 to, __wsum sum)
{
	__be16 terms[] = { ~old, to };

	return csum_partial(terms, sizeof(terms), sum);
}

/* The checksum after what ip_vs_proto_tcp.c and ip_vs_proto_udp.c do to it. */
static __sum16 slb_ipvs_check(__sum16 check, bool udp, bool partial, u16 len,
			      __be32 old, __be32 to, __be16 port, __be16 toport)
{
	__wsum sum;

	if (partial) {
		sum = slb_ipvs_diff2(htons(len), htons(len),
				     csum_unfold(check));
		return ~csum_fold(slb_ipvs_diff4(old, to, sum));
	}
	sum = slb_ipvs_diff2(port, toport, ~csum_unfold(check));
	check = csum_fold(slb_ipvs_diff4(old, to, sum));
	return udp && !check ? CSUM_MANGLED_0 : check;
}

/* Rewrite source and/or destination both ways, whatever the checksum is. */
static void slb_check_ipvs(struct kunit *test, struct slb_packet *pkt,
			   bool partial)
{
	bool udp = pkt->bytes[PROTO] == IPPROTO_UDP;
	__sum16 *check = (__sum16 *)(pkt->bytes + pkt->check);
	const struct slb_key *to = &pkt->to;
	__sum16 want, got, had = *check;
	u16 len = pkt->len - 20;
	struct slb_key key;

	slb_get_key(pkt, &key);
	want = slb_ipvs_check(had, udp, partial, len, key.daddr, to->daddr,
			      key.dport, to->dport);
	if (key.saddr != to->saddr || key.sport != to->sport)
		want = slb_ipvs_check(want, udp, partial, len, key.saddr,
				      to->saddr, key.sport, to->sport);
	slb_rewrite(test, pkt, SLB_REWRITE_NAT |
		    (partial ? SLB_REWRITE_PARTIAL : 0), pkt->hlen);
	got = *check;
	KUNIT_ASSERT_EQ_MSG(test, (__force u16)got, (__force u16)want,
			    "had %04x, udp %d, partial %d, %pI4:%u -> %pI4:%u",
			    (__force u16)had, udp, partial,
			    &key.daddr, ntohs(key.dport),
			    &to->daddr, ntohs(to->dport));
}

static void slb_ipvs(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt;
	bool partial;
	int i;

	for (i = 0; i < SLB_RUNS; i++) {
		slb_packet_make(pkt, rnd);
		partial = slb_once_in(rnd, 2);
		slb_put16(pkt->bytes + pkt->check, 1 + slb_rnd(rnd, 0xffff));
		slb_check_ipvs(test, pkt, partial);
	}
}

/* The same where one's complement is at its edges. */
static void slb_test_ipvs_edges(struct kunit *test)
{
	static const u16 checks[] = { 0x0000, 0x0001, 0x8000, 0xfffe, 0xffff };
	static const u32 addrs[] = { 0x00000000, 0x00000001, 0x0000ffff,
				     0xffff0000, 0xfffffffe, 0xffffffff };
	static const u16 ports[] = { 0x0000, 0x0001, 0xfffe, 0xffff };
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt;
	struct rnd_state rnd;
	struct slb_key old;
	u32 i, n, last = 0;

	prandom_seed_state(&rnd, 1);
	for (i = 0; !last; i++) {
		bool udp = i & 1, partial = i & 2, src = i & 4;
		__be32 addr, toaddr;
		__be16 port, toport;
		u16 check;

		/* each number has its digit in i */
		n = i / 8;
		check = checks[n % ARRAY_SIZE(checks)];
		n /= ARRAY_SIZE(checks);
		addr = htonl(addrs[n % ARRAY_SIZE(addrs)]);
		n /= ARRAY_SIZE(addrs);
		toaddr = htonl(addrs[n % ARRAY_SIZE(addrs)]);
		n /= ARRAY_SIZE(addrs);
		port = htons(ports[n % ARRAY_SIZE(ports)]);
		n /= ARRAY_SIZE(ports);
		toport = htons(ports[n % ARRAY_SIZE(ports)]);
		last = n / ARRAY_SIZE(ports);
		if (udp && !partial && !check)
			continue;

		do {
			slb_packet_make(pkt, &rnd);
		} while (udp != (pkt->bytes[PROTO] == IPPROTO_UDP));
		slb_get_key(pkt, &old);
		pkt->to = old;
		if (src) {
			old.saddr = addr;
			old.sport = port;
			pkt->to.saddr = toaddr;
			pkt->to.sport = toport;
		} else {
			old.daddr = addr;
			old.dport = port;
			pkt->to.daddr = toaddr;
			pkt->to.dport = toport;
		}
		slb_set_key(pkt, &old);
		slb_put16(pkt->bytes + pkt->check, check);
		slb_check_ipvs(test, pkt, partial);
	}
	KUNIT_EXPECT_GE(test, i, 8 * 5 * 6 * 6 * 4 * 4);
}

static void slb_test_nat(struct kunit *test)
{
	slb_run_seeds(test, slb_nat);
}

static void slb_test_nat_wrong(struct kunit *test)
{
	slb_run_seeds(test, slb_nat_wrong);
}

static void slb_test_nat_partial(struct kunit *test)
{
	slb_run_seeds(test, slb_nat_partial);
}

static void slb_test_nat_back(struct kunit *test)
{
	slb_run_seeds(test, slb_nat_back);
}

static void slb_test_dr(struct kunit *test)
{
	slb_run_seeds(test, slb_dr);
}

static void slb_test_zero(struct kunit *test)
{
	slb_run_seeds(test, slb_zero);
}

static void slb_test_ipvs(struct kunit *test)
{
	slb_run_seeds(test, slb_ipvs);
}

static int slb_rewrite_test_init(struct kunit *test)
{
	static const u32 sizes[] = { 20, 28, 40 };
	struct slb_rewrite_test *t;
	int i;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	test->priv = t;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		t->exact[sizes[i]] = kunit_kmalloc(test, sizes[i], GFP_KERNEL);
		if (!t->exact[sizes[i]])
			return -ENOMEM;
	}
	return 0;
}

static struct kunit_case slb_rewrite_cases[] = {
	KUNIT_CASE(slb_test_nat),
	KUNIT_CASE(slb_test_nat_wrong),
	KUNIT_CASE(slb_test_nat_partial),
	KUNIT_CASE(slb_test_nat_back),
	KUNIT_CASE(slb_test_dr),
	KUNIT_CASE(slb_test_zero),
	KUNIT_CASE(slb_test_ipvs),
	KUNIT_CASE(slb_test_ipvs_edges),
	{}
};

static struct kunit_suite slb_suite = {
	.name = "shadowlb-rewrite",
	.init = slb_rewrite_test_init,
	.test_cases = slb_rewrite_cases,
};

MODULE_DESCRIPTION("KUnit suite of shadowlb's rewriter");
