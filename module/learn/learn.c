// SPDX-License-Identifier: GPL-2.0
/*
 * Learning: at the end of POST_ROUTING, makes a flow of a packet that IPVS has handled, by
 * comparison with the record from PRE_ROUTING (enter.c). The conditions are in derive.c.
 *
 *  operation          | locking
 * --------------------+-----------------------------------------------------
 *  slb_learn_leave,   | RCU (POST_ROUTING); disables BHs itself
 *  _leave_slow        |
 */
#include <linux/ktime.h>
#include <net/dst.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "flow/trace.h"
#include "ipvs/conntrack.h"
#include "learn/count.h"
#include "learn/derive.h"
#include "learn/learn.h"
#include "learn/outdate.h"
#include "learn/verify.h"
#include "state/sweep.h"
#include "state/valid.h"

/* True if the packet's conntrack entry is new: conntrack confirms the entry after this hook.
 * Only the next packet can tell about a new entry.
 */
static bool slb_learn_ct_begins(const struct sk_buff *skb)
{
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	return ct && !nf_ct_is_template(ct) && !nf_ct_is_confirmed(ct);
}

static struct slb_flow_stats *slb_learn_stats(const struct slb_cpu_state *cpu,
					      const struct slb_flow *flow)
{
	return slb_table_stats(flow->flags & SLB_FLOW_WIDE ? &cpu->wide : &cpu->narrow, flow);
}

/* Write a derived action into a flow of the right size. */
static void slb_learn_write(const struct slb_cpu_state *cpu, struct slb_flow *flow,
			    const struct slb_derived *p, unsigned long now)
{
	struct slb_action4 *act4;
	struct slb_extra *extra;
	struct slb_flow6 *f6;

	if (p->flags & SLB_FLOW_WIDE) {
		f6 = slb_flow6(flow);
		f6->act = p->act;
		f6->ct = p->ct;
		f6->routes = p->rec->routes;
		f6->mark = p->mark;
		extra = slb_table_extra(&cpu->wide, flow);
		extra->mark = p->extra.mark;
		extra->inner = p->extra.inner;
		extra->label = p->extra.label;
		extra->priority = p->extra.priority;
		extra->tos = p->extra.tos;
		extra->ttl_in = p->extra.ttl_in;
		extra->ttl_out = p->extra.ttl_out;
		extra->how = p->extra.how;
	} else {
		act4 = &slb_flow4(flow)->act;
		act4->saddr = p->act.saddr.ip;
		act4->daddr = p->act.daddr.ip;
		act4->sport = p->act.sport;
		act4->dport = p->act.dport;
		act4->csum = p->act.csum;
		act4->mtu = p->act.mtu;
	}
	flow->dst = p->dst;
	flow->flags = p->flags;
	flow->tos = p->rec->pkt.tos;
	flow->ecn = p->rec->pkt.ecn;
	flow->last = now;
	/* rules were asked after that */
	flow->proved = p->rec->tick;
	slb_learn_stats(cpu, flow)->proved = ktime_get_seconds();
}

/* Place a new flow, and write the key. */
static struct slb_flow *slb_learn_new(struct slb_ns *ns, struct slb_cpu_state *cpu,
				      const struct slb_derived *p,
				      unsigned long now, enum slb_reason *reason)
{
	bool wide = p->flags & SLB_FLOW_WIDE;
	struct slb_table *t = wide ? &cpu->wide : &cpu->narrow;
	const struct slb_pkt *pkt = &p->rec->pkt;
	struct slb_flow *flow;

	if (!slb_table_ready(t)) {
		slb_sweep_kick(this_cpu_ptr(ns->cpu),
			       wide ? SLB_WANT_WIDE : SLB_WANT_NARROW);
		*reason = SLB_SKIP_TABLE;
		return NULL;
	}
	flow = slb_table_place(t, pkt->hash, now);
	if ((!flow || !flow->dst) && t->used > t->grow_at &&
	    slb_table_size(t) < slb_flows_max)
		slb_sweep_grow(this_cpu_ptr(ns->cpu));
	if (!flow) {
		*reason = SLB_SKIP_FULL;
		return NULL;
	}
	if (flow->dst)
		slb_cpu_end(ns, cpu, flow, SLB_EVICTED);
	if (!wide)
		slb_flow4(flow)->key = pkt->key4;
	else if (pkt->v6)
		slb_flow6(flow)->key = pkt->key6;
	else
		slb_key4_map(&pkt->key4, &slb_flow6(flow)->key);
	slb_table_tag(t, flow, pkt->hash);
	flow->conn = p->cp;
	*slb_table_stats(t, flow) = (struct slb_flow_stats){
		.born = ktime_get_seconds(),
	};
	return flow;
}

