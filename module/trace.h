/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints: what became of packets and flows. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM shadowlb

#if !defined(_SLB_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _SLB_TRACE_H

#include <linux/tracepoint.h>

#include "flow.h"
#include "stats.h"

#define SLB_KEY_FIELDS			\
	__field(__be32, saddr)		\
	__field(__be32, daddr)		\
	__field(__be16, sport)		\
	__field(__be16, dport)		\
	__field(u32, iif_proto)

#define SLB_KEY_ASSIGN(key)			\
	__entry->saddr = (key)->saddr;		\
	__entry->daddr = (key)->daddr;		\
	__entry->sport = (key)->sport;		\
	__entry->dport = (key)->dport;		\
	__entry->iif_proto = (key)->iif_proto

#define SLB_KEY_FORMAT	"iif=%u proto=%u %pI4:%u > %pI4:%u"

#define SLB_KEY_ARGS						\
	__entry->iif_proto >> 8, __entry->iif_proto & 0xff,	\
	&__entry->saddr, ntohs(__entry->sport),			\
	&__entry->daddr, ntohs(__entry->dport)

TRACE_EVENT(slb_learn,
	TP_PROTO(const struct slb_flow *flow),
	TP_ARGS(flow),
	TP_STRUCT__entry(
		SLB_KEY_FIELDS
		__field(__be32, new_saddr)
		__field(__be32, new_daddr)
		__field(__be16, new_sport)
		__field(__be16, new_dport)
		__field(u16, mtu)
		__field(u16, flags)
	),
	TP_fast_assign(
		SLB_KEY_ASSIGN(&flow->key);
		__entry->new_saddr = flow->act.saddr;
		__entry->new_daddr = flow->act.daddr;
		__entry->new_sport = flow->act.sport;
		__entry->new_dport = flow->act.dport;
		__entry->mtu = flow->act.mtu;
		__entry->flags = flow->flags;
	),
	TP_printk(SLB_KEY_FORMAT " as %pI4:%u > %pI4:%u mtu=%u flags=%#x",
		  SLB_KEY_ARGS, &__entry->new_saddr,
		  ntohs(__entry->new_sport), &__entry->new_daddr,
		  ntohs(__entry->new_dport), __entry->mtu, __entry->flags)
);

TRACE_EVENT(slb_hit,
	TP_PROTO(const struct slb_flow *flow, u32 len),
	TP_ARGS(flow, len),
	TP_STRUCT__entry(
		SLB_KEY_FIELDS
		__field(u32, len)
	),
	TP_fast_assign(
		SLB_KEY_ASSIGN(&flow->key);
		__entry->len = len;
	),
	TP_printk(SLB_KEY_FORMAT " len=%u", SLB_KEY_ARGS, __entry->len)
);

TRACE_EVENT(slb_miss,
	TP_PROTO(const void *skbaddr, enum slb_stat why),
	TP_ARGS(skbaddr, why),
	TP_STRUCT__entry(
		__field(const void *, skbaddr)
		__field(int, why)
	),
	TP_fast_assign(
		__entry->skbaddr = skbaddr;
		__entry->why = why;
	),
	TP_printk("skbaddr=%p why=%s", __entry->skbaddr,
		  slb_stat_names[__entry->why])
);

TRACE_EVENT(slb_end,
	TP_PROTO(const struct slb_flow *flow, enum slb_stat why),
	TP_ARGS(flow, why),
	TP_STRUCT__entry(
		SLB_KEY_FIELDS
		__field(int, why)
	),
	TP_fast_assign(
		SLB_KEY_ASSIGN(&flow->key);
		__entry->why = why;
	),
	TP_printk(SLB_KEY_FORMAT " why=%s", SLB_KEY_ARGS,
		  slb_stat_names[__entry->why])
);

#endif /* _SLB_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
