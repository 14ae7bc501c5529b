// SPDX-License-Identifier: GPL-2.0
/*
 * The observer: notes packets that enter the slow path, looks at what comes
 * out of it at the end of POST_ROUTING, and makes a flow of the difference.
 *
 *  operation     | locking
 * ---------------+----------------------------------------------------------
 *  slb_watch_add | RCU, BH off (PRE_ROUTING), this CPU
 *  slb_observe   | RCU (POST_ROUTING); turns BHs off itself
 *  slb_flow_end  | RCU, BH off, on the CPU that owns the flow (or see sweep.c)
 *
 * A packet is recognised by the address of its skb, on the CPU that received
 * it. That alone proves nothing: the skb may have been freed on its way and
 * its memory used for another packet. What proves the flow is that replaying
 * the action on the headers noted at the entry gives, to the bit, the headers
 * seen at the exit, and that IPVS has a connection for them. A packet that is
 * copied or queued on its way is not recognised, and no flow is made.
 *
 * What a flow holds: a reference on its connection (pin) and one on its route.
 * Both are taken here, by slb_learn(), and let go by slb_flow_end().
 */
#include <linux/hash.h>
#include <linux/jhash.h>
#include <net/dst.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/route.h>
#include <net/xfrm.h>

#include "conn.h"
#include "observe.h"
#include "rewrite.h"
#include "sweep.h"
#include "trace.h"

static struct slb_watch *slb_watch_slot(struct slb_cpu_data *d,
					const struct sk_buff *skb)
{
	return &d->watch[hash_ptr(skb, ilog2(SLB_WATCHES))];
}

static struct slb_hint *slb_hint(struct slb_cpu_data *d,
				 const struct slb_key *key, u16 *print)
{
	u32 hash = jhash(key, sizeof(*key), d->table.seed);

	*print = (hash >> 16) | 1;
	return &d->hint[hash % SLB_HINTS];
}

/* UDP has no handshake that tells a connection from a single question: the
 * first packet of a key leaves a fingerprint, the second one finds it.
 */
static bool slb_hint_seen(struct slb_cpu_data *d, const struct slb_key *key)
{
	u16 print;
	struct slb_hint *hint = slb_hint(d, key, &print);

	if (hint->seen == print)
		return true;
	hint->seen = print;
	return false;
}

/* A connection that flows do not serve sends packets all the same: looking at
 * each of them would make the slow path slower than it was.
 */
static bool slb_hint_shunned(struct slb_cpu_data *d, const struct slb_key *key,
			     unsigned long now)
{
	u16 print;
	const struct slb_hint *hint = slb_hint(d, key, &print);

	return hint->shun == print &&
	       (u16)(slb_ticks(now) - hint->when) < slb_ticks(SLB_SHUN);
}

static void slb_hint_shun(struct slb_cpu_data *d, const struct slb_key *key,
			  unsigned long now)
{
	u16 print;
	struct slb_hint *hint = slb_hint(d, key, &print);

	hint->shun = print;
	hint->when = slb_ticks(now);
}

/**
 * slb_watch_add() - note a packet that goes into the slow path
 * @d: this CPU's data
 * @skb: the packet; its headers are in its linear part
 * @pkt: what the parser found in it: SLB_HIT
 *
 * Context: BH off.
 */
void slb_watch_add(struct slb_cpu_data *d, const struct sk_buff *skb,
		   const struct slb_pkt *pkt)
{
	struct slb_watch *w = slb_watch_slot(d, skb);

	if (slb_hint_shunned(d, &pkt->key, jiffies)) {
		slb_watch_del(d, skb);
		return;
	}
	w->skb = skb;
	w->key = pkt->key;
	w->mark = skb->mark;
	w->priority = skb->priority;
	w->hlen = pkt->hlen;
	w->nocsum = pkt->nocsum;
	w->partial = skb->ip_summed == CHECKSUM_PARTIAL;
	memcpy(w->head, skb_network_header(skb), pkt->hlen);
}

/**
 * slb_watch_del() - forget what was noted of an skb at this address
 * @d: this CPU's data
 * @skb: a packet that goes into the slow path without being noted
 *
 * Context: BH off.
 */
void slb_watch_del(struct slb_cpu_data *d, const struct sk_buff *skb)
{
	struct slb_watch *w = slb_watch_slot(d, skb);

	if (w->skb == skb)
		w->skb = NULL;
}

