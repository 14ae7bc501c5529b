/* SPDX-License-Identifier: GPL-2.0 */
/* What a CPU has in a namespace: its flows, and what it remembers of packets. */
#ifndef _SLB_CPU_H
#define _SLB_CPU_H

#include <linux/hash.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/prandom.h>
#include <net/dst.h>
#include <net/ip6_fib.h>

#include "flow/parse.h"
#include "flow/table.h"
#include "ipvs/conn.h"
#include "state/addrs.h"
#include "state/hold.h"
#include "state/inflight.h"
#include "state/ns.h"
#include "state/service.h"

/* Pairs of addresses between which packets without a key have just been seen, by hash. */
#define SLB_KEYLESS	64

/* Keys of which something is remembered before there is a flow. */
#define SLB_HINTS	4096

/**
 * struct slb_hint - what is remembered of a key, by its hash
 * @seen: fingerprint of a UDP key of which one packet was seen
 * @shun: fingerprint of a key that could not be learned
 * @when: when that was, in slb_flow_ticks()
 * @reason: and why not, enum slb_reason
 *
 * Hints may be wrong, for keys with the same hash or after ticks have wrapped:
 * they only move the packet at which a flow is learned.
 */
struct slb_hint {
	u16	seen;
	u16	shun;
	u16	when;
	u8	reason;
};

/**
 * struct slb_cpu_data - what a CPU needs once IPVS is used in a namespace
 * @seed: of the hash of its keys; does not change
 * @rnd: chance, that nobody needs to guess
 * @narrow: its narrow flows
 * @wide: its wide flows
 * @services: what became of the packets of services
 * @tracked: conntrack was seen to see packets, since there are flows; by
 *	struct slb_pkt's @v6
 * @keyless_last: when a packet without a key was last seen, in jiffies
 * @keyless: the same, by hash of its addresses
 * @hint: by hash of the key
 * @watch: packets on their way through the slow path
 * @peers: which addresses IPVS has to do with
 * @order: which packets may be between XDP and the hook
 * @asked: hash of a key whose next packet XDP has left to the hook to verify, and one
 *	bit that says so
 *
 * @tracked: written to false by the sweep of this CPU. All else: this CPU, BH off.
 */
struct slb_cpu_data {
	u32			seed;
	struct rnd_state	rnd;
	struct slb_table	narrow;
	struct slb_table	wide;
	struct slb_services	services;
	bool			tracked[2];
	u32			keyless_last;
	u32			keyless[SLB_KEYLESS];
	struct slb_hint		hint[SLB_HINTS];
	struct slb_watches	watch;
	struct slb_peers	peers;
	struct slb_order	order;
	u64			asked;
};

/* A packet without a key, as a fragment without ports or one with IPv6 extension headers,
 * cannot hold its flow back, and it may go on only when all packets that a driver handed over
 * at once have passed the place where this one was met: for a moment, packets between
 * these addresses go slow.
 */
static inline u32 *slb_keyless(struct slb_cpu_data *d, const void *ip, bool v6)
{
	const struct ipv6hdr *ip6h = ip;
	const struct iphdr *iph = ip;
	__be32 mix;

	mix = v6 ? ip6h->saddr.s6_addr32[0] ^ ip6h->saddr.s6_addr32[3] ^
		   ip6h->daddr.s6_addr32[0] ^ ip6h->daddr.s6_addr32[3] :
		   iph->saddr ^ iph->daddr;
	return &d->keyless[hash_32((__force u32)mix, ilog2(SLB_KEYLESS))];
}

/**
 * slb_keyless_note() - a packet without a key was met
 * @d: this CPU's data
 * @ip: its IP header
 * @v6: an IPv6 packet
 *
 * Context: BH off.
 */
static inline void slb_keyless_note(struct slb_cpu_data *d, const void *ip,
				    bool v6)
{
	d->keyless_last = jiffies;
	*slb_keyless(d, ip, v6) = jiffies;
}

/**
 * slb_keyless_recent() - was one met a moment ago?
 * @d: this CPU's data
 * @ip: IP header of a packet
 * @v6: an IPv6 packet
 *
 * Context: BH off.
 */
static inline bool slb_keyless_recent(struct slb_cpu_data *d, const void *ip,
				      bool v6)
{
	u32 now = jiffies;

	return unlikely(now - d->keyless_last <= 1) &&
	       now - *slb_keyless(d, ip, v6) <= 1;
}

/**
 * slb_flow_dst_valid() - does the route of a flow still exist?
 * @flow: the flow
 *
 * A route whose device is gone leads to blackhole_netdev, and is compared with the routes of
 * that device's namespace.
 *
 * Context: RCU, the flow is the caller's.
 */
