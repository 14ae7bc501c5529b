/* SPDX-License-Identifier: GPL-2.0 */
/* net.shadowlb */
#ifndef _SLB_SYSCTL_H
#define _SLB_SYSCTL_H

struct slb_ns;

int slb_sysctl_init(struct slb_ns *ns);
void slb_sysctl_exit(struct slb_ns *ns);

#endif /* _SLB_SYSCTL_H */
