/* SPDX-License-Identifier: GPL-2.0 */
/* A hash of a packet, to choose the real server. */
#ifndef _SLB_KEY_H
#define _SLB_KEY_H

#include <linux/siphash.h>
#include <linux/types.h>

struct ip_vs_iphdr;
struct ip_vs_service;
struct sk_buff;

u64 slb_key_hash(const struct ip_vs_service *svc, const struct sk_buff *skb,
		 const struct ip_vs_iphdr *iph, const siphash_key_t *key);
bool slb_key_midway(const struct sk_buff *skb, const struct ip_vs_iphdr *iph);

#endif /* _SLB_KEY_H */
