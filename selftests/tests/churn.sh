#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: uml smp here
# slb-rows: stock
# slb-timeout: 120
#
# Routes that come and go, as a routing daemon makes them, none of which is for the packets
# here: flows serve on. One that is for them holds at once.

set -u
. lib/stat.sh
. lib/net.sh
. lib/net6.sh
trap slb_net_down EXIT

rounds=20
rest=

# ask_lines LINE...: all answered?
ask_lines() {
	local line got

	for line; do
		echo "$line" >&"${asker[1]}"
		read -r got <&"${asker[0]}"
		[[ $got = *=1* ]] || lost=$((lost + 1))
	done
}

# churn_test TEXT ROUTE WANT LINE...: a route more for each packet
churn_test() {
	local text=$1 route=$2 want=$3 hits i lost=0

	shift 3
	ask_lines "$@" "$@" "$@" "$@"
	slb_is "$text: without an answer at first" $lost eq 0
	hits=$(slb_stat dir hits)
	for ((i = 1; i <= rounds; i++)); do
		# shellcheck disable=SC2046,SC2059
		slb_in dir ip route add $(printf "$route" $i) || slb_fail "$text: no route $i"
		[ -z "$rest" ] || slb_pause $rest
		ask_lines "$@"
	done
	slb_is "$text: without an answer" $lost eq 0
	slb_is "$text: packets that flows served" $(($(slb_stat dir hits) - hits)) ge "$want"
	slb_show_diff "$(slb_stat_diff "$before" "$(slb_stat_get dir)")"
}

modprobe shadowlb
slb_one_cpu
slb_net_up
slb_net6_up
slb_in dir ip address add fd01::100/128 dev dc nodad
slb_in client ip neighbour add fd01::100 lladdr "$(slb_mac 10.1.0.1)" dev c0 nud permanent
slb_scope 2
slb_in dir sysctl -qw net.shadowlb.lease=60
slb_spawn rs1 /usr/bin/python3 traffic/ask.py serve 10.2.1.2:7 "$SLB_VIP_DR:7" '[fd02:1::2]:7'
slb_wait 60 eval '[ "$(slb_in rs1 ss -Hlnu | wc -l)" -ge 3 ]' || slb_bail 'no UDP server'
slb_in dir ipvsadm -R <<-EOF
	-A -u $SLB_VIP_NAT:7 -s rr
	-a -u $SLB_VIP_NAT:7 -r 10.2.1.2:7 -m
	-A -u $SLB_VIP_DR:7 -s rr
	-a -u $SLB_VIP_DR:7 -r 10.2.1.2:7 -g
	-A -u [fd01::100]:7 -s rr
	-a -u [fd01::100]:7 -r [fd02:1::2]:7 -m
EOF
before=$(slb_stat_get dir)
coproc asker { slb_in client /usr/bin/python3 -u traffic/ask.py; }
two=("10.1.0.2:30001 $SLB_VIP_NAT:7 1 x" "10.1.0.2:30002 $SLB_VIP_NAT:7 1 x")
# the first packet to a real server behind a new route looks up that server's
churn_test 'IPv4, masquerading' '198.51.100.%d/32 via 10.1.0.2' $((rounds * 5 / 2)) "${two[@]}"
churn_test 'IPv4, direct routing' '198.51.101.%d/32 via 10.1.0.2' $((rounds * 3 / 4)) \
	"10.1.0.2:30003 $SLB_VIP_DR:7 1 x" "10.1.0.2:30004 $SLB_VIP_DR:7 1 x"
churn_test 'IPv6, masquerading' '2001:db8::%d/128 via fd01::2' $((rounds * 5 / 2)) \
	'[fd01::2]:30001 [fd01::100]:7 1 x' '[fd01::2]:30002 [fd01::100]:7 1 x'

# sweeps come between the new route and the next packets
rounds=6
rest=1.3
churn_test 'IPv4, few packets' '198.51.102.%d/32 via 10.1.0.2' $((rounds * 2)) "${two[@]}"

# routes for them
lost=0
slb_in dir ip route add unreachable 10.1.0.2/32
ask_lines "${two[@]}"
slb_is 'the client is unreachable: without an answer' $lost eq 2
slb_in dir ip route del unreachable 10.1.0.2/32
lost=0
ask_lines "${two[@]}"
slb_is 'reachable again: without an answer' $lost eq 0
slb_in dir ip route add blackhole 10.2.1.2/32
ask_lines "${two[@]}"
slb_is 'the server is unreachable: without an answer' $lost eq 2
slb_in dir ip route del blackhole 10.2.1.2/32
lost=0
ask_lines "${two[@]}"
slb_in dir sysctl -qw net.ipv4.conf.dr1.forwarding=0
ask_lines "${two[@]}"
slb_is 'forwarding off where answers come: without an answer' $lost eq 2
slb_done
