/* SPDX-License-Identifier: GPL-2.0 */
/* The scope of a namespace, and with it its hooks. */
#ifndef _SLB_SCOPE_H
#define _SLB_SCOPE_H

struct slb_listed;
struct slb_ns;

void slb_scope_init(struct slb_ns *ns);
void slb_scope_exit(struct slb_ns *ns);
int slb_scope_watch(void);
int slb_scope_set(struct slb_ns *ns, int scope);
int slb_scope_list(struct slb_ns *ns, struct slb_listed __rcu **at, struct slb_listed *list);

#endif /* _SLB_SCOPE_H */
