// SPDX-License-Identifier: GPL-2.0
/* 6.17, 930c2ea566af ("workqueue: Add new WQ_PERCPU flag"), and stable 6.12.
 * expect: WQ_PERCPU. undeclared
 */
#include <linux/workqueue.h>
int slb_probe(void);
int slb_probe(void)
{
	return WQ_PERCPU;
}
