// SPDX-License-Identifier: GPL-2.0
/*
 * The flows of a CPU, of both sizes: find, account, end.
 *
 *  operation            | locking
 * ----------------------+---------------------------------------------------
 *  slb_cpu_find         | BH off, this CPU
 *  slb_cpu_begin        | BH off, this CPU
 *  slb_cpu_account,     | RCU, BH off, on the CPU that owns the flow (or see
 *  slb_cpu_end          | sweep.c)
 *  slb_cpu_end_both     | RCU, BH off, this CPU
 *  slb_cpu_alloc        | process
 *  slb_cpu_free         | process, nobody else refers to the state
 *
 * A flow holds references on its connection (pin), its route, and its conntrack entries.
 * slb_learn_flow() takes them, slb_cpu_end() drops them.
 */
#include <linux/random.h>
#include <net/dst.h>
#include <net/l3mdev.h>

#include "flow/memory.h"
#include "flow/trace.h"
#include "ipvs/account.h"
#include "ipvs/conntrack.h"
#include "state/cpu.h"

/**
 * slb_cpu_alloc() - allocate the state of a CPU, without tables
 * @payer: see slb_memory_alloc()
 *
 * Context: process, may sleep.
 * Return: NULL if there is no memory.
 */
struct slb_cpu_state *slb_cpu_alloc(struct mem_cgroup *payer)
{
	struct slb_cpu_state *cpu = slb_memory_alloc(payer, sizeof(*cpu));

	if (!cpu)
		return NULL;
	if (slb_services_alloc(&cpu->services, payer)) {
		slb_memory_free(cpu, sizeof(*cpu));
		return NULL;
	}
	get_random_bytes(&cpu->seed, sizeof(cpu->seed));
	cpu->hints.rnd = get_random_u32();
	cpu->clients.seed = get_random_u32();
	cpu->keyless.seed = get_random_u32();
	cpu->addrs.missed = jiffies;
	return cpu;
}

/**
 * slb_cpu_free() - free the state of a CPU and its tables
 * @cpu: the state, without flows
 *
 * Context: process.
 */
void slb_cpu_free(struct slb_cpu_state *cpu)
{
	slb_table_exit(&cpu->narrow);
	slb_table_exit(&cpu->wide);
	slb_services_free(&cpu->services);
	slb_memory_free(cpu, sizeof(*cpu));
}

/* Places of the addresses of a flow's packets. */
static struct slb_addr_pair slb_cpu_pair(const struct slb_flow *flow)
{
	const struct slb_key4 *key4;
	const struct slb_key6 *key6;

	if (!(flow->flags & SLB_FLOW_WIDE)) {
		key4 = &slb_flow4(flow)->key;
		return (struct slb_addr_pair){
			.from = slb_addrs_index4(key4->saddr),
			.to = slb_addrs_index4(key4->daddr),
		};
	}
	key6 = &slb_flow6(flow)->key;
	if (key6->iif_proto & SLB_KEY_MAPPED)
		return (struct slb_addr_pair){
			.from = slb_addrs_index4(key6->saddr.s6_addr32[3]),
			.to = slb_addrs_index4(key6->daddr.s6_addr32[3]),
		};
	return (struct slb_addr_pair){
		.from = slb_addrs_index6(&key6->saddr),
		.to = slb_addrs_index6(&key6->daddr),
	};
}

/* The place of the address that IPVS knows the packets of a flow by: their destination, or in the
 * other direction the real server that sends them.
 */
static u16 slb_cpu_addr(const struct slb_flow *flow, struct slb_addr_pair pair)
{
	return flow->flags & SLB_FLOW_OUT ? pair.from : pair.to;
}

/* The number of flows that a flow counts for. */
static u32 *slb_cpu_count(struct slb_cpu_state *cpu, const struct slb_flow *flow)
{
	struct slb_addr_pair pair = slb_cpu_pair(flow);
	struct slb_addr_use *use = &cpu->addrs.at[slb_cpu_addr(flow, pair)];

	return slb_addr_pair_tries(pair) ? &use->tried : &use->flows;
}

/**
 * slb_cpu_paused() - true if a flow is left from before a pause of learning
 * @cpu: state of the CPU that owns the flow
 * @flow: the flow
 *
 * Context: the flow is the caller's.
 */
