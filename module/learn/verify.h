/* SPDX-License-Identifier: GPL-2.0 */
/* Flows, tested against the slow path while they serve. */
#ifndef _SLB_VERIFY_H
#define _SLB_VERIFY_H

#include <linux/random.h>

#include "learn/derive.h"
#include "state/cpu.h"

/**
 * slb_verify_due() - shall the slow path have this packet?
 * @ns: the namespace
 *
 * By chance, as flows have no room to count for this, and a count that they
 * shared would choose the same of them again and again where they take turns.
 *
 * Context: any.
 */
static inline bool slb_verify_due(const struct slb_ns *ns)
{
	u32 n = READ_ONCE(ns->verify);

	return unlikely(n) && reciprocal_scale(get_random_u32(), n) == 0;
}

/**
 * slb_verify_ask() - let the hook verify a packet that XDP lets by for that
 * @cpu: state of this CPU
 * @hash: of the packet's key
 *
 * Context: BH off.
 */
static inline void slb_verify_ask(struct slb_cpu_state *cpu, u32 hash)
{
	cpu->verify_key = BIT_ULL(32) | hash;
}

/**
 * slb_verify_take() - has XDP let this packet by to be verified?
 * @cpu: state of this CPU
 * @hash: of the packet's key
 *
 * Context: BH off.
 */
static inline bool slb_verify_take(struct slb_cpu_state *cpu, u32 hash)
{
	if (likely(cpu->verify_key != (BIT_ULL(32) | hash)))
		return false;
	cpu->verify_key = 0;
	return true;
}

bool slb_verify_equal(const struct slb_cpu_state *cpu, const struct slb_flow *flow,
		      const struct slb_derived *p);
bool slb_verify(struct slb_ns *ns, const struct slb_cpu_state *cpu,
		const struct slb_flow *flow, const struct slb_derived *p,
		enum slb_reason reason);

#endif /* _SLB_VERIFY_H */
