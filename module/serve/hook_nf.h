/* SPDX-License-Identifier: GPL-2.0 */
/* The netfilter hooks. */
#ifndef _SLB_HOOK_NF_H
#define _SLB_HOOK_NF_H

#include <linux/types.h>

struct nf_hook_ops;
struct slb_ns;

void slb_nf_init(struct slb_ns *ns);
int slb_nf_register(struct slb_ns *ns);
void slb_nf_unregister(struct slb_ns *ns);
bool slb_nf_own(const struct nf_hook_ops *ops);

#endif /* _SLB_HOOK_NF_H */
