/* SPDX-License-Identifier: GPL-2.0 */
/* State of a CPU in a namespace: flows, and memory of packets. */
#ifndef _SLB_CPU_H
#define _SLB_CPU_H

#include <linux/netdevice.h>

#include "flow/parse.h"
#include "flow/table.h"
#include "ipvs/conn.h"
#include "state/addrs.h"
#include "state/clients.h"
#include "state/hints.h"
#include "state/hold.h"
#include "state/inflight.h"
#include "state/keyless.h"
#include "state/ns.h"
#include "state/service.h"
#include "state/worth.h"

/**
 * struct slb_cpu_state - state of a CPU in a namespace that uses IPVS
 * @narrow: narrow flows
 * @seed: seed of the hash of keys; does not change
 * @wide: wide flows
 * @services: packets of services
 * @tracked: conntrack has tracked a packet since this CPU was last without flows; by @v6 of
 *	struct slb_pkt
 * @keyless: packets without a key
 * @hints: keys without a flow
 * @inflight: packets on their way through the slow path
 * @addrs: addresses that belong to IPVS services
 * @worths: are flows worth their cost, by address?
 * @swept: time until which served packets have been counted in @worths, in jiffies
 * @clients: clients whose answers have a flow
 * @hold: keys whose packets may be between XDP and the hook
 * @verify_key: hash of the key whose next packet the hook must verify, with bit 32 set; or 0
 *
 * @tracked: slb_learn_leave() sets, slb_sweep_idle() clears, both on this CPU, BH off. Other
 * members: this CPU, BH off; /proc reads words of tables and @services.
 */
struct slb_cpu_state {
	struct slb_table	narrow;
	struct slb_seed		seed;
	struct slb_table	wide;
	struct slb_services	services;
	bool			tracked[2];
	struct slb_keyless	keyless;
	struct slb_hints	hints;
	struct slb_inflight	inflight;
	struct slb_addrs	addrs;
	struct slb_worths	worths;
	u32			swept;
	struct slb_clients	clients;
	struct slb_hold		hold;
	u64			verify_key;
};

/**
 * slb_cpu_hash() - hash the key of a packet
 * @cpu: state of this CPU
 * @pkt: the packet, which has a key
 *
 * Context: any.
 */
static inline void slb_cpu_hash(const struct slb_cpu_state *cpu,
				struct slb_pkt *pkt)
{
	pkt->hash = pkt->v6 ? slb_key6_hash(&pkt->key6, &cpu->seed) :
			      slb_key4_hash(&pkt->key4, &cpu->seed);
}

/**
 * slb_cpu_find() - find the flow of a packet, of either size
 * @cpu: state of this CPU
 * @pkt: the packet, with key and hash
 *
 * Context: BH off.
 * Return: the flow, which is the caller's until BHs are on again, or NULL.
 */
static __always_inline struct slb_flow *slb_cpu_find(const struct slb_cpu_state *cpu,
						     const struct slb_pkt *pkt)
{
	struct slb_flow *flow = NULL;

	if (pkt->v6)
		return cpu->wide.used ? slb_table_lookup6(&cpu->wide, &pkt->key6,
							  pkt->hash) : NULL;
	if (cpu->narrow.used)
		flow = slb_table_lookup4(&cpu->narrow, &pkt->key4, pkt->hash);
	if (flow || !cpu->wide.used)
		return flow;
	return slb_table_lookup_mapped(&cpu->wide, &pkt->key4, pkt->hash);
}

/**
 * slb_cpu_inner() - get the conntrack entry of a flow's connection inside a tunnel
 * @cpu: state of the CPU that owns the flow
 * @flow: the flow
 *
 * Context: the flow is the caller's.
 * Return: the entry, which the flow holds, or NULL.
 */
static inline struct nf_conn *slb_cpu_inner(const struct slb_cpu_state *cpu,
					    const struct slb_flow *flow)
{
	if (!(flow->flags & SLB_FLOW_EXTRA))
		return NULL;
	return slb_table_extra(&cpu->wide, flow)->inner;
}

struct slb_flow *slb_cpu_find_answers(const struct slb_cpu_state *cpu,
				      const struct slb_pkt *left,
				      const struct net_device *dev);
bool slb_cpu_paused(const struct slb_cpu_state *cpu, const struct slb_flow *flow);
struct slb_cpu_state *slb_cpu_alloc(struct mem_cgroup *payer);
void slb_cpu_free(struct slb_cpu_state *cpu);
void slb_cpu_begin(struct slb_cpu_state *cpu, const struct slb_flow *flow);
void slb_cpu_account(struct slb_cpu_state *cpu, struct slb_flow *flow,
		     unsigned long now);
void slb_cpu_end(struct slb_ns *ns, struct slb_cpu_state *cpu,
		 struct slb_flow *flow, enum slb_reason reason);
void slb_cpu_end_both(struct slb_ns *ns, struct slb_cpu_state *cpu,
		      struct slb_flow *flow, enum slb_reason reason);

#endif /* _SLB_CPU_H */
