// SPDX-License-Identifier: GPL-2.0
/*
 * The connection of a flow: pinning it, and asking whether flows may serve it.
 *
 *  operation                       | locking
 * ---------------------------------+------------------------------------------
 *  slb_conn_pin                    | RCU (netfilter hook)
 *  slb_conn_unpin                  | BH off
 *  slb_conn_expire                 | RCU, BH off
 *
 * A pin is a reference on the connection: while it is held IPVS keeps the
 * connection, its real server and, through that, the service. If the timer of
 * a pinned connection runs out, ip_vs_conn_expire() cannot unlink it and comes
 * back after 60 s; so whoever holds a pin sets the timer as the packets served
 * would have set it, and lets go before it runs out (account.c, sweep.c).
 */
#include <linux/in.h>
#include <linux/timer.h>
#include <net/dst.h>

#include "ipvs/conn.h"
#include "sched/sched.h"

/**
 * slb_conn_pin() - find the connection of a packet and hold it
 * @ipvs: IPVS's part of the namespace
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
struct ip_vs_conn *slb_conn_pin(struct netns_ipvs *ipvs,
				const struct slb_pkt *pkt,
				const union slb_addr *daddr, __be16 dport,
				bool *out)
{
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

static bool slb_conn_in_scope(const struct ip_vs_dest *dest, enum slb_scope scope)
{
	const struct ip_vs_service *svc;

	switch (scope) {
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
 * slb_conn_sync_fit() - may flows serve this connection, as to sync messages?
 * @cp: the connection, held
 *
 * IPVS looks at the connection's template with each packet, and without a refresh
 * period sends it with each. The data of an FTP session does the same to the
 * session.
 *
 * Context: RCU.
 */
bool slb_conn_sync_fit(const struct ip_vs_conn *cp)
{
	const struct ip_vs_conn *control = cp->control;

	return !slb_conn_syncs(cp->ipvs) || !control ||
	       (control->flags & IP_VS_CONN_F_TEMPLATE && !control->control &&
		sysctl_sync_refresh_period(cp->ipvs));
}

/**
 * slb_conn_fit() - may flows serve this connection?
 * @cp: the connection, held
 * @scope: which services flows serve in this namespace
 *
 * Context: RCU.
 * Return: 0, or the reason why not.
 */
enum slb_reason slb_conn_fit(const struct ip_vs_conn *cp, enum slb_scope scope)
{
	const struct ip_vs_dest *dest = READ_ONCE(cp->dest);

	if (cp->flags & (IP_VS_CONN_F_ONE_PACKET | IP_VS_CONN_F_TEMPLATE |
			 IP_VS_CONN_F_NO_CPORT) || cp->app ||
	    !slb_conn_sync_fit(cp))
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
	if (!slb_conn_in_scope(dest, scope))
		return SLB_SKIP_SCOPE;
	if (!slb_conn_settled(cp, cp->protocol))
		return SLB_SKIP_UNSETTLED;
	if (READ_ONCE(cp->timeout) < SLB_TIMEOUT_MIN)
		return SLB_SKIP_TIMEOUT;
	return 0;
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
	return pd ? READ_ONCE(pd->timeout_table[slb_conn_settled_state(proto)]) :
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
