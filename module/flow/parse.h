/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The header parser: from the bytes of a packet to the key of the flow, and to the reason
 * if a flow must not serve the packet. Inline, because each hit runs through this.
 *
 * The parser works on plain bytes, from an skb or a frame. Unusual packets are for the slow
 * path. Where their ports can be found, the key is set all the same: then the flow can be
 * ended (TCP SYN, FIN, RST), or suspended until the slow path has handled the packet, which
 * keeps the packets of a connection in order.
 */
#ifndef _SLB_PARSE_H
#define _SLB_PARSE_H

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/sctp.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/dsfield.h>
#include <net/inet_ecn.h>
#include <net/ip.h>

#include "flow/flow.h"
#include "flow/reason.h"

/* Bytes of headers of a packet that a flow serves: IPv6 and TCP, no options. */
#define SLB_HEAD_LEN	60

/**
 * enum slb_opens - what a packet that ends a flow does besides
 * @SLB_OPENS_NOTHING: it closes a connection, or sets one up further
 * @SLB_OPENS: it opens a connection: TCP SYN, SCTP INIT
 * @SLB_OPENS_BACK: it opens the way back: TCP SYN with ACK
 */
enum slb_opens {
	SLB_OPENS_NOTHING,
	SLB_OPENS,
	SLB_OPENS_BACK,
};

/**
 * struct slb_pkt - result of the parser
 * @key4: the key of the packet's flow, if @has_key and not @v6
 * @key6: the key of the packet's flow, if @has_key and @v6
 * @hash: room for the key's hash; not set by the parser
 * @len: length by the IP header, in bytes, that header included
 * @hlen: bytes of headers, options of TCP and chunks of SCTP apart:
 *	SLB_HEAD_LEN at most for a packet that a flow may serve
 * @tos: type of service or traffic class, less the ECN bits
 * @ecn: a bit for the ECN codepoint
 * @proto: IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP, if @has_key
 * @v6: an IPv6 packet
 * @has_key: the key is valid, even if the packet itself must go slow
 * @ends: a TCP flag or SCTP chunk that ends the flow
 * @opens: enum slb_opens; set only if @ends
 * @nocsum: UDP without a checksum
 */
struct slb_pkt {
	union {
		struct slb_key4	key4;
		struct slb_key6	key6;
	};
	u32		hash;
	u32		len;
	u8		hlen;
	u8		tos;
	u8		ecn;
	u8		proto;
	bool		v6;
	bool		has_key;
	bool		ends;
	bool		nocsum;
	u8		opens;
};

static __always_inline u32 slb_parse_hlen_min(u8 proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return sizeof(struct tcphdr);
	case IPPROTO_UDP:
		return sizeof(struct udphdr);
	case IPPROTO_SCTP:
		return sizeof(struct sctphdr);
	default:
		return 0;
	}
}

/* set_sctp_state() goes by the first chunk, and takes chunks of unknown type for
 * data.
 */
static inline enum slb_reason
slb_parse_chunk(const struct sctp_chunkhdr *ch, struct slb_pkt *pkt)
{
	switch (ch->type) {
	case SCTP_CID_INIT:
	case SCTP_CID_INIT_ACK:
	case SCTP_CID_ABORT:
	case SCTP_CID_SHUTDOWN:
	case SCTP_CID_SHUTDOWN_ACK:
	case SCTP_CID_ERROR:
	case SCTP_CID_COOKIE_ECHO:
	case SCTP_CID_COOKIE_ACK:
	case SCTP_CID_SHUTDOWN_COMPLETE:
		pkt->ends = true;
		pkt->opens = ch->type == SCTP_CID_INIT ? SLB_OPENS :
							 SLB_OPENS_NOTHING;
		return SLB_MISS_FLAGS;
	default:
		return 0;
	}
}

