/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The flow, shared by control plane and data plane.
 *
 * A flow is a direction of a connection. The key selects packets, the action repeats
 * the work of the slow path, and @conn is the connection whose decision this was. This
 * file knows nothing of IPVS, skbs, or the hooks: connection and route are opaque
 * pointers here.
 *
 * There are two sizes. A narrow flow is IPv4 at ingress and egress, and fills a cache
 * line. A wide flow fills two: for IPv6 at ingress or egress, a packet mark, or a
 * conntrack entry. Few flows need a third, struct slb_extra. The key of a wide flow of
 * IPv4 packets holds IPv4-mapped addresses, and the flag SLB_KEY_MAPPED.
 */
#ifndef _SLB_FLOW_H
#define _SLB_FLOW_H

#include <linux/bits.h>
#include <linux/cache.h>
#include <linux/hash.h>
#include <linux/in6.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/types.h>
#include <net/ipv6.h>

struct dst_entry;
struct ip_vs_conn;
struct nf_conn;

/**
 * struct slb_key4 - key of a narrow flow
 * @saddr: source address
 * @daddr: destination address
 * @sport: source port
 * @dport: destination port
 * @ports: both ports as one word
 * @iif_proto: index of the ingress device, shifted by 8, and the protocol
 *
 * The ingress device is part of the key: a decision of the slow path by device (reverse
 * path, VRF, firewall) holds for every packet of the flow. Compared as 16 bytes: no
 * padding.
 */
struct slb_key4 {
	__be32	saddr;
	__be32	daddr;
	union {
		struct {
			__be16	sport;
			__be16	dport;
		};
		__be32	ports;
	};
	u32	iif_proto;
};

/**
 * struct slb_key6 - key of a wide flow
 * @saddr: source address, IPv4-mapped if @iif_proto has SLB_KEY_MAPPED
 * @daddr: destination address, IPv4-mapped if @iif_proto has SLB_KEY_MAPPED
 * @sport: source port
 * @dport: destination port
 * @ports: both ports as one word
 * @iif_proto: as in struct slb_key4, and SLB_KEY_MAPPED
 *
 * Compared as 40 bytes: no padding.
 */
struct slb_key6 {
	struct in6_addr	saddr;
	struct in6_addr	daddr;
	union {
		struct {
			__be16	sport;
			__be16	dport;
		};
		__be32	ports;
	};
	u32		iif_proto;
};

/* Of slb_key6's @iif_proto: the packets are IPv4. An IPv6 packet may carry
 * mapped addresses too.
 */
#define SLB_KEY_MAPPED	BIT(31)

/* Device indexes above this do not fit into a key and are never learned. */
#define SLB_IIF_MAX	((u32)S32_MAX >> 8)

/**
 * struct slb_action4 - changes to a packet, apart from the time to live
 * @saddr: source address to write, in the outer header of a tunnel
 * @daddr: destination address to write, in the outer header of a tunnel
 * @sport: source port to write; in a tunnel, the source port of GUE
 * @dport: destination port to write; in a tunnel, the destination port of GUE
 * @csum: what the change of addresses and ports adds to the checksum of the
 *	transport header, folded; see slb_rewrite_init4()
 * @kind: of the tunnel, see struct slb_tunnel; in place of @csum
 * @mtu: longest packet at egress, in bytes, with outer headers
 */
struct slb_action4 {
	__be32	saddr;
	__be32	daddr;
	__be16	sport;
	__be16	dport;
	union {
		__sum16	csum;
		u16	kind;
	};
	u16	mtu;
};

/**
 * union slb_addr - an address of either family
 * @ip: IPv4
 * @in6: IPv6
 */
union slb_addr {
	__be32		ip;
	struct in6_addr	in6;
};

/**
 * struct slb_action6 - action of a wide flow
 * @saddr: see struct slb_action4; of the family at egress
 * @daddr: see struct slb_action4; of the family at egress
 * @sport: see struct slb_action4
 * @dport: see struct slb_action4
 * @csum: see struct slb_action4
 * @kind: see struct slb_action4
 * @mtu: see struct slb_action4
 */
struct slb_action6 {
	union slb_addr	saddr;
	union slb_addr	daddr;
	__be16		sport;
	__be16		dport;
	union {
		__sum16		csum;
		u16		kind;
	};
	u16		mtu;
};

