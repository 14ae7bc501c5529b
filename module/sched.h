/* SPDX-License-Identifier: GPL-2.0 */
/* The IPVS scheduler "shadow". */
#ifndef _SLB_SCHED_H
#define _SLB_SCHED_H

#include <linux/types.h>

struct ip_vs_scheduler;

bool slb_sched_is(const struct ip_vs_scheduler *sched);
int slb_sched_init(void);
void slb_sched_exit(void);

#endif /* _SLB_SCHED_H */
