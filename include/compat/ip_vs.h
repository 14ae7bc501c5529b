/* SPDX-License-Identifier: GPL-2.0 */
/* Differences of <net/ip_vs.h> between supported kernels. */
#ifndef _SLB_COMPAT_IP_VS_H
#define _SLB_COMPAT_IP_VS_H

#include <net/ip_vs.h>

#include "probed.h"

/**
 * slb_dest_available() - true if connections may use this real server
 * @dest: real server, held by the caller or under RCU
 *
 * Context: any.
 * Return: false from the moment the real server, or its service, is deleted.
 */
static inline bool slb_dest_available(const struct ip_vs_dest *dest)
{
#ifdef SLB_HAVE_DEST_CFLAGS
	return READ_ONCE(dest->cflags) & IP_VS_DEST_CF_AVAILABLE;
#else
	return dest->flags & IP_VS_DEST_F_AVAILABLE;
#endif
}

/**
 * slb_tot_stats() - get IPVS's statistics of a whole namespace
 * @ipvs: IPVS's part of the namespace
 *
 * Context: any.
 * Return: the statistics, which live as long as @ipvs.
 */
static inline struct ip_vs_stats *slb_tot_stats(struct netns_ipvs *ipvs)
{
#ifdef SLB_HAVE_TOT_STATS_PTR
	return &ipvs->tot_stats->s;
#else
	return &ipvs->tot_stats;
#endif
}

#endif /* _SLB_COMPAT_IP_VS_H */
