// SPDX-License-Identifier: GPL-2.0
/*
 * What "ip link set dev eth0 xdp obj shadowlb_xdp.o sec xdp" attaches: it asks the module
 * for each frame, and does what that says. All there is to know is in the module, see
 * module/serve/hook_xdp.c; without it this does not load.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int slb_xdp(struct xdp_md *ctx) __ksym;

static __always_inline int serve(struct xdp_md *ctx)
{
	int to = slb_xdp(ctx);

	if (to < 0)
		return XDP_PASS;
	return to ? bpf_redirect(to, 0) : XDP_TX;
}

SEC("xdp")
int shadowlb(struct xdp_md *ctx)
{
	return serve(ctx);
}

/* The same for devices whose frames may take more than one buffer, which do without a
 * program that has not heard of them. Frames that do are let by.
 */
SEC("xdp.frags")
int shadowlb_frags(struct xdp_md *ctx)
{
	return serve(ctx);
}

/* For xdp-loader(8): the programs behind this one see what it lets by. */
#define RUN_CONFIG(program)				\
	struct {					\
		__uint(priority, 50);			\
		__uint(XDP_PASS, 1);			\
	} _##program SEC(".xdp_run_config")

RUN_CONFIG(shadowlb);
RUN_CONFIG(shadowlb_frags);

char _license[] SEC("license") = "GPL";
