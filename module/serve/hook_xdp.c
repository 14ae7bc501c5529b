// SPDX-License-Identifier: GPL-2.0
/*
 * XDP. Frames meet the flow table before the kernel allocates an skb.
 *
 *  operation            | locking
 * ----------------------+----------------------------------------------------
 *  slb_xdp              | BH off, and so RCU; the flow table of this CPU. With
 *                       | BHs on, no frame is served
 *
 * A kfunc for the BPF program bpf/shadowlb_xdp.bpf.c, which turns the result into an XDP
 * action. A loaded program holds a reference on the module.
 *
 * XDP uses the flows that the netfilter hooks learn. Frames that XDP passes up reach the hook
 * unchanged: a frame is changed only when nothing can fail any more, and then sent by its
 * ingress device or another.
 *
 * Kernels without the needed support have hook_xdp_none.c instead.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/sctp.h>
#include <net/dsfield.h>

#include <compat/snmp.h>

#include "flow/trace.h"
#include "ipvs/tunnel.h"
#include "learn/verify.h"
#include "serve/apply.h"
#include "serve/csum.h"
#include "serve/egress.h"
#include "serve/frame.h"
#include "serve/gate.h"
#include "serve/hook_xdp.h"
#include "serve/sync.h"

/* Results of slb_xdp(): pass up; send back. Above zero: index of the egress device. */
#define SLB_XDP_UP	(-1)
#define SLB_XDP_BACK	0

static __always_inline void slb_xdp_nat(const struct slb_flow *flow, void *ip,
					const struct slb_pkt *pkt, bool v6)
{
	struct sctphdr *sh = ip + slb_frame_iphlen(v6);
	__be32 ports = v6 ? pkt->key6.ports : pkt->key4.ports;
	bool nat = flow->flags & SLB_FLOW_NAT;

	slb_apply_headers(flow, ip, v6, nat ? SLB_REWRITE_NAT : 0);
	/* anew where a port changed, as IPVS does */
	if (nat && pkt->proto == IPPROTO_SCTP &&
	    memcmp(sh, &ports, sizeof(ports)))
		sh->checksum = slb_csum_sctp(sh, pkt->len - slb_frame_iphlen(v6));
}

/* Apart, so that others need no room for two addresses. */
static noinline void slb_xdp_tunnel(const struct slb_ns *ns,
				    const struct slb_flow *flow,
				    const struct slb_tunnel *e, void *ip,
				    u32 len, bool v6)
{
	union slb_addr saddr __uninitialized, daddr __uninitialized;

	slb_apply_headers(flow, ip, v6, 0);
	slb_apply_outer(flow, &saddr, &daddr);
	slb_tunnel_write(e, ns->net, ip, len, &saddr, &daddr,
			 flow->flags & SLB_FLOW_WIDE ?
			 slb_flow6(flow)->act.sport : slb_flow4(flow)->act.sport);
}

/* noinline: keeps the parsed packet in registers on paths without this check. */
static noinline bool slb_xdp_csum_wrong(const void *ip, struct slb_pkt pkt)
{
	return slb_csum_wrong(ip, &pkt);
}

/**
 * struct slb_xdp_gate - a frame at the gate
 * @g: common part
 * @f: the frame
 * @egress: egress of the frame, set by slb_xdp_leave()
 */
struct slb_xdp_gate {
	struct slb_gate		g;
	const struct slb_frame	*f;
	struct slb_egress	egress;
};

static __always_inline struct slb_xdp_gate *slb_xdp_gate(const struct slb_gate *g)
{
	return container_of(g, struct slb_xdp_gate, g);
}

/* noinline: few flows ask for more. A mark or a priority is nothing that a frame has. */
static noinline enum slb_reason slb_xdp_extra_check(const struct slb_gate *g)
{
	const struct slb_extra *extra = slb_table_extra(&g->cpu->wide, g->flow);

	if (extra->mark || extra->how & ~SLB_EXTRA_LABEL)
		return SLB_MISS_MARK;
	return slb_gate_extra(extra, slb_xdp_gate(g)->f->ip);
}

static __always_inline enum slb_reason slb_xdp_match(const struct slb_gate *g)
{
	return unlikely(g->flow->flags & SLB_FLOW_EXTRA) ? slb_xdp_extra_check(g) : 0;
}

/* True if the checksum is still to be completed, or wrong and conntrack would check. */
static __always_inline bool slb_xdp_csum(const struct slb_gate *g)
{
	const struct slb_frame *f = slb_xdp_gate(g)->f;

	if (slb_csum_partial(f->ip, g->pkt, g->v6))
		return true;
	if (slb_csum_nested(f->xdp, g->pkt))
		return g->pkt->nocsum || slb_xdp_csum_wrong(f->ip, *g->pkt);
	return unlikely(READ_ONCE(g->cpu->tracked[g->v6])) &&
	       READ_ONCE(g->ns->net->ct.sysctl_checksum) &&
	       slb_xdp_csum_wrong(f->ip, *g->pkt);
}