/* The transport header, of which avail bytes can be read and len are there. */
static __always_inline enum slb_reason
slb_parse_transport(const void *data, u32 avail, u32 len, struct slb_pkt *pkt)
{
	const struct udphdr *uh = data;
	const struct tcphdr *th = data;
	const struct sctphdr *sh = data;
	u32 need = slb_parse_hlen_min(pkt->proto);
	__be32 flags;

	if (avail < need || len < need)
		return SLB_MISS_SHORT;
	switch (pkt->proto) {
	case IPPROTO_TCP:
		flags = tcp_flag_word(th) & (TCP_FLAG_SYN | TCP_FLAG_FIN |
					     TCP_FLAG_RST | TCP_FLAG_ACK);
		if (flags != TCP_FLAG_ACK) {
			pkt->ends = flags & ~TCP_FLAG_ACK;
			pkt->opens = !(flags & TCP_FLAG_SYN) ? SLB_OPENS_NOTHING :
				     flags & TCP_FLAG_ACK ? SLB_OPENS_BACK : SLB_OPENS;
			return SLB_MISS_FLAGS;
		}
		if (th->doff < 5 || len < th->doff * 4)
			return SLB_MISS_SHORT;
		return 0;
	case IPPROTO_UDP:
		pkt->nocsum = !uh->check;
		if (ntohs(uh->len) < sizeof(*uh) || ntohs(uh->len) > len)
			return SLB_MISS_SHORT;
		return 0;
	default:
		need += sizeof(struct sctp_chunkhdr);
		if (avail < need || len < need)
			return SLB_MISS_SHORT;
		return slb_parse_chunk((const void *)(sh + 1), pkt);
	}
}

static __always_inline void slb_parse_dsfield(u8 dsfield, struct slb_pkt *pkt)
{
	pkt->tos = dsfield & ~INET_ECN_MASK;
	pkt->ecn = 1 << (dsfield & INET_ECN_MASK);
}

static __always_inline void slb_pkt_init(struct slb_pkt *pkt, bool v6)
{
	pkt->v6 = v6;
	pkt->has_key = false;
	pkt->ends = false;
	pkt->nocsum = false;
}

/**
 * slb_parse_ipv4() - parse an IPv4 packet
 * @data: the packet, from its IP header
 * @avail: bytes that can be read there: IP header and a TCP header without options, or
 *	the whole packet if shorter
 * @iif: index of the ingress device
 * @pkt: set to the result
 *
 * Checksum and lengths of the IP header are verified elsewhere: by ip_rcv_core() before the
 * netfilter hook, by slb_frame_valid() after the parser in XDP. No byte beyond @avail is
 * read, whatever the lengths say.
 *
 * Context: any.
 * Return: 0 if a flow may serve the packet, or the reason: SLB_MISS_PROTO,
 *	SLB_MISS_SHORT, SLB_MISS_OPTIONS, SLB_MISS_FRAGMENT, SLB_MISS_FLAGS,
 *	SLB_MISS_TTL or SLB_MISS_META (a device index that fits no key).
 */
static __always_inline enum slb_reason
slb_parse_ipv4(const void *data, u32 avail, u32 iif, struct slb_pkt *pkt)
{
	const struct iphdr *iph = data;
	const __be32 *ports;
	u32 thoff, need, ihl;
	enum slb_reason reason;
	u8 proto;

	slb_pkt_init(pkt, false);
	if (avail < sizeof(*iph))
		return SLB_MISS_SHORT;
	ihl = iph->ihl;
	if (iph->version != 4 || ihl < 5)
		return SLB_MISS_SHORT;

	proto = iph->protocol;
	need = slb_parse_hlen_min(proto);
	if (!need)
		return SLB_MISS_PROTO;
	if (iif > SLB_IIF_MAX)
		return SLB_MISS_META;
	if (iph->frag_off & htons(IP_OFFSET))
		return SLB_MISS_FRAGMENT;

	thoff = ihl * 4;
	if (avail < thoff + sizeof(*ports))
		return SLB_MISS_SHORT;
	ports = data + thoff;
	pkt->key4.saddr = iph->saddr;
	pkt->key4.daddr = iph->daddr;
	pkt->key4.ports = *ports;
	pkt->key4.iif_proto = iif << 8 | proto;
	pkt->proto = proto;
	pkt->has_key = true;

	pkt->len = ntohs(iph->tot_len);
	pkt->hlen = thoff + need;
	slb_parse_dsfield(iph->tos, pkt);
	if (pkt->len < pkt->hlen)
		return SLB_MISS_SHORT;
	reason = slb_parse_transport(ports, avail - thoff, pkt->len - thoff, pkt);
	if (reason)
		return reason;
	if (iph->frag_off & htons(IP_MF))
		return SLB_MISS_FRAGMENT;
	if (ihl > 5)
		return SLB_MISS_OPTIONS;
	if (iph->ttl <= 1)
		return SLB_MISS_TTL;
	return 0;
}

