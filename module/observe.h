/* SPDX-License-Identifier: GPL-2.0 */
/* Observation: from what the slow path did with a packet to a flow. */
#ifndef _SLB_OBSERVE_H
#define _SLB_OBSERVE_H

#include <linux/skbuff.h>

#include "conn.h"
#include "flow.h"
#include "net.h"
#include "parse.h"

/* Packets that one CPU has on their way through the slow path at a time: a
 * driver hands over up to a NAPI budget of them at once.
 */
#define SLB_WATCHES	64

/* Keys of which something is remembered before there is a flow. */
#define SLB_HINTS	4096

/* For how long a key that could not be learned is not tried again. */
#define SLB_SHUN	HZ

/**
 * struct slb_hint - what is remembered of a key, by its hash
 * @seen: fingerprint of a UDP key of which one packet was seen
 * @shun: fingerprint of a key that could not be learned
 * @when: when that was, in slb_ticks()
 *
 * Hints may be wrong, for keys with the same hash or after ticks have wrapped:
 * they only move the packet at which a flow is learned.
 */
struct slb_hint {
	u16	seen;
	u16	shun;
	u16	when;
};

/**
 * struct slb_watch - a packet as it entered the slow path
 * @skb: which packet; compared, never followed: it may be long gone
 * @key: its key
 * @mark: its mark
 * @priority: its priority
 * @hlen: valid bytes of @head
 * @nocsum: UDP without a checksum
 * @partial: its transport checksum is offloaded
 * @head: its headers
 */
struct slb_watch {
	const struct sk_buff	*skb;
	struct slb_key		key;
	u32			mark;
	u32			priority;
	u8			hlen;
	bool			nocsum;
	bool			partial;
	u8			head[SLB_HEAD_LEN];
};

/**
 * struct slb_cpu_data - what a CPU needs once IPVS is used in a namespace
 * @table: its flows
 * @timeouts: for how long IPVS keeps settled connections
 * @hint: by hash of the key
 * @watch: packets on their way through the slow path, by their address
 *
 * @timeouts: written by the sweep of this CPU, a word at a time. All else: this
 * CPU, BH off.
 */
struct slb_cpu_data {
	struct slb_table	table;
	struct slb_timeouts	timeouts;
	struct slb_hint		hint[SLB_HINTS];
	struct slb_watch	watch[SLB_WATCHES];
};

void slb_watch_add(struct slb_cpu_data *d, const struct sk_buff *skb,
		   const struct slb_pkt *pkt);
void slb_watch_del(struct slb_cpu_data *d, const struct sk_buff *skb);
void slb_observe(struct slb_net *sn, struct sk_buff *skb,
		 const struct net_device *dev);
void slb_flow_end(struct slb_net *sn, struct slb_cpu_data *d,
		  struct slb_flow *flow, enum slb_stat why);

#endif /* _SLB_OBSERVE_H */
