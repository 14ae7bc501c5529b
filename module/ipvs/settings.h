/* SPDX-License-Identifier: GPL-2.0 */
/* Settings of IPVS that decide about packets of established connections. */
#ifndef _SLB_SETTINGS_H
#define _SLB_SETTINGS_H

#include <linux/jhash.h>

#include <compat/ip_vs.h>

/**
 * slb_settings_hash() - a number that changes with the settings in net.ipv4.vs
 * @ipvs: IPVS's part of the namespace
 *
 * Settings that a flow reads for each packet, or that concern new connections only, do not count.
 *
 * Context: any.
 */
static inline u32 slb_settings_hash(struct netns_ipvs *ipvs)
{
	const u32 settings[] = {
		ip_vs_conntrack_enabled(ipvs),
		READ_ONCE(ipvs->sysctl_snat_reroute),
		READ_ONCE(ipvs->sysctl_pmtu_disc),
		READ_ONCE(ipvs->sysctl_nat_icmp_send),
		READ_ONCE(ipvs->sysctl_ignore_tunneled),
		READ_ONCE(ipvs->sysctl_expire_nodest_conn),
		READ_ONCE(ipvs->sysctl_backup_only),
		ipvs->sync_state,
	};

	return jhash2(settings, ARRAY_SIZE(settings), 0);
}

#endif /* _SLB_SETTINGS_H */
