// SPDX-License-Identifier: GPL-2.0
/*
 * conntrack: what flows do to the entry of their connection, or of their tunnel,
 * in place of the packets that it does not see.
 *
 *  operation         | locking
 * -------------------+-------------------------------------------------------
 *  slb_ct_find       | RCU
 *  slb_ct_known      | RCU
 *  slb_ct_fit        | any
 *  slb_ct_inner_fit  | any
 *  slb_ct_explains   | any
 *  slb_ct_due        | any
 *  slb_ct_lasts      | any
 *  slb_ct_hand_over  | BH off; takes ct->lock
 *  slb_ct_account    | RCU, BH off, the flow is the caller's; takes ct->lock
 *  slb_ct_account_inner | likewise
 *
 * A flow holds a reference on the entry. conntrack deletes entries by marking
 * them as dying and taking them out of its table; a flow whose entry is dying
 * or has timed out serves nothing more and is ended. While flows live the
 * entry's timeout is set, and its counters counted, as its own packets would
 * have. Nothing here runs for each packet but slb_ct_alive() and slb_ct_due(),
 * which read.
 *
 * What conntrack knows of a TCP window grows old while flows serve. So both
 * directions are made liberal, as nf_flow_table does: packets that go slow are
 * tracked, and not called invalid. seen[].flags are not atomic, and the other
 * direction's packets change them on another CPU: under ct->lock.
 *
 * A namespace that goes away waits for its entries; ours are let go of first,
 * because we were registered later.
 */
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/netfilter/nf_conntrack_seqadj.h>
#include <net/netfilter/nf_conntrack_timeout.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "ipvs/conn.h"
#include "ipvs/conntrack.h"
#include "ipvs/tunnel.h"

/**
 * slb_ct_find() - find the conntrack entry of a packet
 * @net: the namespace
 * @pkt: the packet as it came
 * @dir: set to its direction in the entry, if there is one
 *
 * Context: RCU.
 * Return: the entry, with a reference for the caller, or NULL.
 */
struct nf_conn *slb_ct_find(struct net *net, const struct slb_pkt *pkt,
			    enum ip_conntrack_dir *dir)
{
	struct nf_conntrack_tuple tuple = {};
	struct nf_conntrack_tuple_hash *h;

	if (pkt->v6) {
		tuple.src.l3num = AF_INET6;
		tuple.src.u3.in6 = pkt->key6.saddr;
		tuple.dst.u3.in6 = pkt->key6.daddr;
		tuple.src.u.all = pkt->key6.sport;
		tuple.dst.u.all = pkt->key6.dport;
	} else {
		tuple.src.l3num = AF_INET;
		tuple.src.u3.ip = pkt->key4.saddr;
		tuple.dst.u3.ip = pkt->key4.daddr;
		tuple.src.u.all = pkt->key4.sport;
		tuple.dst.u.all = pkt->key4.dport;
	}
	tuple.dst.protonum = pkt->proto;
	h = nf_conntrack_find_get(net, &nf_ct_zone_dflt, &tuple);
	if (!h)
		return NULL;
	*dir = NF_CT_DIRECTION(h);
	return nf_ct_tuplehash_to_ctrack(h);
}

/**
 * slb_ct_known() - true if conntrack has an entry for a packet
 * @net: the namespace
 * @pkt: the packet as it came
 *
 * Context: RCU.
 */
bool slb_ct_known(struct net *net, const struct slb_pkt *pkt)
{
	enum ip_conntrack_dir dir;
	struct nf_conn *ct = slb_ct_find(net, pkt, &dir);

	nf_ct_put(ct);
	return ct;
}

/* May flows serve packets of this entry, as far as its protocol does not matter? */
static bool slb_ct_plain(const struct nf_conn *ct)
{
	return nf_ct_is_confirmed(ct) && slb_ct_alive(ct) && !nfct_help(ct) &&
	       !(ct->status & (IPS_OFFLOAD | IPS_SEQ_ADJUST | IPS_NAT_CLASH));
}

/**
 * slb_ct_fit() - may flows serve packets of this entry?
 * @ct: the entry of a connection or a tunnel, held
 *
 * Only if such packets change nothing of it but its counters and its timeout.
 * conntrack looks at all chunks of an SCTP packet, flows at the first. Of a TCP
 * connection whose answers do not come by here, it may have an entry that it began in the
 * middle.
 *
 * Context: any.
 */
bool slb_ct_fit(const struct nf_conn *ct)
{
	unsigned long status = READ_ONCE(ct->status);

	if (!slb_ct_plain(ct))
		return false;
	switch (nf_ct_protonum(ct)) {
	case IPPROTO_TCP:
		return READ_ONCE(ct->proto.tcp.state) ==
			       TCP_CONNTRACK_ESTABLISHED &&
		       (status & IPS_ASSURED || !(status & IPS_SEEN_REPLY));
	case IPPROTO_SCTP:
		return false;
	default:
		return true;
	}
}

