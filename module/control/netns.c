// SPDX-License-Identifier: GPL-2.0
/*
 * Begin and end of the module's state in network namespaces, and the end of CPUs.
 *
 *  operation                        | locking
 * ----------------------------------+----------------------------------------
 *  the list of namespaces           | slb_netns_mutex; innermost, for it is
 *                                   | taken under the lock of CPU hotplug
 *
 * Teardown of a namespace: slb_netns_pre_exit() removes sysctls and hooks. The core waits for
 * RCU readers, after which no hook runs. slb_netns_exit_one() cancels the work and ends the
 * flows. Only then IPVS waits until no connection is left: IPVS registered first, and exits
 * last.
 */
#include <linux/cpuhotplug.h>

#include "control/netns.h"
#include "control/scope.h"
#include "control/sysctl.h"
#include "flow/memory.h"
#include "serve/hook_nf.h"
#include "show/proc.h"
#include "state/listed.h"
#include "state/ns.h"
#include "state/sweep.h"

unsigned int slb_ns_id __read_mostly;

static DEFINE_MUTEX(slb_netns_mutex);
static LIST_HEAD(slb_netns_list);
static int slb_netns_cpuhp;
/* Who registers the pernet operations, as long as that lasts. */
static const struct task_struct *slb_netns_loader;

/* Nobody reads or writes the lists of services any more. */
static void slb_netns_lists_free(struct slb_ns *ns)
{
	slb_listed_free(rcu_dereference_protected(ns->listed_on, true));
	slb_listed_free(rcu_dereference_protected(ns->listed_off, true));
}

static int slb_netns_init_one(struct net *net)
{
	struct slb_ns *ns = slb_ns(net);
	int err;

	ns->net = net;
	/* who loads the module has not created the namespaces that there are */
	if (current != READ_ONCE(slb_netns_loader))
		ns->payer = slb_memory_payer();
	ns->scope = slb_scope_default;
	ns->lease = SLB_LEASE_DEFAULT;
	slb_ruleset_init(&ns->rules, &ns->epoch, net);
	slb_nf_init(ns);
	err = slb_sweep_ns_init(ns);
	if (err)
		goto err_payer;
	mutex_lock(&slb_netns_mutex);
	list_add_tail(&ns->list, &slb_netns_list);
	mutex_unlock(&slb_netns_mutex);
	err = slb_proc_stat_init(net);
	if (err)
		goto err_sweep;
	err = slb_proc_init(net);
	if (err)
		goto err_stat;
	err = slb_proc_flows_init(net);
	if (err)
		goto err_proc;
	err = slb_proc_services_init(net);
	if (err)
		goto err_flows;
	err = slb_sysctl_init(ns);
	if (err)
		goto err_services;
	slb_scope_init(ns);
	return 0;

err_services:
	slb_proc_services_exit(net);
err_flows:
	slb_proc_flows_exit(net);
err_proc:
	slb_proc_exit(net);
err_stat:
	slb_proc_stat_exit(net);
err_sweep:
	mutex_lock(&slb_netns_mutex);
	list_del(&ns->list);
	mutex_unlock(&slb_netns_mutex);
	slb_sweep_ns_exit(ns);
	slb_netns_lists_free(ns);
err_payer:
	slb_memory_payer_put(ns->payer);
	return err;
}

static void slb_netns_pre_exit(struct net *net)
{
	struct slb_ns *ns = slb_ns(net);

	slb_sysctl_exit(ns);
	slb_scope_exit(ns);
}

static void slb_netns_exit_one(struct net *net)
{
	struct slb_ns *ns = slb_ns(net);

	slb_proc_services_exit(net);
	slb_proc_flows_exit(net);
	slb_proc_exit(net);
	slb_proc_stat_exit(net);
	mutex_lock(&slb_netns_mutex);
	list_del(&ns->list);
	mutex_unlock(&slb_netns_mutex);
	slb_sweep_ns_exit(ns);
	slb_netns_lists_free(ns);
	slb_memory_payer_put(ns->payer);
}

static struct pernet_operations slb_netns_ops = {
	.init		= slb_netns_init_one,
	.pre_exit	= slb_netns_pre_exit,
	.exit		= slb_netns_exit_one,
	.id		= &slb_ns_id,
	.size		= sizeof(struct slb_ns),
};

static int slb_netns_cpu_dead(unsigned int cpu)
{
	struct slb_ns *ns;

	mutex_lock(&slb_netns_mutex);
	list_for_each_entry(ns, &slb_netns_list, list)
		slb_sweep_dead(ns, cpu);
	mutex_unlock(&slb_netns_mutex);
	return 0;
}

/**
 * slb_netns_init() - begin to look after namespaces and CPUs
 *
 * Context: process.
 * Return: 0, or a negative error.
 */
int slb_netns_init(void)
{
	int err;

	/* a state of the BP's part: torn down when the CPU runs nothing more */
	err = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "net/shadowlb",
					NULL, slb_netns_cpu_dead);
	if (err < 0)
		return err;
	slb_netns_cpuhp = err;
	WRITE_ONCE(slb_netns_loader, current);
	err = register_pernet_subsys(&slb_netns_ops);
	WRITE_ONCE(slb_netns_loader, NULL);
	if (err)
		cpuhp_remove_state_nocalls(slb_netns_cpuhp);
	return err;
}

/**
 * slb_netns_exit() - end all flows, and leave namespaces and CPUs
 *
 * Context: process.
 */
void slb_netns_exit(void)
{
	unregister_pernet_subsys(&slb_netns_ops);
	cpuhp_remove_state_nocalls(slb_netns_cpuhp);
}
