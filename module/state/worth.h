/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Are flows worth their cost? A flow pays when it serves some packets. If nearly all connections of
 * an address end before that (questions of DNS, requests without keep-alive), packets pay for
 * parser and lookup in vain. Then learning pauses there. Once the address has no flow left, its
 * packets are not looked at.
 *
 *  operation            | locking
 * ----------------------+----------------------------------------------------
 *  slb_worth_served     | BH off, on the CPU that owns the flow (or see sweep.c)
 *  others               | BH off, this CPU
 *
 * An address is the virtual address, or for answers the real server's. Packets without a flow are
 * compared with packets that flows have served. After a pause learning goes on, if nothing has
 * changed for two spans only.
 *
 * If on the contrary many packets of an address come that have no flow, and none begins or ends a
 * connection, then more connections began at once than hints can count packets of. Waiting for the
 * third packet of each is a waste there, unless the flows that ended lately had served nothing:
 * packets of such connections are too far apart, or too few.
 */
#ifndef _SLB_WORTH_H
#define _SLB_WORTH_H

#include <linux/jiffies.h>
#include <linux/minmax.h>

#include "state/addrs.h"

/* Time over which packets of an address are counted, in jiffies. */
#define SLB_WORTH_SPAN		((u32)HZ)

/* Number of packets of an address in a span, below which costs do not matter. */
#define SLB_WORTH_PACKETS	512

/* If one packet in so many, or more, is brief (see below), flows cost more than they save: two
 * packets of a connection are, in each direction, and a flow begins with the third or fourth.
 */
#define SLB_WORTH_BRIEF		3

/* Number of successive spans of brief packets after which learning pauses: flows of new
 * connections have served little in the first.
 */
#define SLB_WORTH_SPANS		4

/* The same after a pause. Served packets are counted by the sweep, which may come after one. */
#define SLB_WORTH_AGAIN		2

/* A connection of UDP with so many packets from the client, or fewer, is brief. */
#define SLB_WORTH_UDP		2

/* Number of packets that a flow should have served by its end. */
#define SLB_WORTH_PAID		2

/* If flows that have not end as often as one packet in so many, or more, and flows serve fewer than
 * twice as many packets, then flows are learned in vain; not if they serve one packet in so many.
 */
#define SLB_WORTH_FUTILE	16
#define SLB_WORTH_SERVED	8

/* Number of spans after which flows are learned with caution: by the third packet of a key, or by
 * guess.
 */
#define SLB_WORTH_VAIN		2

/* That caution ends after some spans in which flows served enough. */
#define SLB_WORTH_VAIN_MAX	8

/* After so many successive packets of an address without a flow, none of which is brief, keys need
 * not be counted.
 */
#define SLB_WORTH_STEADY	2048u

/* The count goes on to this, so that packets on their way do not matter. */
#define SLB_WORTH_STEADY_MAX	(2 * SLB_WORTH_STEADY)

/**
 * struct slb_worth - packets of an address in a span of time
 * @since: begin of the span, in jiffies
 * @looked: number of packets without a flow
 * @brief: of these, packets that begin or end a connection, or are of a short one of UDP
 * @served: number of packets that flows have served
 * @futile: number of flows that ended, and had not served SLB_WORTH_PAID packets
 * @steady: number of successive packets without a flow that are not brief, in all spans; stops at
 *	SLB_WORTH_STEADY_MAX
 * @spans: number of successive spans of brief packets
 * @vain: number of spans with flows learned in vain, less spans in which flows served enough; from
 *	SLB_WORTH_VAIN on SLB_WORTH_VAIN_MAX
 */
struct slb_worth {
	u32	since;
	u32	looked;
	u32	brief;
	u32	served;
	u32	futile;
	u16	steady;
	u8	spans;
	u8	vain;
};

/**
 * struct slb_worths - the same for all addresses, as seen by a CPU
 * @at: by hash of the address, as in struct slb_addrs
 */
struct slb_worths {
	struct slb_worth	at[SLB_ADDRS];
};

/* True if learning should pause: a span is complete. */
static inline bool slb_worth_judge(struct slb_worth *w)
{
	u32 all = w->looked + w->served;

	if (w->futile > all / SLB_WORTH_FUTILE && w->served < 2 * w->futile)
		w->vain = w->vain + 1 < SLB_WORTH_VAIN ? w->vain + 1 : SLB_WORTH_VAIN_MAX;
	else if (w->vain && w->served >= all / SLB_WORTH_SERVED)
		w->vain--;
	if (all < SLB_WORTH_PACKETS || w->brief < all / SLB_WORTH_BRIEF) {
		w->spans = 0;
		return false;
	}
	if (++w->spans < SLB_WORTH_SPANS)
		return false;
	w->spans = SLB_WORTH_SPANS - SLB_WORTH_AGAIN;
	return true;
}

/**
 * slb_worth_looked() - count packets without a flow
 * @w: their address
 * @packets: how many
 * @brief: they begin or end a connection, or are of a short one of UDP
 * @now: jiffies
 *
 * Return: true if learning should pause at this address.
 */
static inline bool slb_worth_looked(struct slb_worth *w, u32 packets, bool brief, u32 now)
{
	bool pause = false;

	if (now - w->since >= SLB_WORTH_SPAN) {
		/* a longer span has a pause in it, or so few packets that it tells nothing */
		if (now - w->since < 2 * SLB_WORTH_SPAN)
			pause = slb_worth_judge(w);
		else
			w->steady = 0;
		if (now - w->since > SLB_ADDRS_PAUSE + 2 * SLB_WORTH_SPAN)
			w->spans = 0;
		w->since = now;
		w->looked = 0;
		w->brief = 0;
		w->served = 0;
		w->futile = 0;
	}
	w->looked += packets;
	w->brief += brief ? packets : 0;
	w->steady = brief ? 0 : min(w->steady + packets, SLB_WORTH_STEADY_MAX);
	return pause;
}

/**
 * slb_worth_eager() - true if connections of an address are not brief
 * @w: the address
 */
static inline bool slb_worth_eager(const struct slb_worth *w)
{
	return !w->spans;
}

/**
 * slb_worth_steady() - true if connections of an address last, and many have no flow
 * @w: the address
 */
static inline bool slb_worth_steady(const struct slb_worth *w)
{
	return w->steady >= SLB_WORTH_STEADY && w->vain < SLB_WORTH_VAIN;
}

/**
 * slb_worth_try() - count a packet that teaches only because its address is steady
 * @w: the address
 *
 * slb_worth_looked() undoes that, once IPVS has had the packet.
 */
static inline void slb_worth_try(struct slb_worth *w)
{
	if (w->steady)
		w->steady--;
}

/**
 * slb_worth_failed() - no flow could be made of a packet: flows may not serve such connections
 * @w: the address
 */
static inline void slb_worth_failed(struct slb_worth *w)
{
	w->steady = 0;
}

/**
 * slb_worth_ended() - count a flow that has ended
 * @w: the address
 * @packets: number of packets that it served
 */
static inline void slb_worth_ended(struct slb_worth *w, u64 packets)
{
	if (packets < SLB_WORTH_PAID)
		w->futile++;
}

/**
 * slb_worth_served() - count packets that a flow has served
 * @w: their address
 * @packets: how many
 */
static inline void slb_worth_served(struct slb_worth *w, u32 packets)
{
	w->served += packets;
}

#endif /* _SLB_WORTH_H */