bool slb_cpu_paused(const struct slb_cpu_state *cpu, const struct slb_flow *flow)
{
	struct slb_addr_pair pair = slb_cpu_pair(flow);

	return cpu->addrs.at[slb_cpu_addr(flow, pair)].paused && !slb_addr_pair_tries(pair);
}

/* What is known of the address of a flow. */
static struct slb_worth *slb_cpu_worth(struct slb_cpu_state *cpu, const struct slb_flow *flow)
{
	return &cpu->worths.at[slb_cpu_addr(flow, slb_cpu_pair(flow))];
}

/**
 * slb_cpu_begin() - count a flow, so that its packets are looked at
 * @cpu: state of this CPU
 * @flow: a flow that has just been written, and is not yet used
 *
 * Context: BH off.
 */
void slb_cpu_begin(struct slb_cpu_state *cpu, const struct slb_flow *flow)
{
	++*slb_cpu_count(cpu, flow);
	if (!(flow->flags & SLB_FLOW_OUT))
		return;
	++cpu->clients.flows[SLB_CLIENTS];
	++*slb_clients_at(&cpu->clients, flow->conn);
}

/**
 * slb_cpu_account() - account the packets that a flow has served
 * @cpu: state of the CPU that owns the flow
 * @flow: the flow
 * @now: jiffies
 *
 * Context: RCU, BH off.
 */
void slb_cpu_account(struct slb_cpu_state *cpu, struct slb_flow *flow,
		     unsigned long now)
{
	const struct slb_table *t = flow->flags & SLB_FLOW_WIDE ? &cpu->wide :
								  &cpu->narrow;

	if (flow->packets) {
		if (!slb_cpu_paused(cpu, flow))
			slb_worth_served(slb_cpu_worth(cpu, flow), flow->packets);
		slb_table_stats(t, flow)->packets += flow->packets;
		slb_table_stats(t, flow)->vain = 0;
		slb_service_add(&cpu->services, flow->conn, SLB_HIT,
				flow->packets);
		if (slb_cpu_inner(cpu, flow))
			slb_ct_account_inner(slb_cpu_inner(cpu, flow), flow, now);
	}
	slb_account(flow, now);
}

/* Drop a flow's references, and free its slot. The returned connection may be freed after the
 * grace period.
 */
static struct ip_vs_conn *slb_cpu_drop(struct slb_ns *ns,
				       struct slb_cpu_state *cpu,
				       struct slb_flow *flow,
				       enum slb_reason reason)
{
	bool wide = flow->flags & SLB_FLOW_WIDE;
	struct nf_conn *ct = wide ? slb_flow6(flow)->ct : NULL;
	struct nf_conn *inner = slb_cpu_inner(cpu, flow);
	struct ip_vs_conn *cp = flow->conn;

	trace_slb_end(flow, reason);
	slb_ns_count(ns, reason == SLB_EVICTED ? SLB_EVICTED : SLB_ENDED);
	slb_cpu_account(cpu, flow, jiffies);
	--*slb_cpu_count(cpu, flow);
	/* not where more packets might have come */
	if (reason != SLB_SKIP_SCOPE && reason != SLB_SKIP_SERVER && reason != SLB_MISS_SERVER &&
	    !slb_cpu_paused(cpu, flow))
		slb_worth_ended(slb_cpu_worth(cpu, flow));
	if (flow->flags & SLB_FLOW_OUT) {
		--cpu->clients.flows[SLB_CLIENTS];
		--*slb_clients_at(&cpu->clients, cp);
	}
	dst_release(flow->dst);
	if (ct)
		slb_ct_hand_over(ct);
	if (inner)
		slb_ct_hand_over(inner);
	nf_ct_put(ct);
	nf_ct_put(inner);
	slb_table_free(wide ? &cpu->wide : &cpu->narrow, flow);
	slb_conn_unpin(cp);
	return cp;
}

/**
 * slb_cpu_end() - end a flow
 * @ns: the namespace
 * @cpu: state of the CPU that owns the flow
 * @flow: the flow
 * @reason: SLB_EVICTED or the reason that packets are counted by
 *
 * Context: RCU, BH off.
 */
void slb_cpu_end(struct slb_ns *ns, struct slb_cpu_state *cpu,
		 struct slb_flow *flow, enum slb_reason reason)
{
	bool ended = slb_conn_ended(flow->conn);
	struct ip_vs_conn *cp = slb_cpu_drop(ns, cpu, flow, reason);

