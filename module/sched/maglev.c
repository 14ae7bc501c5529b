// SPDX-License-Identifier: GPL-2.0
/*
 * Maglev's table (Eisenbud et al., NSDI 2016), with weights.
 *
 * Each server has an order of slots of its own, by its hash. In each round, each server takes the
 * first slot in its order that is free. The heaviest server takes part in each round, a server of
 * half its weight in each second round, and so on. With equal weights this is the algorithm of
 * the paper. A heap has the servers by the round of their next turn.
 *
 * Looking for free slots takes some ln(size) steps a slot. Whoever chooses addresses of real
 * servers by their hashes, so that their orders meet, could make it as many as there are servers.
 * So after SLB_MAGLEV_STEPS a slot, servers take free slots as they come.
 */
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "sched/maglev.h"

#define SLB_MAGLEV_FREE		U16_MAX
/* Steps in all orders, for each slot; four times ln of the largest size. */
#define SLB_MAGLEV_STEPS	64
/* Steps without a chance for others to run: some 50 us. */
#define SLB_MAGLEV_REST		8192

/**
 * struct slb_maglev_search - the search for free slots
 * @steps: number of slots that were looked at
 * @first: no slot before this one is free
 */
struct slb_maglev_search {
	u64	steps;
	u32	first;
};

/* Take the first free slot in the order of a server. The size is prime: the order has all slots. */
static void slb_maglev_take(u16 *slot, u32 size, struct slb_maglev_server *s, u16 number,
			    struct slb_maglev_search *search)
{
	u32 skip = 1 + reciprocal_scale(s->hash >> 32, size - 1);
	u64 most = (u64)size * SLB_MAGLEV_STEPS;

	while (true) {
		if (++search->steps % SLB_MAGLEV_REST == 0)
			cond_resched();
		if (slot[s->at] == SLB_MAGLEV_FREE || search->steps > most)
			break;
		s->at += skip;
		if (s->at >= size)
			s->at -= size;
	}
	if (slot[s->at] != SLB_MAGLEV_FREE) {
		while (slot[search->first] != SLB_MAGLEV_FREE)
			search->first++;
		s->at = search->first;
	}
	slot[s->at] = number;
}

/* Has the server at place a of the heap its turn before that at place b? */
static bool slb_maglev_before(const struct slb_maglev_server *server, u32 a, u32 b)
{
	a = server[a].heap;
	b = server[b].heap;
	return server[a].round < server[b].round || (server[a].round == server[b].round && a < b);
}

/* The server at the root has a later turn than before: moves it down the heap. */
static void slb_maglev_sink(struct slb_maglev_server *server, u32 n)
{
	u32 at = 0, child;

	while ((child = 2 * at + 1) < n) {
		if (child + 1 < n && slb_maglev_before(server, child + 1, child))
			child++;
		if (slb_maglev_before(server, at, child))
			return;
		swap(server[at].heap, server[child].heap);
		at = child;
	}
}

/**
 * slb_maglev_fill() - fill a table
 * @slot: the table; each slot gets a server's number
 * @size: number of slots, a prime of at most 2^31
 * @server: servers; their order counts, so the caller sorts them
 * @n: number of servers, 1 to SLB_MAGLEV_SERVERS
 *
 * Context: process.
 */
void slb_maglev_fill(u16 *slot, u32 size, struct slb_maglev_server *server, u32 n)
{
	struct slb_maglev_search search = {};
	struct slb_maglev_server *s;
	u32 filled, most = 0, i;

	memset(slot, 0xff, size * sizeof(*slot));
	/* all have their first turn in round 0: the order of numbers is a heap */
	for (i = 0; i < n; i++) {
		most = max(most, server[i].weight);
		server[i].at = reciprocal_scale((u32)server[i].hash, size);
		server[i].turns = 0;
		server[i].round = 0;
		server[i].heap = i;
	}
	for (filled = 0; filled < size; filled++) {
		s = &server[server->heap];
		slb_maglev_take(slot, size, s, server->heap, &search);
		s->turns++;
		s->round = div_u64((u64)s->turns * most, s->weight);
		slb_maglev_sink(server, n);
	}
}
