/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints of packets and flows. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM shadowlb

#if !defined(_SLB_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _SLB_TRACE_H

#include <linux/tracepoint.h>
#include <net/dst.h>
#include <net/ipv6.h>

#include "flow/flow.h"
#include "flow/reason.h"

#ifndef _SLB_TRACE_ADDR
#define _SLB_TRACE_ADDR
static inline void slb_trace_addr(struct in6_addr *to,
				  const union slb_addr *addr, bool v6)
{
	if (v6)
		*to = addr->in6;
	else
		ipv6_addr_set_v4mapped(addr->ip, to);
}
#endif

/* The names of reasons, in the format of each event: perf and bpftrace know the event's format
 * alone. Enumerators become numbers there.
 */
#undef SLB_EVENT
#undef SLB_MISS
#undef SLB_SKIP
#undef SLB_XDP
#define SLB_EVENT(NAME, name, text)	TRACE_DEFINE_ENUM(SLB_##NAME);
#define SLB_MISS(NAME, name, text)	TRACE_DEFINE_ENUM(SLB_MISS_##NAME);
#define SLB_SKIP(NAME, name, text)	TRACE_DEFINE_ENUM(SLB_SKIP_##NAME);
#define SLB_XDP(NAME, name, text)	TRACE_DEFINE_ENUM(SLB_XDP_##NAME);

SLB_REASONS(SLB_EVENT, SLB_MISS, SLB_MISS, SLB_SKIP)
SLB_XDP_REASONS(SLB_EVENT, SLB_XDP)

#undef SLB_EVENT
#undef SLB_MISS
#undef SLB_SKIP
#undef SLB_XDP
#define SLB_EVENT(NAME, name, text)	{ SLB_##NAME, #name },
#define SLB_MISS(NAME, name, text)	{ SLB_MISS_##NAME, "miss_" #name },
#define SLB_SKIP(NAME, name, text)	{ SLB_SKIP_##NAME, "skip_" #name },
#define SLB_XDP(NAME, name, text)	{ SLB_XDP_##NAME, "xdp_" #name },

#define SLB_REASON_PRINT(reason)					\
	__print_symbolic(reason, { 0, "none" },				\
			 SLB_REASONS(SLB_EVENT, SLB_MISS, SLB_MISS, SLB_SKIP) \
			 SLB_XDP_REASONS(SLB_EVENT, SLB_XDP)		\
			 { SLB_REASON_MAX, "?" })

/* IPv4 addresses are mapped, and printed as they are known */
#define SLB_KEY_FIELDS			\
	__field_struct(struct slb_key6, key)

#define SLB_KEY_FORMAT	"iif=%u proto=%u [%pI6c]:%u > [%pI6c]:%u"

#define SLB_KEY_ARGS							\
	(u32)(__entry->key.iif_proto & ~SLB_KEY_MAPPED) >> 8,		\
	__entry->key.iif_proto & 0xff,					\
	&__entry->key.saddr, ntohs(__entry->key.sport),			\
	&__entry->key.daddr, ntohs(__entry->key.dport)

TRACE_EVENT(slb_learn,
	TP_PROTO(const struct slb_flow *flow, const struct slb_action6 *act,
		 bool v6),
	TP_ARGS(flow, act, v6),
	TP_STRUCT__entry(
		SLB_KEY_FIELDS
		__field_struct(struct in6_addr, new_saddr)
		__field_struct(struct in6_addr, new_daddr)
		__field(__be16, new_sport)
		__field(__be16, new_dport)
		__field(u16, mtu)
		__field(u16, flags)
	),
	TP_fast_assign(
		slb_flow_key(flow, &__entry->key);
		slb_trace_addr(&__entry->new_saddr, &act->saddr, v6);
		slb_trace_addr(&__entry->new_daddr, &act->daddr, v6);
		__entry->new_sport = act->sport;
		__entry->new_dport = act->dport;
		__entry->mtu = act->mtu;
		__entry->flags = flow->flags;
	),
	TP_printk(SLB_KEY_FORMAT " as [%pI6c]:%u > [%pI6c]:%u mtu=%u flags=%#x",
		  SLB_KEY_ARGS, &__entry->new_saddr,
		  ntohs(__entry->new_sport), &__entry->new_daddr,
		  ntohs(__entry->new_dport), __entry->mtu, __entry->flags)
);