/**
 * slb_parse_ipv6() - parse an IPv6 packet
 * @data: the packet, from its IPv6 header
 * @avail: bytes that can be read there: IPv6 header and a TCP header without options, or
 *	the whole packet if shorter
 * @iif: index of the ingress device
 * @pkt: set to the result
 *
 * Packets with extension headers have no key: finding their ports is left to the slow
 * path.
 *
 * Context: any.
 * Return: as slb_parse_ipv4(); SLB_MISS_OPTIONS and SLB_MISS_FRAGMENT tell of
 *	extension headers.
 */
static __always_inline enum slb_reason
slb_parse_ipv6(const void *data, u32 avail, u32 iif, struct slb_pkt *pkt)
{
	const struct ipv6hdr *iph = data;
	const __be32 *ports;
	enum slb_reason reason;
	u8 proto;
	u32 need;

	slb_pkt_init(pkt, true);
	if (avail < sizeof(*iph) || iph->version != 6)
		return SLB_MISS_SHORT;

	proto = iph->nexthdr;
	switch (proto) {
	case NEXTHDR_FRAGMENT:
		return SLB_MISS_FRAGMENT;
	case NEXTHDR_HOP:
	case NEXTHDR_ROUTING:
	case NEXTHDR_DEST:
	case NEXTHDR_AUTH:
		return SLB_MISS_OPTIONS;
	}
	need = slb_parse_hlen_min(proto);
	if (!need)
		return SLB_MISS_PROTO;
	if (iif > SLB_IIF_MAX)
		return SLB_MISS_META;

	if (avail < sizeof(*iph) + sizeof(*ports))
		return SLB_MISS_SHORT;
	ports = (const __be32 *)(iph + 1);
	pkt->key6.saddr = iph->saddr;
	pkt->key6.daddr = iph->daddr;
	pkt->key6.ports = *ports;
	pkt->key6.iif_proto = iif << 8 | proto;
	pkt->proto = proto;
	pkt->has_key = true;

	pkt->len = sizeof(*iph) + ntohs(iph->payload_len);
	pkt->hlen = sizeof(*iph) + need;
	slb_parse_dsfield(ipv6_get_dsfield(iph), pkt);
	if (pkt->len < pkt->hlen)
		return SLB_MISS_SHORT;
	reason = slb_parse_transport(ports, avail - sizeof(*iph),
				     pkt->len - sizeof(*iph), pkt);
	if (reason)
		return reason;
	if (iph->hop_limit <= 1)
		return SLB_MISS_TTL;
	return 0;
}

/**
 * slb_pkt_keyless() - true if a packet without a key may belong to a flow
 * @pkt: the packet
 * @reason: result of the parser
 *
 * Context: any.
 */
static inline bool slb_pkt_keyless(const struct slb_pkt *pkt, enum slb_reason reason)
{
	return !pkt->has_key &&
	       (reason == SLB_MISS_FRAGMENT || reason == SLB_MISS_OPTIONS);
}

#endif /* _SLB_PARSE_H */
