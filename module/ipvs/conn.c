// SPDX-License-Identifier: GPL-2.0
/*
 * The connection of a flow: pinning it, and asking whether flows may serve it.
 *
 *  operation                       | locking
 * ---------------------------------+------------------------------------------
 *  slb_conn_pin, _pin_skb, _asked  | RCU (netfilter hook)
 *  slb_conn_unpin                  | BH off
 *  slb_conn_quick                  | any
 *  slb_conn_expire                 | RCU, BH off
 *
 * A pin is a reference on the connection, which keeps connection, real server and service.
 * If the timer of a pinned connection expires, ip_vs_conn_expire() cannot unlink the
 * connection and comes back after 60 s. So the holder of a pin sets the timer as the served
 * packets would have, and unpins before the timer expires (account.c, sweep.c).
 */
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/timer.h>
#include <net/dst.h>

#include "ipvs/conn.h"
#include "sched/sched.h"

/**
 * struct slb_conn_ends - addresses that a struct ip_vs_conn_param refers to
 * @from: source of the packet
 * @to: destination of the packet
 */
struct slb_conn_ends {
	union nf_inet_addr	from;
	union nf_inet_addr	to;
};

/* Set the source of a packet at ingress, and its destination, as IPVS looks for them. */
static void slb_conn_param(struct netns_ipvs *ipvs, const struct slb_pkt *pkt,
			   struct slb_conn_ends *ends, struct ip_vs_conn_param *p)
{
	if (pkt->v6) {
		ends->from.in6 = pkt->key6.saddr;
		ends->to.in6 = pkt->key6.daddr;
		ip_vs_conn_fill_param(ipvs, AF_INET6, pkt->proto, &ends->from, pkt->key6.sport,
				      &ends->to, pkt->key6.dport, p);
	} else {
		ends->from.ip = pkt->key4.saddr;
		ends->to.ip = pkt->key4.daddr;
		ip_vs_conn_fill_param(ipvs, AF_INET, pkt->proto, &ends->from, pkt->key4.sport,
				      &ends->to, pkt->key4.dport, p);
	}
}

/**
 * slb_conn_pin() - find the connection of a packet and hold it
 * @ipvs: IPVS's part of the namespace
 * @pkt: the packet at ingress
 * @daddr: destination address at egress, or NULL for a packet in a tunnel
 * @dport: destination port at egress
 * @out: set if the packet goes from the real server to the client
 *
 * Walks IPVS's table, which flows save for each packet. If a source NAT hides clients, real
 * servers answer to the address of the NAT, but IPVS knows the connection by the destination
 * of the answer at egress.
 *
 * Context: RCU.
 * Return: the connection, with a reference for the caller, or NULL.
 */
struct ip_vs_conn *slb_conn_pin(struct netns_ipvs *ipvs,
				const struct slb_pkt *pkt,
				const union slb_addr *daddr, __be16 dport,
				bool *out)
{
	struct slb_conn_ends ends = {};
	struct ip_vs_conn_param p;
	struct ip_vs_conn *cp;

	slb_conn_param(ipvs, pkt, &ends, &p);
	*out = false;
	cp = ip_vs_conn_in_get(&p);
	if (cp || !daddr)
		return cp;
	*out = true;
	if (pkt->v6)
		ends.to.in6 = daddr->in6;
	else
		ends.to.ip = daddr->ip;
	p.vport = dport;
	return ip_vs_conn_out_get(&p);
}

/**
 * slb_conn_pin_asked() - find the connection by which IPVS would handle a packet, and hold it
 * @ipvs: IPVS's part of the namespace
 * @pkt: the packet at ingress, whose addresses nothing but IPVS changes
 * @out: set if the packet goes from the real server to the client
 *
 * In IPVS's order: whether the packet is an answer comes first.
 *
 * Context: RCU.
 * Return: as slb_conn_pin().
 */
struct ip_vs_conn *slb_conn_pin_asked(struct netns_ipvs *ipvs, const struct slb_pkt *pkt,
				      bool *out)
{
	struct slb_conn_ends ends = {};
	struct ip_vs_conn_param p;
	struct ip_vs_conn *cp;

	slb_conn_param(ipvs, pkt, &ends, &p);
	cp = ip_vs_conn_out_get(&p);
	*out = cp;
	return cp ?: ip_vs_conn_in_get(&p);
}

/**
 * slb_conn_pin_skb() - find the connection of a packet at egress and hold it
 * @ipvs: IPVS's part of the namespace
 * @pkt: the packet at ingress
 * @skb: the packet at egress
 * @out: set if the packet goes from the real server to the client
 *
 * Context: RCU.
 * Return: as slb_conn_pin().
 */
