// SPDX-License-Identifier: GPL-2.0
/*
 * shadowlb-rewrite: the bytes of a packet that an action was applied to.
 *
 * Two oracles: all checksums computed anew over the whole packet (see
 * rewrite_packet.c), and the kernel's own way in IPVS and nf_nat, to the bit
 * (see rewrite_slow.c). The rewriter gets the headers alone, in memory of their
 * very size, so that KASAN sees any byte touched beyond them.
 */
#include <linux/in.h>
#include <linux/slab.h>

#include "rewrite_slow.h"
#include "suite.h"
/* the code under test */
#include "flow/rewrite.c"

#define SLB_RUNS	10000

/**
 * struct slb_rewrite_test - data of a case
 * @pkt: a packet
 * @want: expected result
 * @exact: memory of exactly N bytes, by N
 */
struct slb_rewrite_test {
	struct slb_packet	pkt;
	struct slb_packet	want;
	u8			*exact[61];
};

static void slb_rewrite4(struct kunit *test, const struct slb_packet *pkt,
			 void *data, unsigned int how)
{
	struct slb_key4 from = { .iif_proto = 7 << 8 | pkt->proto };
	struct slb_action4 act = { .mtu = 1234 };
	struct slb_key4 to;

	slb_get_ends(pkt, (u8 *)&from);
	memcpy(&to, pkt->to, 12);
	slb_rewrite_init4(&act, &from, to.saddr, to.daddr, to.sport, to.dport);
	KUNIT_ASSERT_EQ(test, act.mtu, 1234);
	slb_rewrite_ipv4(data, &act, how);
}

static void slb_rewrite6(struct kunit *test, const struct slb_packet *pkt,
			 void *data, unsigned int how)
{
	struct slb_key6 from = { .iif_proto = 7 << 8 | pkt->proto };
	struct slb_action6 act = { .mtu = 1234 };
	struct slb_key6 to;

	slb_get_ends(pkt, (u8 *)&from);
	memcpy(&to, pkt->to, 36);
	slb_rewrite_init6(&act, &from, &to.saddr, &to.daddr, to.sport, to.dport);
	KUNIT_ASSERT_EQ(test, act.mtu, 1234);
	slb_rewrite_ipv6(data, &act, how);
}

/* Give the rewriter exactly @size bytes. */
static void slb_rewrite(struct kunit *test, struct slb_packet *pkt,
			unsigned int how, u32 size)
{
	struct slb_rewrite_test *t = test->priv;
	u8 *exact = t->exact[size];

	memcpy(exact, pkt->bytes, size);
	(pkt->v6 ? slb_rewrite6 : slb_rewrite4)(test, pkt, exact, how);
	memcpy(pkt->bytes, exact, size);
}

/* NAT: correct checksums stay correct, and no other bytes change. */
static void slb_nat(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt, *want = &t->want;
	u32 nats[16] = { 0 };
	int i;

	for (i = 0; i < SLB_RUNS; i++) {
		slb_packet_make(pkt, rnd);
		nats[pkt->nat]++;
		*want = *pkt;
		slb_expect(want, true);
		slb_set_check(want);
		slb_rewrite(test, pkt, SLB_REWRITE_NAT, pkt->hlen);
		slb_check_bytes(test, pkt, want);
	}
	/* addresses alone, ports alone, one end alone, nothing at all */
	for (i = 0; i < ARRAY_SIZE(nats); i++)
		KUNIT_EXPECT_GT(test, nats[i], SLB_RUNS / 32);
}

/* NAT: wrong checksums stay wrong, by the same difference. */
static void slb_nat_wrong(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt, *want = &t->want;
	u32 before, check;
	int i;

	for (i = 0; i < SLB_RUNS; i++) {
		slb_packet_make_sum(pkt, rnd);
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
				  pkt->proto == IPPROTO_TCP);
		slb_put16(want->bytes + pkt->check, check);
		slb_check_bytes(test, pkt, want);
	}
}

/* NAT with an offloaded checksum: the plain sum of the old pseudo header becomes the sum of the
 * new.
 */
static void slb_nat_partial(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt, *want = &t->want;
	int i;

	for (i = 0; i < SLB_RUNS; i++) {
		slb_packet_make(pkt, rnd);
		if (pkt->check)
			slb_put16(pkt->bytes + pkt->check, slb_pseudo(pkt));
		*want = *pkt;
		slb_expect(want, true);
		if (pkt->check)
			slb_put16(want->bytes + pkt->check, slb_pseudo(want));
		slb_rewrite(test, pkt, SLB_REWRITE_NAT | SLB_REWRITE_PARTIAL,
			    pkt->hlen);
		slb_check_bytes(test, pkt, want);
	}
}

/* NAT there and back again gives the same packet, apart from the time to live. */
static void slb_nat_back(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt, *want = &t->want;
	int i;

	for (i = 0; i < SLB_RUNS; i++) {
		slb_packet_make(pkt, rnd);
		*slb_ttl(pkt) |= 4;
		slb_set_ip_check(pkt);
		*want = *pkt;
		*slb_ttl(want) -= 2;
		slb_set_ip_check(want);
		slb_rewrite(test, pkt, SLB_REWRITE_NAT, pkt->hlen);
		slb_get_ends(want, pkt->to);
		slb_rewrite(test, pkt, SLB_REWRITE_NAT, pkt->hlen);
		slb_check_bytes(test, pkt, want);
	}
}

