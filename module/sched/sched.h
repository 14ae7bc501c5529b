/* SPDX-License-Identifier: GPL-2.0 */
/* The IPVS scheduler "shadow", which is a module of its own. */
#ifndef _SLB_SCHED_H
#define _SLB_SCHED_H

#include <linux/types.h>

struct ip_vs_scheduler;
struct net;

/**
 * struct slb_sched_watcher - who is told of the services scheduled by "shadow"
 * @add: a namespace has one more; returns 0, or an error that refuses the service
 * @del: a namespace has one less
 *
 * Both in process context, one at a time, under a mutex of IPVS's or slb_sched_mutex.
 */
struct slb_sched_watcher {
	int	(*add)(struct net *net);
	void	(*del)(struct net *net);
};

bool slb_sched_is(const struct ip_vs_scheduler *sched);
int slb_sched_watch(const struct slb_sched_watcher *watcher);
void slb_sched_unwatch(void);

#endif /* _SLB_SCHED_H */