/**
 * enum slb_flow_flags - flags of a flow
 * @SLB_FLOW_OUT: from the real server to the client
 * @SLB_FLOW_NAT: addresses or ports change
 * @SLB_FLOW_TUNNEL: the packet goes into a tunnel
 * @SLB_FLOW_PRIO: skb->priority follows the type of service, as for packets
 *	that the kernel forwards
 * @SLB_FLOW_SUSPENDED: not to be used until the slow path has proved the flow again
 * @SLB_FLOW_WIDE: a struct slb_flow6; otherwise a struct slb_flow4
 * @SLB_FLOW_EXTRA: wide, and members of the struct slb_extra count
 * @SLB_FLOW_REPLY: in the reply direction of its conntrack entry
 */
enum slb_flow_flags {
	SLB_FLOW_OUT		= 1 << 0,
	SLB_FLOW_NAT		= 1 << 1,
	SLB_FLOW_TUNNEL		= 1 << 2,
	SLB_FLOW_PRIO		= 1 << 3,
	SLB_FLOW_SUSPENDED	= 1 << 4,
	SLB_FLOW_WIDE		= 1 << 5,
	SLB_FLOW_EXTRA		= 1 << 6,
	SLB_FLOW_REPLY		= 1 << 7,
};

/**
 * struct slb_flow - common part of flows of both sizes
 * @dst: route and egress device; a reference is held. NULL: the slot is free
 * @conn: the connection that decided; a reference is held
 * @bytes: bytes served and not yet accounted
 * @packets: packets served and not yet accounted
 * @ecn: a bit for each ECN codepoint of packets that proved the flow: rules that write
 *	the whole byte treat them in different ways
 * @reserved: packets that are in the connection's count already, see sync.c
 * @last: time of the last packet served or proved, lower half of jiffies
 * @proved: time of the last proof or recheck, in slb_flow_ticks()
 * @flags: enum slb_flow_flags
 * @tos: type of service or traffic class of the packets that proved the flow, less
 *	the ECN bits; routes may depend on this
 *
 * All members: this CPU, BH off. Another CPU only when the owner is dead or abandoned, or
 * no hook runs (sweep.c). @flags: slb_learn_write() sets all, slb_nf_suspend() adds
 * SLB_FLOW_SUSPENDED. The alignment keeps this part at the end of both sizes on 32 bit.
 */
struct slb_flow {
	struct dst_entry	*dst;
	struct ip_vs_conn	*conn;
	u32			bytes;
	u32			packets : 20;
	u32			ecn : 4;
	u32			reserved : 8;
	u32			last;
	u16			proved;
	u8			flags;
	u8			tos;
} __aligned(32);

/**
 * struct slb_flow4 - a narrow flow, in a cache line
 * @key: key
 * @act: action
 * @flow: common part
 */
struct slb_flow4 {
	struct slb_key4		key;
	struct slb_action4	act;
	struct slb_flow		flow;
} __aligned(64);

/**
 * struct slb_flow6 - a wide flow, two cache lines
 * @key: key
 * @act: action
 * @ct: conntrack entry of the connection or tunnel, with a reference, or NULL
 * @routes: slb_ns_routes() when the flow was proved
 * @mark: packet mark at egress
 * @flow: common part
 */
struct slb_flow6 {
	struct slb_key6		key;
	struct slb_action6	act;
	struct nf_conn		*ct;
	u32			routes;
	u32			mark;
	struct slb_flow		flow;
} __aligned(64);

/* After so many successive proofs without a served packet, a flow is not worth proofs. */
#define SLB_FLOW_VAIN	8

/**
 * struct slb_flow_stats - statistics of a flow
 * @packets: packets served and accounted
 * @vain: number of successive proofs between which the flow served no packet; stops at
 *	SLB_FLOW_VAIN
 * @born: time at which the flow was learned, in seconds since boot
 * @proved: time at which the slow path last proved the flow, in seconds since boot
 *
 * Kept out of the cache line that hits touch. Guarded as the flow is.
 */
struct slb_flow_stats {
	u64	packets	: 60;
	u64	vain	: 4;
	u32	born;
	u32	proved;
};

/**
 * enum slb_extra_how - members of struct slb_extra that count
 * @SLB_EXTRA_PRIORITY: @priority
 * @SLB_EXTRA_TOS: @tos
 * @SLB_EXTRA_TTL: @ttl_in and @ttl_out
 * @SLB_EXTRA_LABEL: @label
 */
enum slb_extra_how {
	SLB_EXTRA_PRIORITY	= 1 << 0,
	SLB_EXTRA_TOS		= 1 << 1,
	SLB_EXTRA_TTL		= 1 << 2,
	SLB_EXTRA_LABEL		= 1 << 3,
};