/* True if this proof may renew the flow. A flow of another size, or with another conntrack
 * entry, for which its packets must not count, has to be learned anew.
 */
static bool slb_learn_same(const struct slb_cpu_state *cpu,
			   const struct slb_flow *flow,
			   const struct slb_derived *p)
{
	if ((flow->flags ^ p->flags) & SLB_FLOW_WIDE ||
	    slb_cpu_inner(cpu, flow) != p->extra.inner)
		return false;
	return !(flow->flags & SLB_FLOW_WIDE) || slb_flow6(flow)->ct == p->ct;
}

/* True if type of service and flow label of the packet are those of the last proof. */
static bool slb_learn_joins(const struct slb_cpu_state *cpu, const struct slb_flow *flow,
			    const struct slb_derived *p)
{
	__be32 label = 0;

	if (flow->flags & SLB_FLOW_EXTRA)
		label = slb_table_extra(&cpu->wide, flow)->label;
	return flow->tos == p->rec->pkt.tos && label == p->extra.label;
}

/* True if a proof ends a suspension, so that the next packet is served. Others are of packets that
 * came with the one that suspended the flow, or verification is asked for.
 */
static bool slb_learn_ends(const struct slb_flow *flow, const struct slb_derived *p)
{
	return flow->flags & SLB_FLOW_SUSPENDED && p->rec->reason != SLB_MISS_VERIFY;
}

/* Renew a flow. During a lease, a packet may add an ECN codepoint; the lease counts from the
 * first proof. Takes over route and conntrack entries of @p, and drops the previous. The flow
 * keeps the pin.
 */
static void slb_learn_renew(const struct slb_ns *ns, struct slb_cpu_state *cpu,
			    struct slb_flow *flow, const struct slb_derived *p,
			    unsigned long now)
{
	bool joins = slb_valid_lease(ns, flow, now) && slb_verify_equal(cpu, flow, p) &&
		     slb_learn_joins(cpu, flow, p);
	struct slb_flow_stats *stats = slb_learn_stats(cpu, flow);
	u32 stats_proved = stats->proved;
	u8 ecn = flow->ecn;
	u16 proved = flow->proved;

	if (flow->packets)
		stats->vain = 0;
	else if (stats->vain < SLB_FLOW_VAIN && slb_learn_ends(flow, p))
		stats->vain++;
	/* what the flow served so far had the outer headers of the old tunnel */
	if (flow->flags & SLB_FLOW_TUNNEL)
		slb_cpu_account(cpu, flow, now);
	dst_release(flow->dst);
	if (flow->flags & SLB_FLOW_WIDE)
		nf_ct_put(slb_flow6(flow)->ct);
	nf_ct_put(slb_cpu_inner(cpu, flow));
	slb_learn_write(cpu, flow, p, now);
	if (joins) {
		flow->ecn |= ecn;
		flow->proved = proved;
		stats->proved = stats_proved;
	}
}

/* True if IPVS still finds the flow's connection for the packet. IPVS may have replaced the
 * connection without a packet on this CPU.
 */
static bool slb_learn_found(struct slb_ns *ns, const struct slb_pkt *pkt,
			    const struct sk_buff *skb,
			    const struct slb_flow *flow)
{
	struct ip_vs_conn *cp;
	bool out;

	cp = slb_conn_pin_skb(net_ipvs(ns->net), pkt, skb, &out);
	if (cp)
		slb_conn_unpin(cp);
	return cp == flow->conn;
}

