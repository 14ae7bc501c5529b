// SPDX-License-Identifier: GPL-2.0
/*
 * Properties of packets that rules of a netfilter hook read, and that differ between packets of a
 * connection.
 *
 *  operation        | locking
 * ------------------+--------------------------------------------------------
 *  slb_rules_init   | process
 *  slb_rules_looks  | RCU
 *  slb_rules_exit   | process
 *
 * Walks rules as nf_tables_dump_rules() does for "nft list ruleset": RCU protects the lists of
 * chains, rules and sets, and a transaction frees removed objects a grace period later. Each
 * expression describes itself by ->dump(), in netlink attributes, which are nftables' interface to
 * user space. So this file does not depend on the layout of expressions.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/xt_sctp.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netlink.h>
#include <linux/skbuff.h>
#include <net/netlink.h>

#include <compat/nf_tables.h>

#include "show/look.h"
#include "show/rules.h"
#include "state/ruleset.h"

/* Budget of a reader, in chains, sets, rules and expressions: a few milliseconds in which the
 * CPU runs nothing else.
 */
#define SLB_RULES_BUDGET	131072

static const struct nlattr *slb_rules_attr(const struct slb_rules *rules, int type)
{
	return nla_find((const struct nlattr *)rules->skb->data,
			rules->skb->len, type);
}

static u32 slb_rules_u32(const struct slb_rules *rules, int type)
{
	const struct nlattr *nla = slb_rules_attr(rules, type);

	return nla ? ntohl(nla_get_be32(nla)) : 0;
}

/* Only loads count. Bytes that a rule writes are compared when a flow is made. */
static u32 slb_rules_payload(const struct slb_rules *rules, u8 family)
{
	u32 at = slb_rules_u32(rules, NFTA_PAYLOAD_OFFSET);
	u32 end = at + slb_rules_u32(rules, NFTA_PAYLOAD_LEN);

	if (!slb_rules_attr(rules, NFTA_PAYLOAD_DREG))
		return 0;
	switch (slb_rules_u32(rules, NFTA_PAYLOAD_BASE)) {
	case NFT_PAYLOAD_LL_HEADER:
		return BIT(SLB_LOOK_MAC);
	case NFT_PAYLOAD_NETWORK_HEADER:
		return slb_look_network(at, end, family);
	case NFT_PAYLOAD_TRANSPORT_HEADER:
		/* behind two ports */
		return end > 4 ? BIT(SLB_LOOK_TRANSPORT) : 0;
	default:
		return BIT(SLB_LOOK_PAYLOAD);
	}
}

static u32 slb_rules_meta(const struct slb_rules *rules, u8 family)
{
	if (!slb_rules_attr(rules, NFTA_META_DREG))
		return 0;
	switch (slb_rules_u32(rules, NFTA_META_KEY)) {
	case NFT_META_LEN:
		return BIT(SLB_LOOK_LENGTH);
	case NFT_META_PRANDOM:
		return BIT(SLB_LOOK_RANDOM);
	case NFT_META_TIME_NS:
	case NFT_META_TIME_DAY:
	case NFT_META_TIME_HOUR:
		return BIT(SLB_LOOK_TIME);
	default:
		return 0;
	}
}

/* Counters and remaining time of a connection. */
static u32 slb_rules_ct(const struct slb_rules *rules, u8 family)
{
	if (!slb_rules_attr(rules, NFTA_CT_DREG))
		return 0;
	switch (slb_rules_u32(rules, NFTA_CT_KEY)) {
	case NFT_CT_EXPIRATION:
	case NFT_CT_PKTS:
	case NFT_CT_BYTES:
	case NFT_CT_AVGPKT:
		return BIT(SLB_LOOK_QUOTA);
	default:
		return 0;
	}
}

/* TCP and SCTP have matches that look at ports and maybe at more. */
static u32 slb_rules_match(const struct slb_rules *rules, u8 family)
{
	const struct nlattr *name = slb_rules_attr(rules, NFTA_MATCH_NAME);
	const struct nlattr *info = slb_rules_attr(rules, NFTA_MATCH_INFO);
	const struct xt_sctp_info *sctp;
	const struct xt_tcp *tcp;

	if (name && info && !nla_strcmp(name, "tcp") &&
	    nla_len(info) >= sizeof(*tcp)) {
		tcp = nla_data(info);
		return (tcp->flg_mask ? BIT(SLB_LOOK_TRANSPORT) : 0) |
		       (tcp->option ? BIT(SLB_LOOK_OPTIONS) : 0);
	}
	if (name && info && !nla_strcmp(name, "sctp") &&
	    nla_len(info) >= sizeof(*sctp)) {
		sctp = nla_data(info);
		return sctp->flags & XT_SCTP_CHUNK_TYPES ?
		       BIT(SLB_LOOK_TRANSPORT) : 0;
	}
	return slb_look_by_attr(slb_look_matches, name);
}

