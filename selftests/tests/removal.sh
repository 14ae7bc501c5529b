#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: uml smp
# slb-timeout: 1200
#
# Namespaces that end with flows in them, 300 times (SLB_NAMESPACES), then the
# modules one after the other. Nothing waits and nothing is left: no memory (guest/run.sh asks
# kmemleak), no connection or namespace in the slab caches, no reference on a module.

set -u
. lib/stat.sh

namespaces=${SLB_NAMESPACES:-300}

# slb_slab CACHE: objects in use. Without the first line, objects that CPUs keep for the next user
# count, too.
slb_slab() {
	[ ! -w "/sys/kernel/slab/$1/shrink" ] || echo 1 >"/sys/kernel/slab/$1/shrink"
	awk -v c="$1" '$1 == c { n = $2 } END { print n + 0 }' /proc/slabinfo
}

slb_all_freed() { [ "$(slb_slab ip_vs_conn)" = 0 ] && [ "$(slb_slab net_namespace)" -le $((before + 2)) ]; }

modprobe -a tun nf_conntrack ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh ip_vs_mh ||
	slb_bail 'this kernel lacks what the test needs'
modprobe shadowlb flows=1024 || slb_bail 'shadowlb cannot be loaded'
before=$(slb_slab net_namespace)
slb_check "$namespaces namespaces end with flows in them" \
	taskset -c 0 /usr/bin/python3 -B -m differential.ends "$namespaces"
slb_check 'they do end' slb_wait 180 slb_all_freed
slb_note "namespaces before and after: $before $(slb_slab net_namespace)"
slb_is 'connections of IPVS left' "$(slb_slab ip_vs_conn)" eq 0
slb_check 'the module can be removed' rmmod shadowlb
# shellcheck disable=SC2046
slb_check 'and IPVS with it' rmmod $(lsmod | grep -o '^ip_vs_[a-z_]*') ip_vs
slb_done
