/* SPDX-License-Identifier: GPL-2.0 */
/* The conntrack entry of a connection or a tunnel. */
#ifndef _SLB_CONNTRACK_H
#define _SLB_CONNTRACK_H

#include <net/netfilter/nf_conntrack.h>

#include "flow/flow.h"
#include "flow/parse.h"

/**
 * slb_ct_alive() - true if this entry is in conntrack's table, neither dying nor expired
 * @ct: the entry, held
 *
 * Context: any.
 */
static inline bool slb_ct_alive(const struct nf_conn *ct)
{
	return !nf_ct_is_dying(ct) && !nf_ct_is_expired(ct);
}

struct nf_conn *slb_ct_find(struct net *net, const struct slb_pkt *pkt,
			    enum ip_conntrack_dir *dir);
bool slb_ct_known(struct net *net, const struct slb_pkt *pkt);
bool slb_ct_inner_fit(const struct nf_conn *ct);
bool slb_ct_fit(const struct nf_conn *ct);
bool slb_ct_explains(const struct nf_conn *ct, enum ip_conntrack_dir dir,
		     u16 af, const struct slb_action6 *act);
bool slb_ct_due(const struct nf_conn *ct);
bool slb_ct_lasts(const struct nf_conn *ct);
void slb_ct_hand_over(struct nf_conn *ct);
void slb_ct_account_bytes(const struct slb_flow *flow, u32 bytes);
void slb_ct_account(struct slb_flow *flow, unsigned long now);
void slb_ct_account_inner(struct nf_conn *ct, const struct slb_flow *flow,
			  unsigned long now);

#endif /* _SLB_CONNTRACK_H */