/**
 * slb_flow_end() - end a flow
 * @sn: the namespace
 * @d: the data of the CPU that owns the flow
 * @flow: the flow
 * @why: SLB_EVICTED or the reason that packets are counted by
 *
 * Context: RCU, BH off.
 */
void slb_flow_end(struct slb_net *sn, struct slb_cpu_data *d,
		  struct slb_flow *flow, enum slb_stat why)
{
	struct ip_vs_conn *cp = flow->conn;
	bool expired;

	trace_slb_end(flow, why);
	slb_count(sn, why == SLB_EVICTED ? SLB_EVICTED : SLB_ENDED);
	expired = slb_flow_account(flow, &d->timeouts, jiffies);
	dst_release(flow->dst);
	slb_flow_free(&d->table, flow);
	slb_conn_unpin(cp);
	if (expired)
		slb_conn_expire(cp);
}

/* Can a packet be sent this way without asking anybody but the neighbour?
 * Routes through IPsec, tunnels, VRF devices or multicast have an output
 * function of their own.
 */
static bool slb_egress_fit(struct slb_net *sn, const struct sk_buff *skb,
			   const struct net_device *dev)
{
	const struct dst_entry *dst = skb_dst(skb);
	const struct rtable *rt = (const struct rtable *)dst;

	return dst && dst->output == ip_output && !dst->lwtstate &&
	       !dst_xfrm(dst) && !skb_sec_path(skb) &&
	       rt->rt_type == RTN_UNICAST && !(rt->rt_flags & RTCF_LOCAL) &&
	       dst->dev == dev && net_eq(dev_net(dev), sn->net) &&
	       !(IPCB(skb)->flags & (IPSKB_DOREDIRECT | IPSKB_REROUTED)) &&
	       !IPCB(skb)->frag_max_size;
}

/* The action that turned the packet noted into the packet seen, if there is
 * one: otherwise the slow path did more than an action can say.
 */
static bool slb_action_observe(struct slb_net *sn, const struct slb_watch *w,
			       const struct sk_buff *skb, bool out,
			       struct slb_action *act, u8 *flags)
{
	bool nat, prio = out &&
			 READ_ONCE(sn->net->ipv4.sysctl_ip_fwd_update_priority);
	unsigned int how = 0;
	u8 seen_buf[SLB_HEAD_LEN], want[SLB_HEAD_LEN];
	const struct iphdr *iph;
	const __be16 *ports;
	const u8 *seen;
	u32 mtu;

	seen = skb_header_pointer(skb, 0, w->hlen, seen_buf);
	if (!seen)
		return false;
	iph = (const struct iphdr *)seen;
	if (iph->ihl != 5)
		return false;
	ports = (const __be16 *)(iph + 1);

	slb_action_init(act, &w->key, iph->saddr, iph->daddr, ports[0],
			ports[1]);
	nat = act->saddr != w->key.saddr || act->daddr != w->key.daddr ||
	      act->sport != w->key.sport || act->dport != w->key.dport;
	if (nat && w->nocsum && !w->partial)
		return false;
	if (nat)
		how |= SLB_REWRITE_NAT;
	if (w->partial)
		how |= SLB_REWRITE_PARTIAL;
	memcpy(want, w->head, w->hlen);
	slb_rewrite_ipv4(want, act, how);
	if (memcmp(want, seen, w->hlen) ||
	    w->partial != (skb->ip_summed == CHECKSUM_PARTIAL) ||
	    skb->mark != w->mark ||
	    skb->priority != (prio ? rt_tos2priority(iph->tos) : w->priority))
		return false;

	mtu = min(dst_mtu(skb_dst(skb)), ip_skb_dst_mtu(NULL, skb));
	act->mtu = min_t(u32, mtu, U16_MAX);
	*flags = (out ? SLB_FLOW_OUT : 0) | (nat ? SLB_FLOW_NAT : 0) |
		 (prio ? SLB_FLOW_PRIO : 0);
	return true;
}

/* Is the difference what this connection stands for? */
static bool slb_action_fit(const struct slb_action *act,
			   const struct slb_key *key,
			   const struct ip_vs_conn *cp,
			   const struct dst_entry *dst, bool out)
{
	if (!out && !slb_conn_via(cp, dst))
		return false;
	if (IP_VS_FWD_METHOD(cp) == IP_VS_CONN_F_DROUTE)
		return !out && act->saddr == key->saddr &&
		       act->daddr == key->daddr && act->sport == key->sport &&
		       act->dport == key->dport;
	if (out)
		return act->saddr == cp->vaddr.ip && act->sport == cp->vport &&
		       act->daddr == key->daddr && act->dport == key->dport;
	return act->daddr == cp->daddr.ip && act->dport == cp->dport &&
	       act->saddr == key->saddr && act->sport == key->sport;
}

