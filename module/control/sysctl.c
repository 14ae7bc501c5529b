// SPDX-License-Identifier: GPL-2.0
/*
 * net.shadowlb: the knobs of a namespace.
 *
 *  scope | 0 off, 1 services scheduled by "shadow", 2 every IPVS service
 *  lease | seconds for which a flow is used before it must be proved again
 *  verify | one packet in N is compared with the slow path; 0 none
 *  services_on | services that flows serve under scope 1 and 2
 *  services_off | services that flows never serve
 */
#include <linux/slab.h>

#include <compat/sysctl.h>

#include "control/scope.h"
#include "control/sysctl.h"
#include "flow/memory.h"
#include "ipvs/conn.h"
#include "state/listed.h"
#include "state/ns.h"

static const int slb_lease_max = SLB_LEASE_MAX;

/* Once the write returns, the new scope holds for every packet. */
static int slb_sysctl_scope(slb_ctl_table *table, int write, void *buffer,
			    size_t *lenp, loff_t *ppos)
{
	struct slb_ns *ns = table->extra2;
	struct ctl_table scope = {
		.procname	= table->procname,
		.data		= &ns->scope_new,
		.maxlen		= sizeof(int),
		.mode		= table->mode,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_TWO,
	};
	int err;

	mutex_lock(&slb_mutex);
	ns->scope_new = ns->scope;
	err = proc_dointvec_minmax(&scope, write, buffer, lenp, ppos);
	if (!err && write)
		err = slb_scope_set(ns, ns->scope_new);
	mutex_unlock(&slb_mutex);
	return err;
}

static int slb_sysctl_list_read(const struct slb_listed *list, void *buffer, size_t *lenp,
				loff_t *ppos)
{
	const char *text = slb_listed_text(list);
	struct ctl_table table = {
		.data	= (void *)text,
		.maxlen	= strlen(text) + 1,
	};

	return proc_dostring(&table, 0, buffer, lenp, ppos);
}

/*
 * Once the write returns, the new list holds for every packet. A list is written at once, up to the
 * end of a line: a part of it would be another list. A program that writes a long text in parts
 * fails with the first; sysctl(8) would try parts after -EINVAL.
 */
static int slb_sysctl_list(slb_ctl_table *table, int write, void *buffer,
			   size_t *lenp, loff_t *ppos)
{
	struct slb_ns *ns = table->extra2;
	struct slb_listed __rcu **at = table->data;
	struct slb_listed *list;
	int err;

	if (!write) {
		mutex_lock(&slb_mutex);
		list = rcu_dereference_protected(*at, lockdep_is_held(&slb_mutex));
		err = slb_sysctl_list_read(list, buffer, lenp, ppos);
		mutex_unlock(&slb_mutex);
		return err;
	}
	if (*ppos || !*lenp || memchr(buffer, '\n', *lenp) != buffer + *lenp - 1 ||
	    memchr(buffer, '\0', *lenp))
		return -EBADMSG;
	list = slb_listed_parse(buffer, *lenp);
	if (IS_ERR(list))
		return PTR_ERR(list);
	mutex_lock(&slb_mutex);
	err = slb_scope_list(ns, at, list);
	mutex_unlock(&slb_mutex);
	*ppos += *lenp;
	return err;
}

static const struct ctl_table slb_sysctl_table[] = {
	{
		.procname	= "scope",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= slb_sysctl_scope,
	},
	{
		.procname	= "lease",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ONE,
		.extra2		= (void *)&slb_lease_max,
	},
	{
		.procname	= "verify",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_INT_MAX,
	},
	{
		.procname	= "services_on",
		.maxlen		= sizeof(void *),
		.mode		= 0644,
		.proc_handler	= slb_sysctl_list,
	},
	{
		.procname	= "services_off",
		.maxlen		= sizeof(void *),
		.mode		= 0644,
		.proc_handler	= slb_sysctl_list,
	},
	{ }
};

/**
 * slb_sysctl_init() - show the knobs of a namespace
 * @ns: the namespace
 *
 * Context: process.
 * Return: 0, or -ENOMEM.
 */
int slb_sysctl_init(struct slb_ns *ns)
{
	ns->table = kmemdup(slb_sysctl_table, sizeof(slb_sysctl_table),
			    GFP_KERNEL | slb_memory_account(ns->payer));
	if (!ns->table)
		return -ENOMEM;
	ns->table[0].data = &ns->scope;
	ns->table[0].extra2 = ns;
	ns->table[1].data = &ns->lease;
	ns->table[2].data = &ns->verify;
	ns->table[3].data = &ns->listed_on;
	ns->table[3].extra2 = ns;
	ns->table[4].data = &ns->listed_off;
	ns->table[4].extra2 = ns;
	ns->sysctl = register_net_sysctl_sz(ns->net, "net/shadowlb", ns->table,
					    ARRAY_SIZE(slb_sysctl_table) - 1);
	if (!ns->sysctl) {
		kfree(ns->table);
		return -ENOMEM;
	}
	return 0;
}

/**
 * slb_sysctl_exit() - take them back
 * @ns: the namespace
 *
 * Context: process; waits for reads and writes under way.
 */
void slb_sysctl_exit(struct slb_ns *ns)
{
	unregister_net_sysctl_table(ns->sysctl);
	kfree(ns->table);
}
