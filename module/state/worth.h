/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Are flows worth their cost? A packet that a flow serves saves half of what IPVS costs. A packet
 * without a flow pays for parser and lookup, and a proof costs nearly as much as IPVS. Where
 * packets cost more than they save for some seconds, learning pauses: connections are too short
 * there, or their packets too far apart. Once the address has no flow left, its packets are not
 * looked at.
 *
 *  operation            | locking
 * ----------------------+----------------------------------------------------
 *  slb_worth_served,    | BH off, on the CPU that owns the flow (or see sweep.c)
 *  _ended               |
 *  others               | BH off, this CPU
 *
 * An address is the virtual address, or for answers the real server's. Costs are counted by the
 * second, those of a new flow at its end: a flow of a connection with a packet each 20 seconds has
 * served none for long. While many flows begin that have not ended yet, nobody knows; but if most
 * packets without a flow are brief, connections are short.
 *
 * In a pause some pairs of addresses go on learning, see slb_addr_pair_tries(), and only these are
 * counted. Once they save more than they cost, learning goes on for all. It also goes on if many
 * packets that are sampled in a pause are of connections that last, and that were sampled before:
 * their packets are not far apart. And after SLB_WORTH_SILENT, if there were hardly any packets of
 * such pairs.
 *
 * If on the contrary many packets of an address come that have no flow, and none begins or ends a
 * connection, then more connections began at once than hints can count packets of. Waiting for the
 * third packet of each is a waste there, unless flows have cost more than they save lately.
 */
#ifndef _SLB_WORTH_H
#define _SLB_WORTH_H

#include <linux/jiffies.h>
#include <linux/minmax.h>

#include "state/addrs.h"

/* Time over which packets of an address are counted, in jiffies; at least. */
#define SLB_WORTH_SPAN		((u32)HZ)

/* Number of packets of an address in a second, below which costs do not matter. */
#define SLB_WORTH_PACKETS	512

/* What a served packet saves, and what cost a packet without a flow, a proof, and begin and end of
 * a flow, in sixteenths of IPVS's cost of a packet; compared with packets that are not looked at.
 */
#define SLB_WORTH_SERVED	10
#define SLB_WORTH_LOOKED	2
#define SLB_WORTH_PROVED	12
#define SLB_WORTH_FLOW		16

/* If more packets without a flow come for each flow that begins, flows will not pay for them. */
#define SLB_WORTH_FEW		8

/* Number of successive spans with a loss after which learning pauses. */
#define SLB_WORTH_SPANS		4

/* The same after a pause that ended without proof of a gain. */
#define SLB_WORTH_AGAIN		2

/* A connection of UDP with so many packets from the client, or fewer, is brief. */
#define SLB_WORTH_UDP		2

/* Number of packets of pairs that try, which tell whether learning pays. */
#define SLB_WORTH_TRIED		64

/* A connection with more packets from the client lasts. */
#define SLB_WORTH_LASTS		16

/* Of so many samples in a pause, so many must be of connections that last, and that were sampled
 * before.
 */
#define SLB_WORTH_SAMPLES	64
#define SLB_WORTH_REPEATS	20

/* Time for which samples do not end a pause, and after which a pause without packets of pairs that
 * try ends, in jiffies.
 */
#define SLB_WORTH_DEAF		((u32)(10 * HZ))
#define SLB_WORTH_SILENT	((u32)(30 * HZ))

/* After so many successive packets of an address without a flow, none of which is brief, keys need
 * not be counted.
 */
#define SLB_WORTH_STEADY	2048u

/* The count goes on to this, so that packets on their way do not matter. */
#define SLB_WORTH_STEADY_MAX	(2 * SLB_WORTH_STEADY)

/**
 * struct slb_worth - packets of an address in a span of time
 * @since: begin of the span, in jiffies
 * @paused: begin of the last pause, in jiffies
 * @looked: number of packets without a flow
 * @brief: of these, packets that begin or end a connection, or are of a short one of UDP
 * @served: number of packets that flows have served
 * @proved: number of proofs, but those that began a flow
 * @begun: number of flows that have begun
 * @ended: number of flows that have ended
 * @steady: number of successive packets without a flow that are not brief, in all spans; stops at
 *	SLB_WORTH_STEADY_MAX
 * @spans: number of successive spans with a loss; stops at SLB_WORTH_SPANS
 * @samples: number of samples in a pause
 * @repeats: of these, samples of connections that last, and that had one before
 *
 * In a pause, all numbers but @samples and @repeats are of pairs that try, and of packets that were
 * on their way.
 */
struct slb_worth {
	u32	since;
	u32	paused;
	u32	looked;
	u32	brief;
	u32	served;
	u32	proved;
	u32	begun;
	u32	ended;
	u16	steady;
	u8	spans;
	u8	samples;
	u8	repeats;
};

