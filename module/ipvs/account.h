/* SPDX-License-Identifier: GPL-2.0 */
/* Accounting of served packets to IPVS. */
#ifndef _SLB_ACCOUNT_H
#define _SLB_ACCOUNT_H

#include "flow/flow.h"

void slb_account(struct slb_flow *flow, unsigned long now);

#endif /* _SLB_ACCOUNT_H */
