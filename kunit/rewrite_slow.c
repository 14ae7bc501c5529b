// SPDX-License-Identifier: GPL-2.0
/*
 * The slow path, step by step: the checksum after each translation, the IP header after each
 * change, by the kernel's own functions and in the same order.
 *
 *  IPVS     ip_vs_proto_tcp.c, ip_vs_proto_udp.c, ip_vs_xmit.c, ip_vs_core.c
 *  nf_nat   nf_nat_proto.c
 *
 * The slow path computes checksums of SCTP anew; here they do not change.
 */
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip_vs.h>

#include "rewrite_slow.h"

/* An end of a packet, before and after. */
struct slb_slow_end {
	u8	*addr;
	u8	*port;
	__be32	oldaddr[4];
	__be32	newaddr[4];
	__be16	oldport;
	__be16	newport;
};

static void slb_slow_end(struct slb_packet *pkt, bool dst,
			 struct slb_slow_end *end)
{
	u32 addr = dst ? pkt->alen : 0;
	u32 port = 2 * pkt->alen + (dst ? 2 : 0);

	end->addr = pkt->bytes + slb_ends(pkt) + addr;
	end->port = pkt->bytes + slb_ends(pkt) + port;
	memcpy(end->oldaddr, end->addr, pkt->alen);
	memcpy(end->newaddr, pkt->to + addr, pkt->alen);
	memcpy(&end->oldport, end->port, 2);
	memcpy(&end->newport, pkt->to + port, 2);
}

static __sum16 *slb_slow_check(struct slb_packet *pkt)
{
	return (__sum16 *)(pkt->bytes + pkt->check);
}

static __wsum slb_slow_ipvs_addr(const struct slb_packet *pkt,
				 const struct slb_slow_end *end, __wsum sum)
{
	return pkt->v6 ?
	       ip_vs_check_diff16(end->oldaddr, end->newaddr, sum) :
	       ip_vs_check_diff4(end->oldaddr[0], end->newaddr[0], sum);
}

/* tcp_dnat_handler() and its kin. */
static void slb_slow_ipvs_check(struct slb_packet *pkt,
				const struct slb_slow_end *end, bool partial)
{
	__sum16 *check = slb_slow_check(pkt);
	__be16 len = htons(pkt->len - pkt->iplen);
	__wsum sum;

	if (partial) {
		sum = ip_vs_check_diff2(len, len, csum_unfold(*check));
		*check = ~csum_fold(slb_slow_ipvs_addr(pkt, end, sum));
		return;
	}
	sum = ip_vs_check_diff2(end->oldport, end->newport,
				~csum_unfold(*check));
	*check = csum_fold(slb_slow_ipvs_addr(pkt, end, sum));
	if (pkt->proto == IPPROTO_UDP && !*check)
		*check = CSUM_MANGLED_0;
}

static void slb_slow_ipvs(struct slb_packet *pkt, bool dst, bool partial)
{
	struct slb_slow_end end;

	slb_slow_end(pkt, dst, &end);
	memcpy(end.port, &end.newport, 2);
	if (pkt->check)
		slb_slow_ipvs_check(pkt, &end, partial);
	memcpy(end.addr, end.newaddr, pkt->alen);
	if (!pkt->v6)
		ip_send_check((struct iphdr *)pkt->bytes);
}

/* tcp_manip_pkt(), udp_manip_pkt(). */
static void slb_slow_nf_check(struct slb_packet *pkt,
			      const struct slb_slow_end *end, bool partial)
{
	struct sk_buff skb = {
		.ip_summed = partial ? CHECKSUM_PARTIAL : CHECKSUM_NONE,
	};
	__sum16 *check = slb_slow_check(pkt);

	if (pkt->proto == IPPROTO_UDP && !*check)
		return;
	if (pkt->v6)
		inet_proto_csum_replace16(check, &skb, end->oldaddr,
					  end->newaddr, true);
	else
		inet_proto_csum_replace4(check, &skb, end->oldaddr[0],
					 end->newaddr[0], true);
	inet_proto_csum_replace2(check, &skb, end->oldport, end->newport,
				 false);
	if (pkt->proto == IPPROTO_UDP && !*check)
		*check = CSUM_MANGLED_0;
}

static void slb_slow_nf(struct slb_packet *pkt, bool dst, bool partial)
{
	struct iphdr *iph = (struct iphdr *)pkt->bytes;
	struct slb_slow_end end;

	slb_slow_end(pkt, dst, &end);
	if (pkt->check)
		slb_slow_nf_check(pkt, &end, partial);
	memcpy(end.port, &end.newport, 2);
	if (!pkt->v6)
		csum_replace4(&iph->check, end.oldaddr[0], end.newaddr[0]);
	memcpy(end.addr, end.newaddr, pkt->alen);
}

static void slb_slow_ttl(struct slb_packet *pkt)
{
	if (pkt->v6)
		((struct ipv6hdr *)pkt->bytes)->hop_limit--;
	else
		ip_decrease_ttl((struct iphdr *)pkt->bytes);
}

/**
 * slb_slow() - send a packet through the slow path
 * @pkt: the packet; leaves with the addresses and ports of @pkt->to
 * @way: translators
 * @partial: the transport checksum is offloaded
 */
void slb_slow(struct slb_packet *pkt, enum slb_slow_way way, bool partial)
{
	switch (way) {
	case SLB_SLOW_DNAT:
	case SLB_SLOW_DNAT_NF:
		/* ip_vs_nat_xmit(): the route first, and so the time to live */
		slb_slow_ttl(pkt);
		slb_slow_ipvs(pkt, true, partial);
		if (way == SLB_SLOW_DNAT_NF)
			slb_slow_nf(pkt, false, partial);
		break;
	default:
		if (way == SLB_SLOW_NF_SNAT)
			slb_slow_nf(pkt, true, partial);
		/* handle_response(), and then it is forwarded */
		slb_slow_ipvs(pkt, false, partial);
		slb_slow_ttl(pkt);
		break;
	}
}

/**
 * slb_slow_restrict() - restrict a packet's @to to possible changes
 * @pkt: the packet
 * @way: translators
 */
void slb_slow_restrict(struct slb_packet *pkt, enum slb_slow_way way)
{
	u8 ends[SLB_ENDS];
	u32 keep;

	if (way == SLB_SLOW_DNAT_NF || way == SLB_SLOW_NF_SNAT)
		return;
	keep = way == SLB_SLOW_DNAT ? 0 : 1;
	slb_get_ends(pkt, ends);
	memcpy(pkt->to + keep * pkt->alen, ends + keep * pkt->alen, pkt->alen);
	memcpy(pkt->to + 2 * (pkt->alen + keep), ends + 2 * (pkt->alen + keep),
	       2);
}
