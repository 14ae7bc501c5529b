// SPDX-License-Identifier: GPL-2.0
/*
 * Rung 2: XDP. Frames meet the flow table before the kernel makes an skb of them.
 *
 *  operation            | locking
 * ----------------------+----------------------------------------------------
 *  slb_xdp              | BH off, takes RCU itself; its flow table is this CPU's.
 *                       | Where BHs are on, no flow is looked at
 *
 * A kfunc, called by the BPF program of bpf/shadowlb_xdp.bpf.c, which turns what it
 * returns into the action of XDP. The program holds the module as long as it is loaded.
 *
 * The same flows as the netfilter hook's, which alone has them learned. What is left to
 * it arrives there as if this rung did not exist. A frame is changed only when
 * nothing can fail any more, and is then sent on by its device or another.
 *
 * Kernels without what this needs have no_xdp.c instead.
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

#include "encap.h"
#include "frame.h"
#include "rung_xdp.h"
#include "serve.h"
#include "sync.h"
#include "trace.h"
#include "verify.h"

/* What slb_xdp() returns; above zero it is the index of a device. */
#define SLB_XDP_UP	(-1)
#define SLB_XDP_BACK	0

static void slb_frame_nat(const struct slb_flow *flow, void *ip,
			  const struct slb_pkt *pkt)
{
	struct sctphdr *sh = ip + slb_iphlen(pkt);
	__be32 ports = pkt->v6 ? pkt->key6.ports : pkt->key4.ports;
	bool nat = flow->flags & SLB_FLOW_NAT;

	slb_flow_rewrite(flow, ip, pkt->v6, nat ? SLB_REWRITE_NAT : 0);
	/* anew where a port changed, as IPVS does */
	if (nat && pkt->proto == IPPROTO_SCTP &&
	    memcmp(sh, &ports, sizeof(ports)))
		sh->checksum = slb_sctp_crc(sh, pkt->len - slb_iphlen(pkt));
}

static void slb_frame_tunnel(const struct slb_net *sn,
			     const struct slb_flow *flow,
			     const struct slb_encap *e, void *ip,
			     const struct slb_pkt *pkt)
{
	union slb_addr saddr, daddr;

	slb_flow_rewrite(flow, ip, pkt->v6, 0);
	slb_flow_outer(flow, &saddr, &daddr);
	slb_encap_write(e, sn->net, ip, pkt->len, &saddr, &daddr,
			flow->flags & SLB_FLOW_WIDE ?
			slb_flow6(flow)->act.sport : slb_flow4(flow)->act.sport);
}

static enum slb_stat slb_xdp_serve(struct slb_net *sn, struct slb_cpu_data *d,
				   struct slb_flow *flow,
				   const struct slb_frame *f,
				   const struct slb_pkt *pkt, int *to)
{
	struct dst_entry *dst = flow->dst;
	struct slb_encap e = { .hlen = 0 };
	unsigned long now = jiffies;
	struct slb_way way;
	enum slb_stat why;
	void *ip = f->ip;
	u32 mtu;

	if (slb_flow_check(sn, d, flow, pkt, now) != SLB_HIT ||
	    flow->flags & SLB_FLOW_MARKED ||
	    (flow->flags & SLB_FLOW_NAT && pkt->nocsum))
		return SLB_XDP_FLOW;
	if (slb_csum_partial(ip, pkt) ||
	    (READ_ONCE(d->tracked[pkt->v6]) &&
	     slb_frame_csum_wrong(sn, ip, pkt)))
		return SLB_XDP_CSUM;
	mtu = slb_flow_mtu(flow);
	if (flow->flags & SLB_FLOW_TUNNEL) {
		slb_encap_init(&e, flow->conn, false);
		if (!slb_encap_fits(&e, pkt->len, mtu))
			return SLB_XDP_MTU;
	}
	if (pkt->len + e.hlen > mtu)
		return SLB_XDP_MTU;
	why = slb_way_find(&way, f, flow);
	if (why != SLB_XDP_HIT)
		return why;
	/* a frame that another device is to send is described where it begins */
	if (ip - f->xdp->data_hard_start <
	    e.hlen + VLAN_ETH_HLEN + sizeof(struct xdp_frame))
		return SLB_XDP_ROOM;
	if (slb_sync_due(sn, d, flow, now))
		return SLB_XDP_FLOW;
	if (slb_verify_due(sn)) {
		slb_verify_ask(d, pkt->hash);
		return SLB_XDP_FLOW;
	}

	/* from here on nothing fails */
	trace_slb_hit(flow, pkt->len);
	slb_snmp_in(sn->net, f->dev, pkt->len, pkt->v6,
		    pkt->v6 ? ipv6_get_dsfield(ip) :
			      ((const struct iphdr *)ip)->tos);
	if (flow->flags & SLB_FLOW_TUNNEL)
		slb_frame_tunnel(sn, flow, &e, ip, pkt);
	else
		slb_frame_nat(flow, ip, pkt);
	ip -= e.hlen;
	slb_frame_close(f->xdp, &way, ip, pkt->len + e.hlen,
			htons(dst->ops->family == AF_INET6 ? ETH_P_IPV6 :
							     ETH_P_IP));
	slb_snmp_out(sn->net, dst, pkt->len + e.hlen,
		     flow->flags & SLB_FLOW_OUT, flow->flags & SLB_FLOW_TUNNEL);
	slb_flow_served(sn, d, flow, pkt->len, now);
	*to = way.dev == f->xdp->rxq->dev ? SLB_XDP_BACK : way.dev->ifindex;
	return SLB_XDP_HIT;
}

