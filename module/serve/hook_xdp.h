/* SPDX-License-Identifier: GPL-2.0 */
/* Rung 2: XDP. */
#ifndef _SLB_HOOK_XDP_H
#define _SLB_HOOK_XDP_H

void slb_xdp_init(void);
const char *slb_xdp_missing(void);

#endif /* _SLB_HOOK_XDP_H */