/* Elements of a set may have expressions. */
static u32 slb_rules_dynset(const struct slb_rules *rules, u8 family)
{
	const struct nlattr *nla, *list;
	u32 looks = 0;
	int left;

	nla = slb_rules_attr(rules, NFTA_DYNSET_EXPR);
	if (nla)
		looks |= slb_look_by_attr(slb_look_exprs,
					  nla_find_nested(nla, NFTA_EXPR_NAME));
	list = slb_rules_attr(rules, NFTA_DYNSET_EXPRESSIONS);
	if (!list)
		return looks;
	nla_for_each_nested(nla, list, left)
		looks |= slb_look_by_attr(slb_look_exprs,
					  nla_find_nested(nla, NFTA_EXPR_NAME));
	return looks;
}

static u32 slb_rules_object(u32 type)
{
	switch (type) {
	case NFT_OBJECT_LIMIT:
		return BIT(SLB_LOOK_LIMIT);
	case NFT_OBJECT_QUOTA:
		return BIT(SLB_LOOK_QUOTA);
	default:
		return 0;
	}
}

static u32 slb_rules_objref(const struct slb_rules *rules, u8 family)
{
	return slb_rules_object(slb_rules_u32(rules, NFTA_OBJREF_IMM_TYPE));
}

/* TCP options and SCTP chunks. Packets with options or extension headers of IP have no flow. */
static u32 slb_rules_exthdr(const struct slb_rules *rules, u8 family)
{
	u32 op = slb_rules_u32(rules, NFTA_EXTHDR_OP);

	return slb_rules_attr(rules, NFTA_EXTHDR_DREG) &&
	       (op == NFT_EXTHDR_OP_TCPOPT || op == NFT_EXTHDR_OP_SCTP) ?
	       BIT(SLB_LOOK_OPTIONS) : 0;
}

static u32 slb_rules_target(const struct slb_rules *rules, u8 family)
{
	const struct nlattr *name = slb_rules_attr(rules, NFTA_TARGET_NAME);

	return name && !nla_strcmp(name, "NFQUEUE") ? BIT(SLB_LOOK_QUEUE) : 0;
}

/* Expressions that are asked for a description. */
static const struct {
	const char	*name;
	u32		(*looks)(const struct slb_rules *rules, u8 family);
} slb_look_dumps[] = {
	{ "payload",	slb_rules_payload },
	{ "meta",	slb_rules_meta },
	{ "ct",		slb_rules_ct },
	{ "match",	slb_rules_match },
	{ "target",	slb_rules_target },
	{ "exthdr",	slb_rules_exthdr },
	{ "dynset",	slb_rules_dynset },
	{ "objref",	slb_rules_objref },
};

/**
 * struct slb_rule - state of the walk in a rule
 * @family: family of matching packets: NFPROTO_IPV4, NFPROTO_IPV6, or another if unknown
 * @asks: the last expression has loaded NFT_META_NFPROTO or NFT_META_PROTOCOL
 * @looks: bits of enum slb_look
 */
struct slb_rule {
	u8	family;
	bool	asks;
	u32	looks;
};

/* Rules of a table for both families compare the family before they read a header. Returns
 * false if the rule is for the other family.
 */
static bool slb_rules_compare(struct slb_rule *rule, const struct slb_rules *rules)
{
	const struct nlattr *nla = slb_rules_attr(rules, NFTA_CMP_DATA);
	u8 family;

	if (slb_rules_u32(rules, NFTA_CMP_OP) != NFT_CMP_EQ || !nla)
		return true;
	nla = nla_find_nested(nla, NFTA_DATA_VALUE);
	if (!nla)
		return true;
	if (nla_len(nla) == sizeof(u8))
		family = nla_get_u8(nla);
	else if (nla_get_be16(nla) == htons(ETH_P_IP))
		family = NFPROTO_IPV4;
	else if (nla_get_be16(nla) == htons(ETH_P_IPV6))
		family = NFPROTO_IPV6;
	else
		return true;
	if (rule->family == NFPROTO_IPV4 || rule->family == NFPROTO_IPV6)
		return family == rule->family;
	rule->family = family;
	return true;
}

static bool slb_rules_spent(struct slb_rules *rules)
{
	if (!rules->budget)
		return true;
	rules->budget--;
	return false;
}

/* Without room for all of a description the rest may be taken for something else. */
static bool slb_rules_dump(const struct slb_rules *rules,
			   const struct nft_expr *expr)
{
	skb_trim(rules->skb, 0);
	if (slb_nft_dump(rules->skb, expr) >= 0)
		return true;
	skb_trim(rules->skb, 0);
	return false;
}

