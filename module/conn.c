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
	if (READ_ONCE(cp->timeout) < 2 * SLB_SWEEP)
		return SLB_SKIP_TIMEOUT;
	return SLB_LEARNED;
}

/**
 * slb_conn_timeout() - for how long IPVS keeps a settled connection
 * @sn: the namespace
 * @proto: IPPROTO_TCP or IPPROTO_UDP
 *
 * Context: RCU.
 * Return: jiffies ("ipvsadm --set"), or 0 if IPVS does not know @proto.
 */
int slb_conn_timeout(struct slb_net *sn, u8 proto)
{
	struct ip_vs_proto_data *pd;

	pd = ip_vs_proto_data_get(net_ipvs(sn->net), proto);
	if (!pd)
		return 0;
	return READ_ONCE(pd->timeout_table[proto == IPPROTO_TCP ?
					   IP_VS_TCP_S_ESTABLISHED :
					   IP_VS_UDP_S_NORMAL]);
}

/**
 * slb_conn_expired() - did IPVS try to end this connection?
 * @cp: the connection, pinned
 * @timeout: slb_conn_timeout() now
 * @previous: what it was before its last change
 *
 * There is no notice of that, but ip_vs_conn_expire() leaves a timeout of 60 s
 * behind on a connection that is held. Where 60 s is, or lately was, what a
 * settled connection has anyway, the answer is no: ending a connection that
 * lives would be worse than keeping one for longer.
 *
 * Context: any.
 */
bool slb_conn_expired(const struct ip_vs_conn *cp, int timeout, int previous)
{
	return READ_ONCE(cp->timeout) == 60 * HZ && timeout != 60 * HZ &&
	       previous != 60 * HZ;
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
 * directions of a connection do this apart, and the slow path in between: a
 * timer that is later by less than a sweep was set for a later packet and is
 * left alone; one that is later by more than that comes from a longer timeout
 * which no longer holds.
 */
static void slb_conn_touch(struct ip_vs_conn *cp, u32 iif_proto,
			   unsigned long last)
{
	struct ip_vs_proto_data *pd = ip_vs_proto_data_get(cp->ipvs,
							   cp->protocol);
	unsigned long expires;

	spin_lock(&cp->lock);
	if (pd && slb_conn_settled(cp, iif_proto))
		cp->timeout = READ_ONCE(pd->timeout_table[cp->state]);
	expires = last + cp->timeout;
	spin_unlock(&cp->lock);

	if (time_after(expires, READ_ONCE(cp->timer.expires)) ||
	    time_after(READ_ONCE(cp->timer.expires), expires + SLB_SWEEP))
		mod_timer(&cp->timer, expires);
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

	if (!flow->packets)
		return;

	add = flow->flags & SLB_FLOW_OUT ? slb_stats_out : slb_stats_in;
	add(&dest->stats, flow->packets, flow->bytes);
	svc = rcu_dereference(dest->svc);
	if (svc)
		add(&svc->stats, flow->packets, flow->bytes);
	add(slb_tot_stats(cp->ipvs), flow->packets, flow->bytes);

	if (!(flow->flags & SLB_FLOW_OUT))
		atomic_add(flow->packets, &cp->in_pkts);
	slb_conn_touch(cp, flow->key.iif_proto,
		       now - slb_flow_idle(flow, now));
	flow->packets = 0;
	flow->bytes = 0;
}