/* Find the connection of the packet: the flow's, or a new pin. */
static enum slb_reason slb_learn_conn(struct slb_ns *ns,
				      const struct slb_flow *flow,
				      struct slb_derived *p,
				      const struct sk_buff *skb)
{
	const struct slb_pkt *pkt = &p->rec->pkt;
	bool out;

	if (flow) {
		p->cp = flow->conn;
		p->flags = flow->flags & SLB_FLOW_OUT;
		return slb_learn_found(ns, pkt, skb, flow) ? 0 :
							     SLB_SKIP_CHANGED;
	}
	p->cp = slb_conn_pin_skb(net_ipvs(ns->net), pkt, skb, &out);
	if (!p->cp)
		return SLB_SKIP_KIND;
	p->flags = out ? SLB_FLOW_OUT : 0;
	return 0;
}

/* Derive the action of a flow, and compare with the present flow. Holds the route if there is
 * no reason, and the conntrack entries in @p in any case.
 */
static enum slb_reason slb_learn_derive(struct slb_ns *ns,
					struct slb_cpu_state *cpu,
					const struct slb_flow *flow,
					struct slb_derived *p,
					struct sk_buff *skb,
					const struct net_device *dev)
{
	enum slb_reason reason = slb_derive(ns, p, skb, dev);

	if (!reason && flow && !slb_learn_same(cpu, flow, p))
		reason = SLB_SKIP_CHANGED;
	if (flow && p->rec->reason == SLB_MISS_VERIFY &&
	    !slb_verify(ns, cpu, flow, p, reason))
		reason = SLB_SKIP_CHANGED;
	if (p->extra.inner)
		WRITE_ONCE(cpu->tracked[p->rec->pkt.v6], true);
	if (!reason && !dst_hold_safe(p->dst))
		reason = SLB_SKIP_EGRESS;
	return reason;
}

/* Make a flow of a derived action. On success the flow has all references of @p. Otherwise
 * drops the route; conntrack entries and pin stay with the caller.
 */
static enum slb_reason slb_learn_make(struct slb_ns *ns,
				      struct slb_cpu_state *cpu,
				      const struct slb_derived *p,
				      unsigned long now)
{
	struct slb_flow *flow;
	enum slb_reason reason;

	flow = slb_learn_new(ns, cpu, p, now, &reason);
	if (!flow) {
		dst_release(p->dst);
		return reason;
	}
	slb_learn_write(cpu, flow, p, now);
	slb_cpu_begin(cpu, flow);
	if (flow->flags & SLB_FLOW_OUT)
		slb_addrs_port(&cpu->addrs, p->rec->pair,
			       p->rec->bridge ? slb_flow_iif(flow) : 0);
	if (p->ct)
		slb_ct_hand_over(p->ct);
	if (p->extra.inner)
		slb_ct_hand_over(p->extra.inner);
	trace_slb_learn(flow, &p->act, p->dst->ops->family == AF_INET6);
	return 0;
}

/* No flow was made or renewed. Drops the conntrack entries of @p, and the pin if there is no
 * present flow, which otherwise ends: the slow path acts differently. Unless the next packet may
 * do better (UNSETTLED, TABLE), the key is not tried again for SLB_HINT_FAILED; without room
 * (FULL), for a moment.
 */
static enum slb_reason slb_learn_fail(struct slb_ns *ns,
				      struct slb_cpu_state *cpu,
				      struct slb_flow *flow,
				      const struct slb_derived *p,
				      enum slb_reason reason)
{
	nf_ct_put(p->ct);
	nf_ct_put(p->extra.inner);
	if (reason == SLB_SKIP_UNSETTLED || reason == SLB_SKIP_TABLE)
		slb_hints_forget(&cpu->hints, p->rec->pkt.hash);
	else if (reason == SLB_SKIP_FULL)
		slb_hints_fail(&cpu->hints, p->rec->pkt.hash, jiffies, reason, SLB_HINT_FULL);
	else
		slb_hints_fail(&cpu->hints, p->rec->pkt.hash, jiffies, reason, SLB_HINT_FAILED);
	slb_count_packet(cpu, p->rec, p->cp, reason);
	if (flow)
		slb_cpu_end(ns, cpu, flow, reason);
	else
		slb_conn_unpin(p->cp);
	return reason;
}

