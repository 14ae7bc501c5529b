/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Common parts of suites: repeatable randomness, and the module of a suite.
 *
 * Random cases run twice, from a fixed seed and from a new seed. Both are printed. insmod with
 * seed=N uses N instead of the new seed, and so repeats a failed run.
 *
 * A case should print little: 6.1 keeps 512 bytes of the output, and drops the line that does
 * not fit, even the result.
 */
#ifndef _SLB_KUNIT_SUITE_H
#define _SLB_KUNIT_SUITE_H

#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/random.h>

#include "rnd.h"

static unsigned int slb_seed;
module_param_named(seed, slb_seed, uint, 0444);
MODULE_PARM_DESC(seed, "Seed of what is done at random (default 0: a new one)");

static inline void slb_run_seeds(struct kunit *test,
				 void (*run)(struct kunit *test,
					     struct rnd_state *rnd))
{
	u32 seeds[] = { 1, slb_seed ?: get_random_u32() };
	struct rnd_state rnd;
	int i;

	for (i = 0; i < ARRAY_SIZE(seeds); i++) {
		kunit_info(test, "seed=%u", seeds[i]);
		prandom_seed_state(&rnd, seeds[i]);
		run(test, &rnd);
	}
}

/* The suite of this module. */
static struct kunit_suite slb_suite;
static struct kunit_suite *slb_suites[] = { &slb_suite };

/* Not kunit_test_suite(), because 6.1 would run the suite before setting module parameters. */
static int __init slb_suite_init(void)
{
	return __kunit_test_suites_init(slb_suites, ARRAY_SIZE(slb_suites));
}
module_init(slb_suite_init);

static void __exit slb_suite_exit(void)
{
	__kunit_test_suites_exit(slb_suites, ARRAY_SIZE(slb_suites));
}
module_exit(slb_suite_exit);

MODULE_AUTHOR("The shadowlb developers");
MODULE_LICENSE("GPL");

#endif /* _SLB_KUNIT_SUITE_H */
