/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets without a key: fragments without ports, or with IPv6 extension headers.
 *
 * Such a packet cannot suspend its flow, but later packets of the flow must not overtake. A
 * driver hands over many packets at once, which all pass the hooks before the first of them
 * goes on. So packets between the same addresses stay on the slow path for up to two jiffies.
 *
 *  operation       | locking
 * -----------------+---------------------------------------------------------
 *  all             | BH off, this CPU
 */
#ifndef _SLB_KEYLESS_H
#define _SLB_KEYLESS_H

#include <linux/hash.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jiffies.h>
#include <linux/log2.h>

/* Pairs of addresses, by hash. */
#define SLB_KEYLESS	64

/**
 * struct slb_keyless - times of the last packets without a key
 * @last: jiffies, of any
 * @at: jiffies, by hash of the addresses
 */
struct slb_keyless {
	u32	last;
	u32	at[SLB_KEYLESS];
};

static inline u32 *slb_keyless_at(struct slb_keyless *k, const void *ip, bool v6)
{
	const struct ipv6hdr *ip6h = ip;
	const struct iphdr *iph = ip;
	__be32 mix;

	mix = v6 ? ip6h->saddr.s6_addr32[0] ^ ip6h->saddr.s6_addr32[3] ^
		   ip6h->daddr.s6_addr32[0] ^ ip6h->daddr.s6_addr32[3] :
		   iph->saddr ^ iph->daddr;
	return &k->at[hash_32((__force u32)mix, ilog2(SLB_KEYLESS))];
}

/**
 * slb_keyless_record() - record a packet without a key
 * @k: of this CPU
 * @ip: IP header of the packet
 * @v6: an IPv6 packet
 *
 * Context: BH off.
 */
static inline void slb_keyless_record(struct slb_keyless *k, const void *ip,
				      bool v6)
{
	k->last = jiffies;
	*slb_keyless_at(k, ip, v6) = jiffies;
}

/**
 * slb_keyless_recent() - true if a packet might overtake a packet without a key
 * @k: of this CPU
 * @ip: IP header of the packet
 * @v6: an IPv6 packet
 *
 * Context: BH off.
 */
static inline bool slb_keyless_recent(struct slb_keyless *k, const void *ip,
				      bool v6)
{
	u32 now = jiffies;

	return unlikely(now - k->last <= 1) &&
	       now - *slb_keyless_at(k, ip, v6) <= 1;
}

#endif /* _SLB_KEYLESS_H */