/**
 * struct slb_worths - the same for all addresses, as seen by a CPU
 * @at: by hash of the address, as in struct slb_addrs
 */
struct slb_worths {
	struct slb_worth	at[SLB_ADDRS];
};

static inline void slb_worth_begin(struct slb_worth *w, u32 now)
{
	w->since = now;
	w->looked = 0;
	w->brief = 0;
	w->served = 0;
	w->proved = 0;
	w->begun = 0;
	w->ended = 0;
}

/* True if learning should pause: a span is complete. */
static inline bool slb_worth_judge(struct slb_worth *w)
{
	u64 saved = (u64)w->served * SLB_WORTH_SERVED;
	u64 cost = (u64)w->looked * SLB_WORTH_LOOKED + (u64)w->proved * SLB_WORTH_PROVED +
		   (u64)w->ended * SLB_WORTH_FLOW;

	if (saved > cost)
		w->spans = 0;
	else if (w->begun / 2 <= w->ended + w->proved || w->begun < w->looked / SLB_WORTH_FEW ||
		 w->brief > w->looked / 2)
		w->spans = min(w->spans + 1, SLB_WORTH_SPANS);
	return w->spans >= SLB_WORTH_SPANS;
}

/* End a span that is complete. Returns true if learning should pause, or go on to. In a pause, few
 * packets of pairs that try tell little of the rate of all.
 */
static inline bool slb_worth_span(struct slb_worth *w, bool paused, u32 now, u32 swept)
{
	u32 span = now - w->since, all = w->looked + w->served + w->proved;
	u64 packets = (u64)all * (paused ? SLB_ADDRS_TRIES : 1) * HZ;

	if (span < SLB_WORTH_SPAN || now - swept > span - SLB_WORTH_SPAN / 2 ||
	    (paused && all < SLB_WORTH_TRIED))
		return paused;
	if (packets >= (u64)span * SLB_WORTH_PACKETS ||
	    (paused && now - w->paused < SLB_WORTH_SILENT)) {
		paused = slb_worth_judge(w);
	} else {
		w->spans -= !!w->spans;
		w->steady = 0;
		paused = false;
	}
	slb_worth_begin(w, now);
	return paused;
}

/**
 * slb_worth_looked() - count packets that were looked at, and that no flow served
 * @w: their address
 * @packets: how many, but 0 if they have a flow
 * @brief: they begin or end a connection, or are of a short one of UDP
 * @paused: learning pauses at the address, and these packets try
 * @now: jiffies
 * @swept: time until which served packets have been counted, in jiffies
 *
 * Return: true if learning should pause at this address, or go on to.
 */
static inline bool slb_worth_looked(struct slb_worth *w, u32 packets, bool brief, bool paused,
				    u32 now, u32 swept)
{
	bool pause = slb_worth_span(w, paused, now, swept);

	if (pause && !paused) {
		w->paused = now;
		w->samples = 0;
		w->repeats = 0;
	}
	w->looked += packets;
	w->brief += brief ? packets : 0;
	w->steady = brief ? 0 : min(w->steady + packets, SLB_WORTH_STEADY_MAX);
	return pause;
}

/**
 * slb_worth_sampled() - count a sampled packet, of an address at which learning pauses
 * @w: the address
 * @again: the connection lasts, and was sampled before
 * @now: jiffies
 * @swept: see slb_worth_looked()
 *
 * Return: true if learning should go on to pause.
 */
static inline bool slb_worth_sampled(struct slb_worth *w, bool again, u32 now, u32 swept)
{
	if (!slb_worth_span(w, true, now, swept))
		return false;
	w->samples++;
	w->repeats += again;
	if (w->samples >= SLB_WORTH_SAMPLES) {
		if (w->repeats >= SLB_WORTH_REPEATS && now - w->paused >= SLB_WORTH_DEAF)
			w->spans = 0;
		w->samples = 0;
		w->repeats = 0;
	}
	if (now - w->since >= SLB_WORTH_SILENT)
		w->spans = min_t(u8, w->spans, SLB_WORTH_SPANS - SLB_WORTH_AGAIN);
	if (w->spans >= SLB_WORTH_SPANS)
		return true;
	slb_worth_begin(w, now);
	return false;
}

/**
 * slb_worth_eager() - true if flows of an address pay
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
	return w->steady >= SLB_WORTH_STEADY && w->spans <= SLB_WORTH_SPANS - SLB_WORTH_AGAIN;
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
 * slb_worth_proved() - count a packet that was compared with the slow path
 * @w: its address
 * @begins: it began a flow, whose end will count
 */
static inline void slb_worth_proved(struct slb_worth *w, bool begins)
{
	if (begins)
		w->begun++;
	else
		w->proved++;
}

/**
 * slb_worth_ended() - count a flow that has ended
 * @w: the address
 */
static inline void slb_worth_ended(struct slb_worth *w)
{
	w->ended++;
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