/**
 * struct slb_extra - rare parts of a wide flow's key and action
 * @stats: statistics
 * @inner: conntrack entry of a connection in a tunnel, with a reference, or NULL
 * @mark: mark of packets at ingress
 * @label: flow label at ingress
 * @priority: skb->priority at egress
 * @tos: type of service or traffic class at egress, less the ECN bits
 * @ttl_in: time to live at ingress
 * @ttl_out: time to live at egress
 * @how: enum slb_extra_how
 *
 * Begins with the statistics of a wide flow. Only with SLB_FLOW_EXTRA a hit touches this.
 * Rules of the slow path set priority, type of service and time to live at egress. The kernel
 * may choose a route by the flow label.
 */
struct slb_extra {
	struct slb_flow_stats	stats;
	struct nf_conn		*inner;
	u32			mark;
	__be32			label;
	u32			priority;
	u8			tos;
	u8			ttl_in;
	u8			ttl_out;
	u8			how;
} __aligned(8);

/* Interval at which a CPU looks at its flows, in jiffies. Together with the lease, and with
 * SLB_VALID_LEASES, this bounds whatever a packet does not detect. Flows that have been idle for a
 * while are looked at less often.
 */
#define SLB_SWEEP	HZ
#define SLB_SWEEP_IDLE	(4u * SLB_SWEEP)

/* Of bytes not yet accounted, so that packets fit into 20 bits: none is shorter
 * than an IPv4 header.
 */
#define SLB_BYTES_MAX	(20u << 19)

/* Of struct slb_flow's @reserved. */
#define SLB_RESERVED_MAX	255u

/* Ticks of struct slb_flow's @proved: 1/32 to 1/16 of a second, so that 16
 * bits last for more than half an hour; a lease is at most a third of that.
 */
#define SLB_TICK_SHIFT	ilog2(HZ / 16)

/**
 * slb_flow_ticks() - a time in ticks
 * @jiff: jiffies
 *
 * Return: 16 bits that wrap.
 */
static inline u16 slb_flow_ticks(unsigned long jiff)
{
	return jiff >> SLB_TICK_SHIFT;
}

/**
 * slb_flow_holds() - true if the last proof of a flow still holds
 * @flow: a flow
 * @tick: the present time, in slb_flow_ticks()
 * @lease: for how long a proof holds, in ticks
 * @epoch: time of the last change of rules, in ticks; at most S16_MAX ago, or if @tick is a moment
 *	old, to come
 *
 * A proof in the tick of the change may be older than the change.
 */
static __always_inline bool slb_flow_holds(const struct slb_flow *flow, u16 tick, u16 lease,
					   u16 epoch)
{
	u16 age = tick - flow->proved;

	return age < lease && age < (s16)(tick - epoch);
}

/**
 * slb_flow_idle() - for how long a flow has served nothing
 * @flow: a flow
 * @now: jiffies
 *
 * Return: jiffies.
 */
static inline u32 slb_flow_idle(const struct slb_flow *flow, unsigned long now)
{
	return (u32)now - flow->last;
}

/**
 * slb_flow4() - get a narrow flow from the common part
 * @flow: common part of a flow without SLB_FLOW_WIDE
 */
static inline struct slb_flow4 *slb_flow4(const struct slb_flow *flow)
{
	return container_of(flow, struct slb_flow4, flow);
}

/**
 * slb_flow6() - get a wide flow from the common part
 * @flow: common part of a flow with SLB_FLOW_WIDE
 */
static inline struct slb_flow6 *slb_flow6(const struct slb_flow *flow)
{
	return container_of(flow, struct slb_flow6, flow);
}

/**
 * slb_flow_proto() - the protocol of a flow's packets
 * @flow: a flow
 *
 * Return: IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP.
 */
static inline u8 slb_flow_proto(const struct slb_flow *flow)
{
	return flow->flags & SLB_FLOW_WIDE ? slb_flow6(flow)->key.iif_proto :
					     slb_flow4(flow)->key.iif_proto;
}

/**
 * slb_flow_iif() - index of the device that a flow's packets come in by
 * @flow: a flow
 */
static inline u32 slb_flow_iif(const struct slb_flow *flow)
{
	if (!(flow->flags & SLB_FLOW_WIDE))
		return slb_flow4(flow)->key.iif_proto >> 8;
	return (slb_flow6(flow)->key.iif_proto & ~SLB_KEY_MAPPED) >> 8;
}

