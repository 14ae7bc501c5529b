/* SPDX-License-Identifier: GPL-2.0 */
/* Flags of services, as the scheduler "shadow" reads them. */
#ifndef _SLB_FLAGS_H
#define _SLB_FLAGS_H

#include <linux/ip_vs.h>

/* Flags of a service: "ipvsadm -b flag-1" and so on. */
#define SLB_SCHED_F_CLIENT	IP_VS_SVC_F_SCHED1	/* by the client's address alone */
#define SLB_SCHED_F_BOUND	IP_VS_SVC_F_SCHED2	/* with bounded loads */
#define SLB_SCHED_F_LEAST	IP_VS_SVC_F_SCHED3	/* weighted least connection */

#endif /* _SLB_FLAGS_H */
