#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp here
# slb-timeout: 240
#
# Where nearly all connections are too short for flows, learning pauses, and packets are not looked
# at. What has flows is served meanwhile; afterwards flows are learned again. An answer that
# belongs to a new connection that nobody looked at comes from the right address.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

second=10.1.0.101
# number of questions in a second that a pause takes: an address that has less is not in a hurry
rate=1200

slb_once() { slb_in client /usr/bin/python3 traffic/udp.py once "$1" "$2"; }

# shared: a client asks two services from one port, which have one real server; the first service
# while nobody looks at its packets
shared() {
	local scope want='' got asks from

	for scope in 0 2; do
		slb_scope $scope
		# another port than that of IPVS's older connections
		from=10.1.0.2:$((30000 + scope))
		slb_in client /usr/bin/python3 traffic/ask.py >"$SLB_TMP/answers" <<-EOF &
			$from $second:7 40 second
			wait 10000
			$from $SLB_VIP_NAT:7 3 first
			$from $second:7 3 second
		EOF
		asks=$!
		if [ $scope = 2 ]; then pauses; fi
		wait $asks
		got=$(<"$SLB_TMP/answers")
		[ $scope != 0 ] || want=$got
	done
	slb_same 'one port, two services' "$got" "$want"
	slb_note "$(paste -sd, <<<"$want")"
}

# pauses: until learning pauses at the first service
pauses() {
	local before

	before=$(slb_stat_get dir)
	slb_once $SLB_VIP_NAT:7 8 >"$SLB_TMP/once" || slb_fail 'questions without an answer'
	slb_check 'learning pauses' test "$(slb_stat_grew dir miss_paused "$before")" -gt 0
}

modprobe shadowlb
slb_net_up
slb_one_cpu
slb_udp_up
slb_in dir sysctl -qw net.shadowlb.lease=600
slb_in dir ip address add $second/32 dev dc
slb_in client ip neighbour add $second lladdr "$(slb_mac 10.1.0.1)" dev c0 nud permanent
slb_in dir ipvsadm -R <<-EOF
	-A -u $SLB_VIP_NAT:7 -s shadow
	-a -u $SLB_VIP_NAT:7 -r 10.2.1.2:7777 -m
	-A -u $second:7 -s shadow
	-a -u $second:7 -r 10.2.1.2:7777 -m
EOF
if [ "$(slb_once $SLB_VIP_NAT:7 2)" -lt $((2 * rate)) ]; then
	slb_ok "# SKIP this machine asks fewer than $rate questions in a second"
	slb_done
fi
pauses
before=$(slb_stat_get dir)
n=$(slb_once $SLB_VIP_NAT:7 1)
slb_is "of $n questions and answers, not looked at" "$(slb_stat_grew dir miss_paused "$before")" gt $((n * 3 / 2))
slb_is 'and flows learned' "$(slb_stat_grew dir learned "$before")" eq 0

shared

slb_ms start
slb_wait 60 slb_ms_since "$start" 16000
before=$(slb_stat_get dir)
slb_ping "$SLB_VIP_NAT:7" 4 60
slb_is 'after the pause, hits' "$(slb_stat_grew dir hits "$before")" gt 400

# flows that are there
slb_spawn client /usr/bin/python3 traffic/udp.py flood $SLB_VIP_NAT:7 2 "$SLB_TMP/flood"
flood=$!
slb_check 'flows serve' slb_wait 20 slb_stat_above dir hits $(($(slb_stat dir hits) + 200))
pauses
before=$(slb_stat_get dir)
slb_once $SLB_VIP_NAT:7 1 >/dev/null
slb_is 'what has flows is served meanwhile: hits' "$(slb_stat_grew dir hits "$before")" gt 50
slb_stop $flood
slb_done
