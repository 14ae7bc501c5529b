/* SPDX-License-Identifier: GPL-2.0 */
/* The load of make bench: packets that a director receives without a wire. */
#ifndef _SLB_BENCH_H
#define _SLB_BENCH_H

#include <linux/ktime.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>

/* Packets between two moments at which the kernel may do something else. */
#define SLB_BENCH_CHUNK		32u

/**
 * enum slb_bench_what - what becomes of a packet
 * @SLB_BENCH_RECEIVE: the kernel does with it as it likes
 * @SLB_BENCH_DROP: dropped in the hook, where shadowlb's is
 * @SLB_BENCH_FORWARD: sent on from there, without asking for its flow or its route
 * @SLB_BENCH_INGRESS: the same from netdev ingress, before the kernel looks at the packet
 * @SLB_BENCH_EMPTY: not even received: what measuring costs
 * @SLB_BENCH_TRIP: sent by the client, and an answer comes back (trip.c)
 * @SLB_BENCH_XDP: the program attached to @dev is run, and no more (xdp.c)
 */
enum slb_bench_what {
	SLB_BENCH_RECEIVE,
	SLB_BENCH_DROP,
	SLB_BENCH_FORWARD,
	SLB_BENCH_INGRESS,
	SLB_BENCH_EMPTY,
	SLB_BENCH_TRIP,
	SLB_BENCH_XDP,
};

/**
 * struct slb_bench_job - what is to be measured
 * @net: the namespace of who asked
 * @dev: the device that packets come from, held
 * @v6: they are of IPv6
 * @proto: IPPROTO_UDP or IPPROTO_TCP
 * @src: source address, of the first flow if @vary_src
 * @dst: destination address, of the first flow if not
 * @via: where packets are forwarded to
 * @sport: source port, likewise; host order
 * @dport: destination port, likewise
 * @vary_src: flows differ in their source, or else in their destination
 * @ports: number of ports by which flows differ; further flows differ by address
 * @flags: of TCP, the byte of its header
 * @flows: how many
 * @len: of a packet, with its IP header, in bytes
 * @warm: packets of each flow that are not measured
 * @packets: packets that are
 * @random: in random order, or else one flow after the other
 * @skew: if @random: some flows more often than others; one in eight has half of the
 *	packets, one in a thousand a tenth
 * @tsc: cycles, or else nanoseconds
 * @what: what becomes of them
 * @first: number of the first flow
 * @cpus: so many CPUs do the job at once, each with flows of its own, and only @elapsed
 *	tells; 0: one does, and times each packet
 * @client: of a trip: the device behind @dev, held
 * @server: the device behind the one that requests leave by, held
 * @gap: mean time between two packets, in the unit of @time; 0: as fast as it goes
 * @fresh: how many packets of 100 are the first of a flow
 * @flood: SYNs to @floodport, each of a new flow and none answered, for 100 packets; @gap counts
 *	them, no other figure does
 * @floodport: of a service whose real server listens there, too; host order
 * @stamp: of the next packet, in its last bytes
 * @due: when packets are to be received
 * @back: how many came back
 * @elapsed: time from the first packet to the last one, or to the last that came back
 * @time: what each packet took, ascending when the job is done; U32_MAX: no answer
 * @sum: of all of them
 * @passed: frames that a program let by
 */
struct slb_bench_job {
	struct net		*net;
	struct net_device	*dev;
	bool			v6;
	u8			proto;
	union nf_inet_addr	src;
	union nf_inet_addr	dst;
	union nf_inet_addr	via;
	u16			sport;
	u16			dport;
	bool			vary_src;
	u32			ports;
	u8			flags;
	u32			flows;
	u32			len;
	u32			warm;
	u32			packets;
	bool			random;
	bool			skew;
	bool			tsc;
	enum slb_bench_what	what;
	u32			first;
	u32			cpus;
	struct net_device	*client;
	struct net_device	*server;
	u32			gap;
	u32			fresh;
	u32			flood;
	u16			floodport;
	u32			stamp;
	u64			*due;
	u32			back;
	u64			elapsed;
	u32			*time;
	u64			sum;
	u32			passed;
};

static inline u64 slb_bench_tsc(void)
{
	u32 low, high;

	asm volatile("lfence; rdtsc; lfence" : "=a" (low), "=d" (high) :
		     : "memory");
	return (u64)high << 32 | low;
}

/**
 * slb_bench_now() - a clock
 * @tsc: of cycles, or else of nanoseconds
 */
static inline u64 slb_bench_now(bool tsc)
{
	return tsc ? slb_bench_tsc() : ktime_get_ns();
}

struct sk_buff *slb_bench_packet(const struct slb_bench_job *job, u32 flow);
u64 slb_bench_xdp(struct slb_bench_job *job, struct sk_buff *skb);
int slb_bench_load(struct slb_bench_job *job);
int slb_bench_trips(struct slb_bench_job *job);
int slb_bench_pass(struct slb_bench_job *job, u32 packets, u32 *time);
int slb_bench_together(struct slb_bench_job *job);

#endif /* _SLB_BENCH_H */
