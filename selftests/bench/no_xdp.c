// SPDX-License-Identifier: GPL-2.0
/* Instead of xdp.c, on older kernels. */
#include "bench.h"

/**
 * slb_bench_xdp() - there is none
 * @job: of which kind the packet is
 * @skb: the packet; it is freed
 *
 * Context: BH off.
 * Return: what it took.
 */
u64 slb_bench_xdp(struct slb_bench_job *job, struct sk_buff *skb)
{
	job->passed++;
	kfree_skb(skb);
	return 0;
}
