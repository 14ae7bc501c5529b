// SPDX-License-Identifier: GPL-2.0
/*
 * Packets for the parser, byte by byte, and the parser's rules, written independently.
 */
#include <linux/minmax.h>
#include <linux/string.h>

#include "parse_packet.h"

/* Where the transport header begins. */
u32 slb_thoff(const u8 *p, bool v6)
{
	return v6 ? 40 : p[VERSION] % 16 * 4;
}

/* Length of a packet by its IP header. */
u32 slb_ip_len(const u8 *p, bool v6)
{
	return v6 ? 40 + p[LEN6] * 256 + p[LEN6 + 1] :
		    p[LEN] * 256 + p[LEN + 1];
}

/* Number of bytes present. */
u32 slb_case_size(const struct slb_case *c, bool v6)
{
	return c->size ?: (v6 ? 80 : 60);
}

void slb_case_build(const struct slb_case *c, bool v6, u8 *p)
{
	u32 size = slb_case_size(c, v6), len = c->len ?: size;
	u32 ihl = c->ihl ?: 5, i;
	u8 *th;

	for (i = 0; i < SLB_ROOM; i++)
		p[i] = i | 0x80;
	if (v6) {
		len -= min(len, 40u);
		p[VERSION] = 0x60;
		p[LEN6] = len >> 8;
		p[LEN6 + 1] = len;
		p[HOP6] = 64;
		p[NEXT6] = c->proto;
	} else {
		p[VERSION] = 0x40 | ihl;
		p[LEN] = len >> 8;
		p[LEN + 1] = len;
		p[FRAG] = 0;
		p[OFFSET] = 0;
		p[TTL] = 64;
		p[PROTO] = c->proto;
	}
	th = p + slb_thoff(p, v6);
	if (c->proto == TCP) {
		th[DOFF - 20] = 0x50;
		th[FLAGS - 20] = ACK;
	} else if (c->proto == UDP) {
		len = slb_ip_len(p, v6) - slb_thoff(p, v6);
		th[ULEN - 20] = len >> 8;
		th[ULEN - 20 + 1] = len;
		th[CHECK - 20] = 0;
		th[CHECK - 20 + 1] = 1;
	} else {
		th[CHUNK - 20] = 0;
	}
	for (i = 0; i < 2; i++)
		if (c->set[i][0] || c->set[i][1])
			p[c->set[i][0]] = c->set[i][1];
}

/* The rules, first that applies, read off the bytes: of the transport header, of
 * which @size bytes are there and @len should be.
 */
static enum slb_reason slb_rules_transport(const u8 *th, u8 proto, u32 size,
					   int len, struct slb_found *want)
{
	u32 need = proto == TCP ? 20 : proto == UDP ? 8 : 16;

	if (size < 4)
		return SLB_MISS_SHORT;
	want->key = true;
	if (size < need || len < (int)need)
		return SLB_MISS_SHORT;
	if (proto == SCTP) {
		want->ends = th[12] < 16 && SLB_CHUNKS >> th[12] & 1;
		return want->ends ? SLB_MISS_FLAGS : 0;
	}
	if (proto == UDP) {
		want->nocsum = !th[6] && !th[7];
		need = th[4] * 256 + th[5];
		return need < 8 || (int)need > len ? SLB_MISS_SHORT : 0;
	}
	want->ends = th[13] & (SYN | FIN | RST);
	if (want->ends || !(th[13] & ACK))
		return SLB_MISS_FLAGS;
	return th[12] < 0x50 || len < th[12] / 16 * 4 ? SLB_MISS_SHORT : 0;
}

static enum slb_reason slb_rules4(const u8 *p, u32 size, u32 iif,
				  struct slb_found *want)
{
	enum slb_reason verdict;
	u32 thoff;

	if (size < 20 || p[VERSION] < 0x45 || p[VERSION] > 0x4f)
		return SLB_MISS_SHORT;
	if (p[PROTO] != TCP && p[PROTO] != UDP && p[PROTO] != SCTP)
		return SLB_MISS_PROTO;
	if (iif >> 23)
		return SLB_MISS_META;
	if (p[FRAG] & 0x1f || p[OFFSET])
		return SLB_MISS_FRAGMENT;
	thoff = slb_thoff(p, false);
	if (size < thoff)
		return SLB_MISS_SHORT;
	verdict = slb_rules_transport(p + thoff, p[PROTO], size - thoff,
				      slb_ip_len(p, false) - thoff, want);
	if (verdict)
		return verdict;
	if (p[FRAG] & 0x20)
		return SLB_MISS_FRAGMENT;
	if (thoff > 20)
		return SLB_MISS_OPTIONS;
	return p[TTL] < 2 ? SLB_MISS_TTL : 0;
}

static enum slb_reason slb_rules6(const u8 *p, u32 size, u32 iif,
				  struct slb_found *want)
{
	enum slb_reason verdict;

	if (size < 40 || p[VERSION] < 0x60 || p[VERSION] > 0x6f)
		return SLB_MISS_SHORT;
	if (p[NEXT6] == FRAGMENT)
		return SLB_MISS_FRAGMENT;
	if (p[NEXT6] == HOPOPTS || p[NEXT6] == ROUTING ||
	    p[NEXT6] == DSTOPTS || p[NEXT6] == IPPROTO_AH)
		return SLB_MISS_OPTIONS;
	if (p[NEXT6] != TCP && p[NEXT6] != UDP && p[NEXT6] != SCTP)
		return SLB_MISS_PROTO;
	if (iif >> 23)
		return SLB_MISS_META;
	verdict = slb_rules_transport(p + 40, p[NEXT6], size - 40,
				      slb_ip_len(p, true) - 40, want);
	if (verdict)
		return verdict;
	return p[HOP6] < 2 ? SLB_MISS_TTL : 0;
}

void slb_rules(const u8 *p, bool v6, u32 size, u32 iif, struct slb_found *want)
{
	memset(want, 0, sizeof(*want));
	want->verdict = (v6 ? slb_rules6 : slb_rules4)(p, size, iif, want);
}
