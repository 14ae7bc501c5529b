/* SPDX-License-Identifier: GPL-2.0 */
/* What tells that rules have changed, and so begins an epoch. */
#ifndef _SLB_RULESET_H
#define _SLB_RULESET_H

#include <linux/mutex.h>
#include <linux/netfilter.h>

#include <compat/nf_tables.h>

#include "state/epoch.h"

/* Lists of hooks: IPv4, IPv6, and the bridge. */
#define SLB_RULESET_LISTS	(3 * NF_INET_NUMHOOKS)

/**
 * struct slb_ruleset - what the sweep knows of the rules of a namespace
 * @looking: of all members
 * @looked: time of the last look, in jiffies
 * @hooks: hash of the hooks
 * @tables: hash of the rules of iptables-legacy
 * @legacy: bit i: hook i of a list is a table of iptables-legacy
 * @settings: hash of settings of IPVS and of routes
 * @constant: as of the last look, see struct slb_epoch; read anywhere
 */
struct slb_ruleset {
	/* of the members below */
	struct mutex	looking;
	u64		looked;
	u64		hooks;
	u64		tables;
	u64		legacy[SLB_RULESET_LISTS];
	u32		settings;
	u8		constant;
};

void slb_ruleset_notice(struct slb_epoch *e, const struct net *net);

/**
 * slb_ruleset_check() - begin an epoch if nftables has committed a transaction
 * @e: the epoch
 * @net: the namespace
 *
 * Context: any.
 */
static __always_inline void slb_ruleset_check(struct slb_epoch *e, const struct net *net)
{
	if (unlikely(slb_epoch_number(e) != slb_nft_generation(net)))
		slb_ruleset_notice(e, net);
}

/**
 * slb_ruleset_constant() - true if rules are constant, as of the last look
 * @r: what is known of the rules
 * @v6: for packets of this family
 *
 * Until the next look, slb_epoch_constant() has the last word.
 *
 * Context: any.
 */
static inline bool slb_ruleset_constant(const struct slb_ruleset *r, bool v6)
{
	return READ_ONCE(r->constant) & BIT(v6);
}

bool slb_ruleset_hook_is(unsigned long hook, const char *const *names, unsigned int n);
void slb_ruleset_init(struct slb_ruleset *r, struct slb_epoch *e, const struct net *net);
void slb_ruleset_look(struct slb_ruleset *r, struct slb_epoch *e, struct net *net, bool at_once);

#endif /* _SLB_RULESET_H */