/**
 * slb_flow_v6() - true if a flow is for IPv6 packets
 * @flow: a flow
 */
static inline bool slb_flow_v6(const struct slb_flow *flow)
{
	return flow->flags & SLB_FLOW_WIDE &&
	       !(slb_flow6(flow)->key.iif_proto & SLB_KEY_MAPPED);
}

/**
 * struct slb_seed - secret of the hash of keys
 * @word: random, for each word of a key of IPv6; a key of IPv4 needs the first four
 */
struct slb_seed {
	u32	word[sizeof(struct slb_key6) / sizeof(u32)];
};

/* Two words of a key, from word @i on: NH, the universal hash of UMAC. For a random seed, two
 * keys have the same sum of these with a probability of 2^-32 at most, whatever the keys are.
 */
static __always_inline u64 slb_seed_pair(const struct slb_seed *seed, const void *key,
					 unsigned int i)
{
	const u32 *word = key;

	return (u64)(word[i] + seed->word[i]) * (word[i + 1] + seed->word[i + 1]);
}

/* The high bits of a sum are more random than the low bits: two multiplications mix them. */
static __always_inline u32 slb_seed_mix(u64 sum)
{
	sum = (sum ^ sum >> 32) * GOLDEN_RATIO_64;
	sum = (sum ^ sum >> 32) * GOLDEN_RATIO_64;
	return sum >> 32;
}

/**
 * slb_key4_hash() - hash a key
 * @key: the key
 * @seed: of the CPU
 *
 * Context: any.
 * Return: all 32 bits count.
 */
static __always_inline u32 slb_key4_hash(const struct slb_key4 *key,
					 const struct slb_seed *seed)
{
	return slb_seed_mix(slb_seed_pair(seed, key, 0) + slb_seed_pair(seed, key, 2));
}

/**
 * slb_key6_hash() - hash a key of IPv6 packets
 * @key: the key; not a mapped one, whose hash is that of the IPv4 key
 * @seed: of the CPU
 *
 * Context: any.
 * Return: all 32 bits count.
 */
static __always_inline u32 slb_key6_hash(const struct slb_key6 *key,
					 const struct slb_seed *seed)
{
	return slb_seed_mix(slb_seed_pair(seed, key, 0) + slb_seed_pair(seed, key, 2) +
			    slb_seed_pair(seed, key, 4) + slb_seed_pair(seed, key, 6) +
			    slb_seed_pair(seed, key, 8));
}

static inline bool slb_key4_equal(const struct slb_key4 *a,
				  const struct slb_key4 *b)
{
	return !(((__force u32)a->saddr ^ (__force u32)b->saddr) |
		 ((__force u32)a->daddr ^ (__force u32)b->daddr) |
		 ((__force u32)a->ports ^ (__force u32)b->ports) |
		 (a->iif_proto ^ b->iif_proto));
}

static inline bool slb_key6_equal(const struct slb_key6 *a,
				  const struct slb_key6 *b)
{
	return !(((__force u32)a->ports ^ (__force u32)b->ports) |
		 (a->iif_proto ^ b->iif_proto)) &&
	       ipv6_addr_equal(&a->saddr, &b->saddr) &&
	       ipv6_addr_equal(&a->daddr, &b->daddr);
}

/**
 * slb_key6_maps() - true if this is the key of a wide flow of packets with an IPv4 key
 * @mapped: key of a wide flow
 * @key: key of the packets
 *
 * With SLB_KEY_MAPPED only the last words of addresses differ between keys.
 */
static inline bool slb_key6_maps(const struct slb_key6 *mapped, const struct slb_key4 *key)
{
	return !(((__force u32)mapped->saddr.s6_addr32[3] ^ (__force u32)key->saddr) |
		 ((__force u32)mapped->daddr.s6_addr32[3] ^ (__force u32)key->daddr) |
		 ((__force u32)mapped->ports ^ (__force u32)key->ports) |
		 (mapped->iif_proto ^ (key->iif_proto | SLB_KEY_MAPPED)));
}

void slb_key4_map(const struct slb_key4 *key, struct slb_key6 *mapped);
void slb_flow_key(const struct slb_flow *flow, struct slb_key6 *key);
void slb_flow_action(const struct slb_flow *flow, struct slb_action6 *act);
u32 slb_flow_hash(const struct slb_flow *flow, const struct slb_seed *seed);

#endif /* _SLB_FLOW_H */
