/* SPDX-License-Identifier: GPL-2.0 */
/* The load of make bench: packets that a director receives without a wire. */
#ifndef _SLB_BENCH_H
#define _SLB_BENCH_H

#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>

/* Ports that flows differ by; further flows differ by address. */
#define SLB_BENCH_PORTS		60000u

/* Packets between two moments at which the kernel may do something else. */
#define SLB_BENCH_CHUNK		32u

/**
 * enum slb_bench_what - what becomes of a packet
 * @SLB_BENCH_RECEIVE: the kernel does with it as it likes
 * @SLB_BENCH_DROP: dropped in the hook, where shadowlb's is
 * @SLB_BENCH_FORWARD: sent on from there, without asking for its flow or its route
 * @SLB_BENCH_EMPTY: not even received: what measuring costs
 */
enum slb_bench_what {
	SLB_BENCH_RECEIVE,
	SLB_BENCH_DROP,
	SLB_BENCH_FORWARD,
	SLB_BENCH_EMPTY,
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
 * @time: what each packet took, ascending when the job is done
 * @sum: of all of them
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
	u8			flags;
	u32			flows;
	u32			len;
	u32			warm;
	u32			packets;
	bool			random;
	bool			skew;
	bool			tsc;
	enum slb_bench_what	what;
	u32			*time;
	u64			sum;
};

struct sk_buff *slb_bench_packet(const struct slb_bench_job *job, u32 flow);
int slb_bench_load(struct slb_bench_job *job);

#endif /* _SLB_BENCH_H */
