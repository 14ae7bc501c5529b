// SPDX-License-Identifier: GPL-2.0
/*
 * What the program that is attached to a device (xdpgeneric) costs a frame: it is run as
 * a driver would run it, and what it says is not done. Its result for the first frame is
 * shown, so that nobody measures a program that lets all of them by.
 */
#include <linux/filter.h>
#include <net/netdev_rx_queue.h>
#include <net/xdp.h>

#include "bench.h"

/**
 * slb_bench_xdp() - run the program of the packet's device
 * @job: of which kind the packet is
 * @skb: the packet, its link-layer header pulled; it is freed
 *
 * Context: BH off.
 * Return: what it took.
 */
u64 slb_bench_xdp(struct slb_bench_job *job, struct sk_buff *skb)
{
	struct bpf_net_context ctx, *old = bpf_net_ctx_set(&ctx);
	struct bpf_prog *prog;
	struct xdp_buff xdp;
	u64 start;
	u32 did;

	skb_push(skb, ETH_HLEN);
	xdp_init_buff(&xdp, skb_end_offset(skb) +
			    SKB_DATA_ALIGN(sizeof(struct skb_shared_info)),
		      &job->dev->_rx[0].xdp_rxq);
	xdp_prepare_buff(&xdp, skb->head, skb_headroom(skb), skb->len, true);
	rcu_read_lock();
	prog = rcu_dereference(job->dev->xdp_prog);
	start = slb_bench_now(job->tsc);
	did = prog ? bpf_prog_run_xdp(prog, &xdp) : XDP_ABORTED;
	start = slb_bench_now(job->tsc) - start;
	rcu_read_unlock();
	bpf_net_ctx_clear(old);
	if (did == XDP_PASS)
		job->passed++;
	kfree_skb(skb);
	return start;
}
