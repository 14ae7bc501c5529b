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
 * device: the client sends what is due whenever the CPU is done with what it had, and sleeps
 * until the next is due. A trip is
 * timed from the moment that its packet was due, so that waiting for others is in it. SYNs to
 * another service may come in between: the server takes them and says nothing.
 *
 * The handlers run in softirq on the CPU of the loop, which lets them run when it turns
 * BHs on: they and it share @slb_trip_job without a lock.
 */
#include <linux/etherdevice.h>
#include <linux/hrtimer.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/prandom.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/udp.h>
#include <linux/vmalloc.h>

#include "bench.h"

/* Packets that the device hands over at a time. */
#define SLB_TRIP_BATCH	64

/* How long the last answers may take, in rounds of the loop. */
#define SLB_TRIP_PATIENCE	100000

/* Clients of SYNs, and the number of the first: none has another flow. */
#define SLB_TRIP_SYNS	30000

/* Between two looks for the last answers, in ns. */
#define SLB_TRIP_MOMENT	10000

/* Parts that the mean time between two packets is divided into. */
#define SLB_TRIP_PARTS	64

static struct slb_bench_job *slb_trip_job;

/* Flows that were new once; one job at a time. */
static u32 slb_trip_fresh;

/* When a packet is due, after the first moment of the job. */
struct slb_trip_cb {
	u64	due;
};

#define SLB_TRIP_CB(skb)	((struct slb_trip_cb *)(skb)->cb)

/* So for TCP. */
static struct udphdr *slb_trip_ports(const struct sk_buff *skb)
{
	if (slb_trip_job->v6)
		return (struct udphdr *)(ipv6_hdr(skb) + 1);
	return (struct udphdr *)(ip_hdr(skb) + 1);
}

/* Is it a packet of the job's, and neither a SYN of the flood's nor what IPv6 says of itself? */
static bool slb_trip_own(const struct sk_buff *skb)
{
	const struct slb_bench_job *job = slb_trip_job;
	u8 proto;

	if (skb->protocol != htons(job->v6 ? ETH_P_IPV6 : ETH_P_IP))
		return false;
	proto = job->v6 ? ipv6_hdr(skb)->nexthdr : ip_hdr(skb)->protocol;
	return proto == job->proto &&
	       (!job->flood || slb_trip_ports(skb)->dest != htons(job->floodport));
}

/* The checksums stay right. */
static void slb_trip_turn(struct sk_buff *skb)
{
	u8 mac[ETH_ALEN];
	struct udphdr *uh = slb_trip_ports(skb);

	ether_addr_copy(mac, eth_hdr(skb)->h_dest);
	ether_addr_copy(eth_hdr(skb)->h_dest, eth_hdr(skb)->h_source);
	ether_addr_copy(eth_hdr(skb)->h_source, mac);
	if (slb_trip_job->v6)
		swap(ipv6_hdr(skb)->saddr, ipv6_hdr(skb)->daddr);
	else
		swap(ip_hdr(skb)->saddr, ip_hdr(skb)->daddr);
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

/* One more packet at the end of @list, or an error. */
static int slb_trip_add(const struct slb_bench_job *job, u32 flow, u64 due,
			struct sk_buff_head *list)
{
	struct sk_buff *skb = slb_bench_packet(job, flow);

	if (!skb)
		return -ENOMEM;
	SLB_TRIP_CB(skb)->due = due / SLB_TRIP_PARTS;
	__skb_queue_tail(list, skb);
	if (list->qlen % SLB_BENCH_CHUNK == 0)
		cond_resched();
	return 0;
}

/* Build all packets, and choose when each is due: at any moment with the same chance. Of
 * those that are not of new flows, each flow has its turn, or a random one.
 */
static int slb_trip_prepare(struct slb_bench_job *job, struct sk_buff_head *list)
{
	struct slb_bench_job syn = *job;
	struct rnd_state rnd;
	u32 i = 0, flow;
	u64 due = 0;
	int err = 0;

	syn.ports = 1;
	syn.proto = IPPROTO_TCP;
	syn.flags = 2;
	syn.dport = job->floodport;
	syn.stamp = U32_MAX;
	prandom_seed_state(&rnd, job->packets);
	while (i < job->packets && !err) {
		do
			due += job->gap;
		while (job->gap && prandom_u32_state(&rnd) % SLB_TRIP_PARTS);
		if (job->flood && prandom_u32_state(&rnd) % (100 + job->flood) >= 100) {
			err = slb_trip_add(&syn, SLB_TRIP_SYNS + slb_trip_fresh++ % SLB_TRIP_SYNS,
					   due, list);
			continue;
		}
		flow = job->random ? prandom_u32_state(&rnd) % job->flows :
				     i % job->flows;
		if (prandom_u32_state(&rnd) % 100 < job->fresh)
			flow = job->flows + slb_trip_fresh++;
		job->due[i] = due / SLB_TRIP_PARTS;
		job->time[i] = U32_MAX;
		job->stamp = i++;
		err = slb_trip_add(job, flow, due, list);
	}
	return err;
}

static void slb_trip_send(const struct slb_bench_job *job, struct sk_buff *skb)
{
	SLB_TRIP_CB(skb)->due = 0;
	skb_push(skb, ETH_HLEN);
	skb->dev = job->client;
	dev_queue_xmit(skb);
}

/* Leave the CPU to others until the next packet is due, or for a moment if all are sent. */
static void slb_trip_rest(struct sk_buff_head *list, u64 start)
{
	struct sk_buff *skb = skb_peek(list);
	ktime_t until = ns_to_ktime(skb ? SLB_TRIP_CB(skb)->due + start :
					  slb_bench_now(false) + SLB_TRIP_MOMENT);

	if (!ktime_after(until, ktime_get()))
		return;
	set_current_state(TASK_INTERRUPTIBLE);
	schedule_hrtimeout(&until, HRTIMER_MODE_ABS);
}

static int slb_trip_run(struct slb_bench_job *job, struct sk_buff_head *list)
{
	u64 start = slb_bench_now(job->tsc) + job->gap;
	struct sk_buff *skb;
	bool rests = job->gap && !job->tsc;
	int err = 0;
	u32 i, n, idle = 0;

	for (i = 0; i < job->packets; i++)
		job->due[i] += start;
	/* workers, such as a sweep, wait where interrupts would make them wait */
	if (rests)
		sched_set_fifo(current);
	while (job->back < job->packets && idle < SLB_TRIP_PATIENCE) {
		local_bh_disable();
		for (n = 0; n < SLB_TRIP_BATCH; n++) {
			skb = skb_peek(list);
			if (!skb || SLB_TRIP_CB(skb)->due + start > slb_bench_now(job->tsc))
				break;
			slb_trip_send(job, __skb_dequeue(list));
		}
		local_bh_enable();
		idle = skb_queue_empty(list) ? idle + 1 : 0;
		if (signal_pending(current)) {
			err = -EINTR;
			break;
		}
		if (rests)
			slb_trip_rest(list, start);
		else
			cond_resched();
	}
	if (rests)
		sched_set_normal(current, 0);
	job->elapsed = slb_bench_now(job->tsc) - start;
	return err;
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