static enum slb_stat slb_xdp_meet(struct slb_net *sn, struct slb_cpu_data *d,
				  struct xdp_buff *xdp, int *to)
{
	struct slb_pkt pkt __uninitialized;
	struct slb_flow *flow;
	struct slb_frame f;
	enum slb_stat why;
	const struct iphdr *iph;
	bool v6;

	why = slb_frame_open(&f, xdp);
	if (why != SLB_XDP_HIT)
		return why;
	v6 = f.proto == htons(ETH_P_IPV6);
	iph = f.ip;
	if (slb_peers_foreign(&d->peers, slb_pair(f.ip, v6)))
		return SLB_XDP_FOREIGN;
	why = v6 ? slb_parse_ipv6(f.ip, xdp->data_end - f.ip, f.dev->ifindex,
				  &pkt) :
		   slb_parse_ipv4(f.ip, xdp->data_end - f.ip, f.dev->ifindex,
				  &pkt);
	if (!pkt.has_key) {
		if (!v6 && why == SLB_MISS_FRAGMENT)
			slb_frag_note(d, iph->saddr, iph->daddr);
		return SLB_XDP_OTHER;
	}
	slb_pkt_hash(d, &pkt);
	flow = slb_flow_find(d, &pkt);
	if (!flow)
		return SLB_XDP_NONE;
	if (why != SLB_HIT || !slb_frame_whole(&f, &pkt))
		why = SLB_XDP_FLOW;
	else if (slb_order_held(&d->order, pkt.hash) ||
		 (!v6 && slb_frag_recent(d, iph->saddr, iph->daddr)))
		why = SLB_XDP_ORDER;
	else
		why = slb_xdp_serve(sn, d, flow, &f, &pkt, to);
	if (why != SLB_XDP_HIT)
		slb_order_hold(&d->order, pkt.hash);
	return why;
}

__bpf_kfunc_start_defs();

/**
 * slb_xdp() - serve a frame by a flow, if there is one
 * @ctx: the frame
 *
 * Context: XDP.
 * Return: -1: let it by, it is as it was; 0: send it by the device that it came by; above
 *	zero: index of the device that is to send it.
 */
__bpf_kfunc int slb_xdp(struct xdp_md *ctx)
{
	struct xdp_buff *xdp = (struct xdp_buff *)ctx;
	struct slb_net *sn = slb_net(dev_net(xdp->rxq->dev));
	struct slb_cpu_data *d;
	int to = SLB_XDP_UP;

	if (!READ_ONCE(sn->hooked) || READ_ONCE(sn->scope) == SLB_SCOPE_OFF)
		return to;
	if (unlikely(!in_softirq())) {
		slb_count(sn, SLB_XDP_OTHER);
		return to;
	}
	/* pairs with slb_sweep_work() */
	d = smp_load_acquire(&this_cpu_ptr(sn->cpu)->data);
	if (!d) {
		slb_count(sn, SLB_XDP_NONE);
		return to;
	}
	rcu_read_lock();
	slb_count(sn, slb_xdp_meet(sn, d, xdp, &to));
	rcu_read_unlock();
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

static const char *slb_xdp_why = "not registered";

/**
 * slb_xdp_init() - offer slb_xdp() to BPF programs
 *
 * Without it the module works all the same, by its hook.
 *
 * Context: process, once.
 */
void slb_xdp_init(void)
{
	/* what registers nothing without it, and does not say so */
	if (!THIS_MODULE->btf_data_size)
		slb_xdp_why = "the module was built without BTF: see docs/xdp.md";
	else if (!register_btf_kfunc_id_set(BPF_PROG_TYPE_XDP, &slb_xdp_set))
		slb_xdp_why = NULL;
	if (slb_xdp_why)
		pr_info("no XDP: %s\n", slb_xdp_why);
}

/**
 * slb_xdp_missing() - why is there no XDP?
 *
 * Context: any, after slb_xdp_init().
 * Return: NULL if there is, or why not.
 */
const char *slb_xdp_missing(void)
{
	return slb_xdp_why;
}
