// SPDX-License-Identifier: GPL-2.0
/* The names of reasons and counters. */
#include "flow/reason.h"

#define SLB_EVENT(NAME, name, text)	#name,
#define SLB_MISS(NAME, name, text)	"miss_" #name,
#define SLB_SKIP(NAME, name, text)	"skip_" #name,
#define SLB_XDP(NAME, name, text)	"xdp_" #name,

const char *const slb_reason_names[SLB_REASON_MAX] = {
	SLB_REASONS(SLB_EVENT, SLB_MISS, SLB_MISS, SLB_SKIP)
	SLB_XDP_REASONS(SLB_EVENT, SLB_XDP)
};