/* Returns false if the rest of the rule is of no interest. */
static bool slb_rules_expr(struct slb_rule *rule, const struct slb_rules *rules,
			   const struct nft_expr *expr)
{
	const char *name = expr->ops->type->name;
	bool asked = rule->asks;
	u32 key;
	int i;

	rule->asks = false;
	rule->looks |= slb_look_by_name(slb_look_exprs, name);
	if (!expr->ops->dump)
		return true;
	if (asked && !strcmp(name, "cmp"))
		return !slb_rules_dump(rules, expr) ||
		       slb_rules_compare(rule, rules);
	for (i = 0; i < ARRAY_SIZE(slb_look_dumps); i++) {
		if (strcmp(name, slb_look_dumps[i].name))
			continue;
		if (!slb_rules_dump(rules, expr)) {
			rule->looks |= BIT(SLB_LOOK_UNSEEN);
			break;
		}
		rule->looks |= slb_look_dumps[i].looks(rules, rule->family);
		key = slb_rules_u32(rules, NFTA_META_KEY);
		rule->asks = !strcmp(name, "meta") &&
			     (key == NFT_META_NFPROTO ||
			      key == NFT_META_PROTOCOL);
		break;
	}
	return true;
}

static u32 slb_rules_chain(struct slb_rules *rules, const struct nft_chain *chain,
			   u8 family)
{
	const struct nft_expr *expr, *last;
	const struct nft_rule *r;
	u32 looks = 0;

	list_for_each_entry_rcu(r, &chain->rules, list) {
		struct slb_rule rule = { .family = family };

		if (slb_rules_spent(rules))
			return looks | BIT(SLB_LOOK_UNSEEN);
		if (!slb_nft_active(rules->net, r))
			continue;
		nft_rule_for_each_expr(expr, last, r) {
			if (slb_rules_spent(rules))
				return looks | rule.looks | BIT(SLB_LOOK_UNSEEN);
			if (!slb_rules_expr(&rule, rules, expr))
				break;
		}
		looks |= rule.looks;
	}
	return looks;
}

/* Limits and quotas of the elements of a set. */
static u32 slb_rules_set(const struct nft_set *set)
{
	u32 looks = set->flags & NFT_SET_OBJECT ?
		    slb_rules_object(set->objtype) : 0;
	int i;

	for (i = 0; i < set->num_exprs; i++)
		looks |= slb_look_by_name(slb_look_exprs,
					  set->exprs[i]->ops->type->name);
	return looks;
}

/* A base chain may jump to any other chain of its table, except base chains. */
static u32 slb_rules_base(struct slb_rules *rules, const struct nft_chain *base,
			  u8 family)
{
	u32 looks = slb_rules_chain(rules, base, family);
	const struct nft_table *table = base->table;
	const struct nft_chain *chain;
	const struct nft_set *set;

	list_for_each_entry_rcu(chain, &table->chains, list) {
		if (slb_rules_spent(rules))
			return looks | BIT(SLB_LOOK_UNSEEN);
		if (!nft_is_base_chain(chain) &&
		    slb_nft_active(rules->net, chain))
			looks |= slb_rules_chain(rules, chain, family);
	}
	list_for_each_entry_rcu(set, &table->sets, list) {
		if (slb_rules_spent(rules))
			return looks | BIT(SLB_LOOK_UNSEEN);
		if (slb_nft_active(rules->net, set))
			looks |= slb_rules_set(set);
	}
	return looks;
}

static bool slb_rules_opaque(const struct nf_hook_ops *ops)
{
	static const char *const names[] = {
		"ipt_do_table", "ip6t_do_table", "ebt_do_table", "iptable_mangle_hook",
		"ip6table_mangle_hook", "nf_hook_run_bpf",
	};

	return slb_ruleset_hook_is((unsigned long)ops->hook, names, ARRAY_SIZE(names));
}

/**
 * slb_rules_looks() - find packet properties that rules read and flows do not hold
 * @rules: the walk
 * @ops: the hook
 * @family: family of the hook's packets: NFPROTO_IPV4, NFPROTO_IPV6, or another if unknown
 *
 * Context: RCU.
 * Return: bits for slb_rules_name(). 0 for hooks without rules.
 */
u32 slb_rules_looks(struct slb_rules *rules, const struct nf_hook_ops *ops,
		    u8 family)
{
	if (ops->hook_ops_type != NF_HOOK_OP_NF_TABLES)
		return slb_rules_opaque(ops) ? BIT(SLB_LOOK_UNSEEN) : 0;
	if (!rules->skb || !rules->budget)
		return BIT(SLB_LOOK_UNSEEN);
	return slb_rules_base(rules, ops->priv, family);
}

/**
 * slb_rules_name() - the name of a thing that rules look at
 * @bit: a bit of slb_rules_looks()
 *
 * Context: any.
 * Return: the name, or NULL if there is no such bit.
 */
const char *slb_rules_name(unsigned int bit)
{
	return bit < SLB_LOOKS ? slb_look_names[bit] : NULL;
}

/**
 * slb_rules_init() - prepare a walk
 * @rules: the walk
 * @net: the hooks' namespace
 *
 * Context: process.
 */
void slb_rules_init(struct slb_rules *rules, const struct net *net)
{
	rules->net = net;
	rules->skb = alloc_skb(NLMSG_GOODSIZE, GFP_KERNEL);
	rules->budget = SLB_RULES_BUDGET;
}

/**
 * slb_rules_exit() - end a walk
 * @rules: the walk
 *
 * Context: process.
 */
void slb_rules_exit(struct slb_rules *rules)
{
	consume_skb(rules->skb);
}
