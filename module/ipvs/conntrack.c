// SPDX-License-Identifier: GPL-2.0
/*
 * conntrack: the entry of a flow's connection or tunnel, and its timeout and counters on
 * behalf of served packets, which conntrack does not see.
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
 *  slb_ct_account_bytes | RCU, BH off, the flow is the caller's
 *  slb_ct_account    | RCU, BH off, the flow is the caller's; takes ct->lock
 *  slb_ct_account_inner | RCU, BH off, the flow is the caller's; takes ct->lock
 *
 * A flow holds a reference on the entry. conntrack deletes an entry by marking the entry as
 * dying and unlinking it. A flow whose entry is dying or has timed out is ended. While
 * the flow lives, timeout and counters of the entry are updated as by the served packets.
 * Each packet runs only slb_ct_alive() and slb_ct_due(), which read; with GUE's remote checksum
 * offload slb_ct_account_bytes(), too.
 *
 * Meanwhile conntrack's view of a TCP window grows old. So both directions are made liberal,
 * as nf_flow_table does: then conntrack tracks slow-path packets, instead of calling them
 * invalid. seen[].flags are not atomic, and packets of the other direction change them on
 * another CPU, hence ct->lock.
 *
 * The exit of a namespace waits for conntrack's entries. Flows drop theirs before that,
 * because this module registers later.
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
 * @pkt: the packet at ingress
 * @dir: set to the packet's direction if an entry was found
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
 * @pkt: the packet at ingress
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

/* The part of slb_ct_fit() that does not depend on the protocol. */
static bool slb_ct_plain(const struct nf_conn *ct)
{
	return nf_ct_is_confirmed(ct) && slb_ct_alive(ct) && !nfct_help(ct) &&
	       !(ct->status & (IPS_OFFLOAD | IPS_SEQ_ADJUST | IPS_NAT_CLASH));
}

/**
 * slb_ct_fit() - true if flows may serve packets of this entry
 * @ct: the entry of a connection or a tunnel, held
 *
 * Served packets must change only counters and timeout of the entry. No SCTP: conntrack looks
 * at all chunks of a packet, flows at the first. For a TCP connection whose answers take
 * another path, conntrack may have an entry that began in the middle.
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
 * Answers take another path. If conntrack saw a TCP connection begin, conntrack waits for an
 * answer, and calls other packets invalid: they leave without an entry.
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
 * slb_ct_explains() - true if conntrack's NAT explains a packet's addresses and ports
 * @ct: the packet's entry
 * @dir: direction of the packet
 * @af: family of the packet
 * @act: addresses and ports at egress
 *
 * With net.ipv4.vs.conntrack=1 the entry has IPVS's own changes, too.
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
 * slb_ct_due() - true if the next packet changes more of an entry than counters and timeout
 * @ct: the entry, held
 *
 * The entry of a UDP stream becomes "assured" with the first packet two seconds after the
 * stream began, see nf_conntrack_udp_packet(). The entry of a GRE tunnel, or of a TCP
 * connection whose other half conntrack had not seen, becomes "assured" with the first packet
 * after both were seen.
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
 * slb_ct_hand_over() - make an entry fit for packets that skip conntrack
 * @ct: the entry, held
 *
 * Called when flows begin and cease to serve packets of the entry. Acknowledgments that the
 * entry remembers say nothing of the next packet: a RST in the window of served packets would
 * be called invalid. An entry that still waits for an answer learns nothing from packets,
 * and compares a RST with the SYN.
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

/* A packet that ends the state sets the timeout after unlocking. So this timeout, for earlier
 * packets, cannot come last.
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

/* A new entry gets copies of both timeouts. */
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

/* conntrack clears the timeout policies of entries in the table only. */
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
 * slb_ct_account_bytes() - add bytes that slb_ct_account() does not know of
 * @flow: a wide flow with a conntrack entry
 * @bytes: bytes of the outer header that only some packets have
 *
 * Context: RCU, BH off, the flow is the caller's.
 */
void slb_ct_account_bytes(const struct slb_flow *flow, u32 bytes)
{
	nf_ct_acct_add(slb_flow6(flow)->ct, slb_ct_dir(flow), 0, bytes);
}

/**
 * slb_ct_account() - add the packets that a flow has served to its entry
 * @flow: a wide flow with a conntrack entry
 * @now: jiffies
 *
 * Context: RCU, BH off, the flow is the caller's.
 */
void slb_ct_account(struct slb_flow *flow, unsigned long now)
{
	u32 last = nfct_time_stamp - slb_flow_idle(flow, now);
	struct nf_conn *ct = slb_flow6(flow)->ct;
	u32 hlen = 0;

	/* conntrack counts the outer packets of a tunnel */
	if (flow->flags & SLB_FLOW_TUNNEL)
		hlen = slb_tunnel_hlen(flow);
	nf_ct_acct_add(ct, slb_ct_dir(flow), flow->packets,
		       flow->bytes + flow->packets * hlen);
	slb_ct_touch(ct, last);
}

/**
 * slb_ct_account_inner() - add the packets that a flow has served to its inner entry
 * @ct: the entry of the connection in the tunnel, held
 * @flow: the flow
 * @now: jiffies
 *
 * Packets that conntrack calls invalid do not change their entry.
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
