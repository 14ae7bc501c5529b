/* SPDX-License-Identifier: GPL-2.0 */
/* The connection of IPVS that a flow comes from. */
#ifndef _SLB_CONN_H
#define _SLB_CONN_H

#include <compat/ip_vs.h>

#include "flow.h"
#include "net.h"

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

struct ip_vs_conn *slb_conn_pin(struct slb_net *sn, const struct slb_key *key,
				bool *out);
void slb_conn_unpin(struct ip_vs_conn *cp);
enum slb_stat slb_conn_fit(const struct slb_net *sn,
			   const struct ip_vs_conn *cp, u32 iif_proto);
bool slb_conn_expired(const struct ip_vs_conn *cp, int timeout, int previous);
int slb_conn_timeout(struct slb_net *sn, u8 proto);
void slb_conn_expire(struct ip_vs_conn *cp);
void slb_flow_account(struct slb_flow *flow, unsigned long now);

#endif /* _SLB_CONN_H */
