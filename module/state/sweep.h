/* SPDX-License-Identifier: GPL-2.0 */
/* The sweep of a CPU's flows, every SLB_SWEEP. */
#ifndef _SLB_SWEEP_H
#define _SLB_SWEEP_H

#include "state/ns.h"

struct slb_table;

/* Tables in which there was no flow for so long are freed. */
#define SLB_REST	(60 * HZ)

int slb_sweep_init(void);
void slb_sweep_exit(void);
int slb_sweep_ns_init(struct slb_ns *ns);
void slb_sweep_ns_exit(struct slb_ns *ns);
void slb_sweep_dead(struct slb_ns *ns, int cpu);
void slb_sweep_drop(struct slb_ns *ns);
void slb_sweep_kick(struct slb_ns_cpu *c, u8 want);
void slb_sweep_grow(struct slb_ns_cpu *c);
void slb_sweep_arm(struct slb_ns_cpu *c);
bool slb_sweep_enter(const struct slb_ns_cpu *c, bool anywhere, u64 *since);
void slb_sweep_leave(struct slb_ns_cpu *c, u64 since);
bool slb_sweep_resize_wanted(const struct slb_table *t);
bool slb_sweep_resize_begin(struct slb_ns_cpu *c, struct slb_table *t);
bool slb_sweep_resize_move(struct slb_ns_cpu *c, struct slb_table *t);
bool slb_sweep_resize_rest(struct slb_ns_cpu *c);

#endif /* _SLB_SWEEP_H */
