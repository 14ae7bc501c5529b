// SPDX-License-Identifier: GPL-2.0
/*
 * A director without wires: packets are received as from a driver's poll, one after the
 * other, and each is timed from netif_receive_skb() to its return. What it costs to
 * build one is not in the figure.
 *
 * Two floors stand where shadowlb's hook does: one drops, the other sends on to a
 * given neighbour without looking at the packet. A third does that from netdev ingress.
 */
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/prandom.h>
#include <linux/sort.h>
#include <net/arp.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ndisc.h>
#include <net/route.h>

#include "bench.h"

/* What the floor that forwards goes by; one job at a time. */
static struct dst_entry *slb_bench_dst;

static unsigned int slb_bench_drop(void *priv, struct sk_buff *skb,
				   const struct nf_hook_state *state)
{
	return NF_DROP;
}

static unsigned int slb_bench_forward(void *priv, struct sk_buff *skb,
				      const struct nf_hook_state *state)
{
	struct dst_entry *dst = slb_bench_dst;
	struct neighbour *neigh;
	bool is_v6gw = false;

	skb->dev = dst->dev;
	skb_dst_set_noref(skb, dst);
	if (skb->protocol == htons(ETH_P_IPV6)) {
		ipv6_hdr(skb)->hop_limit--;
		neigh = ip_neigh_gw6(dst->dev,
				     rt6_nexthop(container_of(dst, struct
							      rt6_info, dst),
						 &ipv6_hdr(skb)->daddr));
	} else {
		ip_decrease_ttl(ip_hdr(skb));
		neigh = ip_neigh_for_gw(container_of(dst, struct rtable, dst),
					skb, &is_v6gw);
	}
	if (IS_ERR(neigh))
		kfree_skb(skb);
	else
		neigh_output(neigh, skb, is_v6gw);
	return NF_STOLEN;
}

/* A route whose next hop is the neighbour, whatever a packet's destination. */
static struct dst_entry *slb_bench_route(const struct slb_bench_job *job)
{
	struct flowi6 fl6 = { .daddr = job->via.in6 };
	struct flowi4 fl4 = { .daddr = job->via.ip };
	struct dst_entry *dst;
	struct rtable *rt;

	if (job->v6) {
		dst = ip6_route_output(job->net, NULL, &fl6);
		if (!dst->error)
			return dst;
		dst_release(dst);
		return ERR_PTR(-EHOSTUNREACH);
	}
	rt = ip_route_output_key(job->net, &fl4);
	return IS_ERR(rt) ? ERR_CAST(rt) : &rt->dst;
}

/* Which flow the packet is of; a pass that is not measured has no @rnd. */
static u32 slb_bench_flow(const struct slb_bench_job *job,
			  struct rnd_state *rnd, u32 done)
{
	u64 part;

	if (!rnd)
		return job->first + done % job->flows;
	part = prandom_u32_state(rnd);
	/* the third power of a number from 0 to 1, in 32 bits */
	if (job->skew)
		part = (part * part >> 32) * part >> 32;
	return job->first + (part * job->flows >> 32);
}

/**
 * slb_bench_pass() - receive packets
 * @job: of which kind
 * @packets: how many
 * @time: set to what each took, or NULL: not for the figures
 *
 * One packet is built, received and gone before the next: its memory comes and goes by
 * this CPU's lists, as with drivers that poll.
 *
 * Context: process.
 * Return: 0, -ENOMEM or -EINTR.
 */
int slb_bench_pass(struct slb_bench_job *job, u32 packets, u32 *time)
{
	struct rnd_state rnd;
	struct sk_buff *skb;
	u32 done, flow;
	u64 start;

	prandom_seed_state(&rnd, packets);
	local_bh_disable();
	for (done = 0; done < packets; done++) {
		flow = slb_bench_flow(job, time && job->random ?
				      &rnd : NULL, done);
		skb = slb_bench_packet(job, flow);
		if (!skb)
			break;
		if (job->what == SLB_BENCH_XDP) {
			start = slb_bench_xdp(job, skb);
		} else {
			start = slb_bench_now(job->tsc);
			if (job->what != SLB_BENCH_EMPTY)
				netif_receive_skb(skb);
			start = slb_bench_now(job->tsc) - start;
			if (job->what == SLB_BENCH_EMPTY)
				kfree_skb(skb);
		}
		if (time)
			time[done] = min_t(u64, start, U32_MAX);
		job->sum += start;
		if (done % SLB_BENCH_CHUNK)
			continue;
		local_bh_enable();
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
		local_bh_disable();
	}
	local_bh_enable();
	return done < packets ? -ENOMEM : 0;
}

static int slb_bench_compare(const void *a, const void *b)
{
	return *(const u32 *)a < *(const u32 *)b ? -1 :
	       *(const u32 *)a > *(const u32 *)b;
}

static int slb_bench_measure(struct slb_bench_job *job)
{
	u32 i;
	int err;

	if (job->cpus)
		return slb_bench_together(job);
	for (i = 0; i < job->warm; i++) {
		err = slb_bench_pass(job, job->flows, NULL);
		if (err)
			return err;
	}
	job->sum = 0;
	job->passed = 0;
	if (job->what == SLB_BENCH_TRIP)
		err = slb_bench_trips(job);
	else
		err = slb_bench_pass(job, job->packets, job->time);
	if (!err)
		sort(job->time, job->packets, sizeof(*job->time),
		     slb_bench_compare, NULL);
	return err;
}

/**
 * slb_bench_load() - do a job
 * @job: what to do; @time has room for @packets
 *
 * Context: process, one at a time.
 * Return: 0 and @time filled in, or a negative error.
 */
int slb_bench_load(struct slb_bench_job *job)
{
	struct nf_hook_ops ops = {
		.hook		= job->what == SLB_BENCH_DROP ?
				  slb_bench_drop : slb_bench_forward,
		.pf		= job->v6 ? NFPROTO_IPV6 : NFPROTO_IPV4,
		.hooknum	= NF_INET_PRE_ROUTING,
		.priority	= job->v6 ? NF_IP6_PRI_RAW + 1 :
					    NF_IP_PRI_RAW + 1,
	};
	bool forward = job->what == SLB_BENCH_FORWARD ||
		       job->what == SLB_BENCH_INGRESS;
	bool hook = forward || job->what == SLB_BENCH_DROP;
	int err;

	if (job->what == SLB_BENCH_INGRESS) {
		ops.pf = NFPROTO_NETDEV;
		ops.hooknum = NF_NETDEV_INGRESS;
		ops.dev = job->dev;
	}
	slb_bench_dst = NULL;
	if (forward) {
		slb_bench_dst = slb_bench_route(job);
		if (IS_ERR(slb_bench_dst))
			return PTR_ERR(slb_bench_dst);
	}
	err = hook ? nf_register_net_hook(job->net, &ops) : 0;
	if (!err)
		err = slb_bench_measure(job);
	/* waits for packets that are in the hook */
	if (hook && !err)
		nf_unregister_net_hook(job->net, &ops);
	synchronize_net();
	dst_release(slb_bench_dst);
	return err;
}
