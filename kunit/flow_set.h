/* SPDX-License-Identifier: GPL-2.0 */
/* Cases of the flow table, see flow_set.c. */
#ifndef _SLB_KUNIT_FLOW_SET_H
#define _SLB_KUNIT_FLOW_SET_H

#include <kunit/test.h>

#include "rnd.h"

void slb_eviction(struct kunit *test, bool wide, struct rnd_state *rnd);
void slb_spread(struct kunit *test, bool wide, struct rnd_state *rnd);
void slb_hash_bits(struct kunit *test, bool wide, struct rnd_state *rnd);
void slb_test_start(struct kunit *test);

#endif /* _SLB_KUNIT_FLOW_SET_H */
