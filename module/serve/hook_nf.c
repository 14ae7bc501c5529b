// SPDX-License-Identifier: GPL-2.0
/*
 * The netfilter hooks. Packets meet the flow table in PRE_ROUTING.
 *
 *  operation            | locking
 * ----------------------+----------------------------------------------------
 *  slb_nf_pre_routing   | RCU; BH off on the receive path. Packets from user
 *                       | space (NFQUEUE in raw) have BHs on, and are not served
 *  slb_nf_forward       | RCU; BH off unless the packet is from NFQUEUE
 *  slb_nf_post_routing  | RCU
 *
 * A served packet goes to the neighbour, and skips the rest of the slow path: conntrack,
 * routing, LOCAL_IN or FORWARD, IPVS, LOCAL_OUT, POST_ROUTING. Other packets are passed on
 * unchanged: a packet is changed only when nothing can fail any more.
 *
 * If a packet of a flow is not served, the flow is ended, or suspended until the slow path has
 * proved the flow again. So no later packet overtakes, even if a driver hands over many
 * packets at once, which all pass this hook before the first of them goes on.
 */
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/xfrm.h>

#include <compat/bridge.h>
#include <compat/skbuff.h>

#include "flow/parse.h"
#include "flow/trace.h"
#include "learn/learn.h"
#include "serve/bridge.h"
#include "serve/gate.h"
#include "serve/hook_nf.h"
#include "serve/skb.h"

/* True if the packet has metadata that only the slow path can handle. "notrack" in the raw
 * table is harmless, as IPVS does the same.
 */
static bool slb_nf_special(struct sk_buff *skb, bool v6)
{
	unsigned long holds = (unsigned long)skb->sk | skb->_skb_refdst |
			      (unsigned long)skb_nfct(skb);

	return holds || skb->ipvs_property ||
	       (skb_has_extensions(skb) &&
		(skb_sec_path(skb) ||
		 (slb_skb_bridged(skb) && !slb_bridge_fit(skb, v6)))) ||
	       slb_skb_traced(skb) || slb_skb_offloaded(skb) ||
	       (v6 ? IP6CB(skb)->frag_max_size : IPCB(skb)->frag_max_size) ||
	       (skb_is_gso(skb) && !skb_shinfo(skb)->gso_type);
}

/* The ingress device; with br_netfilter the port of the bridge. */
static u32 slb_nf_iif(const struct sk_buff *skb, const struct net_device *in)
{
	if (unlikely(slb_skb_bridged(skb)))
		return slb_bridge_port(skb);
	return in->ifindex;
}

static enum slb_reason slb_nf_parse(const void *data, u32 len, u32 iif, bool v6,
				    struct slb_pkt *pkt)
{
	return v6 ? slb_parse_ipv6(data, len, iif, pkt) :
		    slb_parse_ipv4(data, len, iif, pkt);
}

/* Headers are not pulled into the linear part: that would change how a reassembled packet is
 * fragmented again. noinline: keeps the headers off the stack frame of the caller.
 */
static noinline enum slb_reason slb_nf_parse_scattered(const struct sk_buff *skb,
						       u32 len, u32 iif, bool v6,
						       struct slb_pkt *pkt)
{
	u8 buf[15 * 4 + sizeof(struct tcphdr)];
	const void *data = skb_header_pointer(skb, 0, len, buf);

	return data ? slb_nf_parse(data, len, iif, v6, pkt) : SLB_MISS_SHORT;
}

/* Parse a packet, and check its metadata. */
static enum slb_reason slb_nf_check(struct sk_buff *skb, u32 iif, bool v6,
				    struct slb_pkt *pkt)
{
	u32 len = min_t(u32, skb->len, (v6 ? sizeof(struct ipv6hdr) :
					     ip_hdrlen(skb)) +
				       sizeof(struct tcphdr));
	enum slb_reason reason;

	pkt->has_key = false;
	if (skb->pkt_type != PACKET_HOST)
		return SLB_MISS_HOST;
	if (likely(len <= skb_headlen(skb)))
		reason = slb_nf_parse(skb->data, len, iif, v6, pkt);
	else
		reason = slb_nf_parse_scattered(skb, len, iif, v6, pkt);
	if (!reason && slb_nf_special(skb, v6))
		reason = SLB_MISS_META;
	return reason;
}