static __always_inline enum slb_reason slb_xdp_leave(struct slb_gate *g, u32 hlen,
						     u32 mtu)
{
	struct slb_xdp_gate *x = slb_xdp_gate(g);
	enum slb_reason reason;

	if (g->len + hlen > mtu)
		return SLB_MISS_MTU;
	reason = slb_egress_find(&x->egress, x->f, g->flow);
	if (reason)
		return reason;
	/* for redirects, a struct xdp_frame is written at the start of the headroom */
	return x->f->ip - x->f->xdp->data_hard_start <
	       hlen + VLAN_ETH_HLEN + sizeof(struct xdp_frame) ? SLB_XDP_ROOM : 0;
}

static __always_inline bool slb_xdp_verify(const struct slb_gate *g)
{
	if (!slb_verify_due(g->ns))
		return false;
	slb_verify_ask(g->cpu, g->pkt->hash);
	return true;
}

static const struct slb_gate_ops slb_xdp_gate_ops = {
	.match	= slb_xdp_match,
	.csum	= slb_xdp_csum,
	.leave	= slb_xdp_leave,
	.verify	= slb_xdp_verify,
};

/* The reason for XDP; the hook counts the reason for the slow path. */
static enum slb_reason slb_xdp_reason(enum slb_reason reason)
{
	switch (reason) {
	case SLB_MISS_CSUM:
		return SLB_XDP_CSUM;
	case SLB_MISS_MTU:
		return SLB_XDP_MTU;
	case SLB_XDP_DEVICE:
	case SLB_XDP_NEIGH:
	case SLB_XDP_ROOM:
		return reason;
	default:
		return SLB_XDP_FLOW;
	}
}

static __always_inline enum slb_reason
slb_xdp_serve(struct slb_ns *ns, struct slb_cpu_state *cpu, struct slb_flow *flow,
	      const struct slb_frame *f, const struct slb_pkt *pkt, bool v6,
	      int *to)
{
	struct slb_xdp_gate x __uninitialized;
	struct slb_tunnel tunnel __uninitialized;
	struct dst_entry *dst = flow->dst;
	const u8 flags = flow->flags;
	enum slb_reason reason;
	u32 len = pkt->len;
	void *ip = f->ip;
	u32 hlen = 0;

	x.g.ns = ns;
	x.g.cpu = cpu;
	x.g.flow = flow;
	x.g.pkt = pkt;
	x.g.now = jiffies;
	x.g.len = len;
	x.g.v6 = v6;
	x.g.partial = false;
	x.f = f;
	reason = slb_gate(&x.g, &slb_xdp_gate_ops, &tunnel);
	if (reason)
		return slb_xdp_reason(reason);

	/* from here on nothing fails */
	if (trace_slb_hit_enabled())
		trace_slb_hit(flow, len);
	/* the length includes padding behind the packet */
	slb_snmp_in(ns->net, f->dev, (u32)(f->xdp->data_end - ip), 1, v6,
		    v6 ? ipv6_get_dsfield(ip) : ((const struct iphdr *)ip)->tos);
	if (flags & SLB_FLOW_TUNNEL) {
		hlen = tunnel.hlen;
		slb_xdp_tunnel(ns, flow, &tunnel, ip, len, v6);
	} else {
		slb_xdp_nat(flow, ip, pkt, v6);
	}
	ip -= hlen;
	slb_egress_write(f->xdp, &x.egress, ip, len + hlen,
			 htons(dst->ops->family == AF_INET6 ? ETH_P_IPV6 :
							      ETH_P_IP));
	slb_snmp_out(ns->net, dst, len + hlen, flags & SLB_FLOW_OUT,
		     flags & SLB_FLOW_TUNNEL);
	slb_apply_count(ns, cpu, flow, len, x.g.now);
	*to = x.egress.dev == f->xdp->rxq->dev ? SLB_XDP_BACK :
						 x.egress.dev->ifindex;
	return 0;
}

/* Serve a packet. @v6 is constant: each family has its own code. */
static __always_inline enum slb_reason
slb_xdp_packet(struct slb_ns *ns, struct slb_cpu_state *cpu,
	       const struct slb_frame *f, bool v6, int *to)
{
	u32 avail = f->xdp->data_end - f->ip, iif = f->dev->ifindex;
	struct slb_pkt pkt __uninitialized;
	struct slb_flow *flow;
	enum slb_reason reason;

	if (unlikely(f->ip + slb_frame_iphlen(v6) > f->xdp->data_end))
		return SLB_XDP_OTHER;
	reason = slb_addrs_skip(&cpu->addrs, slb_addr_pair(f->ip, v6));
	if (reason)
		return reason == SLB_MISS_UNRELATED ? SLB_XDP_UNRELATED : SLB_XDP_NONE;
	/* ipv6_rcv() drops such packets */
	if (v6 && unlikely(slb_gate_ipv6_off(f->dev)))
		return SLB_XDP_OTHER;
	reason = v6 ? slb_parse_ipv6(f->ip, avail, iif, &pkt) :
		   slb_parse_ipv4(f->ip, avail, iif, &pkt);
	if (!pkt.has_key) {
		if (slb_pkt_keyless(&pkt, reason))
			slb_keyless_record(&cpu->keyless, f->ip, v6);
		return SLB_XDP_OTHER;
	}
	pkt.v6 = v6;
	slb_cpu_hash(cpu, &pkt);
	flow = slb_cpu_find(cpu, &pkt);
	if (!flow)
		return SLB_XDP_NONE;
	if (unlikely(xdp_buff_has_frags(f->xdp)))
		reason = SLB_XDP_FRAGS;
	else if (reason || !slb_frame_valid(f, &pkt, v6))
		reason = SLB_XDP_FLOW;
	else if (slb_hold_test(&cpu->hold, pkt.hash) ||
		 slb_keyless_recent(&cpu->keyless, f->ip, v6))
		reason = SLB_XDP_ORDER;
	else
		reason = slb_xdp_serve(ns, cpu, flow, f, &pkt, v6, to);
	if (unlikely(reason))
		slb_hold_set(&cpu->hold, pkt.hash);
	return reason;
}