/* Learn a flow from the packet, or renew the flow. */
static enum slb_reason slb_learn_flow(struct slb_ns *ns, struct slb_cpu_state *cpu,
				      const struct slb_record *rec,
				      struct sk_buff *skb,
				      const struct net_device *dev)
{
	struct slb_flow *flow = slb_cpu_find(cpu, &rec->pkt);
	struct slb_derived p = {
		.rec = rec,
		.dst = skb_dst(skb),
		.tracked = READ_ONCE(cpu->tracked[rec->pkt.v6]),
	};
	unsigned long now = jiffies;
	enum slb_reason reason;

	if ((!flow || rec->reason == SLB_MISS_TUNNEL) && slb_learn_ct_begins(skb)) {
		slb_hints_forget(&cpu->hints, rec->pkt.hash);
		slb_count_unlearned(ns, cpu, rec, skb, SLB_SKIP_UNSETTLED);
		if (flow)
			slb_cpu_end(ns, cpu, flow, SLB_SKIP_UNSETTLED);
		return SLB_SKIP_UNSETTLED;
	}
	reason = slb_learn_conn(ns, flow, &p, skb);
	if (!p.cp) {
		slb_hints_fail(&cpu->hints, rec->pkt.hash, now, reason, SLB_HINT_FAILED);
		slb_count_unlearned(ns, cpu, rec, skb, reason);
		return reason;
	}
	if (!reason)
		reason = slb_learn_derive(ns, cpu, flow, &p, skb, dev);
	if (!reason && flow)
		slb_learn_renew(ns, cpu, flow, &p, now);
	else if (!reason)
		reason = slb_learn_make(ns, cpu, &p, now);
	if (reason)
		return slb_learn_fail(ns, cpu, flow, &p, reason);
	slb_hold_set(&cpu->hold, rec->pkt.hash);
	slb_hints_forget(&cpu->hints, rec->pkt.hash);
	slb_hints_set(&cpu->hints, rec->pkt.hash, 1);
	/* packets that take turns with others, or that do not fit: their next proof waits */
	if (flow && slb_learn_stats(cpu, flow)->vain == SLB_FLOW_VAIN)
		slb_hints_fail(&cpu->hints, rec->pkt.hash, now, rec->reason, SLB_HINT_FAILED);
	reason = flow ? SLB_RENEWED : SLB_LEARNED;
	slb_count_packet(cpu, rec, p.cp, reason);
	return reason;
}

/* Which addresses of a packet, not in a tunnel, changed on the slow path. None without a key,
 * because the answer is unknown.
 */
static void slb_learn_changed(const struct slb_pkt *pkt, const struct sk_buff *skb, bool *from,
			      bool *to)
{
	const struct ipv6hdr *ip6h = ipv6_hdr(skb);
	const struct iphdr *iph = ip_hdr(skb);

	*from = false;
	*to = false;
	if (!pkt->has_key || (iph->version == 6) != pkt->v6 || skb_inner_network_offset(skb) > 0)
		return;
	if (pkt->v6) {
		*from = !ipv6_addr_equal(&ip6h->saddr, &pkt->key6.saddr);
		*to = !ipv6_addr_equal(&ip6h->daddr, &pkt->key6.daddr);
	} else {
		*from = iph->saddr != pkt->key4.saddr;
		*to = iph->daddr != pkt->key4.daddr;
	}
}

/* The number of packets from the client that a packet's connection has had; none for a service of
 * single packets.
 */
