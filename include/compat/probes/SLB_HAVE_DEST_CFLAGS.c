// SPDX-License-Identifier: GPL-2.0
/* "ipvs: fix races around dest->flags" moved the availability of a real
 * server from ->flags to ->cflags, in 7.x and in stable 6.1.
 * expect: no member named .cflags.
 */
#include <net/ip_vs.h>
bool slb_probe(struct ip_vs_dest *dest);
bool slb_probe(struct ip_vs_dest *dest)
{
	return dest->cflags & IP_VS_DEST_CF_AVAILABLE;
}
