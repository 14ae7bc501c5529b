// SPDX-License-Identifier: GPL-2.0
/* 6.11, 78eb4ea25cd5 ("sysctl: treewide: constify the ctl_table argument of
 * proc_handlers").
 * expect: incompatible.(function.)?pointer.type
 */
#include <linux/sysctl.h>
proc_handler *slb_handler(void);
static int slb_probe(const struct ctl_table *table, int write, void *buf,
		     size_t *len, loff_t *pos)
{
	return 0;
}

proc_handler *slb_handler(void)
{
	return slb_probe;
}
