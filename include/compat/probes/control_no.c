// SPDX-License-Identifier: GPL-2.0
/* Negative control: a missing member is an error, not a warning.
 * expect: no member named .slb_no_such_member.
 */
#include <net/ip_vs.h>
int slb_probe(struct ip_vs_dest *dest);
int slb_probe(struct ip_vs_dest *dest)
{
	return dest->slb_no_such_member;
}
