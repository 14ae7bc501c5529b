// SPDX-License-Identifier: GPL-2.0
/*
 * The connection side of a flow: pinning it, asking whether flows may serve
 * it, and telling it what flows have done in its name.
 *
 *  operation                       | locking
 * ---------------------------------+------------------------------------------
 *  slb_conn_pin                    | RCU (netfilter hook)
 *  slb_conn_unpin                  | BH off
 *  slb_conn_expire                 | RCU, BH off
 *  slb_flow_account                | RCU, BH off, the flow is the caller's
 *
 * A pin is a reference on the connection: while it is held IPVS keeps the
 * connection, its real server and, through that, the service. If the timer of
 * a pinned connection runs out, ip_vs_conn_expire() cannot unlink it and comes
 * back after 60 s; so whoever holds a pin sets the timer as the packets served
 * would have set it, and lets go before it runs out (sweep.c).
 */
#include <linux/in.h>
#include <linux/timer.h>
#include <net/dst.h>

#include "conn.h"
#include "ct.h"
#include "sched.h"
#include "sync.h"

/**
 * slb_conn_pin() - find the connection of a packet and hold it
 * @sn: the namespace
 * @pkt: the packet as it came
 * @daddr: the destination that it leaves with, or NULL if it leaves in a tunnel
 * @dport: the destination port that it leaves with
 * @out: set if the packet goes from the real server to the client
 *
 * This is the walk of IPVS's table that flows save: once a flow, not once a
 * packet. Where a source NAT hides clients, real servers answer to another
 * address than the client's: IPVS knows the connection by the address that the
 * answer leaves for.
 *
 * Context: RCU.
 * Return: the connection, with a reference for the caller, or NULL.
 */
struct ip_vs_conn *slb_conn_pin(struct slb_net *sn, const struct slb_pkt *pkt,
				const union slb_addr *daddr, __be16 dport,
				bool *out)
{
	struct netns_ipvs *ipvs = net_ipvs(sn->net);
	union nf_inet_addr from = {}, to = {};
	__be16 sport, to_port;
	struct ip_vs_conn_param p;
	struct ip_vs_conn *cp;
	int af = pkt->v6 ? AF_INET6 : AF_INET;

	if (pkt->v6) {
		from.in6 = pkt->key6.saddr;
		to.in6 = pkt->key6.daddr;
		sport = pkt->key6.sport;
		to_port = pkt->key6.dport;
	} else {
		from.ip = pkt->key4.saddr;
		to.ip = pkt->key4.daddr;
		sport = pkt->key4.sport;
		to_port = pkt->key4.dport;
	}

	ip_vs_conn_fill_param(ipvs, af, pkt->proto, &from, sport, &to, to_port,
			      &p);
	*out = false;
	cp = ip_vs_conn_in_get(&p);
	if (cp || !daddr)
		return cp;
	*out = true;
	if (pkt->v6)
		to.in6 = daddr->in6;
	else
		to.ip = daddr->ip;
	ip_vs_conn_fill_param(ipvs, af, pkt->proto, &from, sport, &to, dport,
			      &p);
	return ip_vs_conn_out_get(&p);
}

/**
 * slb_conn_unpin() - let go of a connection
 * @cp: the connection; its timer has been set
 *
 * Not ip_vs_conn_put(): that would start the timer anew.
 *
 * Context: BH off.
 */
void slb_conn_unpin(struct ip_vs_conn *cp)
{
	__ip_vs_conn_put(cp);
}

static bool slb_conn_scope(const struct slb_net *sn,
			   const struct ip_vs_dest *dest)
{
	const struct ip_vs_service *svc;

	switch (READ_ONCE(sn->scope)) {
	case SLB_SCOPE_ALL:
		return true;
	case SLB_SCOPE_SHADOW:
		svc = rcu_dereference(dest->svc);
		return svc && slb_sched_is(rcu_dereference(svc->scheduler));
	default:
		return false;
	}
}

/**
 * slb_conn_fit() - may flows serve this connection?
 * @sn: the namespace
 * @cp: the connection, held
 *
 * Context: RCU.
 * Return: SLB_LEARNED, or the reason why not.
 */
