// SPDX-License-Identifier: GPL-2.0
/*
 * The header parser: which packets may be served by a flow at all.
 *
 * It works on plain bytes and knows nothing of where they come from. Anything
 * unusual is for the slow path, and is told by its reason. Where the ports can
 * be found all the same the key is given with the reason, so that the flow can
 * be ended (TCP SYN, FIN, RST) or held back until the slow path has dealt with
 * the unusual packet, which keeps the packets of a connection in order.
 */
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/sctp.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/string.h>
#include <net/dsfield.h>
#include <net/inet_ecn.h>
#include <net/ip.h>

#include "parse.h"

static u32 slb_proto_hlen(u8 proto)
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

/* set_sctp_state() goes by the first chunk, and takes those that it does not
 * know for data.
 */
static enum slb_stat slb_parse_chunk(const struct sctp_chunkhdr *ch,
				     struct slb_pkt *pkt)
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
		return SLB_MISS_FLAGS;
	default:
		return SLB_HIT;
	}
}

/* The transport header, of which avail bytes can be read and len are there. */
static __always_inline enum slb_stat
slb_parse_transport(const void *data, u32 avail, u32 len, struct slb_pkt *pkt)
{
	const struct udphdr *uh = data;
	const struct tcphdr *th = data;
	const struct sctphdr *sh = data;
	u32 need = slb_proto_hlen(pkt->proto);

	if (avail < need || len < need)
		return SLB_MISS_SHORT;
	switch (pkt->proto) {
	case IPPROTO_TCP:
		if (th->syn || th->fin || th->rst) {
			pkt->ends = true;
			return SLB_MISS_FLAGS;
		}
		if (!th->ack)
			return SLB_MISS_FLAGS;
		if (th->doff < 5 || len < th->doff * 4)
			return SLB_MISS_SHORT;
		return SLB_HIT;
	case IPPROTO_UDP:
		pkt->nocsum = !uh->check;
		if (ntohs(uh->len) < sizeof(*uh) || ntohs(uh->len) > len)
			return SLB_MISS_SHORT;
		return SLB_HIT;
	default:
		need += sizeof(struct sctp_chunkhdr);
		if (avail < need || len < need)
			return SLB_MISS_SHORT;
		return slb_parse_chunk((const void *)(sh + 1), pkt);
	}
}

static void slb_pkt_init(struct slb_pkt *pkt, bool v6)
{
	pkt->v6 = v6;
	pkt->has_key = false;
	pkt->ends = false;
	pkt->nocsum = false;
}

/**
 * slb_parse_ipv4() - parse an IPv4 packet
 * @data: the packet, from its IP header
 * @avail: bytes that can be read there; those of the IP header and of a TCP
 *	header without options, or as many as there are
 * @iif: index of the ingress device
 * @pkt: what was found
 *
 * The IP header's checksum and lengths have been verified by the caller's
 * kernel (ip_rcv_core() does); they are not verified again, but no byte beyond
 * @avail is read whatever they say.
 *
 * Context: any.
 * Return: SLB_HIT if a flow may serve the packet, or why not: SLB_MISS_PROTO,
 *	SLB_MISS_SHORT, SLB_MISS_OPTIONS, SLB_MISS_FRAGMENT, SLB_MISS_FLAGS,
 *	SLB_MISS_TTL or SLB_MISS_META (a device index that fits no key).
 */
enum slb_stat slb_parse_ipv4(const void *data, u32 avail, u32 iif,
			     struct slb_pkt *pkt)
{
	const struct iphdr *iph = data;
	const __be16 *ports;
	enum slb_stat why;
	u32 thoff, need;

	slb_pkt_init(pkt, false);
	if (avail < sizeof(*iph))
		return SLB_MISS_SHORT;
	if (iph->version != 4 || iph->ihl < 5)
		return SLB_MISS_SHORT;

