/* SPDX-License-Identifier: GPL-2.0 */
/* Things that a rule may look at and that differ between packets of a flow: by name of an
 * expression or match, and by byte of a header.
 */
#ifndef _SLB_LOOK_H
#define _SLB_LOOK_H

#include <linux/bits.h>
#include <linux/netfilter.h>
#include <linux/string.h>
#include <net/netlink.h>

enum slb_look {
	SLB_LOOK_MAC,
	SLB_LOOK_LENGTH,
	SLB_LOOK_TTL,
	SLB_LOOK_HEADER,
	SLB_LOOK_TRANSPORT,
	SLB_LOOK_OPTIONS,
	SLB_LOOK_PAYLOAD,
	SLB_LOOK_LIMIT,
	SLB_LOOK_QUOTA,
	SLB_LOOK_RANDOM,
	SLB_LOOK_TIME,
	SLB_LOOK_QUEUE,
	/* rules that cannot be seen, or were not looked at */
	SLB_LOOK_UNSEEN,
	SLB_LOOKS
};

/* In the order of enum slb_look. */
static const char *const slb_look_names[] = {
	"mac", "length", "ttl", "header", "transport", "options", "payload",
	"limit", "quota", "random", "time", "queue", "?",
};

static_assert(ARRAY_SIZE(slb_look_names) == SLB_LOOKS);

/* An expression or a match whose name says all. */
struct slb_look_name {
	const char	*name;
	enum slb_look	look;
};

static const struct slb_look_name slb_look_exprs[] = {
	{ "limit",	SLB_LOOK_LIMIT },
	{ "quota",	SLB_LOOK_QUOTA },
	{ "numgen",	SLB_LOOK_RANDOM },
	{ "queue",	SLB_LOOK_QUEUE },
	{ "inner",	SLB_LOOK_PAYLOAD },
	{}
};

/* Of x_tables, in rules of iptables-nft. */
static const struct slb_look_name slb_look_matches[] = {
	{ "mac",	SLB_LOOK_MAC },
	{ "eui64",	SLB_LOOK_MAC },
	{ "length",	SLB_LOOK_LENGTH },
	{ "ttl",	SLB_LOOK_TTL },
	{ "hl",		SLB_LOOK_TTL },
	{ "ecn",	SLB_LOOK_TRANSPORT },
	{ "string",	SLB_LOOK_PAYLOAD },
	{ "u32",	SLB_LOOK_PAYLOAD },
	{ "bpf",	SLB_LOOK_PAYLOAD },
	{ "limit",	SLB_LOOK_LIMIT },
	{ "hashlimit",	SLB_LOOK_LIMIT },
	{ "recent",	SLB_LOOK_LIMIT },
	{ "quota",	SLB_LOOK_QUOTA },
	{ "connbytes",	SLB_LOOK_QUOTA },
	{ "rateest",	SLB_LOOK_LIMIT },
	{ "statistic",	SLB_LOOK_RANDOM },
	{ "time",	SLB_LOOK_TIME },
	{}
};

static inline u32 slb_look_by_name(const struct slb_look_name *known, const char *name)
{
	for (; known->name; known++)
		if (!strcmp(name, known->name))
			return BIT(known->look);
	return 0;
}

/* @nla: a string with a terminating null, or NULL */
static inline u32 slb_look_by_attr(const struct slb_look_name *known,
				   const struct nlattr *nla)
{
	return nla ? slb_look_by_name(known, nla_data(nla)) : 0;
}

/* A letter for each byte of a header: in a flow's key (.), length, ttl, others. Packets with
 * options of IPv4 have no flow.
 */
static const char slb_look_ipv4[] = "..llhhhht.hh........";
static const char slb_look_ipv6[] = "..hhll.t................................";

static inline u32 slb_look_byte(const char *header, u32 at)
{
	switch (at < strlen(header) ? header[at] : 'h') {
	case '.':
		return 0;
	case 'l':
		return BIT(SLB_LOOK_LENGTH);
	case 't':
		return BIT(SLB_LOOK_TTL);
	default:
		return BIT(SLB_LOOK_HEADER);
	}
}

/* @family: family of the header; for an unknown family, the bits that both have in common */
static inline u32 slb_look_network(u32 at, u32 end, u8 family)
{
	u32 looks = 0, v4, v6;

	for (; at < end; at++) {
		v4 = slb_look_byte(slb_look_ipv4, at);
		v6 = slb_look_byte(slb_look_ipv6, at);
		if (family == NFPROTO_IPV4)
			looks |= v4;
		else if (family == NFPROTO_IPV6)
			looks |= v6;
		else
			looks |= v4 & v6;
	}
	return looks;
}

#endif /* _SLB_LOOK_H */
