/* SPDX-License-Identifier: GPL-2.0 */
/* Flows, tested against the slow path while they serve. */
#ifndef _SLB_VERIFY_H
#define _SLB_VERIFY_H

#include <linux/random.h>

#include "flow.h"
#include "net.h"
#include "prove.h"

/**
 * slb_verify_due() - shall the slow path have this packet?
 * @sn: the namespace
 *
 * By chance, as flows have no room to count for this, and a count that they
 * shared would choose the same of them again and again where they take turns.
 *
 * Context: any.
 */
static inline bool slb_verify_due(const struct slb_net *sn)
{
	u32 n = READ_ONCE(sn->verify);

	return unlikely(n) && reciprocal_scale(get_random_u32(), n) == 0;
}

bool slb_verify(struct slb_net *sn, const struct slb_flow *flow,
		const struct slb_proof *p, enum slb_stat why);

#endif /* _SLB_VERIFY_H */
