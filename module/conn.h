/* SPDX-License-Identifier: GPL-2.0 */
/* The connection of IPVS that a flow comes from. */
#ifndef _SLB_CONN_H
#define _SLB_CONN_H

#include <linux/in.h>

#include <compat/ip_vs.h>

#include "flow.h"
#include "net.h"

/* Connections that IPVS keeps for less than this are not served. The timer of a
 * pinned connection is set once a sweep, for packets up to a sweep old: this
 * leaves three for a sweep that comes late.
 */
#define SLB_TIMEOUT_MIN	(5 * SLB_SWEEP)

/**
 * struct slb_timeouts - for how long IPVS keeps settled connections
 * @now: in jiffies, of TCP and of UDP ("ipvsadm --set"), at the last sweep
 * @previous: what it was before its last change
 */
struct slb_timeouts {
	int	now[2];
	int	previous[2];
};

/**
 * slb_conn_settled() - is a connection in the state that flows serve?
 * @cp: the connection, pinned
 * @iif_proto: of the flow's key
 *
 * In that state a packet that a flow serves changes nothing of the connection
 * but its counters and its timer: TCP segments with ACK and without SYN, FIN
 * or RST keep ESTABLISHED in every table of ip_vs_proto_tcp.c, and UDP has
 * one state.
 *
 * Context: any; one read of a word that other CPUs may be writing, which is
 * then as if the packet had come just before or just after.
 */
static inline bool slb_conn_settled(const struct ip_vs_conn *cp, u32 iif_proto)
{
	u16 want = (u8)iif_proto == IPPROTO_TCP ? IP_VS_TCP_S_ESTABLISHED :
						  IP_VS_UDP_S_NORMAL;

	return READ_ONCE(cp->state) == want;
}

/**
 * slb_conn_synced() - does this director send connection sync messages?
 * @net: the namespace
 *
 * IPVS decides on each packet whether to send one, and that cannot be asked
 * for from outside.
 *
 * Context: RCU.
 */
static inline bool slb_conn_synced(struct net *net)
{
	return net_ipvs(net)->sync_state & IP_VS_STATE_MASTER;
}

/**
 * slb_conn_marked() - did IPVS try to end this connection?
 * @cp: the connection, pinned
 * @iif_proto: of the flow's key
 * @t: timeouts
 *
 * There is no notice of that, but ip_vs_conn_expire() leaves a timeout of 60 s
 * behind on a connection that is held. Where 60 s is, or lately was, what a
 * settled connection has anyway, the answer is no: ending a connection that
 * lives would be worse than keeping one for longer. States that are not
 * settled have timeouts of their own, 60 s among them.
 *
 * Context: any; true may be wrong without cp->lock, see slb_conn_expired().
 */
static inline bool slb_conn_marked(const struct ip_vs_conn *cp, u32 iif_proto,
				   const struct slb_timeouts *t)
{
	bool udp = (u8)iif_proto == IPPROTO_UDP;

	return READ_ONCE(cp->timeout) == 60 * HZ && t->now[udp] != 60 * HZ &&
	       t->previous[udp] != 60 * HZ && slb_conn_settled(cp, iif_proto);
}

struct ip_vs_conn *slb_conn_pin(struct slb_net *sn, const struct slb_key *key,
				bool *out);
void slb_conn_unpin(struct ip_vs_conn *cp);
enum slb_stat slb_conn_fit(const struct slb_net *sn,
			   const struct ip_vs_conn *cp, u32 iif_proto);
bool slb_conn_via(const struct ip_vs_conn *cp, const struct dst_entry *dst);
void slb_conn_expire(struct ip_vs_conn *cp);
void slb_timeouts_read(struct slb_net *sn, struct slb_timeouts *t);
bool slb_flow_account(struct slb_flow *flow, const struct slb_timeouts *t,
		      unsigned long now);

#endif /* _SLB_CONN_H */
