/* SPDX-License-Identifier: GPL-2.0 */
/* Files of a namespace in /proc/net. */
#ifndef _SLB_PROC_H
#define _SLB_PROC_H

#include <linux/types.h>

struct net;

int slb_proc_stat_init(struct net *net);
void slb_proc_stat_exit(struct net *net);
int slb_proc_init(struct net *net);
void slb_proc_exit(struct net *net);
int slb_proc_flows_init(struct net *net);
void slb_proc_flows_exit(struct net *net);
int slb_proc_services_init(struct net *net);
void slb_proc_services_exit(struct net *net);

const char *slb_proc_proto_name(u8 proto);

#endif /* _SLB_PROC_H */
