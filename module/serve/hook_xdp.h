/* SPDX-License-Identifier: GPL-2.0 */
/* XDP: frames are served before the kernel allocates an skb. */
#ifndef _SLB_HOOK_XDP_H
#define _SLB_HOOK_XDP_H

void slb_xdp_init(void);
const char *slb_xdp_missing(void);

#endif /* _SLB_HOOK_XDP_H */
