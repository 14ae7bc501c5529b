// SPDX-License-Identifier: GPL-2.0
/*
 * Notes on packets that enter the slow path, to be compared with what comes
 * out at its end.
 *
 *  operation          | locking
 * --------------------+------------------------------------------------------
 *  all                | BH off, this CPU
 *
 * A packet is recognised by the address of its skb, on the CPU that received
 * it. IPVS copies the skb of a packet that it tunnels where there is no room
 * for the outer header or a clone is about: such a packet is recognised by its
 * inner header. Neither proves anything: an skb may have been freed on its way
 * and its memory used for another packet. What proves a flow is for the caller
 * to compare. A packet that is copied or queued otherwise is not recognised.
 */
#include <linux/crc32c.h>
#include <linux/hash.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/ip.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/net_namespace.h>

#include <compat/bridge.h>

#include "state/inflight.h"
#include "state/ns.h"

static u32 slb_inflight_index(const struct sk_buff *skb)
{
	return hash_ptr(skb, ilog2(SLB_RECORDS));
}

/* Addresses and ports in brief, the same from a key and from a packet. */
static u32 slb_inflight_fp(u32 saddr, u32 daddr, u32 ports)
{
	return hash_32(saddr ^ rol32(daddr, 16), 32) ^ ports;
}

static u32 slb_inflight_fp_pkt(const struct slb_pkt *pkt)
{
	if (pkt->v6)
		return slb_inflight_fp((__force u32)pkt->key6.saddr.s6_addr32[3],
				       (__force u32)pkt->key6.daddr.s6_addr32[3],
				       (__force u32)pkt->key6.ports);
	return slb_inflight_fp((__force u32)pkt->key4.saddr,
			       (__force u32)pkt->key4.daddr,
			       (__force u32)pkt->key4.ports);
}

/**
 * slb_inflight_add() - note a packet that goes into the slow path
 * @inf: this CPU's notes
 * @net: the namespace
 * @skb: the packet
 * @pkt: what the parser found in it
 * @pair: its addresses
 * @reason: why it was not served
 * @learnable: a flow may be made of it: the parser had no reason against it
 *
 * Context: BH off.
 * Return: the note; what is behind the headers is the caller's to add.
 */
struct slb_record *slb_inflight_add(struct slb_inflight *inf, struct net *net,
				    const struct sk_buff *skb,
				    const struct slb_pkt *pkt, struct slb_addr_pair pair,
				    enum slb_reason reason, bool learnable)
{
	u32 i = slb_inflight_index(skb);
	struct slb_record *rec = &inf->slot[i];

	rec->skb = skb;
	rec->pkt = *pkt;
	rec->pair = pair;
	rec->mark = skb->mark;
	rec->reason = reason;
	rec->learnable = learnable;
	rec->rest_known = false;
	inf->fp[i] = pkt->has_key ? slb_inflight_fp_pkt(pkt) : 0;
	if (!learnable)
		return rec;
	rec->priority = skb->priority;
	rec->bridge = slb_skb_bridged(skb) ? skb->dev->ifindex : 0;
	rec->routes = slb_ns_routes(net);
	rec->mtu = U32_MAX;
	rec->by = slb_inflight_by();
	rec->partial = skb->ip_summed == CHECKSUM_PARTIAL;
	rec->untracked = skb_get_nfct(skb);
	if (skb_copy_bits(skb, 0, rec->head, pkt->hlen))
		rec->skb = NULL;
	return rec;
}

/**
 * slb_inflight_forward() - a packet is about to be forwarded
 * @inf: this CPU's notes
 * @skb: the packet
 * @v6: an IPv6 packet
 *
 * ip_forward() has compared its length with this route; IPVS may give it another one
 * (net.ipv4.vs.snat_reroute).
 *
 * Context: RCU, BH off.
 */
void slb_inflight_forward(struct slb_inflight *inf, const struct sk_buff *skb,
			  bool v6)
{
	struct slb_record *rec = &inf->slot[slb_inflight_index(skb)];
	const struct dst_entry *dst;

	if (rec->skb != skb || !rec->learnable || rec->pkt.v6 != v6)
		return;
	dst = skb_dst(skb);
	rec->mtu = v6 ? ip6_dst_mtu_maybe_forward(dst, true) :
			     ip_dst_mtu_maybe_forward(dst, true);
}