static int slb_learn_packets(const struct slb_ns *ns, const struct slb_record *rec,
			     const struct sk_buff *skb)
{
	struct ip_vs_conn *cp;
	int packets;
	bool out;

	cp = slb_conn_pin_skb(net_ipvs(ns->net), &rec->pkt, skb, &out);
	if (!cp)
		return 0;
	packets = atomic_read(&cp->in_pkts);
	slb_conn_unpin(cp);
	return packets;
}

/* True if flows do not pay for connections with many packets like this one, see worth.h. With
 * sloppy_tcp any packet may begin a connection.
 */
static bool slb_learn_brief(const struct slb_ns *ns, const struct slb_record *rec,
			    const struct sk_buff *skb)
{
	bool udp = rec->pkt.proto == IPPROTO_UDP;

	if (!udp && (rec->pkt.ends || !rec->begins))
		return rec->pkt.ends;
	return slb_learn_packets(ns, rec, skb) <= (udp ? SLB_WORTH_UDP : 1);
}

/* True if a sampled packet is of a connection that lasts. */
static bool slb_learn_lasts(const struct slb_ns *ns, const struct slb_record *rec,
			    const struct sk_buff *skb)
{
	return rec->again && slb_learn_packets(ns, rec, skb) > SLB_WORTH_LASTS;
}

/* Count a packet without a flow, or a proof, at the address in @place. Returns true if learning
 * should pause there.
 */
static bool slb_learn_judge(const struct slb_ns *ns, struct slb_cpu_state *cpu,
			    const struct slb_record *rec, const struct sk_buff *skb, u16 place)
{
	struct slb_worth *worth = &cpu->worths.at[place];
	bool paused = cpu->addrs.at[place].paused;
	u32 now = jiffies, swept;

	/* without flows nothing is swept, or served */
	if (!cpu->narrow.used && !cpu->wide.used)
		WRITE_ONCE(cpu->swept, now);
	swept = READ_ONCE(cpu->swept);
	if (!rec->missed)
		return slb_worth_looked(worth, 0, false, paused, now, swept);
	if (paused && !slb_addr_pair_tries(rec->pair))
		return slb_worth_sampled(worth, slb_learn_lasts(ns, rec, skb), now, swept);
	if (rec->reason == SLB_MISS_PAUSED)
		return paused;
	return slb_worth_looked(worth, rec->packets, slb_learn_brief(ns, rec, skb), paused, now,
				swept);
}

/* IPVS has handled this packet. Claim the destination, or, if only the source changed, the
 * address of the real server. Learning pauses there if flows are not worth their cost. With source
 * NAT on top of masquerading, questions and answers look alike, and do not count. Returns what is
 * known of the address.
 */
static struct slb_worth *slb_learn_claim(const struct slb_ns *ns, struct slb_cpu_state *cpu,
					 const struct slb_record *rec,
					 const struct sk_buff *skb)
{
	struct slb_addr_use *use;
	bool from, to;
	u16 place;

	slb_learn_changed(&rec->pkt, skb, &from, &to);
	place = from && !to ? rec->pair.from : rec->pair.to;
	use = &cpu->addrs.at[place];
	slb_addr_use_claim(use, rec->pkt.has_key ? place == rec->pair.to : use->virtual);
	if (from && to)
		use->paused = false;
	else if (rec->missed || rec->learnable)
		use->paused = slb_learn_judge(ns, cpu, rec, skb, place);
	return &cpu->worths.at[place];
}

/* True if a proof failed for a reason that many packets of a service may have in common. */
static bool slb_learn_never(enum slb_reason reason)
{
	return reason != SLB_LEARNED && reason != SLB_RENEWED && reason != SLB_SKIP_UNSETTLED &&
	       reason != SLB_SKIP_FULL;
}

/* Learn from a packet that IPVS has handled; @by: slb_inflight_by() of the packet here. noinline:
 * keeps registers of the caller free, for packets that nothing is learned from.
 */