/**
 * slb_ct_inner_fit() - true if flows may serve a tunnelled connection with this entry
 * @ct: the entry of the connection, held
 *
 * Answers do not come by here. Of a TCP connection that conntrack saw begin, it waits for
 * one, and calls all other packets invalid: they leave without an entry.
 *
 * Context: any.
 */
bool slb_ct_inner_fit(const struct nf_conn *ct)
{
	return slb_ct_fit(ct) ||
	       (nf_ct_protonum(ct) == IPPROTO_TCP &&
		READ_ONCE(ct->proto.tcp.state) == TCP_CONNTRACK_SYN_SENT &&
		slb_ct_plain(ct));
}

/**
 * slb_ct_explains() - is this what conntrack's NAT makes of a packet?
 * @ct: the packet's entry
 * @dir: its direction
 * @af: its family
 * @act: the addresses and ports that it leaves with
 *
 * Where IPVS uses conntrack the entry says all of it: IPVS writes into it what it
 * does itself.
 *
 * Context: any.
 */
bool slb_ct_explains(const struct nf_conn *ct, enum ip_conntrack_dir dir,
		     u16 af, const struct slb_action6 *act)
{
	const struct nf_conntrack_tuple *t = &ct->tuplehash[!dir].tuple;

	return slb_conn_addr_equal(af, &act->saddr, &t->dst.u3) &&
	       slb_conn_addr_equal(af, &act->daddr, &t->src.u3) &&
	       act->sport == t->dst.u.all && act->dport == t->src.u.all;
}

/**
 * slb_ct_due() - would conntrack do more to the next packet than count it?
 * @ct: the entry, held
 *
 * The entry of a UDP stream becomes "assured" with the first packet that comes two
 * seconds after the stream began, see nf_conntrack_udp_packet(). That of a GRE tunnel, or
 * of a TCP connection of which conntrack saw one half, becomes "assured" with the
 * first packet after the other half was seen.
 *
 * Context: any.
 */
bool slb_ct_due(const struct nf_conn *ct)
{
	unsigned long status = READ_ONCE(ct->status);

	if (likely((status & (IPS_SEEN_REPLY | IPS_ASSURED)) != IPS_SEEN_REPLY))
		return false;
	switch (nf_ct_protonum(ct)) {
	case IPPROTO_TCP:
		return true;
	case IPPROTO_UDP:
		return time_after(jiffies, READ_ONCE(ct->proto.udp.stream_ts));
	case IPPROTO_GRE:
		return IS_ENABLED(CONFIG_NF_CT_PROTO_GRE);
	default:
		return false;
	}
}

/**
 * slb_ct_hand_over() - flows begin or cease to see packets of an entry
 * @ct: the entry, held
 *
 * What it remembers of acknowledgments says nothing of the next packet: else it
 * would doubt a RST that fits those that it has not seen. An entry that still waits for an
 * answer learns nothing of packets anyway, and doubts a RST by what it knows of the SYN.
 *
 * Context: BH off.
 */
void slb_ct_hand_over(struct nf_conn *ct)
{
	struct ip_ct_tcp_state *seen = ct->proto.tcp.seen;
	int i;

	if (nf_ct_protonum(ct) != IPPROTO_TCP)
		return;
	spin_lock(&ct->lock);
	for (i = 0; i < IP_CT_DIR_MAX && ct->proto.tcp.state != TCP_CONNTRACK_SYN_SENT; i++) {
		seen[i].flags |= IP_CT_TCP_FLAG_BE_LIBERAL;
		seen[i].flags &= ~(IP_CT_TCP_FLAG_MAXACK_SET |
				   IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED);
	}
	spin_unlock(&ct->lock);
}

/**
 * slb_ct_lasts() - true if an entry will not time out between two sweeps
 * @ct: the entry, held, after a packet has refreshed it
 *
 * Context: any.
 */
bool slb_ct_lasts(const struct nf_conn *ct)
{
	return nf_ct_expires(ct) >= SLB_TIMEOUT_MIN;
}

/* Other flows of the entry, or the slow path, may have seen a later packet. */
static void slb_ct_extend(struct nf_conn *ct, u32 until)
{
	if ((s32)(until - READ_ONCE(ct->timeout)) > 0)
		WRITE_ONCE(ct->timeout, until);
}

static void slb_ct_touch_udp(struct nf_conn *ct, u32 last)
{
	bool assured = test_bit(IPS_ASSURED_BIT, &ct->status);
	unsigned int *timeout = nf_ct_timeout_lookup(ct);

	if (!timeout)
		timeout = nf_udp_pernet(nf_ct_net(ct))->timeouts;
	timeout += assured ? UDP_CT_REPLIED : UDP_CT_UNREPLIED;
	slb_ct_extend(ct, last + READ_ONCE(*timeout));
}

/* The packet that ends the state sets its timeout after it has let go of the
 * lock: so ours, for packets that came before, cannot come last.
 */