/* End or suspend the flow of a packet that goes to the slow path. */
static void slb_nf_suspend(struct slb_ns *ns, struct slb_cpu_state *cpu,
			   struct slb_flow *flow, const struct slb_pkt *pkt,
			   enum slb_reason reason)
{
	if (pkt->ends || reason == SLB_MISS_STATE ||
	    !slb_dest_available(flow->conn->dest)) {
		slb_cpu_end_both(ns, cpu, flow, reason);
		return;
	}
	/* IPVS is about to count the packet */
	if (flow->reserved)
		slb_cpu_account(cpu, flow, jiffies);
	flow->flags |= SLB_FLOW_SUSPENDED;
}

/* Handle a packet that goes to the slow path, and end or suspend its flow. Each packet comes here
 * that has been parsed and is not served.
 */
static noinline unsigned int slb_nf_slow(struct slb_ns *ns, struct slb_cpu_state *cpu,
					 struct slb_flow *flow, struct sk_buff *skb,
					 const struct slb_pkt *pkt,
					 struct slb_addr_pair pair, enum slb_reason reason)
{
	const void *data = skb_network_header(skb);

	slb_ns_count(ns, reason);
	trace_slb_miss(skb, reason);
	if (!cpu)
		return NF_ACCEPT;
	/* before the flow may be gone */
	slb_enter_slow(ns, cpu, flow, skb, pkt, pair, reason);
	if (flow)
		slb_nf_suspend(ns, cpu, flow, pkt, reason);
	else if (slb_pkt_keyless(pkt, reason))
		slb_keyless_record(&cpu->keyless, data, ip_hdr(skb)->version == 6);
	return NF_ACCEPT;
}

/* Let a packet by without a look at it. One in SLB_LEARN_UNSEEN of a service's packets is looked
 * at, to count packets of services.
 */
static bool slb_nf_skip(struct slb_ns *ns, struct slb_cpu_state *cpu, struct sk_buff *skb,
			enum slb_reason reason)
{
	if (reason == SLB_MISS_PAUSED && slb_hints_draw(&cpu->hints, SLB_LEARN_UNSEEN))
		return false;
	if (reason == SLB_MISS_PAUSED)
		slb_inflight_enter_unseen(&cpu->inflight, skb, &cpu->clients,
					  ip_hdr(skb)->version == 6);
	else
		slb_inflight_enter_unrelated(&cpu->inflight, skb);
	slb_ns_count(ns, reason);
	trace_slb_miss(skb, reason);
	return true;
}

/* Look at a packet, which may have a flow: @skip is 0, or the reason why it has none. noinline: the
 * caller, for packets that are not looked at, saves no registers. Six arguments: the call is a
 * jump.
 */
static noinline unsigned int slb_nf_look(struct slb_ns *ns, struct slb_cpu_state *cpu,
					 struct sk_buff *skb, const struct net_device *in,
					 struct slb_addr_pair pair, enum slb_reason skip)
{
	bool v6 = ip_hdr(skb)->version == 6;
	struct slb_flow *flow = NULL;
	/* __uninitialized: clearing it costs each packet; has_key tells which members are valid
	 */
	struct slb_pkt pkt __uninitialized;
	enum slb_reason reason;

	reason = slb_nf_check(skb, slb_nf_iif(skb, in), v6, &pkt);
	if (cpu && pkt.has_key) {
		slb_cpu_hash(cpu, &pkt);
		flow = slb_cpu_find(cpu, &pkt);
	}

	if (flow && slb_keyless_recent(&cpu->keyless, skb_network_header(skb), v6))
		reason = SLB_MISS_FRAGMENT;
	if (flow && !reason) {
		reason = slb_skb_serve(ns, cpu, flow, skb, &pkt);
		if (!reason)
			return NF_STOLEN;
	} else if (!reason) {
		reason = SLB_MISS_NONE;
	}
	/* no flow, and counted for others that were not looked at */
	if (skip)
		reason = skip;

	return slb_nf_slow(ns, cpu, flow, skb, &pkt, pair, reason);
}

static unsigned int slb_nf_pre_routing(void *priv, struct sk_buff *skb,
				       const struct nf_hook_state *state)
{
	struct slb_ns *ns = priv;
	bool v6 = state->pf == NFPROTO_IPV6;
	struct slb_addr_pair pair = slb_addr_pair(skb_network_header(skb), v6);
	struct slb_cpu_state *cpu;
	enum slb_reason skip = 0;

	if (READ_ONCE(ns->scope) == SLB_SCOPE_OFF)
		return NF_ACCEPT;
	/* the packet comes again at the VRF device, after the rules and taps of that */
	if (netif_is_l3_slave(state->in))
		return NF_ACCEPT;
	if (unlikely(!in_softirq())) {
		slb_ns_count(ns, SLB_MISS_META);
		return NF_ACCEPT;
	}
	/* pairs with slb_sweep_alloc() */
	cpu = smp_load_acquire(&this_cpu_ptr(ns->cpu)->data);
	if (cpu)
		skip = slb_addrs_skip(&cpu->addrs, pair);
	if (skip && slb_nf_skip(ns, cpu, skb, skip))
		return NF_ACCEPT;
	return slb_nf_look(ns, cpu, skb, state->in, pair, skip);
}

