// SPDX-License-Identifier: GPL-2.0
/*
 * Packets without a flow, or with one that does not serve them, at PRE_ROUTING: which of them may
 * teach, and the records of those.
 *
 *  operation          | locking
 * --------------------+-----------------------------------------------------
 *  slb_enter_slow     | RCU, BH off (PRE_ROUTING), this CPU
 */
#include <compat/bridge.h>

#include "learn/learn.h"
#include "state/sweep.h"
#include "state/valid.h"

/* True if the table of a new flow is about to grow, and has no room until then. Only the end of the
 * slow path knows for sure which table.
 */
static bool slb_enter_crowded(struct slb_ns *ns, struct slb_cpu_state *cpu,
			      const struct slb_pkt *pkt)
{
	struct slb_table *t = pkt->v6 || cpu->tracked[false] ? &cpu->wide : &cpu->narrow;
	struct slb_ns_cpu *c = this_cpu_ptr(ns->cpu);

	if (!t->used || (!t->old && slb_table_size(t) >= slb_flows_max) ||
	    time_before64(get_jiffies_64(), c->resize) || !slb_table_crowded(t, pkt->hash))
		return false;
	slb_table_refuse(t);
	slb_sweep_grow(c);
	return true;
}

/* Forget counts that are too old for a flow of this family, those of the other family, too. */
static void slb_enter_age(const struct slb_ns *ns, struct slb_hints *h, bool v6)
{
	u32 now = jiffies;

	if (now - h->since > 2 * slb_valid_patience(ns, false))
		slb_hints_age(h, now, 2 * slb_valid_patience(ns, slb_valid_constant(ns, v6)));
}

/* True if the key of this packet, which has no flow, has had packets enough for a flow. Counts it.
 * @steady: a steady address of the packet, or NULL; @guess: a key whose place another key has may
 * be learned, too, by chance.
 */
static bool slb_enter_counts(struct slb_hints *h, const struct slb_pkt *pkt,
			     struct slb_worth *steady, bool guess)
{
	u32 seen = slb_hints_count(h, pkt->hash);

	if (seen >= SLB_HINT_LEARN)
		return true;
	if (steady && seen != 1) {
		slb_worth_try(steady);
		return true;
	}
	return !seen && guess && slb_hints_draw(h, SLB_HINT_GUESS);
}

/* True if a flow may be learned from this packet, which has a key and no flow. Where flows may not
 * be worth their cost, none is learned by guess.
 */
static bool slb_enter_due(struct slb_ns *ns, struct slb_cpu_state *cpu,
			  const struct slb_pkt *pkt, struct slb_addr_pair pair,
			  enum slb_reason *reason)
{
	struct slb_worth *to = &cpu->worths.at[pair.to], *from = &cpu->worths.at[pair.from];
	bool eager_to = slb_worth_eager(to), eager_from = slb_worth_eager(from);
	struct slb_worth *steady = NULL;
	struct slb_hints *h = &cpu->hints;

	if (slb_worth_steady(to) && eager_from)
		steady = to;
	else if (slb_worth_steady(from) && eager_to)
		steady = from;
	slb_enter_age(ns, h, pkt->v6);
	if (!slb_enter_counts(h, pkt, steady, eager_to && eager_from) ||
	    *reason != SLB_MISS_NONE || slb_hints_failed(h, pkt->hash, jiffies, reason))
		return false;
	if (slb_enter_crowded(ns, cpu, pkt)) {
		*reason = SLB_SKIP_FULL;
		return false;
	}
	/* for a moment, or until IPVS has had the packet: most failures are that IPVS never has */
	slb_hints_fail(h, pkt->hash, jiffies, SLB_MISS_NONE, SLB_HINT_TRIED);
	return true;
}

/* True if a packet of this key, which has no flow, was sampled before. Counts it. */
static bool slb_enter_again(const struct slb_ns *ns, struct slb_hints *h,
			    const struct slb_pkt *pkt)
{
	slb_enter_age(ns, h, pkt->v6);
	return slb_hints_count(h, pkt->hash) > 1;
}

/* True if IPVS may begin a connection with a packet, which has a key: see tcp_conn_schedule() and
 * its siblings. While there is a flow, IPVS has the connection, unless the real server is gone.
 */