	need = slb_proto_hlen(iph->protocol);
	if (!need)
		return SLB_MISS_PROTO;
	if (iif > SLB_IIF_MAX)
		return SLB_MISS_META;
	if (iph->frag_off & htons(IP_OFFSET))
		return SLB_MISS_FRAGMENT;

	thoff = iph->ihl * 4;
	if (avail < thoff + 2 * sizeof(*ports))
		return SLB_MISS_SHORT;
	ports = data + thoff;
	pkt->key4.saddr = iph->saddr;
	pkt->key4.daddr = iph->daddr;
	pkt->key4.sport = ports[0];
	pkt->key4.dport = ports[1];
	pkt->key4.iif_proto = iif << 8 | iph->protocol;
	pkt->proto = iph->protocol;
	pkt->has_key = true;

	pkt->len = ntohs(iph->tot_len);
	pkt->hlen = thoff + need;
	pkt->tos = iph->tos & ~INET_ECN_MASK;
	if (pkt->len < pkt->hlen)
		return SLB_MISS_SHORT;
	why = slb_parse_transport(ports, avail - thoff, pkt->len - thoff, pkt);
	if (why != SLB_HIT)
		return why;
	if (iph->frag_off & htons(IP_MF))
		return SLB_MISS_FRAGMENT;
	if (iph->ihl > 5)
		return SLB_MISS_OPTIONS;
	if (iph->ttl <= 1)
		return SLB_MISS_TTL;
	return SLB_HIT;
}

/**
 * slb_parse_ipv6() - parse an IPv6 packet
 * @data: the packet, from its IPv6 header
 * @avail: bytes that can be read there; those of the IPv6 header and of a TCP
 *	header without options, or as many as there are
 * @iif: index of the ingress device
 * @pkt: what was found
 *
 * Packets with extension headers have no key: where their ports are is for
 * the slow path to find out, and they cannot hold a flow back.
 *
 * Context: any.
 * Return: as slb_parse_ipv4(); SLB_MISS_OPTIONS and SLB_MISS_FRAGMENT tell of
 *	extension headers.
 */
enum slb_stat slb_parse_ipv6(const void *data, u32 avail, u32 iif,
			     struct slb_pkt *pkt)
{
	const struct ipv6hdr *iph = data;
	const __be16 *ports;
	enum slb_stat why;
	u32 need;

	slb_pkt_init(pkt, true);
	if (avail < sizeof(*iph) || iph->version != 6)
		return SLB_MISS_SHORT;

	switch (iph->nexthdr) {
	case NEXTHDR_FRAGMENT:
		return SLB_MISS_FRAGMENT;
	case NEXTHDR_HOP:
	case NEXTHDR_ROUTING:
	case NEXTHDR_DEST:
	case NEXTHDR_AUTH:
		return SLB_MISS_OPTIONS;
	}
	need = slb_proto_hlen(iph->nexthdr);
	if (!need)
		return SLB_MISS_PROTO;
	if (iif > SLB_IIF_MAX)
		return SLB_MISS_META;

	if (avail < sizeof(*iph) + 2 * sizeof(*ports))
		return SLB_MISS_SHORT;
	ports = (const __be16 *)(iph + 1);
	pkt->key6.saddr = iph->saddr;
	pkt->key6.daddr = iph->daddr;
	pkt->key6.sport = ports[0];
	pkt->key6.dport = ports[1];
	pkt->key6.iif_proto = iif << 8 | iph->nexthdr;
	pkt->proto = iph->nexthdr;
	pkt->has_key = true;

	pkt->len = sizeof(*iph) + ntohs(iph->payload_len);
	pkt->hlen = sizeof(*iph) + need;
	pkt->tos = ipv6_get_dsfield(iph) & ~INET_ECN_MASK;
	if (pkt->len < pkt->hlen)
		return SLB_MISS_SHORT;
	why = slb_parse_transport(ports, avail - sizeof(*iph),
				  pkt->len - sizeof(*iph), pkt);
	if (why != SLB_HIT)
		return why;
	if (iph->hop_limit <= 1)
		return SLB_MISS_TTL;
	return SLB_HIT;
}