static inline bool slb_flow_dst_valid(const struct slb_flow *flow)
{
	const struct rt6_info *rt;
	u32 cookie = 0;

	if (unlikely(READ_ONCE(flow->dst->dev) == blackhole_netdev))
		return false;
	if (flow->flags & SLB_FLOW_WIDE && flow->dst->ops->family == AF_INET6) {
		rt = container_of(flow->dst, const struct rt6_info, dst);
		cookie = rt6_get_cookie(rt);
	}
	return dst_check(flow->dst, cookie);
}

/**
 * slb_flow_leased() - true if a flow needs not be proved again yet
 * @sn: the namespace
 * @flow: the flow
 * @now: jiffies
 *
 * Context: the flow is the caller's.
 */
static __always_inline bool slb_flow_leased(const struct slb_net *sn,
					    const struct slb_flow *flow,
					    unsigned long now)
{
	u16 lease = slb_flow_ticks((unsigned long)READ_ONCE(sn->lease) * HZ);

	return (u16)(slb_flow_ticks(now) - flow->proved) < lease;
}

/**
 * slb_flow_routed() - would the slow path still take the route of a flow?
 * @sn: the namespace
 * @flow: the flow
 *
 * An IPv4 route that exists is right. An IPv6 one exists also when a better one was added or
 * a rule decides otherwise, and the route of a tunnel knows nothing of those to the virtual
 * address: so such flows know the number of all routes. ip6_forward() asks at each packet
 * whether it may.
 *
 * Context: RCU, the flow is the caller's.
 */
static inline bool slb_flow_routed(const struct slb_net *sn,
				   const struct slb_flow *flow)
{
	const struct slb_flow6 *f6;
	bool v6;

	if (flow->flags & SLB_FLOW_WIDE) {
		f6 = slb_flow6(flow);
		v6 = !(f6->key.iif_proto & SLB_KEY_MAPPED);
		if ((v6 || flow->dst->ops->family == AF_INET6) &&
		    f6->routes != slb_routes(sn->net))
			return false;
		if (v6 && flow->flags & SLB_FLOW_OUT &&
		    !READ_ONCE(sn->net->ipv6.devconf_all->forwarding))
			return false;
	}
	return slb_flow_dst_valid(flow);
}

struct slb_flow *slb_flow_find_mapped(const struct slb_cpu_data *d,
				      const struct slb_pkt *pkt);

/**
 * slb_pkt_hash() - hash the key of a packet
 * @d: this CPU's data
 * @pkt: the packet, which has a key
 *
 * Context: any.
 */
static inline void slb_pkt_hash(const struct slb_cpu_data *d,
				struct slb_pkt *pkt)
{
	pkt->hash = pkt->v6 ? slb_key6_hash(&pkt->key6, d->seed) :
			      slb_key4_hash(&pkt->key4, d->seed);
}

/**
 * slb_flow_find() - find the flow of a packet, of either size
 * @d: this CPU's data
 * @pkt: the packet, which has a key and its hash
 *
 * Context: BH off.
 * Return: the flow, which is the caller's until BHs are on again, or NULL.
 */
static inline struct slb_flow *slb_flow_find(const struct slb_cpu_data *d,
					     const struct slb_pkt *pkt)
{
	struct slb_flow *flow = NULL;

	if (pkt->v6)
		return d->wide.used ? slb_table_lookup6(&d->wide, &pkt->key6,
							pkt->hash) : NULL;
	if (d->narrow.used)
		flow = slb_table_lookup4(&d->narrow, &pkt->key4, pkt->hash);
	if (flow || !d->wide.used)
		return flow;
	return slb_flow_find_mapped(d, pkt);
}

/**
 * slb_flow_inner() - the conntrack entry of a flow's connection, inside its tunnel
 * @d: the data of the CPU that owns the flow
 * @flow: the flow
 *
 * Context: the flow is the caller's.
 * Return: the entry, which the flow holds, or NULL.
 */
static inline struct nf_conn *slb_flow_inner(const struct slb_cpu_data *d,
					     const struct slb_flow *flow)
{
	if (!(flow->flags & SLB_FLOW_EXTRA))
		return NULL;
	return slb_table_extra(&d->wide, flow)->inner;
}

struct slb_flow *slb_flow_answers(const struct slb_cpu_data *d,
				  const struct slb_pkt *left,
				  const struct net_device *dev);
struct slb_cpu_data *slb_flows_alloc(struct mem_cgroup *payer);
void slb_flows_free(struct slb_cpu_data *d);
void slb_flow_begin(struct slb_cpu_data *d, const struct slb_flow *flow);
void slb_flow_settle(struct slb_cpu_data *d, struct slb_flow *flow,
		     unsigned long now);
void slb_flow_end(struct slb_net *sn, struct slb_cpu_data *d,
		  struct slb_flow *flow, enum slb_reason reason);
void slb_flow_end_both(struct slb_net *sn, struct slb_cpu_data *d,
		       struct slb_flow *flow, enum slb_reason reason);

#endif /* _SLB_CPU_H */