/* Direct routing changes only time to live and checksum of the IP header, for any action and
 * protocol. Bytes behind that header are not even present.
 */
static void slb_dr(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt, *want = &t->want;
	int i;

	for (i = 0; i < SLB_RUNS; i++) {
		slb_packet_make(pkt, rnd);
		if (slb_once_in(rnd, 2))
			slb_put16(pkt->bytes + pkt->hlen - 2,
				  prandom_u32_state(rnd));
		*want = *pkt;
		slb_expect(want, false);
		slb_rewrite(test, pkt,
			    slb_once_in(rnd, 2) ? SLB_REWRITE_PARTIAL : 0,
			    pkt->iplen);
		slb_check_bytes(test, pkt, want);
	}
}

/* Packets whose checksum becomes 0 or, which means the same, 0xffff. */
static void slb_zero(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt, *want = &t->want;
	u32 word;
	u8 *at;
	int i;

	for (i = 0; i < SLB_RUNS; i++) {
		slb_packet_make_sum(pkt, rnd);
		/* the port that makes up for all the rest of the packet */
		word = 2 * pkt->alen + (slb_once_in(rnd, 2) ? 0 : 2);
		*want = *pkt;
		slb_set_ends(want, want->to);
		slb_put16(want->bytes + want->check, 0);
		at = want->bytes + slb_ends(want) + word;
		slb_put16(at, 0);
		slb_put16(pkt->to + word, 0xffff - slb_transport_sum(want));
		slb_rewrite(test, pkt, SLB_REWRITE_NAT, pkt->hlen);
		KUNIT_ASSERT_EQ(test, slb_get16(pkt->bytes + pkt->check),
				pkt->proto == IPPROTO_UDP ? 0xffff : 0);
		KUNIT_ASSERT_EQ(test, slb_transport_sum(pkt), 0xffff);

		/* an address that does so for the pseudo header: a sum that
		 * is not inverted is written as 0xffff
		 */
		slb_put16(pkt->bytes + pkt->check, slb_pseudo(pkt));
		word = 2 * slb_rnd(rnd, pkt->alen);
		*want = *pkt;
		slb_set_ends(want, want->to);
		at = want->bytes + slb_ends(want) + word;
		slb_put16(at, 0);
		slb_put16(pkt->to + word, 0xffff - slb_pseudo(want));
		slb_rewrite(test, pkt, SLB_REWRITE_NAT | SLB_REWRITE_PARTIAL,
			    pkt->hlen);
		KUNIT_ASSERT_EQ(test, slb_get16(pkt->bytes + pkt->check),
				0xffff);
	}
}

/* Rewrite a packet both ways, with any checksum. */
static void slb_check_slow(struct kunit *test, enum slb_slow_way way,
			   bool partial)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt, *want = &t->want;
	u32 had = slb_get16(pkt->bytes + pkt->check);

	slb_slow_restrict(pkt, way);
	*want = *pkt;
	slb_slow(want, way, partial);
	slb_rewrite(test, pkt, SLB_REWRITE_NAT |
		    (partial ? SLB_REWRITE_PARTIAL : 0), pkt->hlen);
	if (pkt->check)
		KUNIT_ASSERT_EQ_MSG(test, slb_get16(pkt->bytes + pkt->check),
				    slb_get16(want->bytes + pkt->check),
				    "had %04x, way %d, partial %d, v6 %d, protocol %u",
				    had, way, partial, pkt->v6, pkt->proto);
	slb_check_bytes(test, pkt, want);
}

/* Make the checksum of the IP header either zero. */
static void slb_zero_ip_check(struct slb_packet *pkt, struct rnd_state *rnd)
{
	u8 *id = pkt->bytes + 4;

	if (pkt->v6)
		return;
	slb_put16(id, 0);
	slb_set_ip_check(pkt);
	slb_put16(id, slb_get16(pkt->bytes + IP_CHECK));
	slb_put16(pkt->bytes + IP_CHECK, slb_once_in(rnd, 2) ? 0 : 0xffff);
}

static void slb_slow_ways(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt;
	bool partial;
	int i;

	for (i = 0; i < SLB_RUNS * 4; i++) {
		slb_packet_make(pkt, rnd);
		partial = slb_once_in(rnd, 2);
		if (pkt->check && partial)
			slb_put16(pkt->bytes + pkt->check, slb_pseudo(pkt));
		/* wrong checksums stay wrong */
		if (pkt->check && slb_once_in(rnd, 2))
			slb_put16(pkt->bytes + pkt->check,
				  1 + slb_rnd(rnd, 0xffff));
		if (slb_once_in(rnd, 4))
			slb_zero_ip_check(pkt, rnd);
		slb_check_slow(test, i % SLB_SLOW_WAYS, partial);
	}
}

