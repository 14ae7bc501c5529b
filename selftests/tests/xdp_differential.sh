#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: newest
# slb-long: 6.12
# slb-timeout: 900
#
# The differential test with XDP at each device, native and generic: packet for packet what
# IPVS does. Checksums are complete, as on a wire; then once as they come, when XDP leaves
# most packets to the hook. What XDP must serve is what flows must.

set -u -o pipefail
. lib/stat.sh
. lib/xdp.sh

slb_xdp_need
modprobe -a tun nf_conntrack ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh ip_vs_mh ||
	slb_bail 'this kernel lacks what the test needs'
rmmod shadowlb
modprobe shadowlb flows=1024 || slb_bail 'shadowlb cannot be loaded'
export SLB_XDP_OBJ

# slb_part TEXT FIRST TOPOLOGIES FORCE: what differs each time is a difference, see
# differential.sh.
slb_part() {
	local args=(-m differential --force "$4") seeds

	if ! taskset -c 0 /usr/bin/python3 -B "${args[@]}" --first "${SLB_FIRST:-$2}" \
		--topologies "${SLB_TOPOLOGIES:-$3}" >"$SLB_TMP/part"; then
		sed 's/^/# /' "$SLB_TMP/part"
		slb_check "$1: flows serve what they should" grep -q '^ok 2 ' "$SLB_TMP/part"
		seeds=$(sed -n 's/^not ok 1 .*(seeds \[\(.*\)\])$/\1/p' "$SLB_TMP/part")
		[ "$seeds" ] || return
		tr ',' '\n' <<<"$seeds" >"$SLB_TMP/again"
		taskset -c 0 /usr/bin/python3 -B "${args[@]}" --topologies 0 --seeds "$SLB_TMP/again" \
			>"$SLB_TMP/part"
	fi
	sed 's/^/# /' "$SLB_TMP/part"
	slb_check "$1: no difference" grep -q '^ok 1 ' "$SLB_TMP/part"
}

slb_part native 5000 9 xdp=native,offload=0
slb_part generic 5100 9 xdp=generic,offload=0
slb_part 'native, offloads' 5200 4 xdp=native,offload=1
slb_part 'generic, offloads' 5300 4 xdp=generic,offload=1
slb_done
