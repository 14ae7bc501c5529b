/* SPDX-License-Identifier: GPL-2.0 */
/* Cases of a flow table whose size changes, see flow_move.c. */
#ifndef _SLB_KUNIT_FLOW_MOVE_H
#define _SLB_KUNIT_FLOW_MOVE_H

#include <kunit/test.h>

#include "rnd.h"

void slb_moves(struct kunit *test, bool wide, struct rnd_state *rnd);
void slb_walks(struct kunit *test, bool wide, struct rnd_state *rnd);
void slb_test_want(struct kunit *test);

#endif /* _SLB_KUNIT_FLOW_MOVE_H */