/**
 * slb_inflight_rest() - a checksum of what is behind a packet's headers
 * @skb: the packet
 * @offset: where that begins, in bytes
 *
 * Rules may change payload and TCP options. The checksum in the header need not follow: the
 * device computes it later, or there is none.
 *
 * Context: any.
 */
u32 slb_inflight_rest(struct sk_buff *skb, u32 offset)
{
	struct skb_seq_state st;
	unsigned int len, done = 0;
	const u8 *data;
	u32 crc = ~0;

	skb_prepare_seq_read(skb, offset, skb->len, &st);
	while ((len = skb_seq_read(done, &data, &st))) {
		crc = crc32c(crc, data, len);
		done += len;
	}
	return crc;
}

/* Is this, from its transport header on, the packet that was noted? */
static bool slb_inflight_same(const struct slb_record *rec, const struct sk_buff *skb,
			      int offset)
{
	u32 iplen = rec->pkt.v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	u32 len = rec->pkt.hlen - iplen;
	u8 buf[SLB_HEAD_LEN];
	const void *data;

	data = skb_header_pointer(skb, offset + iplen, len, buf);
	return data && !memcmp(data, rec->head + iplen, len);
}

/* The note on a packet that is in a tunnel now, by its inner header. Of one that teaches
 * nothing addresses and ports must do: so it is only the choice where no other fits, or
 * one that was left behind would be taken for every packet of its connection.
 */
static struct slb_record *slb_inflight_inner(struct slb_inflight *inf,
					     const struct sk_buff *skb, int offset)
{
	u8 buf[sizeof(struct ipv6hdr) + sizeof(__be32)];
	const struct ipv6hdr *ip6h;
	const struct iphdr *iph;
	struct slb_record *rec, *brief = NULL;
	const __be32 *ports;
	u32 fp, i;

	/* all transport headers are long enough for this */
	iph = skb_header_pointer(skb, offset, sizeof(*iph) + 8, buf);
	if (!iph)
		return NULL;
	if (iph->version == 4) {
		ports = (const __be32 *)(iph + 1);
		fp = slb_inflight_fp((__force u32)iph->saddr,
				     (__force u32)iph->daddr,
				     (__force u32)*ports);
	} else {
		ip6h = skb_header_pointer(skb, offset, sizeof(buf), buf);
		if (!ip6h)
			return NULL;
		ports = (const __be32 *)(ip6h + 1);
		fp = slb_inflight_fp((__force u32)ip6h->saddr.s6_addr32[3],
				     (__force u32)ip6h->daddr.s6_addr32[3],
				     (__force u32)*ports);
	}
	for (i = 0; i < SLB_RECORDS; i++) {
		rec = &inf->slot[i];
		if (inf->fp[i] != fp || !rec->skb || !rec->pkt.has_key ||
		    rec->pkt.v6 != (iph->version == 6))
			continue;
		if (!rec->learnable)
			brief = rec;
		else if (slb_inflight_same(rec, skb, offset))
			return rec;
	}
	return brief;
}

/**
 * slb_inflight_take() - find the note on a packet, for the last time
 * @inf: this CPU's notes
 * @skb: a packet at the end of the slow path
 *
 * Context: BH off.
 * Return: what may be the note on this packet, valid until the next one is
 *	made, or NULL.
 */
struct slb_record *slb_inflight_take(struct slb_inflight *inf,
				     const struct sk_buff *skb)
{
	struct slb_record *rec = &inf->slot[slb_inflight_index(skb)];
	/* without an inner header, the offset of none */
	int offset = skb_inner_network_offset(skb);
	struct slb_record *inner = NULL;

	if (rec->skb != skb)
		rec = NULL;
	/* in a tunnel it may be a copy, where the skb of an earlier packet was */
	if (offset > 0 &&
	    !(rec && rec->learnable && slb_inflight_same(rec, skb, offset)))
		inner = slb_inflight_inner(inf, skb, offset);
	if (inner)
		rec = inner;
	if (rec)
		rec->skb = NULL;
	return rec;
}