static bool slb_enter_begins(const struct slb_ns *ns, const struct slb_flow *flow,
			     const struct slb_pkt *pkt, enum slb_reason reason)
{
	struct netns_ipvs *ipvs = net_ipvs(ns->net);

	if (pkt->ends && pkt->opens != SLB_OPENS_NOTHING)
		return true;
	if (flow)
		return reason == SLB_MISS_STATE || reason == SLB_MISS_SERVER ||
		       !slb_dest_available(flow->conn->dest);
	return pkt->proto == IPPROTO_UDP ||
	       (pkt->proto == IPPROTO_TCP ? sysctl_sloppy_tcp(ipvs) :
					    sysctl_sloppy_sctp(ipvs));
}

/* True if a flow may be learned or renewed from this packet, which has a key. In the tick in which
 * an epoch begins, no proof counts.
 */
static bool slb_enter_wants(struct slb_ns *ns, struct slb_cpu_state *cpu,
			    const struct slb_flow *flow, const struct slb_pkt *pkt,
			    struct slb_addr_pair pair, enum slb_reason *reason)
{
	struct slb_hints *h = &cpu->hints;

	if (pkt->ends)
		slb_hints_set(h, pkt->hash, 0);
	/* below 0 ticks have wrapped without flows: the sweep of the next flow mends that */
	if (!slb_epoch_lasts(&ns->epoch, slb_flow_ticks(jiffies)))
		return false;
	if (flow)
		return slb_reason_teaches(*reason) && !slb_cpu_paused(cpu, flow) &&
		       !slb_hints_failed(h, pkt->hash, jiffies, reason);
	if (pkt->ends && pkt->opens != SLB_OPENS_BACK)
		return false;
	return slb_enter_due(ns, cpu, pkt, pair, reason);
}

/**
 * slb_enter_slow() - handle a packet that goes into the slow path
 * @ns: the namespace
 * @cpu: state of this CPU
 * @flow: the packet's flow, or NULL
 * @skb: the packet
 * @pkt: result of the parser, with the hash if there is a key
 * @pair: addresses of the packet
 * @reason: why no flow served the packet
 *
 * Records a packet that a flow may be learned or renewed from. Of the others, one in
 * SLB_LEARN_SAMPLE is recorded for accounting; of those that come here while learning pauses, and
 * whose address has no flow, each.
 *
 * Context: BH off.
 */
void slb_enter_slow(struct slb_ns *ns, struct slb_cpu_state *cpu,
		    const struct slb_flow *flow, struct sk_buff *skb,
		    const struct slb_pkt *pkt, struct slb_addr_pair pair,
		    enum slb_reason reason)
{
	/* after a packet was wrongly taken for unrelated, all may claim their addresses */
	bool wary = (u32)jiffies - cpu->addrs.missed <= SLB_ADDRS_WARY;
	bool learn = false, begins = false, again = false, unseen = reason == SLB_MISS_PAUSED;
	struct slb_record *rec;

	if (pkt->has_key) {
		begins = slb_enter_begins(ns, flow, pkt, reason);
		if (unseen || (!flow && slb_addrs_paused(&cpu->addrs, pair)))
			again = slb_enter_again(ns, &cpu->hints, pkt);
		else
			learn = slb_enter_wants(ns, cpu, flow, pkt, pair, &reason);
	}
	if (!learn && !wary && !unseen && !slb_hints_draw(&cpu->hints, SLB_LEARN_SAMPLE)) {
		if (begins)
			slb_inflight_enter_first(&cpu->inflight, skb, &cpu->clients, pkt);
		else
			slb_inflight_enter(&cpu->inflight, skb, SLB_INFLIGHT_SEEN);
		return;
	}
	slb_addrs_count(&cpu->addrs, pair);
	rec = slb_inflight_add(&cpu->inflight, ns->net, skb, pkt, pair, reason, learn);
	rec->begins = begins;
	rec->missed = pkt->has_key && !flow;
	rec->again = again;
	rec->packets = unseen ? SLB_LEARN_UNSEEN : learn || wary ? 1 : SLB_LEARN_SAMPLE;
}
