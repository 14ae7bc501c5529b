/* SPDX-License-Identifier: GPL-2.0 */
/* The size of a CPU's tables follows the number of their flows. */
#ifndef _SLB_RESIZE_H
#define _SLB_RESIZE_H

#include <linux/types.h>

struct slb_cpu;
struct slb_table;

/* Tables in which there was no flow for so long are freed. */
#define SLB_REST	(60 * HZ)

bool slb_resize_wanted(const struct slb_table *t);
bool slb_resize_begin(struct slb_cpu *c, struct slb_table *t);
bool slb_resize_move(struct slb_cpu *c, struct slb_table *t);
bool slb_resize_rest(struct slb_cpu *c);

#endif /* _SLB_RESIZE_H */