static void slb_ct_touch_tcp(struct nf_conn *ct, u32 last)
{
	unsigned int *timeouts = nf_ct_timeout_lookup(ct), timeout;

	if (!timeouts)
		timeouts = nf_tcp_pernet(nf_ct_net(ct))->timeouts;
	timeout = READ_ONCE(timeouts[TCP_CONNTRACK_ESTABLISHED]);
	if (!test_bit(IPS_SEEN_REPLY_BIT, &ct->status))
		timeout = min(timeout,
			      READ_ONCE(timeouts[TCP_CONNTRACK_UNACK]));
	spin_lock(&ct->lock);
	if (ct->proto.tcp.state == TCP_CONNTRACK_ESTABLISHED)
		slb_ct_extend(ct, last + timeout);
	spin_unlock(&ct->lock);
}

/* A tunnel without ports, of a protocol that conntrack knows nothing of. */
static void slb_ct_touch_generic(struct nf_conn *ct, u32 last)
{
	const unsigned int *timeout = nf_ct_timeout_lookup(ct);

	if (!timeout)
		timeout = &nf_generic_pernet(nf_ct_net(ct))->timeout;
	slb_ct_extend(ct, last + READ_ONCE(*timeout));
}

/* conntrack copies both timeouts into the entry when it makes one. */
static void slb_ct_touch_gre(struct nf_conn *ct, u32 last)
{
	const struct nf_ct_gre *gre = &ct->proto.gre;

	if (!IS_ENABLED(CONFIG_NF_CT_PROTO_GRE))
		slb_ct_touch_generic(ct, last);
	else if (test_bit(IPS_SEEN_REPLY_BIT, &ct->status))
		slb_ct_extend(ct, last + READ_ONCE(gre->stream_timeout));
	else
		slb_ct_extend(ct, last + READ_ONCE(gre->timeout));
}

/* conntrack clears the timeout policy of an entry that is in its table only. */
static void slb_ct_touch(struct nf_conn *ct, u32 last)
{
	if (test_bit(IPS_FIXED_TIMEOUT_BIT, &ct->status) || !slb_ct_alive(ct))
		return;
	switch (nf_ct_protonum(ct)) {
	case IPPROTO_UDP:
		slb_ct_touch_udp(ct, last);
		break;
	case IPPROTO_TCP:
		slb_ct_touch_tcp(ct, last);
		break;
	case IPPROTO_GRE:
		slb_ct_touch_gre(ct, last);
		break;
	default:
		slb_ct_touch_generic(ct, last);
		break;
	}
}

static enum ip_conntrack_dir slb_ct_dir(const struct slb_flow *flow)
{
	return flow->flags & SLB_FLOW_REPLY ? IP_CT_DIR_REPLY :
					      IP_CT_DIR_ORIGINAL;
}

/**
 * slb_ct_account_bytes() - add bytes of a packet that slb_ct_account() knows nothing of
 * @flow: a wide flow with a conntrack entry
 * @bytes: bytes of its outer header that only some packets have
 *
 * Context: RCU, BH off, the flow is the caller's.
 */
void slb_ct_account_bytes(const struct slb_flow *flow, u32 bytes)
{
	nf_ct_acct_add(slb_flow6(flow)->ct, slb_ct_dir(flow), 0, bytes);
}

/**
 * slb_ct_account() - tell conntrack what a flow has served
 * @flow: a wide flow with a conntrack entry
 * @now: jiffies
 *
 * Context: RCU, BH off, the flow is the caller's.
 */
void slb_ct_account(struct slb_flow *flow, unsigned long now)
{
	u32 last = nfct_time_stamp - slb_flow_idle(flow, now);
	struct nf_conn *ct = slb_flow6(flow)->ct;
	struct slb_tunnel e = { .hlen = 0 };

	/* of a tunnel it counts the outer packets */
	if (flow->flags & SLB_FLOW_TUNNEL)
		slb_tunnel_init(&e, flow->conn, false);
	nf_ct_acct_add(ct, slb_ct_dir(flow), flow->packets,
		       flow->bytes + flow->packets * e.hlen);
	slb_ct_touch(ct, last);
}

/**
 * slb_ct_account_inner() - add a flow's packets to the entry inside its tunnel
 * @ct: the entry of its connection, held
 * @flow: the flow
 * @now: jiffies
 *
 * Packets that conntrack calls invalid change nothing of their entry.
 *
 * Context: RCU, BH off, the flow is the caller's.
 */
void slb_ct_account_inner(struct nf_conn *ct, const struct slb_flow *flow,
			  unsigned long now)
{
	if (nf_ct_protonum(ct) == IPPROTO_TCP &&
	    READ_ONCE(ct->proto.tcp.state) == TCP_CONNTRACK_SYN_SENT)
		return;
	nf_ct_acct_add(ct, IP_CT_DIR_ORIGINAL, flow->packets, flow->bytes);
	slb_ct_touch(ct, nfct_time_stamp - slb_flow_idle(flow, now));
}