static __always_inline enum slb_reason
slb_xdp_meet(struct slb_ns *ns, struct slb_cpu_state *cpu, struct xdp_buff *xdp,
	     int *to)
{
	struct slb_frame f __uninitialized;
	enum slb_reason reason;

	reason = slb_frame_open(&f, xdp);
	if (unlikely(reason))
		return reason;
	if (f.proto == htons(ETH_P_IP))
		return slb_xdp_packet(ns, cpu, &f, false, to);
	if (f.proto == htons(ETH_P_IPV6))
		return slb_xdp_packet(ns, cpu, &f, true, to);
	return SLB_XDP_OTHER;
}

__bpf_kfunc_start_defs();

/**
 * slb_xdp() - serve a frame by a flow
 * @ctx: the frame
 *
 * Context: XDP.
 * Return: -1: pass the unchanged frame up; 0: send the frame by its ingress device; above
 *	zero: index of the egress device.
 */
__bpf_kfunc int slb_xdp(struct xdp_md *ctx)
{
	struct xdp_buff *xdp = (struct xdp_buff *)ctx;
	struct slb_cpu_state *cpu;
	int to = SLB_XDP_UP;
	struct slb_ns *ns;

	if (unlikely(!in_softirq())) {
		slb_ns_count(slb_ns(dev_net(xdp->rxq->dev)), SLB_XDP_OTHER);
		return to;
	}
	/* BHs are off, which is within RCU: only lockdep has to be told */
	rcu_lock_acquire(&rcu_lock_map);
	ns = slb_ns_rcu(dev_net(xdp->rxq->dev));
	if (!READ_ONCE(ns->hooked) || READ_ONCE(ns->scope) == SLB_SCOPE_OFF)
		goto out;
	/* pairs with slb_sweep_alloc() */
	cpu = smp_load_acquire(&this_cpu_ptr(ns->cpu)->data);
	slb_ns_count(ns, cpu ? slb_xdp_meet(ns, cpu, xdp, &to) ?: SLB_XDP_HITS :
			  SLB_XDP_NONE);
out:
	rcu_lock_release(&rcu_lock_map);
	return to;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(slb_xdp_ids)
BTF_ID_FLAGS(func, slb_xdp)
BTF_KFUNCS_END(slb_xdp_ids)

static const struct btf_kfunc_id_set slb_xdp_set = {
	.owner	= THIS_MODULE,
	.set	= &slb_xdp_ids,
};

/* No type that is a function. */
static struct btf_id_set8 slb_xdp_void_ids = {
	.cnt	= 1,
	.flags	= BTF_SET8_KFUNCS,
	.pairs	= { {} },
};

static const struct btf_kfunc_id_set slb_xdp_void_set = {
	.owner	= THIS_MODULE,
	.set	= &slb_xdp_void_ids,
};

static const char *slb_xdp_absence = "not registered";

/* True if the kernel has accepted the module's BTF. Then the kernel refuses a set without a
 * function, and has no other effect. If the kernel has dropped the module's BTF, any set is
 * accepted: nothing is registered, and 0 returned.
 */
static bool slb_xdp_btf_taken(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_XDP, &slb_xdp_void_set);
}

/**
 * slb_xdp_init() - offer slb_xdp() to BPF programs
 *
 * On failure the module works without XDP.
 *
 * Context: process, once.
 */
void slb_xdp_init(void)
{
	/* without BTF nothing is registered, and no error returned */
	if (!THIS_MODULE->btf_data_size)
		slb_xdp_absence = "the module was built without BTF: see docs/xdp.md";
	else if (!slb_xdp_btf_taken())
		slb_xdp_absence = "the module's BTF does not fit this kernel: see docs/xdp.md";
	else if (!register_btf_kfunc_id_set(BPF_PROG_TYPE_XDP, &slb_xdp_set))
		slb_xdp_absence = NULL;
	if (slb_xdp_absence)
		pr_info("no XDP: %s\n", slb_xdp_absence);
}

/**
 * slb_xdp_missing() - why is there no XDP?
 *
 * Context: any, after slb_xdp_init().
 * Return: NULL if there is, or why not.
 */
const char *slb_xdp_missing(void)
{
	return slb_xdp_absence;
}