/* An address that is the same word all over, and a port. */
static void slb_set_end(struct slb_packet *pkt, u8 *ends, bool dst, u32 addr,
			u32 port)
{
	u32 i;

	for (i = 0; i < pkt->alen; i += 4) {
		slb_put16(ends + dst * pkt->alen + i, addr >> 16);
		slb_put16(ends + dst * pkt->alen + i + 2, addr);
	}
	slb_put16(ends + 2 * (pkt->alen + dst), port);
}

/* Rewrites at the edges of the ones' complement. */
static void slb_test_slow_edges(struct kunit *test)
{
	static const u16 checks[] = { 0x0000, 0x0001, 0x8000, 0xfffe, 0xffff };
	static const u32 addrs[] = { 0x00000000, 0x00000001, 0x0000ffff,
				     0xffff0000, 0xfffffffe, 0xffffffff };
	static const u16 ports[] = { 0x0000, 0x0001, 0xfffe, 0xffff };
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt;
	u32 i, n, last = 0, done = 0;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 1);
	for (i = 0; !last; i++) {
		bool udp = i & 1, partial = i & 2, v6 = i & 4;
		u32 addr, toaddr, port, toport, check;
		enum slb_slow_way way;
		u8 ends[SLB_ENDS];

		/* each number has its digit in i */
		n = i / 8;
		way = n % SLB_SLOW_WAYS;
		n /= SLB_SLOW_WAYS;
		check = checks[n % ARRAY_SIZE(checks)];
		n /= ARRAY_SIZE(checks);
		addr = addrs[n % ARRAY_SIZE(addrs)];
		n /= ARRAY_SIZE(addrs);
		toaddr = addrs[n % ARRAY_SIZE(addrs)];
		n /= ARRAY_SIZE(addrs);
		port = ports[n % ARRAY_SIZE(ports)];
		n /= ARRAY_SIZE(ports);
		toport = ports[n % ARRAY_SIZE(ports)];
		last = n / ARRAY_SIZE(ports);
		/* no checksum; and no sum of a pseudo header is 0 */
		if (!check && (partial ? way > SLB_SLOW_SNAT : udp))
			continue;

		slb_packet_kind(pkt, v6, udp ? IPPROTO_UDP : IPPROTO_TCP, &rnd);
		slb_get_ends(pkt, ends);
		slb_set_end(pkt, ends, false, addr, port);
		slb_set_end(pkt, ends, true, addr, port);
		slb_set_ends(pkt, ends);
		slb_set_end(pkt, pkt->to, false, toaddr, toport);
		slb_set_end(pkt, pkt->to, true, toaddr, toport);
		slb_set_ip_check(pkt);
		slb_put16(pkt->bytes + pkt->check, check);
		slb_check_slow(test, way, partial);
		done++;
	}
	KUNIT_EXPECT_GE(test, done, 4 * 8 * 4 * 6 * 6 * 4 * 4);
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

/* Type of service and time to live, compared with a header summed up in full. */
static void slb_class(struct kunit *test, struct rnd_state *rnd)
{
	struct slb_rewrite_test *t = test->priv;
	struct slb_packet *pkt = &t->pkt, *want = &t->want;
	int i;

	for (i = 0; i < SLB_RUNS; i++) {
		struct slb_extra extra = {
			.tos = slb_rnd(rnd, 64) << 2,
			.ttl_out = slb_rnd(rnd, 256),
			.how = slb_rnd(rnd, 8) & ~SLB_EXTRA_PRIORITY,
		};

		slb_packet_make(pkt, rnd);
		slb_set_ip_check(pkt);
		*want = *pkt;
		if (extra.how & SLB_EXTRA_TTL)
			*slb_ttl(want) = extra.ttl_out;
		if (extra.how & SLB_EXTRA_TOS && pkt->v6)
			slb_put16(want->bytes, (slb_get16(pkt->bytes) & ~0xfc0) |
					       extra.tos << 4);
		else if (extra.how & SLB_EXTRA_TOS)
			want->bytes[1] = (pkt->bytes[1] & 3) | extra.tos;
		slb_set_ip_check(want);
		slb_rewrite_class(pkt->bytes, &extra);
		slb_check_bytes(test, pkt, want);
	}
}

static void slb_test_class(struct kunit *test)
{
	slb_run_seeds(test, slb_class);
}

static void slb_test_slow(struct kunit *test)
{
	slb_run_seeds(test, slb_slow_ways);
}

static int slb_rewrite_test_init(struct kunit *test)
{
	/* IPv4 and IPv6, alone and with UDP, SCTP and TCP */
	static const u32 sizes[] = { 20, 28, 32, 40, 48, 52, 60 };
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
	KUNIT_CASE(slb_test_class),
	KUNIT_CASE(slb_test_slow),
	KUNIT_CASE(slb_test_slow_edges),
	{}
};

static struct kunit_suite slb_suite = {
	.name = "shadowlb-rewrite",
	.init = slb_rewrite_test_init,
	.test_cases = slb_rewrite_cases,
};

MODULE_DESCRIPTION("KUnit suite of shadowlb's rewriter");
