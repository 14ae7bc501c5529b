// SPDX-License-Identifier: GPL-2.0
/*
 * Accounting: adds the packets that a flow has served to IPVS's counters, and sets the timer
 * of the connection.
 *
 *  operation                       | locking
 * ---------------------------------+------------------------------------------
 *  slb_account                     | RCU, BH off, the flow is the caller's
 */
#include <linux/timer.h>

#include "ipvs/account.h"
#include "ipvs/conn.h"
#include "ipvs/conntrack.h"

/* Set timeout and timer as the last served packet would have, unless a later packet has set
 * the timer: both directions do this independently, and so does IPVS. A packet that ends the
 * settled state sets the timer itself, and comes after the served packets. A timer that is
 * due stays: IPVS may be ending the connection.
 */
static void slb_account_timer(struct ip_vs_conn *cp, unsigned long last)
{
	unsigned long timeout = 0, expires;

	spin_lock(&cp->lock);
	expires = READ_ONCE(cp->timer.expires);
	if (slb_conn_settled(cp, cp->protocol) &&
	    time_after(last + cp->timeout, expires) &&
	    time_after(expires, jiffies)) {
		/* cp->timeout may have been lowered since the packet */
		timeout = max_t(unsigned long, cp->timeout, slb_conn_timeout(cp));
		cp->timeout = timeout;
	}
	spin_unlock(&cp->lock);
	if (!timeout)
		return;
	mod_timer(&cp->timer, last + timeout);
	/* meanwhile a packet changed the state, and set the timer before us */
	if (READ_ONCE(cp->timeout) != timeout)
		mod_timer(&cp->timer, jiffies + READ_ONCE(cp->timeout));
}

static void slb_account_in(struct ip_vs_stats *stats, u32 packets, u32 bytes)
{
	struct ip_vs_cpu_stats *s = this_cpu_ptr(stats->cpustats);

	u64_stats_update_begin(&s->syncp);
	u64_stats_add(&s->cnt.inpkts, packets);
	u64_stats_add(&s->cnt.inbytes, bytes);
	u64_stats_update_end(&s->syncp);
}

static void slb_account_out(struct ip_vs_stats *stats, u32 packets, u32 bytes)
{
	struct ip_vs_cpu_stats *s = this_cpu_ptr(stats->cpustats);

	u64_stats_update_begin(&s->syncp);
	u64_stats_add(&s->cnt.outpkts, packets);
	u64_stats_add(&s->cnt.outbytes, bytes);
	u64_stats_update_end(&s->syncp);
}

/**
 * slb_account() - add the packets that a flow has served to IPVS's counters
 * @flow: the flow
 * @now: jiffies
 *
 * Adds to the statistics of real server, service and namespace, adds to the connection's
 * count of packets, and sets the connection's timer. Packets count even if the real server
 * is gone by now.
 *
 * Context: RCU, BH off, the flow is the caller's.
 */
void slb_account(struct slb_flow *flow, unsigned long now)
{
	void (*add)(struct ip_vs_stats *stats, u32 packets, u32 bytes);
	struct ip_vs_conn *cp = flow->conn;
	struct ip_vs_dest *dest = cp->dest;
	struct ip_vs_service *svc;

	/* less than was added before, if there are fewer */
	if (!(flow->flags & SLB_FLOW_OUT) && flow->packets != flow->reserved)
		atomic_add((int)flow->packets - (int)flow->reserved, &cp->in_pkts);
	flow->reserved = 0;
	if (!flow->packets)
		return;
	add = flow->flags & SLB_FLOW_OUT ? slb_account_out : slb_account_in;
	add(&dest->stats, flow->packets, flow->bytes);
	svc = rcu_dereference(dest->svc);
	if (svc)
		add(&svc->stats, flow->packets, flow->bytes);
	add(slb_tot_stats(cp->ipvs), flow->packets, flow->bytes);
	if (flow->flags & SLB_FLOW_WIDE && slb_flow6(flow)->ct)
		slb_ct_account(flow, now);
	flow->packets = 0;
	flow->bytes = 0;
	slb_account_timer(cp, now - slb_flow_idle(flow, now));
}
