/* SPDX-License-Identifier: GPL-2.0 */
/* Maglev's table: servers by hash, with little movement when servers change. */
#ifndef _SLB_MAGLEV_H
#define _SLB_MAGLEV_H

#include <linux/kernel.h>
#include <linux/types.h>

/* A slot has 16 bits, and one number is none. */
#define SLB_MAGLEV_SERVERS	U16_MAX

/**
 * struct slb_maglev_server - a server of a table
 * @data: the caller's
 * @hash: of the server's identity, the same on every machine
 * @round: of the next turn
 * @weight: above 0
 * @turns: turns taken so far
 * @at: the slot that the server wants next
 * @heap: the heap of all servers has this one's place; the number of the server there
 * @idle: the caller's: the real server has no weight
 *
 * The caller sets @data, @hash, @weight and @idle; the rest belongs to slb_maglev_fill().
 */
struct slb_maglev_server {
	void	*data;
	u64	hash;
	u64	round;
	u32	weight;
	u32	turns;
	u32	at;
	u32	heap;
	bool	idle;
};

void slb_maglev_fill(u16 *slot, u32 size, struct slb_maglev_server *server, u32 n);

/**
 * slb_maglev_slot() - get the slot of a key
 * @hash: of the key, evenly distributed
 * @size: of the table
 *
 * Context: any.
 */
static inline u32 slb_maglev_slot(u64 hash, u32 size)
{
	return reciprocal_scale((u32)hash, size);
}

#endif /* _SLB_MAGLEV_H */
