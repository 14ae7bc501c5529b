// SPDX-License-Identifier: GPL-2.0
/* Does a namespace have the number of nftables' last transaction?
 *
 * expect: has no member named .(base_seq|nft).
 */
#include <net/net_namespace.h>

unsigned int probe(struct net *net);
unsigned int probe(struct net *net)
{
	return net->nft.base_seq;
}
