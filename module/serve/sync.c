// SPDX-License-Identifier: GPL-2.0
/*
 * Connection sync messages: a packet that makes IPVS send one goes slow, so that
 * IPVS sends it.
 *
 *  operation      | locking
 * ----------------+---------------------------------------------------------
 *  slb_sync_take_owed  | RCU, BH off, the flow is the caller's
 *
 * IPVS decides by the connection's count of packets (the n-th of each
 * net.ipv4.vs.sync_threshold), by time (sync_refresh_period), or both, in
 * ip_vs_sync_conn_needed(). Where both count, the count alone makes a packet slow:
 * IPVS then decides by time.
 *
 * A flow adds to the count what it will serve before it serves it, never beyond
 * the packet before the one that is due: so whatever CPUs the packets of a
 * connection come on, the count runs ahead of the packets and not behind, and
 * only IPVS itself, by a slow packet, ever makes it one that is due. What a flow
 * has not used it gives back with its next account, and before any slow packet of
 * its own: for a connection that stays on its CPU, the count is exact. Of one that
 * changes its CPU the count is too high by what a flow elsewhere has not used, and a
 * message goes out early: so a flow takes half of what is left at a time.
 */
#include <linux/atomic.h>
#include <linux/limits.h>

#include "serve/sync.h"
#include "state/cpu.h"

/* The least difference of a connection's end to that in the last message, as in
 * ip_vs_sync_conn_needed(), and whether it must be sent again for safety's sake.
 */
static bool slb_sync_stale(const struct ip_vs_conn *cp, unsigned long now)
{
	long refresh = sysctl_sync_refresh_period(cp->ipvs);
	unsigned long sent = READ_ONCE(cp->sync_endtime);
	unsigned long timeout = cp->timeout;
	long diff = ((now + timeout) & ~3UL) - sent;

	if (abs(diff) >= min_t(long, refresh, max(timeout / 2, 10UL * HZ)))
		return true;
	return (int)(sent & 3) < sysctl_sync_retries(cp->ipvs) &&
	       !time_before(now, sent - timeout + (refresh >> 3));
}

/* How many packets come before the next that is due, if @count were seen. */
static u32 slb_sync_left(struct netns_ipvs *ipvs, int count)
{
	int threshold = READ_ONCE(ipvs->sysctl_sync_threshold[0]);
	int period = sysctl_sync_period(ipvs), left;

	if (period > 0) {
		left = threshold - count % period;
		if (left <= 0)
			left += period;
	} else {
		/* only the one packet */
		left = threshold - count;
	}
	return left > 0 ? left - 1 : S32_MAX;
}

/* Add to the connection's count of packets what the flow may serve next. */
static bool slb_sync_reserve(struct slb_cpu_state *cpu, struct slb_flow *flow,
			     unsigned long now)
{
	struct ip_vs_conn *cp = flow->conn;
	int count;
	u32 n;

	slb_cpu_settle(cpu, flow, now);
	count = atomic_read(&cp->in_pkts);
	do {
		n = DIV_ROUND_UP((u32)slb_sync_left(cp->ipvs, count), 2);
		n = min(n, SLB_RESERVED_MAX);
		if (!n)
			return false;
	} while (!atomic_try_cmpxchg(&cp->in_pkts, &count, count + n));
	flow->reserved = n;
	return true;
}

/**
 * slb_sync_take_owed() - slb_sync_take() where this director sends sync messages
 * @cpu: this CPU's data
 * @flow: the flow, of requests
 * @now: jiffies
 *
 * Context: RCU, BH off, the flow is the caller's.
 * Return: true if the packet must go slow.
 */
bool slb_sync_take_owed(struct slb_cpu_state *cpu, struct slb_flow *flow,
			unsigned long now)
{
	const struct ip_vs_conn *cp = flow->conn;

	if (cp->control &&
	    (!slb_conn_sync_fit(cp) || slb_sync_stale(cp->control, now)))
		return true;
	if (!sysctl_sync_period(cp->ipvs) &&
	    sysctl_sync_refresh_period(cp->ipvs))
		return slb_sync_stale(cp, now);
	return flow->packets >= flow->reserved &&
	       !slb_sync_reserve(cpu, flow, now);
}
