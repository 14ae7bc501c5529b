/* SPDX-License-Identifier: GPL-2.0 */
/* Begin and end of namespaces and CPUs. */
#ifndef _SLB_NETNS_H
#define _SLB_NETNS_H

int slb_netns_init(void);
void slb_netns_exit(void);

#endif /* _SLB_NETNS_H */
