/* SPDX-License-Identifier: GPL-2.0 */
/* Packets on their way through the slow path, as they entered it. */
#ifndef _SLB_WATCH_H
#define _SLB_WATCH_H

#include <linux/skbuff.h>

#include "parse.h"
#include "peers.h"

/* Packets that one CPU has on their way through the slow path at a time: a
 * driver hands over up to a NAPI budget of them at once.
 */
#define SLB_WATCHES	64

/**
 * struct slb_watch - a packet as it entered the slow path
 * @skb: which packet; compared, never followed: it may be long gone
 * @pkt: what the parser found in it
 * @pair: its addresses
 * @mark: its mark
 * @priority: its priority
 * @genid: of the IPv6 routes of the namespace at that time
 * @partial: its transport checksum is offloaded
 * @why: why it was not served, enum slb_stat
 * @teaches: a flow may be made of it, or renewed: all is noted. Otherwise @skb, @pkt,
 *	@pair, @mark and @why alone, to count it by
 * @head: its headers
 */
struct slb_watch {
	const struct sk_buff	*skb;
	struct slb_pkt		pkt;
	struct slb_pair		pair;
	u32			mark;
	u32			priority;
	u32			genid;
	bool			partial;
	u8			why;
	bool			teaches;
	u8			head[SLB_HEAD_LEN];
};

/**
 * struct slb_watches - the packets that a CPU has noted
 * @slot: by the address of the skb
 * @print: of the same packets, their addresses and ports in brief
 *
 * All members: this CPU, BH off.
 */
struct slb_watches {
	struct slb_watch	slot[SLB_WATCHES];
	u32			print[SLB_WATCHES];
};

void slb_watch_add(struct slb_watches *ws, struct net *net,
		   const struct sk_buff *skb, const struct slb_pkt *pkt,
		   struct slb_pair pair, enum slb_stat why, bool teaches);
struct slb_watch *slb_watch_take(struct slb_watches *ws,
				 const struct sk_buff *skb);

#endif /* _SLB_WATCH_H */
