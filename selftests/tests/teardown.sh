#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: uml smp
# slb-rows: stock
# slb-timeout: 480
#
# What flows hold is let go of when what they belong to goes away under traffic: a CPU,
# and the director's network namespace. IPVS waits for its last connection when a
# namespace ends: a flow that kept one would hang that, and every namespace after it.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

rounds=2
cpu1=/sys/devices/system/cpu/cpu1/online

# slb_load_up: UDP and TCP through flows, until the network goes.
slb_load_up() {
	slb_net_up
	slb_http_up
	slb_udp_up
	slb_service t m 80 shadow 8080
	slb_service u g 7 shadow
	slb_spawn client /usr/bin/python3 traffic/udp.py flood $SLB_VIP_DR:7 4 "$SLB_TMP/flood"
	slb_wrk_start 2 http://$SLB_VIP_NAT/4k
	slb_wait 60 slb_stat_above dir hits 200
}


modprobe shadowlb
slb_check 'packets are served by flows' slb_load_up

if [ -w $cpu1 ]; then
	for ((i = 1; i <= rounds; i++)); do
		echo 0 >$cpu1 || slb_fail 'CPU 1 does not go offline'
		hits=$(slb_stat dir hits)
		slb_check "CPU 1 offline, time $i: flows serve" \
			slb_wait 60 slb_stat_above dir hits $((hits + 100))
		echo 1 >$cpu1 || slb_fail 'CPU 1 does not come back'
		hits=$(slb_stat dir hits)
		slb_check "CPU 1 online again, time $i: flows serve" \
			slb_wait 60 slb_stat_above dir hits $((hits + 100))
	done
	slb_is 'flows ended' "$(slb_stat dir ended)" gt 0
fi
slb_wrk_end
slb_is 'failed requests' "$failed" eq 0
slb_net_down

# A namespace ends in the background, some time after its last user. Namespaces end one
# after the other, so the last one's device tells that those before it have.
for ((i = 1; i <= rounds; i++)); do
	slb_load_up || slb_fail 'packets are served by flows'
	ip netns delete slb-dir
	ip netns add slb-last
	ip link add slb-last0 type veth peer name slb-last1 netns slb-last
	ip netns delete slb-last
	slb_check "director's namespace $i ends with flows in it" \
		slb_wait 60 slb_link_gone slb-last0
	slb_net_down 2>/dev/null
done
slb_check 'the module can be removed' rmmod shadowlb
# earlier tests have loaded schedulers of IPVS
# shellcheck disable=SC2046
slb_check 'and IPVS with it' rmmod $(lsmod | grep -o '^ip_vs_[a-z_]*') ip_vs
slb_done