struct ip_vs_conn *slb_conn_pin_skb(struct netns_ipvs *ipvs, const struct slb_pkt *pkt,
				    const struct sk_buff *skb, bool *out)
{
	struct {
		struct ipv6hdr	ip;
		__be16		ports[2];
	} buf6, *head6;
	struct {
		struct iphdr	ip;
		__be16		ports[2];
	} buf4, *head4;
	union slb_addr daddr = {};

	if (pkt->v6 && ipv6_hdr(skb)->version == 6) {
		head6 = skb_header_pointer(skb, 0, sizeof(buf6), &buf6);
		if (head6) {
			daddr.in6 = head6->ip.daddr;
			return slb_conn_pin(ipvs, pkt, &daddr, head6->ports[1], out);
		}
	} else if (!pkt->v6 && ip_hdr(skb)->version == 4) {
		head4 = skb_header_pointer(skb, 0, sizeof(buf4), &buf4);
		if (head4) {
			daddr.ip = head4->ip.daddr;
			return slb_conn_pin(ipvs, pkt, &daddr, head4->ports[1], out);
		}
	}
	return slb_conn_pin(ipvs, pkt, NULL, 0, out);
}

/**
 * slb_conn_unpin() - drop the reference on a connection
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
 * slb_conn_sync_fit() - true if sync messages let flows serve this connection
 * @cp: the connection, held
 *
 * For each packet IPVS looks at the connection's template (of an FTP data connection, at the
 * session), and without a refresh period sends a message with each.
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
 * slb_conn_via() - true if IPVS sends packets of this connection by this route
 * @cp: the connection, held
 * @dst: the route of a packet to the real server
 *
 * With direct routing nothing in the packet names the real server. Since the packet, another
 * connection with another real server may have replaced this connection.
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
 * Conntrack's NAT may have rerouted the packet: then the packet's own route differs.
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
 * slb_conn_timeout() - get IPVS's present timeout for a settled connection
 * @cp: the connection, pinned and settled
 *
 * Context: RCU.
 * Return: jiffies, as set by "ipvsadm --set" or the protocol.
 */
int slb_conn_timeout(const struct ip_vs_conn *cp)
{
	const struct ip_vs_proto_data *pd;
	u16 proto = cp->protocol;

	pd = ip_vs_proto_data_get(cp->ipvs, proto);
	return pd ? READ_ONCE(pd->timeout_table[slb_conn_settled_state(proto)]) :
		    READ_ONCE(cp->timeout);
}

/* True if a protocol's timeout of a state is shorter than @limit. */
static bool slb_conn_state_quick(struct netns_ipvs *ipvs, u16 proto, int state, int limit)
{
	const struct ip_vs_proto_data *pd = ip_vs_proto_data_get(ipvs, proto);

	return pd && READ_ONCE(pd->timeout_table[state]) < limit;
}

/**
 * slb_conn_quick() - true if a packet may let a connection expire soon
 * @ipvs: IPVS's part of the namespace
 * @limit: what is soon, in jiffies, at most 10 s
 *
 * Asks for the timeouts that "ipvsadm --set" changes. All others that follow the settled state are
 * longer.
 *
 * Context: any, IPVS knows the namespace.
 */
bool slb_conn_quick(struct netns_ipvs *ipvs, int limit)
{
	return slb_conn_state_quick(ipvs, IPPROTO_TCP, IP_VS_TCP_S_ESTABLISHED, limit) ||
	       slb_conn_state_quick(ipvs, IPPROTO_TCP, IP_VS_TCP_S_FIN_WAIT, limit) ||
	       slb_conn_state_quick(ipvs, IPPROTO_UDP, IP_VS_UDP_S_NORMAL, limit);
}

/* True if IPVS tried to end a closed connection: the timeout is 60 s, although the protocol
 * has another constant for the state. Timeouts of the settled state and of FIN_WAIT are no
 * evidence: "ipvsadm --set" may have changed them.
 */
static bool slb_conn_refused(struct ip_vs_conn *cp)
{
	const struct ip_vs_proto_data *pd;
	bool refused;

	if (READ_ONCE(cp->timeout) != 60 * HZ)
		return false;
	pd = ip_vs_proto_data_get(cp->ipvs, cp->protocol);
	/* state and timeout are written separately, under the lock */
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
 * slb_conn_ended() - true if IPVS would have ended this connection without the pin
 * @cp: the connection, held
 *
 * Either the real server is gone, and net.ipv4.vs.expire_nodest_conn has IPVS end its
 * connections at once. Or the connection is closed, and IPVS has tried. In doubt, false.
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
 * slb_conn_expire() - end a connection that IPVS could not end because of the pin
 * @cp: the connection, slb_conn_ended(), which the caller does not pin any more
 *
 * At once, as ip_vs_conn_del() does: the packet that ended the flow is on the way to IPVS, and
 * would restart the timer. Any other holder ends the connection, a flow or IPVS with a
 * packet; then ip_vs_conn_expire() would only come back later and send a sync message. IPVS
 * frees connections by RCU.
 *
 * Context: RCU, since before the connection was unpinned; BH off.
 */
void slb_conn_expire(struct ip_vs_conn *cp)
{
	if (refcount_read(&cp->refcnt) > 1 || atomic_read(&cp->n_control))
		return;
	if (timer_delete(&cp->timer))
		cp->timer.function(&cp->timer);
}
