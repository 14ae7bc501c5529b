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

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jhash.h>
#include <linux/jiffies.h>

/* Pairs of addresses, by hash; a power of two. */
#define SLB_KEYLESS	1024

/**
 * struct slb_keyless - times of the last packets without a key
 * @last: jiffies, of any
 * @seed: seed of the hash; does not change. Nobody can choose addresses to meet those of others
 * @at: low bits of jiffies, by hash of the addresses
 */
struct slb_keyless {
	u32	last;
	u32	seed;
	u16	at[SLB_KEYLESS];
};

static inline u16 *slb_keyless_at(struct slb_keyless *k, const void *ip, bool v6)
{
	const struct ipv6hdr *ip6h = ip;
	const struct iphdr *iph = ip;
	u32 hash;

	/* source and destination are neighbours */
	if (v6)
		hash = jhash2((const u32 *)&ip6h->saddr, 2 * sizeof(ip6h->saddr) / sizeof(u32),
			      k->seed);
	else
		hash = jhash_2words((__force u32)iph->saddr, (__force u32)iph->daddr, k->seed);
	return &k->at[hash % SLB_KEYLESS];
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
	       (u16)(now - *slb_keyless_at(k, ip, v6)) <= 1;
}

#endif /* _SLB_KEYLESS_H */
