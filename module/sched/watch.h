/* SPDX-License-Identifier: GPL-2.0 */
/* Who is told of services scheduled by "shadow". */
#ifndef _SLB_WATCH_H
#define _SLB_WATCH_H

#include <linux/list.h>

struct net;

/**
 * struct slb_watch_service - a service scheduled by "shadow"
 * @list: in slb_watch_services
 * @net: the namespace, which outlives the service
 */
struct slb_watch_service {
	struct list_head	list;
	struct net		*net;
};

/**
 * struct slb_watcher - callbacks for services scheduled by "shadow"
 * @add: a namespace has one more service; returns 0, or an error, which refuses the service, unless
 *	it has been there before the watcher
 * @del: a namespace has one less service
 *
 * Both in process context, under slb_watch_mutex. A newer shadowlb meets an older ip_vs_shadow,
 * which services hold: what one module knows of the other does not change.
 */
struct slb_watcher {
	int	(*add)(struct net *net);
	void	(*del)(struct net *net);
};

int slb_watch_begin(const struct slb_watcher *watcher);
void slb_watch_end(void);

int slb_watch_service_add(struct slb_watch_service *s, struct net *net);
void slb_watch_service_del(struct slb_watch_service *s);

#endif /* _SLB_WATCH_H */
