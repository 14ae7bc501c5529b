/* SPDX-License-Identifier: GPL-2.0 */
/* The IPVS scheduler "shadow", in the module ip_vs_shadow. */
#ifndef _SLB_SCHED_H
#define _SLB_SCHED_H

#include <linux/types.h>

struct ip_vs_scheduler;

bool slb_sched_is(const struct ip_vs_scheduler *sched);

#endif /* _SLB_SCHED_H */
