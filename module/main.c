// SPDX-License-Identifier: GPL-2.0
/*
 * shadowlb: IPVS decides once a connection, a per-CPU flow table remembers.
 *
 * Built from the inside out: work, namespaces (with their tables, counters and
 * knobs), and last the scheduler, which is the door that services come in by.
 * Taken down the other way.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/log2.h>
#include <linux/module.h>

#include "control/netns.h"
#include "control/scope.h"
#include "flow/table.h"
#include "ipvs/conn.h"
#include "sched/watch.h"
#include "serve/hook_xdp.h"
#include "state/ns.h"
#include "state/sweep.h"

unsigned int slb_flows_max __read_mostly = SLB_FLOWS_DEFAULT;
module_param_named(flows, slb_flows_max, uint, 0444);
MODULE_PARM_DESC(flows, "Slots for flows per CPU and namespace that uses IPVS, at most, a power of two from 1024 to 33554432, 81 bytes each, 169 if wide (default 1048576)");

int slb_scope_default __read_mostly = SLB_SCOPE_SHADOW;
module_param_named(scope, slb_scope_default, int, 0444);
MODULE_PARM_DESC(scope, "net.shadowlb.scope of each namespace at first: 0 no services, 1 those scheduled by shadow, 2 all (default 1)");

static void __init slb_main_clamp_scope(void)
{
	int asked = slb_scope_default;

	slb_scope_default = clamp_t(int, asked, SLB_SCOPE_OFF, SLB_SCOPE_ALL);
	if (slb_scope_default != asked)
		pr_warn("scope=%d is not 0, 1 or 2: using %d\n", asked,
			slb_scope_default);
}

static void __init slb_main_clamp_flows(void)
{
	unsigned int asked = slb_flows_max;

	slb_flows_max = clamp(asked, SLB_FLOWS_MIN, SLB_FLOWS_MAX);
	if (!is_power_of_2(slb_flows_max))
		slb_flows_max = roundup_pow_of_two(slb_flows_max);
	if (slb_flows_max != asked)
		pr_warn("flows=%u is not a power of two from %u to %u: using %u\n",
			asked, SLB_FLOWS_MIN, SLB_FLOWS_MAX, slb_flows_max);
}

static int __init slb_main_init(void)
{
	int err;

	slb_main_clamp_flows();
	slb_main_clamp_scope();
	err = slb_sweep_init();
	if (err)
		return err;
	err = slb_netns_init();
	if (err)
		goto err_sweep_exit;
	err = slb_scope_watch();
	if (err)
		goto err_net_exit;
	slb_xdp_init();
	pr_info("version %s, up to %u flows per CPU\n", SLB_VERSION, slb_flows_max);
	return 0;

err_net_exit:
	slb_netns_exit();
err_sweep_exit:
	slb_sweep_exit();
	return err;
}

static void __exit slb_main_exit(void)
{
	slb_watch_end();
	slb_netns_exit();
	slb_sweep_exit();
	pr_info("removed\n");
}

module_init(slb_main_init);
module_exit(slb_main_exit);

MODULE_AUTHOR("The shadowlb developers");
MODULE_DESCRIPTION("IPVS connections served from a per-CPU flow table");
MODULE_LICENSE("GPL");
MODULE_VERSION(SLB_VERSION);
