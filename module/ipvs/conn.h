/* SPDX-License-Identifier: GPL-2.0 */
/* The connection of IPVS that a flow comes from. */
#ifndef _SLB_CONN_H
#define _SLB_CONN_H

#include <linux/in.h>

#include <compat/ip_vs.h>

#include "flow/flow.h"
#include "flow/parse.h"

/**
 * enum slb_scope - services that flows serve
 * @SLB_SCOPE_OFF: none
 * @SLB_SCOPE_SHADOW: services scheduled by "shadow"
 * @SLB_SCOPE_ALL: all services of IPVS
 */
enum slb_scope {
	SLB_SCOPE_OFF,
	SLB_SCOPE_SHADOW,
	SLB_SCOPE_ALL,
};

/* Connections that IPVS keeps for less than this are not served. The timer of a
 * pinned connection is set once a sweep, for packets up to a sweep old: this
 * leaves three for a sweep that comes late.
 */
#define SLB_TIMEOUT_MIN	(5 * SLB_SWEEP)

/**
 * slb_conn_settled_state() - the state of connections that flows serve
 * @proto: IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP
 */
static inline u16 slb_conn_settled_state(u8 proto)
{
	return proto == IPPROTO_TCP ? IP_VS_TCP_S_ESTABLISHED :
	       proto == IPPROTO_UDP ? IP_VS_UDP_S_NORMAL :
				      IP_VS_SCTP_S_ESTABLISHED;
}

/**
 * slb_conn_settled() - true if a connection is in the state that flows serve
 * @cp: the connection, pinned
 * @proto: protocol of the connection; cp->protocol is in another cache line
 *
 * In the settled state, a packet that a flow may serve changes only counters and timer of the
 * connection: TCP segments with ACK and without SYN, FIN or RST keep ESTABLISHED in every
 * table of ip_vs_proto_tcp.c, as data chunks do in ip_vs_proto_sctp.c. UDP has a single state.
 *
 * Context: any. Other CPUs may be writing the word; then the packet counts as just before or
 * just after.
 */
static inline bool slb_conn_settled(const struct ip_vs_conn *cp, u8 proto)
{
	return READ_ONCE(cp->state) == slb_conn_settled_state(proto);
}

int slb_conn_timeout(const struct ip_vs_conn *cp);
bool slb_conn_quick(struct netns_ipvs *ipvs, int limit);

/**
 * slb_conn_doubtful() - true if IPVS may have tried to end this connection
 * @cp: the connection, pinned and settled
 *
 * ip_vs_conn_expire() leaves only a timeout of 60 s behind on a held connection. A packet may
 * have left the same value, if 60 s was the protocol's timeout then ("ipvsadm --set"), and so
 * may a sync message. No copy of the protocol's timeouts can tell. So a doubt ends the flow
 * and nothing else: the packet goes to IPVS, which knows whether the connection is alive.
 *
 * Context: RCU.
 */
static inline bool slb_conn_doubtful(const struct ip_vs_conn *cp)
{
	return unlikely(READ_ONCE(cp->timeout) == 60 * HZ) &&
	       slb_conn_timeout(cp) != 60 * HZ;
}

/**
 * slb_conn_syncs() - does this director send connection sync messages?
 * @ipvs: IPVS's part of the namespace
 *
 * Context: any.
 */
static inline bool slb_conn_syncs(const struct netns_ipvs *ipvs)
{
	return ipvs->sync_state & IP_VS_STATE_MASTER;
}

/**
 * slb_conn_config() - get a value that changes when flows may have to end without a packet
 * @ipvs: IPVS's part of the namespace
 *
 * A real server that is removed while connections hold it becomes the first one in the trash. An
 * address in a list has none of the bits of @sync_state.
 *
 * Context: any.
 * Return: a value to compare, not an address to follow.
 */
static inline unsigned long slb_conn_config(const struct netns_ipvs *ipvs)
{
	return (unsigned long)READ_ONCE(ipvs->dest_trash.next) ^ READ_ONCE(ipvs->sync_state);
}

/**
 * slb_conn_method() - get the forwarding method of a connection
 * @cp: the connection, pinned
 *
 * Return: IP_VS_CONN_F_MASQ, _DROUTE, _TUNNEL or another; constant while the connection
 *	lives.
 */
static inline u32 slb_conn_method(const struct ip_vs_conn *cp)
{
	return IP_VS_FWD_METHOD(cp);
}

/**
 * slb_conn_addr_equal() - is this an address of the connection's?
 * @af: AF_INET or AF_INET6
 * @a: an address
 * @b: of the connection
 */
static inline bool slb_conn_addr_equal(u16 af, const union slb_addr *a,
				       const union nf_inet_addr *b)
{
	return af == AF_INET6 ? ipv6_addr_equal(&a->in6, &b->in6) :
				a->ip == b->ip;
}

struct ip_vs_conn *slb_conn_pin(struct netns_ipvs *ipvs,
				const struct slb_pkt *pkt,
				const union slb_addr *daddr, __be16 dport,
				bool *out);
struct ip_vs_conn *slb_conn_pin_skb(struct netns_ipvs *ipvs, const struct slb_pkt *pkt,
				    const struct sk_buff *skb, bool *out);
struct ip_vs_conn *slb_conn_pin_asked(struct netns_ipvs *ipvs, const struct slb_pkt *pkt,
				      bool *out);
void slb_conn_unpin(struct ip_vs_conn *cp);
bool slb_conn_sync_fit(const struct ip_vs_conn *cp);
enum slb_reason slb_conn_fit(const struct ip_vs_conn *cp, enum slb_scope scope);
bool slb_conn_via(const struct ip_vs_conn *cp, const struct dst_entry *dst);
u32 slb_conn_mtu(const struct ip_vs_conn *cp);
bool slb_conn_ended(struct ip_vs_conn *cp);
void slb_conn_expire(struct ip_vs_conn *cp);

#endif /* _SLB_CONN_H */
