// SPDX-License-Identifier: GPL-2.0
/*
 * The scope of a namespace: services that flows serve. Hooks are registered accordingly.
 *
 *  operation                        | locking
 * ----------------------------------+----------------------------------------
 *  slb_scope_set, slb_scope_list    | slb_mutex
 *  slb_scope_init, _exit            | process context, take slb_mutex
 *  slb_scope_service_add, _del      | slb_watch_mutex, take slb_mutex
 *
 * Hooks are registered only in namespaces that can have flows: scope 2, or scope 1 and a service
 * scheduled by "shadow" or listed. Elsewhere a loaded module costs packets nothing.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "control/scope.h"
#include "ipvs/conn.h"
#include "sched/watch.h"
#include "serve/hook_nf.h"
#include "state/listed.h"
#include "state/ns.h"
#include "state/sweep.h"

/* Guards scope and hooks of all namespaces; see ns.h. */
DEFINE_MUTEX(slb_mutex);

/* Do scope and services want hooks? */
static bool slb_scope_wants(const struct slb_ns *ns, int scope, int services)
{
	return !ns->dead && (scope == SLB_SCOPE_ALL ||
			     (scope == SLB_SCOPE_SHADOW &&
			      (services || rcu_access_pointer(ns->listed_on))));
}

/* Register or unregister the hooks as scope and services want it. The sweep that the first packets
 * bring would find new hooks, and begin an epoch, in whose first moment nothing is learned.
 */
static int slb_scope_hook(struct slb_ns *ns, int scope, int services)
{
	bool want = slb_scope_wants(ns, scope, services);
	int err = 0;

	lockdep_assert_held(&slb_mutex);
	if (want == ns->hooked)
		return 0;
	if (want)
		err = slb_nf_register(ns);
	else
		slb_nf_unregister(ns);
	if (err)
		return err;
	WRITE_ONCE(ns->hooked, want);
	if (want)
		slb_ruleset_look(&ns->rules, &ns->epoch, ns->net, true);
	return 0;
}

/**
 * slb_scope_set() - choose which services are served by flows
 * @ns: the namespace
 * @scope: enum slb_scope
 *
 * When this returns, no packet is served by a flow of a service that is out of
 * scope, on any CPU.
 *
 * Context: process, slb_mutex.
 * Return: 0, or what nf_register_net_hooks() returns; then nothing changed.
 */
int slb_scope_set(struct slb_ns *ns, int scope)
{
	int err;

	lockdep_assert_held(&slb_mutex);
	err = slb_scope_hook(ns, scope, ns->services);
	if (err || scope == ns->scope)
		return err;
	WRITE_ONCE(ns->scope, scope);
	/* hooks that have read the old scope */
	synchronize_rcu();
	slb_sweep_drop(ns);
	return 0;
}

/**
 * slb_scope_list() - replace a list of services
 * @ns: the namespace
 * @at: its listed_on or listed_off
 * @list: the new list, or NULL; the caller gives it away
 *
 * When this returns, the list holds for every packet.
 *
 * Context: process, slb_mutex.
 * Return: 0, or what nf_register_net_hooks() returns; then nothing changed.
 */
int slb_scope_list(struct slb_ns *ns, struct slb_listed __rcu **at, struct slb_listed *list)
{
	bool wanted = slb_scope_wants(ns, ns->scope, ns->services);
	int err;

	lockdep_assert_held(&slb_mutex);
	if (slb_listed_same(list, rcu_dereference_protected(*at, lockdep_is_held(&slb_mutex)))) {
		slb_listed_free(list);
		return 0;
	}
	list = rcu_replace_pointer(*at, list, lockdep_is_held(&slb_mutex));
	err = slb_scope_hook(ns, ns->scope, ns->services);
	/* not for want of hooks that there were not before */
	if (err && wanted)
		err = 0;
	if (err)
		list = rcu_replace_pointer(*at, list, lockdep_is_held(&slb_mutex));
	/* packets that have read the other list */
	synchronize_rcu();
	slb_sweep_drop(ns);
	slb_listed_free(list);
	return err;
}

/* Hooks cannot be registered, and nobody can be told. A namespace with 1,024 hooks at a place is
 * full: that must not keep others from having flows. The next change of scope or services tries
 * again.
 */
static void slb_scope_unhooked(int err)
{
	if (err)
		pr_warn_ratelimited("no hooks in a network namespace (error %d): IPVS works there without flows\n",
				    err);
}

/* Services are told of that were there before. */
static bool slb_scope_begins;

/* A service begins to be scheduled by "shadow". An error refuses the service: without hooks IPVS
 * would serve it, but whoever asked for flows should know.
 */
static int slb_scope_service_add(struct net *net)
{
	struct slb_ns *ns = slb_ns(net);
	int err;

	mutex_lock(&slb_mutex);
	err = slb_scope_hook(ns, ns->scope, ns->services + 1);
	if (READ_ONCE(slb_scope_begins)) {
		slb_scope_unhooked(err);
		err = 0;
	}
	if (!err)
		ns->services++;
	mutex_unlock(&slb_mutex);
	return err;
}

/* A service is no longer scheduled by "shadow". The next sweep of each CPU looks at all flows, and
 * ends those of the service, if the loss of its real servers has not.
 */
static void slb_scope_service_del(struct net *net)
{
	struct slb_ns *ns = slb_ns(net);

	mutex_lock(&slb_mutex);
	ns->services--;
	WRITE_ONCE(ns->left, ns->left + 1);
	slb_scope_hook(ns, ns->scope, ns->services);
	mutex_unlock(&slb_mutex);
}

static const struct slb_watcher slb_scope_watcher = {
	.add	= slb_scope_service_add,
	.del	= slb_scope_service_del,
};

/**
 * slb_scope_watch() - begin to be told of services scheduled by "shadow"
 *
 * Services that are there cannot be refused.
 *
 * Context: process; only one caller.
 * Return: 0, or a negative error.
 */
int slb_scope_watch(void)
{
	int err;

	WRITE_ONCE(slb_scope_begins, true);
	err = slb_watch_begin(&slb_scope_watcher);
	WRITE_ONCE(slb_scope_begins, false);
	return err;
}

/**
 * slb_scope_init() - register the hooks of a new namespace, if its scope wants them
 * @ns: the namespace
 *
 * Context: process, takes slb_mutex.
 */
void slb_scope_init(struct slb_ns *ns)
{
	mutex_lock(&slb_mutex);
	slb_scope_unhooked(slb_scope_hook(ns, ns->scope, 0));
	mutex_unlock(&slb_mutex);
}

/**
 * slb_scope_exit() - unregister the hooks of a namespace for good
 * @ns: the namespace
 *
 * Context: process, takes slb_mutex.
 */
void slb_scope_exit(struct slb_ns *ns)
{
	mutex_lock(&slb_mutex);
	ns->dead = true;
	slb_scope_hook(ns, ns->scope, ns->services);
	mutex_unlock(&slb_mutex);
}
