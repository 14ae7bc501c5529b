// SPDX-License-Identifier: GPL-2.0
/*
 * Who is told of services scheduled by "shadow".
 *
 * IPVS loads a scheduler by name, and until Linux 7.2 holds a mutex meanwhile that the exit of
 * a namespace waits for. That exit, in turn, blocks the loading of modules with state in each
 * namespace, such as shadowlb. So IPVS loads ip_vs_shadow, which has no such state, and a
 * process that nobody waits for loads shadowlb. Then shadowlb is told of all services with the
 * scheduler, present and future.
 */
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/mutex.h>

#include "sched/watch.h"

/* Guards the list and the watcher. Taken before shadowlb's own mutexes. */
static DEFINE_MUTEX(slb_watch_mutex);
static LIST_HEAD(slb_watch_services);
static const struct slb_watcher *slb_watch_watcher;

/**
 * slb_watch_service_add() - tell that there is one more service
 * @s: service, until slb_watch_service_del()
 * @net: namespace
 *
 * Without shadowlb the service works, but not by flows.
 *
 * Context: process, under IPVS's service mutex.
 * Return: 0, or the watcher's error.
 */
int slb_watch_service_add(struct slb_watch_service *s, struct net *net)
{
	bool alone;
	int err = 0;

	s->net = net;
	mutex_lock(&slb_watch_mutex);
	alone = !slb_watch_watcher;
	if (!alone)
		err = slb_watch_watcher->add(net);
	if (!err)
		list_add(&s->list, &slb_watch_services);
	mutex_unlock(&slb_watch_mutex);
	if (alone)
		request_module_nowait("shadowlb");
	return err;
}

/**
 * slb_watch_service_del() - tell that there is one less service
 * @s: service
 *
 * Context: process, under IPVS's service mutex.
 */
void slb_watch_service_del(struct slb_watch_service *s)
{
	mutex_lock(&slb_watch_mutex);
	list_del(&s->list);
	if (slb_watch_watcher)
		slb_watch_watcher->del(s->net);
	mutex_unlock(&slb_watch_mutex);
}

/**
 * slb_watch_begin() - register the watcher of services scheduled by "shadow"
 * @watcher: the watcher; there is only one
 *
 * Before this returns, @watcher->add() is called for all present services.
 *
 * Context: process.
 * Return: 0, or the error of @watcher->add(), after @watcher->del() for all added services.
 */
int slb_watch_begin(const struct slb_watcher *watcher)
{
	struct slb_watch_service *s;
	int err = 0;

	mutex_lock(&slb_watch_mutex);
	list_for_each_entry(s, &slb_watch_services, list) {
		err = watcher->add(s->net);
		if (err)
			break;
	}
	if (err)
		list_for_each_entry_continue_reverse(s, &slb_watch_services, list)
			watcher->del(s->net);
	else
		slb_watch_watcher = watcher;
	mutex_unlock(&slb_watch_mutex);
	return err;
}
EXPORT_SYMBOL_GPL(slb_watch_begin);

/**
 * slb_watch_end() - be told no more
 *
 * When this returns nobody calls the watcher.
 *
 * Context: process.
 */
void slb_watch_end(void)
{
	mutex_lock(&slb_watch_mutex);
	slb_watch_watcher = NULL;
	mutex_unlock(&slb_watch_mutex);
}
EXPORT_SYMBOL_GPL(slb_watch_end);
