// SPDX-License-Identifier: GPL-2.0
/*
 * conntrack: what flows of tunnels that it tracks do to the tunnel's entry in
 * place of the outer packets that it does not see.
 *
 *  operation         | locking
 * -------------------+-------------------------------------------------------
 *  slb_ct_known      | RCU
 *  slb_ct_fit        | any
 *  slb_ct_account    | RCU, BH off, the flow is the caller's
 *
 * A flow holds a reference on the entry. conntrack deletes entries by marking
 * them as dying and taking them out of its table; a flow whose entry is dying
 * or has timed out serves nothing more and is ended. While flows live the
 * entry's timeout is set, and its counters counted, as its own packets would
 * have.
 *
 * A namespace that goes away waits for its entries; ours are let go of first,
 * because we were registered later.
 */
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/netfilter/nf_conntrack_timeout.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "conn.h"
#include "ct.h"
#include "encap.h"

/**
 * slb_ct_known() - does conntrack have an entry for this packet?
 * @net: the namespace
 * @pkt: the packet as it came
 *
 * Context: RCU.
 */
bool slb_ct_known(struct net *net, const struct slb_pkt *pkt)
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
	if (h)
		nf_ct_put(nf_ct_tuplehash_to_ctrack(h));
	return h;
}

/**
 * slb_ct_fit() - may flows serve packets of this entry?
 * @ct: the entry of a tunnel, held
 *
 * Only if such packets change nothing of it but its counters and its timeout.
 *
 * Context: any.
 */
bool slb_ct_fit(const struct nf_conn *ct)
{
	if (!nf_ct_is_confirmed(ct) || !slb_ct_alive(ct) || nfct_help(ct) ||
	    test_bit(IPS_OFFLOAD_BIT, &ct->status))
		return false;
	/* of GUE: a stream, or nobody has answered yet: see
	 * nf_conntrack_udp_packet()
	 */
	return nf_ct_protonum(ct) != IPPROTO_UDP ||
	       test_bit(IPS_ASSURED_BIT, &ct->status) ||
	       !test_bit(IPS_SEEN_REPLY_BIT, &ct->status);
}

/* For how long a packet such as flows serve keeps the entry alive. 0: only those
 * that prove the flow do, for tunnels without ports.
 */
static unsigned int slb_ct_timeout(const struct nf_conn *ct)
{
	unsigned int *timeouts = nf_ct_timeout_lookup(ct);

	if (nf_ct_protonum(ct) != IPPROTO_UDP)
		return 0;
	if (!timeouts)
		timeouts = nf_udp_pernet(nf_ct_net(ct))->timeouts;
	return READ_ONCE(timeouts[test_bit(IPS_ASSURED_BIT, &ct->status) ?
				  UDP_CT_REPLIED : UDP_CT_UNREPLIED]);
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
	struct nf_conn *ct = slb_flow6(flow)->ct;
	u32 idle = slb_flow_idle(flow, now);
	u32 timeout, until;
	struct slb_encap e;

	/* it counts outer packets */
	slb_encap_init(&e, flow->conn, false);
	nf_ct_acct_add(ct, flow->flags & SLB_FLOW_REPLY ? IP_CT_DIR_REPLY :
							  IP_CT_DIR_ORIGINAL,
		       flow->packets, flow->bytes + flow->packets * e.hlen);
	if (test_bit(IPS_FIXED_TIMEOUT_BIT, &ct->status))
		return;
	timeout = slb_ct_timeout(ct);
	if (!timeout)
		return;
	/* other flows of the tunnel, or the slow path, may have seen a later one */
	until = nfct_time_stamp - idle + timeout;
	if ((s32)(until - READ_ONCE(ct->timeout)) > 0)
		WRITE_ONCE(ct->timeout, until);
}
