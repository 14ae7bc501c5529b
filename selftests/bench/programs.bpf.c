// SPDX-License-Identifier: GPL-2.0
/*
 * What shadowlb's program is compared with: one that does nothing, which stands for what it
 * costs to run any, one that swaps MAC addresses, and one that does in BPF the least that a
 * balancer by direct routing does: parse, look up, write the MAC addresses. And the ends of
 * a round trip by XDP: the client's, which lets packets by, and the real server's, which
 * sends them back.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct key {
	__be32	saddr;
	__be32	daddr;
	__be16	sport;
	__be16	dport;
	__u32	proto;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct key);
	__type(value, unsigned char[16]);
} flows SEC(".maps");

SEC("xdp")
int nothing(struct xdp_md *ctx)
{
	return XDP_TX;
}

static __always_inline void swap_mac(struct ethhdr *eth)
{
	unsigned char mac[ETH_ALEN];

	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
}

SEC("xdp")
int swap(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	swap_mac(eth);
	return XDP_TX;
}

SEC("xdp")
int client(struct xdp_md *ctx)
{
	return XDP_PASS;
}

/* The checksums stay right; ports are at the same place for TCP. */
SEC("xdp")
int server(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *iph = (void *)(eth + 1);
	struct udphdr *uh = (void *)(iph + 1);
	__be32 addr;
	__be16 port;

	if ((void *)(uh + 1) > (void *)(long)ctx->data_end ||
	    eth->h_proto != bpf_htons(ETH_P_IP) || iph->ihl != 5)
		return XDP_DROP;
	swap_mac(eth);
	addr = iph->saddr;
	iph->saddr = iph->daddr;
	iph->daddr = addr;
	port = uh->source;
	uh->source = uh->dest;
	uh->dest = port;
	return XDP_TX;
}

/* Learns by itself, the first time. */
SEC("xdp")
int plain(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *iph = (void *)(eth + 1);
	struct udphdr *uh = (void *)(iph + 1);
	unsigned char *mac, new[16] = { 2, 0, 10, 9, 1, 2 };
	struct key key = {};

	if ((void *)(uh + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) ||
	    iph->ihl != 5 || iph->frag_off & bpf_htons(0x3fff) ||
	    (iph->protocol != IPPROTO_TCP && iph->protocol != IPPROTO_UDP))
		return XDP_PASS;
	key.saddr = iph->saddr;
	key.daddr = iph->daddr;
	key.sport = uh->source;
	key.dport = uh->dest;
	key.proto = iph->protocol;
	mac = bpf_map_lookup_elem(&flows, &key);
	if (!mac) {
		bpf_map_update_elem(&flows, &key, new, BPF_ANY);
		return XDP_PASS;
	}
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
	return XDP_TX;
}

char _license[] SEC("license") = "GPL";
