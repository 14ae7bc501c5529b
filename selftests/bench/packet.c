// SPDX-License-Identifier: GPL-2.0
/* Packets as a driver would hand them over, checksums verified by the device. */
#include <linux/bpf.h>
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>

#include "bench.h"

static const u8 slb_bench_sender[ETH_ALEN] = { 0x02, 0, 0x0a, 0x09, 0, 0x02 };

static void slb_bench_addr(union nf_inet_addr *addr, bool v6, u32 add)
{
	__be32 *word = v6 ? &addr->ip6[3] : &addr->ip;

	*word = htonl(ntohl(*word) + add);
}

/* Bytes of a packet's memory, such that the kernel takes it from a page. */
#define SLB_BENCH_PAGED	1792

static void slb_bench_ip(struct sk_buff *skb, const struct slb_bench_job *job,
			 const union nf_inet_addr *src,
			 const union nf_inet_addr *dst)
{
	struct ipv6hdr *ip6h;
	struct iphdr *iph;

	if (job->v6) {
		ip6h = skb_put_zero(skb, sizeof(*ip6h));
		ip6h->version = 6;
		ip6h->payload_len = htons(job->len - sizeof(*ip6h));
		ip6h->nexthdr = job->proto;
		ip6h->hop_limit = 64;
		ip6h->saddr = src->in6;
		ip6h->daddr = dst->in6;
	} else {
		iph = skb_put_zero(skb, sizeof(*iph));
		iph->version = 4;
		iph->ihl = 5;
		iph->tot_len = htons(job->len);
		iph->frag_off = htons(IP_DF);
		iph->ttl = 64;
		iph->protocol = job->proto;
		iph->saddr = src->ip;
		iph->daddr = dst->ip;
		ip_send_check(iph);
	}
}

static __sum16 *slb_bench_transport(struct sk_buff *skb,
				    const struct slb_bench_job *job,
				    u16 sport, u16 dport, u32 len)
{
	struct tcphdr *th;
	struct udphdr *uh;

	if (job->proto == IPPROTO_TCP) {
		th = skb_put_zero(skb, sizeof(*th));
		th->source = htons(sport);
		th->dest = htons(dport);
		th->doff = sizeof(*th) / 4;
		((u8 *)th)[13] = job->flags;
		th->window = htons(1000);
		return &th->check;
	}
	uh = skb_put_zero(skb, sizeof(*uh));
	uh->source = htons(sport);
	uh->dest = htons(dport);
	uh->len = htons(len);
	return &uh->check;
}

/**
 * slb_bench_packet() - build a packet
 * @job: of which kind
 * @flow: of which flow, below @job->flows
 *
 * Context: process.
 * Return: the packet, its link-layer header pulled, or NULL.
 */
struct sk_buff *slb_bench_packet(const struct slb_bench_job *job, u32 flow)
{
	union nf_inet_addr src = job->src, dst = job->dst;
	u32 iplen = job->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	u16 sport = job->sport, dport = job->dport;
	u32 len = job->len - iplen;
	struct sk_buff *skb;
	struct ethhdr *eth;
	__sum16 *check;
	__wsum sum;

	if (job->vary_src) {
		slb_bench_addr(&src, job->v6, flow / job->ports);
		sport += flow % job->ports;
	} else {
		slb_bench_addr(&dst, job->v6, flow / job->ports);
		dport += flow % job->ports;
	}
	/* as drivers leave room that expect tunnels, or run XDP: those have memory of pages,
	 * which veth hands to XDP as it is
	 */
	skb = netdev_alloc_skb_ip_align(job->dev, job->what == SLB_BENCH_TRIP ?
					SLB_BENCH_PAGED :
					ETH_HLEN + job->len + 256);
	if (!skb)
		return NULL;
	skb_reserve(skb, job->what == SLB_BENCH_TRIP ? XDP_PACKET_HEADROOM :
						       128);
	eth = skb_put(skb, ETH_HLEN);
	ether_addr_copy(eth->h_dest, job->dev->dev_addr);
	ether_addr_copy(eth->h_source, slb_bench_sender);
	eth->h_proto = job->v6 ? htons(ETH_P_IPV6) : htons(ETH_P_IP);
	slb_bench_ip(skb, job, &src, &dst);
	check = slb_bench_transport(skb, job, sport, dport, len);
	skb_put_zero(skb, ETH_HLEN + job->len - skb->len);
	memcpy(skb_tail_pointer(skb) - sizeof(job->stamp), &job->stamp,
	       sizeof(job->stamp));
	sum = csum_partial(skb->data + ETH_HLEN + iplen, len, 0);
	*check = job->v6 ? csum_ipv6_magic(&src.in6, &dst.in6, len, job->proto,
					   sum) :
			   csum_tcpudp_magic(src.ip, dst.ip, len, job->proto,
					     sum);
	if (!*check)
		*check = CSUM_MANGLED_0;
	skb->protocol = eth_type_trans(skb, job->dev);
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb_record_rx_queue(skb, 0);
	return skb;
}