static unsigned int slb_nf_forward(void *priv, struct sk_buff *skb,
				   const struct nf_hook_state *state)
{
	struct slb_ns *ns = priv;
	struct slb_cpu_state *cpu;

	if (unlikely(!in_softirq()))
		return NF_ACCEPT;
	/* pairs with slb_sweep_alloc() */
	cpu = smp_load_acquire(&this_cpu_ptr(ns->cpu)->data);
	if (cpu && cpu->inflight.records)
		slb_inflight_forward(&cpu->inflight, skb,
				     state->pf == NFPROTO_IPV6);
	return NF_ACCEPT;
}

static unsigned int slb_nf_post_routing(void *priv, struct sk_buff *skb,
					const struct nf_hook_state *state)
{
	struct slb_ns *ns = priv;

	if (skb->ipvs_property && READ_ONCE(ns->scope) != SLB_SCOPE_OFF)
		slb_learn_leave(ns, skb, state->out);
	return NF_ACCEPT;
}

static const struct nf_hook_ops slb_nf_ops[SLB_NF_HOOKS] = {
	/* Behind the raw table, whose rules thus apply to every packet, and
	 * behind defragmentation; before conntrack, which a hit need not see.
	 */
	{
		.hook		= slb_nf_pre_routing,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_PRE_ROUTING,
		.priority	= NF_IP_PRI_RAW + 1,
	},
	{
		.hook		= slb_nf_pre_routing,
		.pf		= NFPROTO_IPV6,
		.hooknum	= NF_INET_PRE_ROUTING,
		.priority	= NF_IP6_PRI_RAW + 1,
	},
	/* Before IPVS, which may give the packet another route. */
	{
		.hook		= slb_nf_forward,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_FORWARD,
		.priority	= NF_IP_PRI_FIRST,
	},
	{
		.hook		= slb_nf_forward,
		.pf		= NFPROTO_IPV6,
		.hooknum	= NF_INET_FORWARD,
		.priority	= NF_IP6_PRI_FIRST,
	},
	/* Last, so that the packet is seen as it leaves. */
	{
		.hook		= slb_nf_post_routing,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_POST_ROUTING,
		.priority	= NF_IP_PRI_LAST,
	},
	{
		.hook		= slb_nf_post_routing,
		.pf		= NFPROTO_IPV6,
		.hooknum	= NF_INET_POST_ROUTING,
		.priority	= NF_IP6_PRI_LAST,
	},
};

/**
 * slb_nf_init() - prepare the hooks of a namespace
 * @ns: the namespace
 *
 * Each namespace has its own hooks, whose private pointer is the namespace.
 *
 * Context: process.
 */
void slb_nf_init(struct slb_ns *ns)
{
	int i;

	for (i = 0; i < SLB_NF_HOOKS; i++) {
		ns->nf_ops[i] = slb_nf_ops[i];
		ns->nf_ops[i].priv = ns;
	}
}

/**
 * slb_nf_register() - register the hooks of a namespace
 * @ns: the namespace
 *
 * Context: process.
 * Return: 0, or what nf_register_net_hooks() returns.
 */
int slb_nf_register(struct slb_ns *ns)
{
	return nf_register_net_hooks(ns->net, ns->nf_ops, SLB_NF_HOOKS);
}

/**
 * slb_nf_unregister() - unregister the hooks of a namespace
 * @ns: the namespace; freed after a grace period
 *
 * Until a grace period has passed, a hook may still run on another CPU, and readers of the hook
 * list may follow pointers to @ns.
 *
 * Context: process.
 */
void slb_nf_unregister(struct slb_ns *ns)
{
	nf_unregister_net_hooks(ns->net, ns->nf_ops, SLB_NF_HOOKS);
}

/**
 * slb_nf_own() - is this a hook of shadowlb's?
 * @ops: a hook
 *
 * Context: any.
 */
bool slb_nf_own(const struct nf_hook_ops *ops)
{
	return ops->hook == slb_nf_pre_routing ||
	       ops->hook == slb_nf_forward ||
	       ops->hook == slb_nf_post_routing;
}
