/* SPDX-License-Identifier: GPL-2.0 */
/* What operators can read of a namespace in /proc/net. */
#ifndef _SLB_PROC_H
#define _SLB_PROC_H

#include <linux/types.h>

struct net;

int slb_stats_init(struct net *net);
void slb_stats_exit(struct net *net);
int slb_show_init(struct net *net);
void slb_show_exit(struct net *net);
int slb_list_init(struct net *net);
void slb_list_exit(struct net *net);
int slb_why_init(struct net *net);
void slb_why_exit(struct net *net);

const char *slb_proto_name(u8 proto);

#endif /* _SLB_PROC_H */
