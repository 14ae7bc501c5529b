/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that a network namespace pays for.
 *
 * A worker allocates on behalf of packets, and has no memory cgroup. So each
 * allocation names its payer: the memory cgroup of the process that created the namespace.
 * If the cgroup is gone, the kernel charges its parent.
 *
 * Nothing here waits for a cgroup. Reclaim in a cgroup, and delays above the limit "high",
 * may last for minutes, and a user chooses them. But the sweep must not come late, and the
 * end of all namespaces waits for the sweep. So a charge that does not fit fails at once.
 */
#ifndef _SLB_MEMORY_H
#define _SLB_MEMORY_H

#include <linux/gfp.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

/**
 * slb_memory_payer() - the memory cgroup of the calling process
 *
 * Context: process.
 * Return: the cgroup with a reference, which slb_memory_payer_put() drops. NULL for the
 *	root, which has no limit, and on kernels without memory cgroups.
 */
static inline struct mem_cgroup *slb_memory_payer(void)
{
	struct mem_cgroup *payer = get_mem_cgroup_from_mm(current->mm);

	if (!payer || parent_mem_cgroup(payer))
		return payer;
	mem_cgroup_put(payer);
	return NULL;
}

/**
 * slb_memory_payer_put() - drop the reference on a payer
 * @payer: of slb_memory_payer(), or NULL
 *
 * Context: any. Charged memory stays charged until freed.
 */
static inline void slb_memory_payer_put(struct mem_cgroup *payer)
{
	mem_cgroup_put(payer);
}

/**
 * slb_memory_account() - the GFP flag that has an allocation charged
 * @payer: who pays, or NULL for nobody
 */
static inline gfp_t slb_memory_account(const struct mem_cgroup *payer)
{
	return payer ? __GFP_ACCOUNT : 0;
}

/* A cache must not get a process killed for memory, or wait for memory. */
static inline gfp_t slb_memory_gfp(const struct mem_cgroup *payer)
{
	gfp_t gfp = GFP_KERNEL | __GFP_ZERO | __GFP_NORETRY | __GFP_NOWARN;

	if (payer)
		gfp &= ~__GFP_DIRECT_RECLAIM;
	return gfp | slb_memory_account(payer);
}

/**
 * slb_memory_alloc() - allocate many pages of memory
 * @payer: who pays, or NULL for nobody
 * @bytes: how much
 *
 * Physically contiguous if there is such memory, or else in huge pages where there are,
 * so that a lookup does not wait for page tables too. On the memory node of this CPU.
 *
 * Context: process, may sleep.
 * Return: zeroed memory for slb_memory_free(), or NULL, which is not logged.
 */
static inline void *slb_memory_alloc(struct mem_cgroup *payer, size_t bytes)
{
	struct mem_cgroup *old = set_active_memcg(payer);
	gfp_t gfp = slb_memory_gfp(payer);
	void *at = NULL;

	if (bytes <= KMALLOC_MAX_SIZE)
		at = alloc_pages_exact(bytes, gfp);
	if (!at)
		at = vmalloc_huge(bytes, gfp);
	set_active_memcg(old);
	return at;
}

/**
 * slb_memory_free() - free memory
 * @at: of slb_memory_alloc(), or NULL
 * @bytes: the same size
 *
 * Context: process, may sleep.
 */
static inline void slb_memory_free(void *at, size_t bytes)
{
	if (is_vmalloc_addr(at))
		vfree(at);
	else if (at)
		free_pages_exact(at, bytes);
}

/**
 * slb_memory_atomic() - allocate a small object
 * @payer: who pays, or NULL for nobody
 * @bytes: how much
 *
 * GFP_NOWAIT: GFP_ATOMIC would exceed the limit of the cgroup.
 *
 * Context: any.
 * Return: zeroed memory for kfree(), or NULL, which is not logged.
 */
static inline void *slb_memory_atomic(struct mem_cgroup *payer, size_t bytes)
{
	struct mem_cgroup *old = set_active_memcg(payer);
	gfp_t gfp = GFP_NOWAIT | __GFP_NOWARN | slb_memory_account(payer);
	void *at = kzalloc(bytes, gfp);

	set_active_memcg(old);
	return at;
}

#endif /* _SLB_MEMORY_H */
