/* SPDX-License-Identifier: GPL-2.0 */
/* Differences of <linux/workqueue.h> between supported kernels. */
#ifndef _SLB_COMPAT_WORKQUEUE_H
#define _SLB_COMPAT_WORKQUEUE_H

#include <linux/workqueue.h>

#include "probed.h"

#ifndef SLB_HAVE_WQ_PERCPU
/* Older kernels bind each work to a CPU unless WQ_UNBOUND is set. */
#define WQ_PERCPU	0
#endif

#endif /* _SLB_COMPAT_WORKQUEUE_H */
