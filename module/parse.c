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
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/string.h>
#include <net/inet_ecn.h>
#include <net/ip.h>

#include "parse.h"

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
	const struct tcphdr *th;
	const __be16 *ports;
	u32 thoff, need;

	pkt->has_key = false;
	pkt->ends = false;
	pkt->nocsum = false;
	if (avail < sizeof(*iph))
		return SLB_MISS_SHORT;
	if (iph->version != 4 || iph->ihl < 5)
		return SLB_MISS_SHORT;

	if (iph->protocol == IPPROTO_TCP)
		need = sizeof(struct tcphdr);
	else if (iph->protocol == IPPROTO_UDP)
		need = sizeof(struct udphdr);
	else
		return SLB_MISS_PROTO;
	if (iif > SLB_IIF_MAX)
		return SLB_MISS_META;
	if (iph->frag_off & htons(IP_OFFSET))
		return SLB_MISS_FRAGMENT;

	thoff = iph->ihl * 4;
	if (avail < thoff + 2 * sizeof(*ports))
		return SLB_MISS_SHORT;
	ports = data + thoff;
	pkt->key.saddr = iph->saddr;
	pkt->key.daddr = iph->daddr;
	pkt->key.sport = ports[0];
	pkt->key.dport = ports[1];
	pkt->key.iif_proto = iif << 8 | iph->protocol;
	pkt->has_key = true;

	pkt->len = ntohs(iph->tot_len);
	pkt->hlen = thoff + need;
	pkt->tos = iph->tos & ~INET_ECN_MASK;
	if (avail < pkt->hlen || pkt->len < pkt->hlen)
		return SLB_MISS_SHORT;
	if (iph->protocol == IPPROTO_TCP) {
		th = data + thoff;
		if (th->syn || th->fin || th->rst) {
			pkt->ends = true;
			return SLB_MISS_FLAGS;
		}
		if (!th->ack)
			return SLB_MISS_FLAGS;
		if (th->doff < 5 || pkt->len < thoff + th->doff * 4)
			return SLB_MISS_SHORT;
	} else {
		pkt->nocsum = !((const struct udphdr *)(data + thoff))->check;
	}
	if (iph->frag_off & htons(IP_MF))
		return SLB_MISS_FRAGMENT;
	if (iph->ihl > 5)
		return SLB_MISS_OPTIONS;
	if (iph->ttl <= 1)
		return SLB_MISS_TTL;
	return SLB_HIT;
}
