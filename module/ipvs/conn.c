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

#include "ipvs/conn.h"
#include "ipvs/conntrack.h"
#include "sched/sched.h"
#include "serve/sync.h"

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
 * slb_conn_timeout() - for how long IPVS keeps a connection like this now
 * @cp: the connection, pinned and settled
 *
 * Context: RCU.
 * Return: jiffies, as "ipvsadm --set" or the protocol has it at this moment.
 */
int slb_conn_timeout(const struct ip_vs_conn *cp)
{
	const struct ip_vs_proto_data *pd;
	u16 proto = cp->protocol;

	pd = ip_vs_proto_data_get(cp->ipvs, proto);
	return pd ? READ_ONCE(pd->timeout_table[slb_state_settled(proto)]) :
		    READ_ONCE(cp->timeout);
}

/* Did IPVS try to end a closed connection? The timeout of its state is a constant of the
 * protocol, other than 60 s, and it has 60 s. Those of settled connections, and of FIN_WAIT,
 * may be set ("ipvsadm --set"): they tell nothing for certain.
 */
static bool slb_conn_refused(struct ip_vs_conn *cp)
{
	const struct ip_vs_proto_data *pd;
	bool refused;

	if (READ_ONCE(cp->timeout) != 60 * HZ)
		return false;
	pd = ip_vs_proto_data_get(cp->ipvs, cp->protocol);
	/* state and timeout are written one after the other, under the lock */
	spin_lock(&cp->lock);
	refused = pd && cp->timeout == 60 * HZ &&
		  !slb_conn_settled(cp, cp->protocol) &&
		  pd->timeout_table[cp->state] != 60 * HZ &&
		  !(cp->protocol == IPPROTO_TCP &&
		    cp->state == IP_VS_TCP_S_FIN_WAIT);
	spin_unlock(&cp->lock);
	return refused;
}

/**
 * slb_conn_ended() - would IPVS have ended this connection, had it not been pinned?
 * @cp: the connection, held
 *
 * Its real server is gone, and net.ipv4.vs.expire_nodest_conn is set: then IPVS ends
 * it at once. Or it is closed, and IPVS has tried. Whatever is in doubt lives on.
 *
 * Context: RCU, BH off.
 */
bool slb_conn_ended(struct ip_vs_conn *cp)
{
	if (!slb_dest_available(cp->dest) &&
	    sysctl_expire_nodest_conn(cp->ipvs))
		return true;
	return slb_conn_refused(cp);
}

/**
 * slb_conn_expire() - end a connection that IPVS wanted to end while it was pinned
 * @cp: the connection, slb_conn_ended(); the caller's pins are gone
 *
 * At once, as ip_vs_conn_del() does, and not by the timer: the packet that ended the
 * flow is on its way to IPVS, and would set it anew. Whoever else holds the connection
 * ends it: another flow, or IPVS with the packet that it has in hand. Then
 * ip_vs_conn_expire() would do nothing but come back later and send a sync message. IPVS
 * frees connections by RCU.
 *
 * Context: RCU, since before the pin was let go of; BH off.
 */
void slb_conn_expire(struct ip_vs_conn *cp)
{
	if (refcount_read(&cp->refcnt) > 1 || atomic_read(&cp->n_control))
		return;
	if (timer_delete(&cp->timer))
		cp->timer.function(&cp->timer);
}

/* Set the timeout and the timer as the last packet would have set them, unless the timer
 * was set for a later one: the two directions of a connection do this apart, and
 * IPVS in between. The packet that ends the state that flows serve sets the timer itself,
 * and comes later than those that they served. A timer that is due is how IPVS ends a
 * connection.
 */
static void slb_conn_touch(struct ip_vs_conn *cp, unsigned long last)
{
	unsigned long timeout = 0, expires;

	spin_lock(&cp->lock);
	expires = READ_ONCE(cp->timer.expires);
	if (slb_conn_settled(cp, cp->protocol) &&
	    time_after(last + cp->timeout, expires) &&
	    time_after(expires, jiffies)) {
		/* it may have been lowered since the packet */
		timeout = max_t(unsigned long, cp->timeout, slb_conn_timeout(cp));
		cp->timeout = timeout;
	}
	spin_unlock(&cp->lock);
	if (!timeout)
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
 * @now: jiffies
 *
 * Adds to the statistics of real server, service and namespace and to the
 * connection's count of packets, and sets the connection's timer. The packets
 * were served while the real server was available, so they count even if it
 * no longer is.
 *
 * Context: RCU, BH off, the flow is the caller's.
 */
void slb_flow_account(struct slb_flow *flow, unsigned long now)
{
	void (*add)(struct ip_vs_stats *stats, u32 packets, u32 bytes);
	struct ip_vs_conn *cp = flow->conn;
	struct ip_vs_dest *dest = cp->dest;
	struct ip_vs_service *svc;

	/* less than was added before, if there are fewer */
	if (!(flow->flags & SLB_FLOW_OUT) && flow->packets != flow->ahead)
		atomic_add((int)flow->packets - (int)flow->ahead, &cp->in_pkts);
	flow->ahead = 0;
	if (!flow->packets)
		return;
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
	slb_conn_touch(cp, now - slb_flow_idle(flow, now));
}
