// SPDX-License-Identifier: GPL-2.0
/* 6.2, "ipvs: add rcu protection to stats": the
 * totals of a namespace are allocated on their own, behind a pointer.
 * expect: invalid type argument of .->.
 */
#include <net/ip_vs.h>
void *slb_probe(struct netns_ipvs *ipvs);
void *slb_probe(struct netns_ipvs *ipvs)
{
	return &ipvs->tot_stats->s;
}
