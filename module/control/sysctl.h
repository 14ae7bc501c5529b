/* SPDX-License-Identifier: GPL-2.0 */
/* net.shadowlb */
#ifndef _SLB_SYSCTL_H
#define _SLB_SYSCTL_H

struct slb_net;

int slb_sysctl_init(struct slb_net *sn);
void slb_sysctl_exit(struct slb_net *sn);

#endif /* _SLB_SYSCTL_H */
