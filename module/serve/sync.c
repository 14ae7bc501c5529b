// SPDX-License-Identifier: GPL-2.0
/*
 * Connection sync messages: packets that make IPVS send a message go to IPVS.
 *
 *  operation           | locking
 * ---------------------+----------------------------------------------------
 *  slb_sync_take_owed  | RCU, BH off, the flow is the caller's
 *
 * IPVS decides in ip_vs_sync_conn_needed(): by the connection's count of packets
 * (net.ipv4.vs.sync_threshold), by time (sync_refresh_period), or both. For both, this file
 * checks the count, and IPVS the time.
 *
 * A flow reserves packets: it adds to the connection's count before serving, at most up to the
 * packet before the next message. So the count is never behind the packets, on any CPU, and
 * only a packet at IPVS reaches the count of a message. A flow returns unused packets with its
 * next account, and before any packet goes to IPVS. So the count is exact for a connection on a
 * single CPU. When a connection changes CPUs, the count is too high by the unused packets of the
 * other CPU, and a message goes out early: so a flow reserves half of the remaining packets.
 */
#include <linux/atomic.h>
#include <linux/limits.h>

#include "serve/sync.h"
#include "state/cpu.h"

/* True if a message is due by time, or as a retry, as in ip_vs_sync_conn_needed(). */
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
		/* a single message */
		left = threshold - count;
	}
	return left > 0 ? left - 1 : S32_MAX;
}

/* Reserve packets for the flow, by adding to the connection's count. */
static bool slb_sync_reserve(struct slb_cpu_state *cpu, struct slb_flow *flow,
			     unsigned long now)
{
	struct ip_vs_conn *cp = flow->conn;
	int count;
	u32 n;

	slb_cpu_account(cpu, flow, now);
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
 * @cpu: state of this CPU
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