	if (ended)
		slb_conn_expire(cp);
}

/* The expected ingress device of answers to packets with egress device @dev. With br_netfilter,
 * the bridge port at which the last packet from this address came in.
 */
static u32 slb_cpu_answer_iif(const struct slb_cpu_state *cpu, u16 peer,
			      const struct net_device *dev)
{
	u32 port = netif_is_bridge_master(dev) ? cpu->addrs.port[peer] : 0;

	return port ?: l3mdev_master_ifindex_rcu(dev) ?: dev->ifindex;
}

/**
 * slb_cpu_find_answers() - find the flow of the answers to some packets
 * @cpu: state of this CPU
 * @left: these packets at egress: addresses and ports of the key, @v6 and @proto
 * @dev: their egress device, the expected ingress device of answers
 *
 * Context: RCU, BH off.
 * Return: the flow, which is the caller's until BHs are on again, or NULL.
 */
struct slb_flow *slb_cpu_find_answers(const struct slb_cpu_state *cpu,
				      const struct slb_pkt *left,
				      const struct net_device *dev)
{
	struct slb_pkt ans = { .v6 = left->v6 };
	u32 iif;

	iif = slb_cpu_answer_iif(cpu, left->v6 ? slb_addrs_index6(&left->key6.daddr) :
					   slb_addrs_index4(left->key4.daddr), dev);
	if (iif > SLB_IIF_MAX)
		return NULL;
	if (left->v6)
		ans.key6 = (struct slb_key6){
			.saddr = left->key6.daddr,
			.daddr = left->key6.saddr,
			.sport = left->key6.dport,
			.dport = left->key6.sport,
			.iif_proto = iif << 8 | left->proto,
		};
	else
		ans.key4 = (struct slb_key4){
			.saddr = left->key4.daddr,
			.daddr = left->key4.saddr,
			.sport = left->key4.dport,
			.dport = left->key4.sport,
			.iif_proto = iif << 8 | left->proto,
		};
	slb_cpu_hash(cpu, &ans);
	return slb_cpu_find(cpu, &ans);
}

/* The flow of the other direction, if on this CPU, and if answers come in at the egress device
 * of @flow. Only masquerading has both directions. Behind source NAT a real server may talk to
 * itself, from its own port: then both directions are the same flow.
 */
static struct slb_flow *slb_cpu_find_reverse(const struct slb_cpu_state *cpu,
					     const struct slb_flow *flow)
{
	struct slb_pkt left = { .proto = slb_flow_proto(flow) };
	struct slb_action6 act;
	struct slb_flow *rev;
	struct slb_key6 key;

	if (!(flow->flags & SLB_FLOW_NAT))
		return NULL;
	slb_flow_key(flow, &key);
	slb_flow_action(flow, &act);
	left.v6 = !(key.iif_proto & SLB_KEY_MAPPED);
	if (left.v6)
		left.key6 = (struct slb_key6){
			.saddr = act.saddr.in6,
			.daddr = act.daddr.in6,
			.sport = act.sport,
			.dport = act.dport,
		};
	else
		left.key4 = (struct slb_key4){
			.saddr = act.saddr.ip,
			.daddr = act.daddr.ip,
			.sport = act.sport,
			.dport = act.dport,
		};
	rev = slb_cpu_find_answers(cpu, &left, flow->dst->dev);
	return rev && rev != flow && rev->conn == flow->conn ? rev : NULL;
}

/**
 * slb_cpu_end_both() - end both flows of a connection that IPVS may be about to end
 * @ns: the namespace
 * @cpu: state of this CPU
 * @flow: the flow of either direction
 * @reason: the reason that packets are counted by
 *
 * A packet on the slow path may make IPVS end or replace the connection, by a timer at the
 * next tick. The next packet on another CPU, or the sweep, ends the flows there.
 *
 * Context: RCU, BH off.
 */
void slb_cpu_end_both(struct slb_ns *ns, struct slb_cpu_state *cpu,
		      struct slb_flow *flow, enum slb_reason reason)
{
	struct slb_flow *rev = slb_cpu_find_reverse(cpu, flow);

	/* first, because the last flow ends the connection */
	if (rev)
		slb_cpu_drop(ns, cpu, rev, reason);
	slb_cpu_end(ns, cpu, flow, reason);
}