#define SLB_ACTION_FIELDS(name)				\
	__field_struct(struct in6_addr, name##_saddr)	\
	__field_struct(struct in6_addr, name##_daddr)	\
	__field(__be16, name##_sport)			\
	__field(__be16, name##_dport)			\
	__field(u32, name##_mark)			\
	__field(int, name##_oif)			\
	__field(u16, name##_flags)

#define SLB_ACTION_FORMAT "[%pI6c]:%u > [%pI6c]:%u oif=%d mark=%#x flags=%#x"

#define SLB_ACTION_ARGS(name)						\
	&__entry->name##_saddr, ntohs(__entry->name##_sport),		\
	&__entry->name##_daddr, ntohs(__entry->name##_dport),		\
	__entry->name##_oif, __entry->name##_mark, __entry->name##_flags

/* the flow's action, and the slow path's */
TRACE_EVENT(slb_differ,
	TP_PROTO(const struct slb_flow *flow, const struct slb_action6 *act,
		 const struct dst_entry *dst, u32 mark, u8 flags,
		 enum slb_reason reason),
	TP_ARGS(flow, act, dst, mark, flags, reason),
	TP_STRUCT__entry(
		SLB_KEY_FIELDS
		SLB_ACTION_FIELDS(flow)
		SLB_ACTION_FIELDS(slow)
		__field(int, reason)
	),
	TP_fast_assign(
		struct slb_action6 was;
		bool v6 = flow->dst->ops->family == AF_INET6;

		slb_flow_key(flow, &__entry->key);
		slb_flow_action(flow, &was);
		slb_trace_addr(&__entry->flow_saddr, &was.saddr, v6);
		slb_trace_addr(&__entry->flow_daddr, &was.daddr, v6);
		__entry->flow_sport = was.sport;
		__entry->flow_dport = was.dport;
		__entry->flow_mark = flow->flags & SLB_FLOW_WIDE ?
				     slb_flow6(flow)->mark : 0;
		__entry->flow_oif = flow->dst->dev->ifindex;
		__entry->flow_flags = flow->flags;
		v6 = dst->ops->family == AF_INET6;
		slb_trace_addr(&__entry->slow_saddr, &act->saddr, v6);
		slb_trace_addr(&__entry->slow_daddr, &act->daddr, v6);
		__entry->slow_sport = act->sport;
		__entry->slow_dport = act->dport;
		__entry->slow_mark = mark;
		__entry->slow_oif = dst->dev->ifindex;
		__entry->slow_flags = flags;
		__entry->reason = reason;
	),
	TP_printk(SLB_KEY_FORMAT " flow: " SLB_ACTION_FORMAT
		  " slow path: " SLB_ACTION_FORMAT " reason=%s",
		  SLB_KEY_ARGS, SLB_ACTION_ARGS(flow), SLB_ACTION_ARGS(slow),
		  SLB_REASON_PRINT(__entry->reason))
);

TRACE_EVENT(slb_hit,
	TP_PROTO(const struct slb_flow *flow, u32 len),
	TP_ARGS(flow, len),
	TP_STRUCT__entry(
		SLB_KEY_FIELDS
		__field(u32, len)
	),
	TP_fast_assign(
		slb_flow_key(flow, &__entry->key);
		__entry->len = len;
	),
	TP_printk(SLB_KEY_FORMAT " len=%u", SLB_KEY_ARGS, __entry->len)
);

TRACE_EVENT(slb_miss,
	TP_PROTO(const void *skbaddr, enum slb_reason reason),
	TP_ARGS(skbaddr, reason),
	TP_STRUCT__entry(
		__field(const void *, skbaddr)
		__field(int, reason)
	),
	TP_fast_assign(
		__entry->skbaddr = skbaddr;
		__entry->reason = reason;
	),
	TP_printk("skbaddr=%p reason=%s", __entry->skbaddr,
		  SLB_REASON_PRINT(__entry->reason))
);

TRACE_EVENT(slb_end,
	TP_PROTO(const struct slb_flow *flow, enum slb_reason reason),
	TP_ARGS(flow, reason),
	TP_STRUCT__entry(
		SLB_KEY_FIELDS
		__field(int, reason)
	),
	TP_fast_assign(
		slb_flow_key(flow, &__entry->key);
		__entry->reason = reason;
	),
	TP_printk(SLB_KEY_FORMAT " reason=%s", SLB_KEY_ARGS,
		  SLB_REASON_PRINT(__entry->reason))
);

#endif /* _SLB_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH flow
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
