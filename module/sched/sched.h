/* SPDX-License-Identifier: GPL-2.0 */
/* The IPVS scheduler "shadow", in the module ip_vs_shadow. */
#ifndef _SLB_SCHED_H
#define _SLB_SCHED_H

#include <linux/types.h>

struct ip_vs_scheduler;
struct net;

/**
 * struct slb_sched_watcher - callbacks for services scheduled by "shadow"
 * @add: a namespace has one more service; returns 0, or an error, which refuses the service
 * @del: a namespace has one less service
 *
 * Both in process context, under slb_sched_mutex.
 */
struct slb_sched_watcher {
	int	(*add)(struct net *net);
	void	(*del)(struct net *net);
};

bool slb_sched_is(const struct ip_vs_scheduler *sched);
int slb_sched_watch(const struct slb_sched_watcher *watcher);
void slb_sched_unwatch(void);

#endif /* _SLB_SCHED_H */