enum slb_stat slb_conn_fit(const struct slb_net *sn,
			   const struct ip_vs_conn *cp)
{
	const struct ip_vs_dest *dest = READ_ONCE(cp->dest);

	if (cp->flags & (IP_VS_CONN_F_ONE_PACKET | IP_VS_CONN_F_TEMPLATE |
			 IP_VS_CONN_F_NO_CPORT) || cp->app ||
	    !slb_sync_fit(cp))
		return SLB_SKIP_KIND;
	switch (slb_conn_method(cp)) {
	case IP_VS_CONN_F_MASQ:
	case IP_VS_CONN_F_DROUTE:
		if (cp->af != cp->daf)
			return SLB_SKIP_METHOD;
		break;
	case IP_VS_CONN_F_TUNNEL:
		break;
	default:
		return SLB_SKIP_METHOD;
	}
	if (!dest || !slb_dest_available(dest))
		return SLB_SKIP_SERVER;
	if (!slb_conn_scope(sn, dest))
		return SLB_SKIP_SCOPE;
	if (!slb_conn_settled(cp, cp->protocol))
		return SLB_SKIP_UNSETTLED;
	if (READ_ONCE(cp->timeout) < SLB_TIMEOUT_MIN)
		return SLB_SKIP_TIMEOUT;
	return SLB_LEARNED;
}

/**
 * slb_conn_via() - does IPVS send packets of this connection this way?
 * @cp: the connection, held
 * @dst: the route that a packet to its real server was seen to take
 * @cookie: set to what dst_check() wants with it
 *
 * With direct routing nothing in a packet tells where it went. The connection
 * may have been replaced, with another real server, since the packet went.
 *
 * Context: RCU.
 */
bool slb_conn_via(const struct ip_vs_conn *cp, const struct dst_entry *dst,
		  u32 *cookie)
{
	const struct ip_vs_dest_dst *dest_dst;

	dest_dst = rcu_dereference(cp->dest->dest_dst);
	if (!dest_dst || dest_dst->dst_cache != dst)
		return false;
	*cookie = dest_dst->dst_cookie;
	return true;
}

/**
 * slb_conn_mtu() - the longest packet that IPVS sends to the real server
 * @cp: the connection, held
 *
 * The packet's own route may be another one, if conntrack's NAT had it routed
 * anew.
 *
 * Context: RCU.
 * Return: bytes.
 */
u32 slb_conn_mtu(const struct ip_vs_conn *cp)
{
	const struct ip_vs_dest_dst *dest_dst;

	dest_dst = rcu_dereference(cp->dest->dest_dst);
	return dest_dst ? dst_mtu(dest_dst->dst_cache) : 0;
}

/**
 * slb_timeouts_read() - learn for how long IPVS keeps settled connections
 * @sn: the namespace
 * @t: timeouts, as they were or all zero
 *
 * Context: process.
 */
void slb_timeouts_read(struct slb_net *sn, struct slb_timeouts *t)
{
	static const u8 protos[SLB_PROTO_MAX] = {
		[SLB_TCP]	= IPPROTO_TCP,
		[SLB_UDP]	= IPPROTO_UDP,
		[SLB_SCTP]	= IPPROTO_SCTP,
	};
	struct ip_vs_proto_data *pd;
	int i, timeout;
	u8 proto;

	rcu_read_lock();
	for (i = 0; i < SLB_PROTO_MAX; i++) {
		proto = protos[i];
		pd = ip_vs_proto_data_get(net_ipvs(sn->net), proto);
		if (!pd)
			continue;
		timeout = READ_ONCE(pd->timeout_table[slb_state_settled(proto)]);
		if (timeout == t->now[i])
			continue;
		t->previous[i] = t->now[i];
		t->now[i] = timeout;
	}
	rcu_read_unlock();
}

/* Does a state that is not settled have a timeout of its own that tells it from
 * one that IPVS tried to end? That of FIN_WAIT may be set ("ipvsadm --set").
 */
static bool slb_state_marked(const struct ip_vs_conn *cp)
{
	struct ip_vs_proto_data *pd = ip_vs_proto_data_get(cp->ipvs,
							   cp->protocol);

	return pd && cp->timeout == 60 * HZ &&
	       pd->timeout_table[cp->state] != 60 * HZ &&
	       !(cp->protocol == IPPROTO_TCP &&
		 cp->state == IP_VS_TCP_S_FIN_WAIT);
}

/* Did IPVS end, or try to end, this connection while flows held it? As
 * slb_conn_marked(), for certain and in any state: set_tcp_state() writes state and
 * timeout one after the other, under the lock. A packet of the slow path undoes the
 * mark, but where IPVS ends connections whose real server is gone it is not needed.
 */
static bool slb_conn_expired(struct ip_vs_conn *cp,
			     const struct slb_timeouts *t)
{
	bool expired;

	if (!slb_dest_available(cp->dest) &&
	    sysctl_expire_nodest_conn(cp->ipvs))
		return true;
	if (READ_ONCE(cp->timeout) != 60 * HZ)
		return false;
	spin_lock(&cp->lock);
	if (slb_conn_settled(cp, cp->protocol))
		expired = slb_conn_marked(cp, cp->protocol, t);
	else
		expired = slb_state_marked(cp);
	spin_unlock(&cp->lock);
	return expired;
}

