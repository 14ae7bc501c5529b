// SPDX-License-Identifier: GPL-2.0
/* 6.8, "net: fix IPSTATS_MIB_OUTPKGS increment in OutForwDatagrams.": packets
 * sent by this host and packets that leave it are counted apart.
 * expect: IPSTATS_MIB_OUTREQUESTS. undeclared
 */
#include <linux/snmp.h>
int slb_probe(void);
int slb_probe(void)
{
	return IPSTATS_MIB_OUTREQUESTS;
}
