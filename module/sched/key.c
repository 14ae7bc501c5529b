// SPDX-License-Identifier: GPL-2.0
/* A hash of a packet, to choose the real server: the same on every machine. */
#include <linux/sctp.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/ipv6.h>

#include <compat/ip_vs.h>

#include "sched/flags.h"
#include "sched/key.h"

/* All in network byte order; an IPv4 address is the first word. */
struct slb_key {
	__be32	client[4];
	__be32	virtual[4];
	__be16	client_port;
	__be16	virtual_port;
	u8	proto;
	u8	zero[3];
};

static void slb_key_addr(__be32 to[4], int af, const union nf_inet_addr *addr)
{
	if (af == AF_INET6)
		memcpy(to, addr->ip6, sizeof(addr->ip6));
	else
		to[0] = addr->ip;
}

/* The network of a client, by a mask for IPv4, and by a prefix length for IPv6. */
static void slb_key_network(__be32 client[4], const struct ip_vs_service *svc)
{
	struct in6_addr addr;

	if (svc->af != AF_INET6) {
		client[0] &= svc->netmask;
		return;
	}
	memcpy(&addr, client, sizeof(addr));
	ipv6_addr_prefix((struct in6_addr *)client, &addr, (__force u32)svc->netmask);
}

/* The ports stand first in TCP, UDP and SCTP, also in packets that ICMP quotes. */
static void slb_key_ports(struct slb_key *k, const struct sk_buff *skb,
			  const struct ip_vs_iphdr *iph, bool inverse)
{
	__be16 buffer[2];
	const __be16 *port;

	port = skb_header_pointer(skb, iph->len, sizeof(buffer), buffer);
	if (!port)
		return;
	k->client_port = port[inverse];
	k->virtual_port = port[!inverse];
}

/* As IPVS's templates: all connections of a client's network to a service go together. */
static void slb_key_persistent(struct slb_key *k, const struct ip_vs_service *svc)
{
	slb_key_network(k->client, svc);
	k->client_port = 0;
	k->virtual_port = svc->port == FTPPORT ? 0 : svc->port;
	if (svc->fwmark) {
		memset(k->virtual, 0, sizeof(k->virtual));
		k->virtual[0] = htonl(svc->fwmark);
		k->proto = 0;
	}
}

/**
 * slb_key_hash() - hash a packet, to choose the real server
 * @svc: service
 * @skb: packet that IPVS schedules
 * @iph: its header, as IPVS parsed it
 * @key: of all hashes
 *
 * Client and virtual address, both ports, and protocol. Of a persistent service, the client's
 * network and the service. With the service's flag-1, the client's address or network alone.
 *
 * Context: RCU.
 */
u64 slb_key_hash(const struct ip_vs_service *svc, const struct sk_buff *skb,
		 const struct ip_vs_iphdr *iph, const siphash_key_t *key)
{
	bool inverse = ip_vs_iph_inverse(iph);
	struct slb_key k = {}, client = {};

	slb_key_addr(k.client, svc->af, inverse ? &iph->daddr : &iph->saddr);
	slb_key_addr(k.virtual, svc->af, inverse ? &iph->saddr : &iph->daddr);
	slb_key_ports(&k, skb, iph, inverse);
	k.proto = iph->protocol;
	if (svc->flags & IP_VS_SVC_F_PERSISTENT)
		slb_key_persistent(&k, svc);
	if (!(svc->flags & SLB_SCHED_F_CLIENT))
		return siphash(&k, sizeof(k), key);
	memcpy(client.client, k.client, sizeof(client.client));
	return siphash(&client, sizeof(client), key);
}

/**
 * slb_key_midway() - true if a packet that IPVS schedules does not begin a connection
 * @skb: packet
 * @iph: its header, as IPVS parsed it
 *
 * False for UDP, whose packets do not tell.
 *
 * Context: RCU.
 */
bool slb_key_midway(const struct sk_buff *skb, const struct ip_vs_iphdr *iph)
{
	struct sctp_chunkhdr chunk_buf;
	const struct sctp_chunkhdr *chunk;
	const struct tcphdr *tcp;
	struct tcphdr tcp_buf;

	if (ip_vs_iph_icmp(iph))
		return iph->protocol != IPPROTO_UDP;
	switch (iph->protocol) {
	case IPPROTO_TCP:
		tcp = skb_header_pointer(skb, iph->len, sizeof(tcp_buf), &tcp_buf);
		return tcp && !tcp->syn;
	case IPPROTO_SCTP:
		chunk = skb_header_pointer(skb, iph->len + sizeof(struct sctphdr),
					   sizeof(chunk_buf), &chunk_buf);
		return chunk && chunk->type != SCTP_CID_INIT;
	}
	return false;
}
