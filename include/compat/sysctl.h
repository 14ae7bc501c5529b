/* SPDX-License-Identifier: GPL-2.0 */
/* Differences of sysctl registration between supported kernels. */
#ifndef _SLB_COMPAT_SYSCTL_H
#define _SLB_COMPAT_SYSCTL_H

#include <linux/sysctl.h>
#include <net/net_namespace.h>

#include "probed.h"

#ifdef SLB_HAVE_CONST_CTL_TABLE
#define slb_ctl_table const struct ctl_table
#else
#define slb_ctl_table struct ctl_table
#endif

#ifndef SLB_HAVE_NET_SYSCTL_SZ
/* Older kernels stop at an empty entry: tables end with an empty entry. */
static inline struct ctl_table_header *
register_net_sysctl_sz(struct net *net, const char *path,
		       struct ctl_table *table, size_t size)
{
	return register_net_sysctl(net, path, table);
}
#endif

#endif /* _SLB_COMPAT_SYSCTL_H */
