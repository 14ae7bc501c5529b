// SPDX-License-Identifier: GPL-2.0
/*
 * Round trips: client, director, real server and back, at a rate that does not wait for
 * answers.
 *
 *   client              director               server
 *   (rx handler) ------ in      out ---------- (rx handler)
 *
 * Client and server are the far ends of the director's veth devices and take packets
 * before any protocol does, so that little but the director's work is in a trip. The
 * server turns a packet round; the client looks at the clock.
 *
 * Packets are due at moments chosen before. A loop stands for the interrupts of a network
 * device: the client sends what is due whenever the CPU is done with what it had. A trip is
 * timed from the moment that its packet was due, so that waiting for others is in it.
 *
 * The handlers run in softirq on the CPU of the loop, which lets them run when it turns
 * BHs on: they and it share @slb_trip_job without a lock.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/prandom.h>
#include <linux/rtnetlink.h>
#include <linux/sched/signal.h>
#include <linux/udp.h>
#include <linux/vmalloc.h>

#include "bench.h"

/* Packets that the device hands over at a time. */
#define SLB_TRIP_BATCH	64

/* How long the last answers may take, in rounds of the loop. */
#define SLB_TRIP_PATIENCE	100000

/* Parts that the mean time between two packets is divided into. */
#define SLB_TRIP_PARTS	64

static struct slb_bench_job *slb_trip_job;

/* Flows that were new once; one job at a time. */
static u32 slb_trip_fresh;

/* Is it a packet of the job's, and not what IPv6 says of itself? */
static bool slb_trip_own(const struct sk_buff *skb)
{
	const struct slb_bench_job *job = slb_trip_job;

	if (skb->protocol == htons(ETH_P_IP))
		return !job->v6 && ip_hdr(skb)->protocol == job->proto;
	return job->v6 && skb->protocol == htons(ETH_P_IPV6) &&
	       ipv6_hdr(skb)->nexthdr == job->proto;
}

/* The checksums stay right. */
static void slb_trip_turn(struct sk_buff *skb)
{
	u8 mac[ETH_ALEN];
	struct udphdr *uh;

	ether_addr_copy(mac, eth_hdr(skb)->h_dest);
	ether_addr_copy(eth_hdr(skb)->h_dest, eth_hdr(skb)->h_source);
	ether_addr_copy(eth_hdr(skb)->h_source, mac);
	if (slb_trip_job->v6) {
		swap(ipv6_hdr(skb)->saddr, ipv6_hdr(skb)->daddr);
		uh = (struct udphdr *)(ipv6_hdr(skb) + 1);
	} else {
		swap(ip_hdr(skb)->saddr, ip_hdr(skb)->daddr);
		uh = (struct udphdr *)(ip_hdr(skb) + 1);
	}
	/* so for TCP */
	swap(uh->source, uh->dest);
}

static rx_handler_result_t slb_trip_server(struct sk_buff **pskb)
{
	struct sk_buff *skb = *pskb;

	if (!slb_trip_own(skb)) {
		kfree_skb(skb);
		return RX_HANDLER_CONSUMED;
	}
	slb_trip_turn(skb);
	/* as if it came from another machine */
	ipvs_reset(skb);
	skb->mark = 0;
	skb_push(skb, ETH_HLEN);
	dev_queue_xmit(skb);
	return RX_HANDLER_CONSUMED;
}

static rx_handler_result_t slb_trip_client(struct sk_buff **pskb)
{
	struct slb_bench_job *job = slb_trip_job;
	struct sk_buff *skb = *pskb;
	u32 i;

	if (slb_trip_own(skb)) {
		memcpy(&i, skb_tail_pointer(skb) - sizeof(i), sizeof(i));
		if (i < job->packets && job->time[i] == U32_MAX) {
			job->time[i] = min_t(u64, slb_bench_now(job->tsc) -
					     job->due[i], U32_MAX - 1);
			job->sum += job->time[i];
			job->back++;
		}
	}
	consume_skb(skb);
	return RX_HANDLER_CONSUMED;
}

/* Build all packets, and choose when each is due: at any moment with the same chance. Of
 * those that are not of new flows, each flow has its turn, or a random one.
 */
static int slb_trip_prepare(struct slb_bench_job *job, struct sk_buff_head *list)
{
	u32 i, flow;
	struct rnd_state rnd;
	struct sk_buff *skb;
	u64 due = 0;

	prandom_seed_state(&rnd, job->packets);
	for (i = 0; i < job->packets; i++) {
		do
			due += job->gap;
		while (job->gap && prandom_u32_state(&rnd) % SLB_TRIP_PARTS);
		job->due[i] = due / SLB_TRIP_PARTS;
		job->time[i] = U32_MAX;
		flow = job->random ? prandom_u32_state(&rnd) % job->flows :
				     i % job->flows;
		if (prandom_u32_state(&rnd) % 100 < job->fresh)
			flow = job->flows + slb_trip_fresh++;
		job->stamp = i;
		skb = slb_bench_packet(job, flow);
		if (!skb)
			return -ENOMEM;
		__skb_queue_tail(list, skb);
		if (i % SLB_BENCH_CHUNK == 0)
			cond_resched();
	}
	return 0;
}

static void slb_trip_send(const struct slb_bench_job *job, struct sk_buff *skb)
{
	skb_push(skb, ETH_HLEN);
	skb->dev = job->client;
	dev_queue_xmit(skb);
}

static int slb_trip_run(struct slb_bench_job *job, struct sk_buff_head *list)
{
	u64 start = slb_bench_now(job->tsc) + job->gap;
	u32 i, n, idle = 0;

	for (i = 0; i < job->packets; i++)
		job->due[i] += start;
	for (i = 0; job->back < job->packets && idle < SLB_TRIP_PATIENCE;) {
		local_bh_disable();
		for (n = 0; n < SLB_TRIP_BATCH && i < job->packets; n++, i++) {
			if (job->due[i] > slb_bench_now(job->tsc))
				break;
			slb_trip_send(job, __skb_dequeue(list));
		}
		local_bh_enable();
		idle = i < job->packets ? 0 : idle + 1;
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	job->elapsed = slb_bench_now(job->tsc) - start;
	return 0;
}

/**
 * slb_bench_trips() - time round trips
 * @job: what to do; @time and @due have room for @packets
 *
 * Context: process, one at a time.
 * Return: 0 and @time (U32_MAX: lost), @back and @elapsed filled in, or a negative error.
 */
int slb_bench_trips(struct slb_bench_job *job)
{
	struct sk_buff_head list;
	int err;

	if (!job->client || !job->server)
		return -EINVAL;
	slb_trip_job = job;
	job->back = 0;
	__skb_queue_head_init(&list);
	rtnl_lock();
	err = netdev_rx_handler_register(job->client, slb_trip_client, NULL);
	if (err)
		goto unlock;
	err = netdev_rx_handler_register(job->server, slb_trip_server, NULL);
	rtnl_unlock();
	if (!err) {
		err = slb_trip_prepare(job, &list) ?: slb_trip_run(job, &list);
		__skb_queue_purge(&list);
	}
	rtnl_lock();
	if (rtnl_dereference(job->server->rx_handler) == slb_trip_server)
		netdev_rx_handler_unregister(job->server);
	netdev_rx_handler_unregister(job->client);
unlock:
	rtnl_unlock();
	/* handlers that are at it */
	synchronize_net();
	return err;
}
