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
 * Return: the record; the caller sets @packets, @begins, @missed and @again.
 */
struct slb_record *slb_inflight_add(struct slb_inflight *inf, struct net *net,
				    struct sk_buff *skb, const struct slb_pkt *pkt,
				    struct slb_addr_pair pair, enum slb_reason reason,
				    bool learnable)
{
	u32 i = slb_inflight_index(skb);
	struct slb_record *rec = &inf->slot[i];

	slb_inflight_enter(inf, skb, SLB_INFLIGHT_RECORD);
	inf->records |= BIT_ULL(i);
	rec->pkt = *pkt;
	rec->pair = pair;
	rec->mark = skb->mark;
	rec->reason = reason;
	rec->learnable = learnable;
	inf->fp[i] = pkt->has_key ? slb_inflight_fp_pkt(pkt) : 0;
	if (!learnable)
		return rec;
	rec->priority = skb->priority;
	rec->bridge = slb_skb_bridged(skb) ? skb->dev->ifindex : 0;
	rec->routes = slb_ns_routes(net);
	rec->tick = slb_flow_ticks(jiffies);
	rec->mtu = U32_MAX;
	rec->multipath = false;
	rec->by = slb_inflight_by();
	rec->partial = skb->ip_summed == CHECKSUM_PARTIAL;
	rec->untracked = skb_get_nfct(skb);
	rec->rest = slb_inflight_rest(skb, pkt->hlen);
	if (skb_copy_bits(skb, 0, rec->head, pkt->hlen))
		slb_inflight_enter(inf, skb, SLB_INFLIGHT_SEEN);
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
	u32 i = slb_inflight_index(skb);
	struct slb_record *rec = &inf->slot[i];
	const struct dst_entry *dst;

	if (inf->entered[i] != ((unsigned long)skb | SLB_INFLIGHT_RECORD) ||
	    !rec->learnable || rec->pkt.v6 != v6)
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

	if (skb->len <= skb_headlen(skb))
		return offset < skb->len ?
		       crc32c(crc, skb->data + offset, skb->len - offset) : crc;
	skb_prepare_seq_read(skb, offset, skb->len, &st);
	while ((len = skb_seq_read(done, &data, &st))) {
		crc = crc32c(crc, data, len);
		done += len;
	}
	return crc;
}

/* True if the packet has the transport header, and length and identification, of the recorded
 * packet.
 */
static bool slb_inflight_same(const struct slb_record *rec, const struct sk_buff *skb,
			      int offset)
{
	u32 iplen = rec->pkt.v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	u32 len = rec->pkt.hlen - iplen;
	u8 buf[SLB_HEAD_LEN];
	const u8 *data;

	data = skb_header_pointer(skb, offset, rec->pkt.hlen, buf);
	if (!data || memcmp(data + iplen, rec->head + iplen, len))
		return false;
	return rec->pkt.v6 ||
	       !memcmp(data + offsetof(struct iphdr, tot_len),
		       rec->head + offsetof(struct iphdr, tot_len), 4);
}

/* The place of the record of a packet that is in a tunnel now, by its inner header; or -1.
 * Records that are not learnable have only addresses and ports for a comparison. They come last:
 * otherwise a stale record would match every packet of its connection.
 */
static int slb_inflight_inner(const struct slb_inflight *inf,
			      const struct sk_buff *skb, int offset)
{
	u8 buf[sizeof(struct ipv6hdr) + sizeof(__be32)];
	const struct ipv6hdr *ip6h;
	const struct iphdr *iph;
	const struct slb_record *rec;
	const __be32 *ports;
	int i, brief = -1;
	u64 left;
	u32 fp;

	/* all transport headers are long enough for this */
	iph = skb_header_pointer(skb, offset, sizeof(*iph) + 8, buf);
	if (!iph)
		return -1;
	if (iph->version == 4) {
		ports = (const __be32 *)(iph + 1);
		fp = slb_inflight_fp((__force u32)iph->saddr,
				     (__force u32)iph->daddr,
				     (__force u32)*ports);
	} else {
		ip6h = skb_header_pointer(skb, offset, sizeof(buf), buf);
		if (!ip6h)
			return -1;
		ports = (const __be32 *)(ip6h + 1);
		fp = slb_inflight_fp((__force u32)ip6h->saddr.s6_addr32[3],
				     (__force u32)ip6h->daddr.s6_addr32[3],
				     (__force u32)*ports);
	}
	for (left = inf->records; left; left &= left - 1) {
		i = __ffs64(left);
		rec = &inf->slot[i];
		if (inf->fp[i] != fp || !rec->pkt.has_key ||
		    rec->pkt.v6 != (iph->version == 6))
			continue;
		if (!rec->learnable)
			brief = i;
		else if (slb_inflight_same(rec, skb, offset))
			return i;
	}
	return brief;
}

static void slb_inflight_forget(struct slb_inflight *inf, u32 i)
{
	inf->entered[i] = 0;
	inf->records &= ~BIT_ULL(i);
}

/**
 * slb_inflight_take() - find and forget how a packet entered the slow path
 * @inf: of this CPU
 * @skb: a packet at the end of the slow path
 * @as: set to how the packet entered
 *
 * Context: BH off.
 * Return: the likely record of the packet, valid until the next slb_inflight_add(), or NULL.
 */
struct slb_record *slb_inflight_take(struct slb_inflight *inf,
				     const struct sk_buff *skb,
				     enum slb_inflight_as *as)
{
	/* without an inner header, the offset of none */
	int offset = skb_inner_network_offset(skb);
	u32 i = slb_inflight_index(skb);
	bool known = (inf->entered[i] & ~SLB_INFLIGHT_AS) == (unsigned long)skb;
	int inner = -1;

	*as = known ? inf->entered[i] & SLB_INFLIGHT_AS : SLB_INFLIGHT_UNKNOWN;
	/* in a tunnel the skb may be a copy, at the address of an earlier packet's skb */
	if (offset > 0 && inf->records &&
	    !(*as == SLB_INFLIGHT_RECORD && inf->slot[i].learnable &&
	      slb_inflight_same(&inf->slot[i], skb, offset)))
		inner = slb_inflight_inner(inf, skb, offset);
	if (known)
		slb_inflight_forget(inf, i);
	/* two brief records of a connection are as good */
	if (inner >= 0 && *as == SLB_INFLIGHT_RECORD && !inf->slot[inner].learnable &&
	    inf->fp[inner] == inf->fp[i])
		inner = -1;
	if (inner >= 0) {
		slb_inflight_forget(inf, inner);
		*as = SLB_INFLIGHT_RECORD;
		i = inner;
	}
	return *as == SLB_INFLIGHT_RECORD ? &inf->slot[i] : NULL;
}
