/* SPDX-License-Identifier: GPL-2.0 */
/* Differences of SNMP counters of sent and forwarded packets between supported kernels. */
#ifndef _SLB_COMPAT_SNMP_H
#define _SLB_COMPAT_SNMP_H

#include <net/inet_ecn.h>
#include <net/addrconf.h>
#include <net/ip.h>
#include <net/ip6_fib.h>
#include <net/ipv6.h>

#include "probed.h"

/**
 * slb_snmp_out() - count a packet that leaves, as the slow path counts it
 * @net: the namespace
 * @dst: the route at egress
 * @len: length of the packet, in bytes
 * @forward: forwarded by the kernel (a reply), not by IPVS
 * @tunnel: in a tunnel, and so a packet of this host
 *
 * Context: RCU, BH off.
 */
static inline void slb_snmp_out(struct net *net, struct dst_entry *dst, u32 len,
				bool forward, bool tunnel)
{
	struct inet6_dev *idev;

	if (dst->ops->family == AF_INET6) {
		idev = ip6_dst_idev(dst);
		if (forward)
			__IP6_INC_STATS(net, idev,
					IPSTATS_MIB_OUTFORWDATAGRAMS);
#ifdef SLB_HAVE_OUTREQUESTS
		IP6_UPD_PO_STATS(net, idev, IPSTATS_MIB_OUT, len);
#else
		if (forward)
			__IP6_ADD_STATS(net, idev, IPSTATS_MIB_OUTOCTETS, len);
#endif
		return;
	}
	if (forward)
		__IP_INC_STATS(net, IPSTATS_MIB_OUTFORWDATAGRAMS);
#ifdef SLB_HAVE_OUTREQUESTS
	if (tunnel)
		IP_INC_STATS(net, IPSTATS_MIB_OUTREQUESTS);
#else
	if (forward)
		__IP_ADD_STATS(net, IPSTATS_MIB_OUTOCTETS, len);
#endif
	IP_UPD_PO_STATS(net, IPSTATS_MIB_OUT, len);
}

/**
 * slb_snmp_in() - count a packet that came, as ip_rcv() and ipv6_rcv() count it
 * @net: the namespace
 * @dev: the ingress device
 * @len: length of the packet, in bytes
 * @segs: number of packets on the wire
 * @v6: an IPv6 packet
 * @tos: type of service or traffic class
 *
 * Context: RCU, BH off.
 */
static __always_inline void slb_snmp_in(struct net *net,
					const struct net_device *dev, u32 len,
					u16 segs, bool v6, u8 tos)
{
	u32 ecn = IPSTATS_MIB_NOECTPKTS + (tos & INET_ECN_MASK);
	struct inet6_dev *idev;

	if (v6) {
		idev = __in6_dev_get(dev);
		__IP6_UPD_PO_STATS(net, idev, IPSTATS_MIB_IN, len);
		__IP6_ADD_STATS(net, idev, ecn, segs);
		return;
	}
	__IP_UPD_PO_STATS(net, IPSTATS_MIB_IN, len);
	__IP_ADD_STATS(net, ecn, segs);
}

#endif /* _SLB_COMPAT_SNMP_H */
