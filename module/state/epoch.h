/* SPDX-License-Identifier: GPL-2.0 */
/* Epochs: each change of rules begins one. Flows proved in an earlier one are proved again. */
#ifndef _SLB_EPOCH_H
#define _SLB_EPOCH_H

#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/spinlock.h>

#include <compat/nf_tables.h>

/* Lists of hooks: IPv4, IPv6, and the bridge. */
#define SLB_EPOCH_LISTS		(3 * NF_INET_NUMHOOKS)

/* An epoch is not older than this, in slb_flow_ticks(): ticks wrap. Longer than a lease. */
#define SLB_EPOCH_OLD		0x6000

/**
 * struct slb_epoch - the present epoch of a namespace
 * @nft: slb_nft_generation() when the epoch began, or later
 * @begun: begin of the epoch, in slb_flow_ticks(); moves forward
 *
 * Written under @lock of struct slb_epoch_watch; read by each packet.
 */
struct slb_epoch {
	u32	nft;
	u16	begun;
};

/**
 * struct slb_epoch_watch - how the epochs of a namespace come about
 * @lock: of @noticed, @confirmed and struct slb_epoch; BH off
 * @noticed: time at which a transaction of nftables was noticed, in jiffies
 * @confirmed: number of epochs that have begun since @noticed, for that transaction
 * @looking: of the members below, for slb_epoch_look()
 * @looked: time of the last look, in jiffies
 * @hooks: hash of the hooks
 * @tables: hash of the rules of iptables-legacy
 * @legacy: bit i: hook i of a list is a table of iptables-legacy
 */
struct slb_epoch_watch {
	/* of the two below, and of struct slb_epoch */
	spinlock_t	lock;
	unsigned long	noticed;
	u32		confirmed;
	/* of what follows */
	struct mutex	looking;
	unsigned long	looked;
	u64		hooks;
	u64		tables;
	u64		legacy[SLB_EPOCH_LISTS];
};

/**
 * slb_epoch_over() - true if nftables has committed a transaction in this epoch
 * @e: the epoch
 * @net: the namespace
 *
 * Context: any.
 */
static __always_inline bool slb_epoch_over(const struct slb_epoch *e, const struct net *net)
{
	/* pairs with slb_epoch_begin(): who sees the new @nft sees the new @begun */
	return smp_load_acquire(&e->nft) != slb_nft_generation(net);
}

/**
 * slb_epoch_lasts() - for how long this epoch has lasted
 * @e: the epoch
 * @tick: the present time, in slb_flow_ticks()
 *
 * Return: ticks. In the first tick of an epoch 0, or less if @tick is a moment old.
 */
static __always_inline int slb_epoch_lasts(const struct slb_epoch *e, u16 tick)
{
	return (s16)(tick - READ_ONCE(e->begun));
}

bool slb_epoch_hook_is(const struct nf_hook_ops *ops, const char *const *names, unsigned int n);
void slb_epoch_init(struct slb_epoch *e, struct slb_epoch_watch *w, const struct net *net);
void slb_epoch_begin(struct slb_epoch *e, struct slb_epoch_watch *w, const struct net *net);
void slb_epoch_look(struct slb_epoch *e, struct slb_epoch_watch *w, const struct net *net);

#endif /* _SLB_EPOCH_H */
