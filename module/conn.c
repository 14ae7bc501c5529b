// SPDX-License-Identifier: GPL-2.0
/*
 * The connection side of a flow: pinning it, asking whether flows may serve
 * it, and telling it what flows have done in its name.
 *
 *  operation                       | locking
 * ---------------------------------+------------------------------------------
 *  slb_conn_pin                    | RCU (netfilter hook)
 *  slb_conn_unpin                  | BH off
 *  slb_conn_expire                 | RCU
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

#include "conn.h"
#include "sched.h"

/**
 * slb_conn_pin() - find the connection of a packet and hold it
 * @sn: the namespace
 * @key: the packet's key, as it came
 * @out: set if the packet goes from the real server to the client
 *
 * This is the walk of IPVS's table that flows save: once a flow, not once a
 * packet.
 *
 * Context: RCU.
 * Return: the connection, with a reference for the caller, or NULL.
 */
struct ip_vs_conn *slb_conn_pin(struct slb_net *sn, const struct slb_key *key,
				bool *out)
{
	union nf_inet_addr saddr = { .ip = key->saddr };
	union nf_inet_addr daddr = { .ip = key->daddr };
	struct ip_vs_conn_param p;
	struct ip_vs_conn *cp;

	ip_vs_conn_fill_param(net_ipvs(sn->net), AF_INET, (u8)key->iif_proto,
			      &saddr, key->sport, &daddr, key->dport, &p);
	*out = false;
	cp = ip_vs_conn_in_get(&p);
	if (cp)
		return cp;
	*out = true;
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
 * @iif_proto: of the flow's key
 *
 * Context: RCU.
 * Return: SLB_LEARNED, or the reason why not.
 */
enum slb_stat slb_conn_fit(const struct slb_net *sn,
			   const struct ip_vs_conn *cp, u32 iif_proto)
{
	const struct ip_vs_dest *dest = READ_ONCE(cp->dest);

	if (cp->flags & (IP_VS_CONN_F_ONE_PACKET | IP_VS_CONN_F_TEMPLATE |
			 IP_VS_CONN_F_NO_CPORT | IP_VS_CONN_F_NFCT) ||
	    cp->app)
		return SLB_SKIP_KIND;
	if (cp->af != AF_INET || cp->daf != AF_INET ||
	    (IP_VS_FWD_METHOD(cp) != IP_VS_CONN_F_MASQ &&
	     IP_VS_FWD_METHOD(cp) != IP_VS_CONN_F_DROUTE))
		return SLB_SKIP_METHOD;
	if (!dest || !slb_dest_available(dest))
		return SLB_SKIP_SERVER;
	if (!slb_conn_scope(sn, dest))
		return SLB_SKIP_SCOPE;
	if (!slb_conn_settled(cp, iif_proto))
		return SLB_SKIP_UNSETTLED;
	if (READ_ONCE(cp->timeout) < SLB_TIMEOUT_MIN)
		return SLB_SKIP_TIMEOUT;
	return SLB_LEARNED;
}

/**
 * slb_conn_via() - does IPVS send packets of this connection this way?
 * @cp: the connection, held
 * @dst: the route that a packet to its real server was seen to take
 *
 * With direct routing nothing in a packet tells where it went. The connection
 * may have been replaced, with another real server, since the packet went.
 *
 * Context: RCU.
 */
bool slb_conn_via(const struct ip_vs_conn *cp, const struct dst_entry *dst)
{
	const struct ip_vs_dest_dst *dest_dst;

	dest_dst = rcu_dereference(cp->dest->dest_dst);
	return dest_dst && dest_dst->dst_cache == dst;
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
	static const struct { u8 proto, state; } of[] = {
		{ IPPROTO_TCP, IP_VS_TCP_S_ESTABLISHED },
		{ IPPROTO_UDP, IP_VS_UDP_S_NORMAL },
	};
	struct ip_vs_proto_data *pd;
	int i, timeout;

	rcu_read_lock();
	for (i = 0; i < ARRAY_SIZE(of); i++) {
		pd = ip_vs_proto_data_get(net_ipvs(sn->net), of[i].proto);
		if (!pd)
			continue;
		timeout = READ_ONCE(pd->timeout_table[of[i].state]);
		if (timeout == t->now[i])
			continue;
		t->previous[i] = t->now[i];
		t->now[i] = timeout;
	}
	rcu_read_unlock();
}

/* slb_conn_marked(), for certain: set_tcp_state() writes state and timeout one
 * after the other, under the lock.
 */
static bool slb_conn_expired(struct ip_vs_conn *cp, u32 iif_proto,
			     const struct slb_timeouts *t)
{
	bool expired;

	if (!slb_conn_marked(cp, iif_proto, t))
		return false;
	spin_lock(&cp->lock);
	expired = slb_conn_marked(cp, iif_proto, t);
	spin_unlock(&cp->lock);
	return expired;
}

/**
 * slb_conn_expire() - end a connection now that IPVS tried to end before
 * @cp: the connection; the caller's pin is gone
 *
 * After the pin: the timer could run before it is gone and find the connection
 * held once more. IPVS frees connections by RCU, and mod_timer_pending() does
 * not start the timer of one that is being unlinked, just as in
 * ip_vs_conn_expire_now().
 *
 * Context: RCU, since before the pin was let go of.
 */
void slb_conn_expire(struct ip_vs_conn *cp)
{
	mod_timer_pending(&cp->timer, jiffies);
}

/* Set the timeout and the timer as the last packet would have set them. Two
 * directions of a connection do this apart, and the slow path in between, so a
 * timer that is later was set for a later packet, unless the timeout has been
 * shortened.
 */
static void slb_conn_touch(struct ip_vs_conn *cp, u32 iif_proto,
			   const struct slb_timeouts *t, unsigned long last)
{
	struct ip_vs_proto_data *pd = ip_vs_proto_data_get(cp->ipvs,
							   cp->protocol);
	unsigned long timeout;
	bool shorter = false;

	spin_lock(&cp->lock);
	if (slb_conn_marked(cp, iif_proto, t)) {
		spin_unlock(&cp->lock);
		return;
	}
	timeout = cp->timeout;
	if (pd && slb_conn_settled(cp, iif_proto)) {
		timeout = READ_ONCE(pd->timeout_table[cp->state]);
		shorter = timeout < cp->timeout;
		cp->timeout = timeout;
	}
	spin_unlock(&cp->lock);

	if (!shorter && time_before_eq(last + timeout,
				       READ_ONCE(cp->timer.expires)))
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

	if (flow->packets) {
		add = flow->flags & SLB_FLOW_OUT ? slb_stats_out : slb_stats_in;
		add(&dest->stats, flow->packets, flow->bytes);
		svc = rcu_dereference(dest->svc);
		if (svc)
			add(&svc->stats, flow->packets, flow->bytes);
		add(slb_tot_stats(cp->ipvs), flow->packets, flow->bytes);
		if (!(flow->flags & SLB_FLOW_OUT))
			atomic_add(flow->packets, &cp->in_pkts);
		flow->packets = 0;
		flow->bytes = 0;
		slb_conn_touch(cp, flow->key.iif_proto, t,
			       now - slb_flow_idle(flow, now));
	}
	return slb_conn_expired(cp, flow->key.iif_proto, t);
}