/**
 * slb_conn_expire() - end a connection that IPVS tried to end before
 * @cp: the connection; the caller's pin is gone
 *
 * At once, as ip_vs_conn_del() does, and not by the timer: the packet that ended the
 * flow is on its way to IPVS, and would set it anew. ip_vs_conn_expire() asks whether
 * anybody holds the connection, another flow for one, and then comes back later, as
 * always. IPVS frees connections by RCU.
 *
 * Context: RCU, since before the pin was let go of; BH off.
 */
void slb_conn_expire(struct ip_vs_conn *cp)
{
	if (timer_delete(&cp->timer))
		cp->timer.function(&cp->timer);
}

/* Set the timeout and the timer as the last packet would have set them. Two
 * directions of a connection do this apart, and the slow path in between, so a
 * timer that is later was set for a later packet, unless the timeout has been
 * shortened. The packet that ends the state that flows serve sets the timer
 * itself, and comes later than those that they served. A timer that is due is how
 * IPVS ends a connection.
 */
static void slb_conn_touch(struct ip_vs_conn *cp, const struct slb_timeouts *t,
			   unsigned long last)
{
	struct ip_vs_proto_data *pd = ip_vs_proto_data_get(cp->ipvs,
							   cp->protocol);
	unsigned long timeout, expires;
	bool shorter, settled;

	spin_lock(&cp->lock);
	settled = pd && slb_conn_settled(cp, cp->protocol) &&
		  !slb_conn_marked(cp, cp->protocol, t);
	if (settled) {
		timeout = READ_ONCE(pd->timeout_table[cp->state]);
		shorter = timeout < cp->timeout;
		cp->timeout = timeout;
	}
	spin_unlock(&cp->lock);
	if (!settled)
		return;

	expires = READ_ONCE(cp->timer.expires);
	if (time_before_eq(expires, jiffies) ||
	    (!shorter && time_before_eq(last + timeout, expires)))
		return;
	mod_timer(&cp->timer, last + timeout);
	/* a packet has changed the state, and set the timer for it, before us */
	if (READ_ONCE(cp->timeout) != timeout)
		mod_timer(&cp->timer, jiffies + READ_ONCE(cp->timeout));
}

static void slb_stats_in(struct ip_vs_stats *stats, u32 packets, u32 bytes)
{
	struct ip_vs_cpu_stats *s = this_cpu_ptr(stats->cpustats);

	u64_stats_update_begin(&s->syncp);
	u64_stats_add(&s->cnt.inpkts, packets);
	u64_stats_add(&s->cnt.inbytes, bytes);
	u64_stats_update_end(&s->syncp);
}

static void slb_stats_out(struct ip_vs_stats *stats, u32 packets, u32 bytes)
{
	struct ip_vs_cpu_stats *s = this_cpu_ptr(stats->cpustats);

	u64_stats_update_begin(&s->syncp);
	u64_stats_add(&s->cnt.outpkts, packets);
	u64_stats_add(&s->cnt.outbytes, bytes);
	u64_stats_update_end(&s->syncp);
}

/**
 * slb_flow_account() - tell IPVS what a flow has served
 * @flow: the flow
 * @t: timeouts
 * @now: jiffies
 *
 * Adds to the statistics of real server, service and namespace and to the
 * connection's count of packets, and sets the connection's timer. The packets
 * were served while the real server was available, so they count even if it
 * no longer is.
 *
 * Context: RCU, BH off, the flow is the caller's.
 * Return: true if IPVS tried to end the connection while it was pinned: the
 *	caller ends the flow, and the connection with slb_conn_expire().
 */
bool slb_flow_account(struct slb_flow *flow, const struct slb_timeouts *t,
		      unsigned long now)
{
	void (*add)(struct ip_vs_stats *stats, u32 packets, u32 bytes);
	struct ip_vs_conn *cp = flow->conn;
	struct ip_vs_dest *dest = cp->dest;
	struct ip_vs_service *svc;

	/* less than was added before, if there are fewer */
	if (!(flow->flags & SLB_FLOW_OUT) && flow->packets != flow->ahead)
		atomic_add((int)flow->packets - (int)flow->ahead, &cp->in_pkts);
	flow->ahead = 0;
	if (flow->packets) {
		add = flow->flags & SLB_FLOW_OUT ? slb_stats_out : slb_stats_in;
		add(&dest->stats, flow->packets, flow->bytes);
		svc = rcu_dereference(dest->svc);
		if (svc)
			add(&svc->stats, flow->packets, flow->bytes);
		add(slb_tot_stats(cp->ipvs), flow->packets, flow->bytes);
		if (flow->flags & SLB_FLOW_WIDE && slb_flow6(flow)->ct)
			slb_ct_account(flow, now);
		flow->packets = 0;
		flow->bytes = 0;
		slb_conn_touch(cp, t, now - slb_flow_idle(flow, now));
	}
	return slb_conn_expired(cp, t);
}
