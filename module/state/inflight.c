// SPDX-License-Identifier: GPL-2.0
/*
 * Records of packets at the entry of the slow path, for comparison at its end.
 *
 *  operation          | locking
 * --------------------+------------------------------------------------------
 *  all                | BH off, this CPU
 *
 * The address of the skb identifies a packet, on the CPU that received the packet. For a
 * tunnel IPVS may copy the skb, to make room for the outer header or to unshare: then the inner
 * header identifies the packet. Neither is a proof, as an skb may be freed on the way and its
 * memory reused. The caller compares what proves a flow. Packets that were copied or queued
 * otherwise are not recognised.
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
#include "state/valid.h"

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
 * slb_inflight_add() - record a packet that goes into the slow path
 * @inf: records of this CPU
 * @net: the namespace
 * @skb: the packet
 * @pkt: result of the parser
 * @pair: addresses of the packet
 * @reason: why no flow served the packet
 * @learnable: a flow may be learned or renewed from this packet
 *
 * Context: BH off.
 * Return: the record; the caller adds the checksum of the rest.
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
	rec->multipath = false;
	rec->by = slb_inflight_by();
	rec->partial = skb->ip_summed == CHECKSUM_PARTIAL;
	rec->untracked = skb_get_nfct(skb);
	if (skb_copy_bits(skb, 0, rec->head, pkt->hlen))
		rec->skb = NULL;
	return rec;
}

/**
 * slb_inflight_forward() - record the route that a packet is forwarded by
 * @inf: records of this CPU
 * @skb: the packet
 * @v6: an IPv6 packet
 *
 * ip_forward() has compared the packet's length with this route. IPVS may replace the route
 * later (net.ipv4.vs.snat_reroute).
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
	rec->multipath = v6 && slb_valid_multipath6(dst);
}

/**
 * slb_inflight_rest() - compute a checksum of the bytes behind a packet's headers
 * @skb: the packet
 * @offset: length of the headers, in bytes
 *
 * Rules may change payload and TCP options. The checksum in the header need not change with
 * them: a device may compute that later, or there is none.
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

/* True if the transport header is that of the recorded packet. */
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

/* The record of a packet that is in a tunnel now, by its inner header. Records that are not
 * learnable have only addresses and ports for a comparison. They come last: otherwise a stale
 * record would match every packet of its connection.
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
 * slb_inflight_take() - find and remove the record of a packet
 * @inf: records of this CPU
 * @skb: a packet at the end of the slow path
 *
 * Context: BH off.
 * Return: the likely record of the packet, valid until the next slb_inflight_add(), or NULL.
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
	/* in a tunnel the skb may be a copy, at the address of an earlier packet's skb */
	if (offset > 0 &&
	    !(rec && rec->learnable && slb_inflight_same(rec, skb, offset)))
		inner = slb_inflight_inner(inf, skb, offset);
	if (inner)
		rec = inner;
	if (rec)
		rec->skb = NULL;
	return rec;
}