static void slb_flow_prove(struct slb_flow *flow, const struct slb_watch *w,
			   const struct slb_action *act, struct dst_entry *dst,
			   u8 flags, unsigned long now)
{
	const struct iphdr *iph = (const struct iphdr *)w->head;

	flow->act = *act;
	flow->dst = dst;
	flow->flags = flags;
	flow->tos = iph->tos & ~INET_ECN_MASK;
	flow->last = now;
	flow->proved = slb_ticks(now);
}

/* Learn a flow from the packet, or renew the one there is. A flow that cannot
 * be proved is ended: what it stands for is not what the slow path does.
 */
static enum slb_stat slb_learn(struct slb_net *sn, struct slb_cpu_data *d,
			       const struct slb_watch *w, struct sk_buff *skb,
			       const struct net_device *dev)
{
	struct slb_flow *flow = slb_flow_lookup(&d->table, &w->key);
	unsigned long now = jiffies;
	struct slb_action act;
	struct ip_vs_conn *cp;
	struct dst_entry *dst;
	enum slb_stat why;
	u8 flags;
	bool out;

	if (flow) {
		cp = flow->conn;
		out = flow->flags & SLB_FLOW_OUT;
	} else {
		if ((u8)w->key.iif_proto == IPPROTO_UDP &&
		    !slb_hint_seen(d, &w->key))
			return SLB_SKIP_UNSETTLED;
		cp = slb_conn_pin(sn, &w->key, &out);
		if (!cp) {
			slb_hint_shun(d, &w->key, now);
			return SLB_SKIP_KIND;
		}
	}

	why = slb_conn_fit(sn, cp, w->key.iif_proto);
	if (why != SLB_LEARNED)
		goto err_unpin;
	why = SLB_SKIP_EGRESS;
	if (!slb_egress_fit(sn, skb, dev))
		goto err_unpin;
	why = SLB_SKIP_CHANGED;
	if (!slb_action_observe(sn, w, skb, out, &act, &flags) ||
	    !slb_action_fit(&act, &w->key, cp, skb_dst(skb), out))
		goto err_unpin;
	dst = skb_dst(skb);
	why = SLB_SKIP_EGRESS;
	if (!dst_hold_safe(dst))
		goto err_unpin;

	if (flow) {
		dst_release(flow->dst);
		slb_flow_prove(flow, w, &act, dst, flags, now);
		return SLB_RENEWED;
	}

	flow = slb_flow_place(&d->table, &w->key, now);
	if (!flow) {
		why = SLB_SKIP_FULL;
		goto err_release;
	}
	if (flow->dst)
		slb_flow_end(sn, d, flow, SLB_EVICTED);
	flow->key = w->key;
	flow->conn = cp;
	slb_flow_prove(flow, w, &act, dst, flags, now);
	trace_slb_learn(flow);
	return SLB_LEARNED;

err_release:
	dst_release(dst);
err_unpin:
	if (why != SLB_SKIP_UNSETTLED)
		slb_hint_shun(d, &w->key, now);
	if (flow)
		slb_flow_end(sn, d, flow, why);
	else
		slb_conn_unpin(cp);
	return why;
}

/**
 * slb_observe() - look at a packet at the end of the slow path
 * @sn: the namespace
 * @skb: the packet, which IPVS has handled
 * @dev: the device it is about to leave by
 *
 * Context: RCU, the last hook of POST_ROUTING.
 */
void slb_observe(struct slb_net *sn, struct sk_buff *skb,
		 const struct net_device *dev)
{
	struct slb_cpu_data *d;
	struct slb_watch *w;
	struct slb_cpu *c;

	local_bh_disable();
	c = this_cpu_ptr(sn->cpu);
	/* pairs with slb_cpu_alloc() */
	d = smp_load_acquire(&c->data);
	if (!d) {
		slb_count(sn, SLB_SKIP_TABLE);
		slb_sweep_kick(c);
		goto out;
	}
	w = slb_watch_slot(d, skb);
	if (w->skb != skb)
		goto out;
	w->skb = NULL;
	slb_count(sn, slb_learn(sn, d, w, skb, dev));
	if (d->table.used)
		slb_sweep_arm(c);
out:
	local_bh_enable();
}
