/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A CPU's flows are guarded by nothing but disabled BHs, which must exclude all
 * softirqs of the CPU. PREEMPT_RT takes a lock of the CPU for that. Linux 6.18,
 * 3253cb49cbad ("softirq: Allow to drop the softirq-BKL lock on PREEMPT_RT"), made
 * the lock an option. No header shows this, so the version decides.
 */
#ifndef _SLB_COMPAT_SOFTIRQ_H
#define _SLB_COMPAT_SOFTIRQ_H

#include <linux/version.h>

#if defined(CONFIG_PREEMPT_RT) && !defined(CONFIG_PREEMPT_RT_NEEDS_BH_LOCK) && \
	(LINUX_VERSION_MAJOR > 6 || LINUX_VERSION_PATCHLEVEL >= 18)
#error "softirqs of a CPU preempt each other on this kernel, which shadowlb's flows \
do not survive: use one with CONFIG_PREEMPT_RT_NEEDS_BH_LOCK=y or without CONFIG_PREEMPT_RT"
#endif

#endif /* _SLB_COMPAT_SOFTIRQ_H */