static noinline void slb_learn_packet(struct slb_ns *ns, struct slb_ns_cpu *c,
				      struct slb_cpu_state *cpu, struct sk_buff *skb,
				      const struct net_device *dev, const void *by)
{
	u32 virt = cpu->inflight.virt[slb_inflight_index(skb)];
	enum slb_inflight_as as;
	enum slb_reason reason;
	struct slb_worth *worth;
	struct slb_record *rec = slb_inflight_take(&cpu->inflight, skb, &as);

	/* also if the packet was not looked at, or its place is another packet's now */
	if (as != SLB_INFLIGHT_SEEN && as != SLB_INFLIGHT_RECORD)
		slb_outdate(ns, cpu, skb, dev, as == SLB_INFLIGHT_FIRST ? virt : 0);
	/* in a tunnel: a copy of a packet that needs nothing more, or an accident */
	if (as == SLB_INFLIGHT_FIRST || as == SLB_INFLIGHT_SEEN ||
	    (as == SLB_INFLIGHT_UNKNOWN && skb_inner_network_offset(skb) > 0))
		return;
	if (!rec) {
		/* not those that the director itself sends */
		if (as == SLB_INFLIGHT_UNRELATED && skb->skb_iif)
			cpu->addrs.missed = jiffies;
		slb_service_add_other(&cpu->services, as == SLB_INFLIGHT_UNRELATED ?
				      SLB_MISS_UNRELATED : SLB_MISS_NONE, 1);
		return;
	}
	worth = slb_learn_claim(ns, cpu, rec, skb);
	if (rec->begins && cpu->clients.flows[slb_clients_place(&rec->pkt)])
		slb_outdate(ns, cpu, skb, dev, slb_clients_virtual(&cpu->clients, &rec->pkt));
	if (!rec->learnable) {
		slb_count_unlearned(ns, cpu, rec, skb, rec->reason);
		return;
	}
	/* user space had the packet in between, and may treat the next packet differently */
	if (rec->by != by) {
		slb_count_unlearned(ns, cpu, rec, skb, SLB_SKIP_CHANGED);
		slb_ns_count(ns, SLB_SKIP_CHANGED);
		return;
	}
	/* IPVS marks packets that bypass conntrack as untracked */
	if (skb_get_nfct(skb))
		WRITE_ONCE(cpu->tracked[rec->pkt.v6], true);
	reason = slb_learn_flow(ns, cpu, rec, skb, dev);
	slb_ns_count(ns, reason);
	/* verification is asked for; without room, proofs are rare */
	if (rec->reason != SLB_MISS_VERIFY && reason != SLB_SKIP_FULL && reason != SLB_SKIP_TABLE)
		slb_worth_proved(worth, reason == SLB_LEARNED);
	if (slb_learn_never(reason))
		slb_worth_failed(worth);
	if (cpu->narrow.used || cpu->wide.used)
		slb_sweep_arm(c);
}

/**
 * slb_learn_leave_slow() - handle a packet at the end of the slow path, for slb_learn_leave()
 * @ns: the namespace
 * @skb: the packet, which IPVS has handled
 * @dev: the egress device
 *
 * Context: RCU, the last hook of POST_ROUTING.
 */
void slb_learn_leave_slow(struct slb_ns *ns, struct sk_buff *skb,
			  const struct net_device *dev)
{
	const void *by = slb_inflight_by();
	bool bh_on = !in_softirq();
	struct slb_cpu_state *cpu;
	struct slb_ns_cpu *c;

	if (bh_on)
		local_bh_disable();
	c = this_cpu_ptr(ns->cpu);
	/* pairs with slb_sweep_alloc() */
	cpu = smp_load_acquire(&c->data);
	if (!cpu) {
		slb_ns_count(ns, SLB_SKIP_TABLE);
		slb_sweep_kick(c, 0);
	} else if (!slb_inflight_take_plain(&cpu->inflight, &cpu->clients, skb)) {
		slb_learn_packet(ns, c, cpu, skb, dev, by);
	}
	if (bh_on)
		local_bh_enable();
}
