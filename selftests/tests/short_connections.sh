#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp here
# slb-timeout: 400
#
# Where nearly all connections are too short for flows, learning pauses, and packets are not looked
# at. Learning goes on after a while, and sooner for a connection that lasts; beside one it does not
# pause. A pair of addresses that tries to learn in a pause has flows. An answer that belongs to a
# new connection that nobody looked at comes from the right address.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

second=10.1.0.101
# number of questions in a second that a pause takes: an address that has less is not in a hurry
rate=700

slb_once() { slb_in client /usr/bin/python3 traffic/udp.py once "$1" "$2"; }

# pauses N: until learning pauses at the first service, and N packets in four of its questions and
# answers are not looked at. 3: both ways pause. 1: answers may be of another service, with flows.
pauses() {
	local before i n

	for i in 1 2 3; do
		slb_once $SLB_VIP_NAT:7 8 >/dev/null || return 1
		before=$(slb_stat_get dir)
		n=$(slb_once $SLB_VIP_NAT:7 2) || return 1
		[ "$(slb_stat_grew dir miss_paused "$before")" -le $((n * $1 / 2)) ] || return 0
	done
	return 1
}

# paced: does this machine ask enough questions in a second? Otherwise the test ends, skipped.
paced() {
	[ "$(slb_once $SLB_VIP_NAT:7 2)" -lt $((2 * rate)) ] || return 0
	slb_ok "# SKIP this machine asks fewer than $rate questions in a second"
	slb_done
}

# served: do flows serve most packets of connections that last?
served() {
	local before

	before=$(slb_stat_get dir)
	slb_ping "$SLB_VIP_NAT:7" 4 60
	[ "$(slb_stat_grew dir hits "$before")" -gt 400 ]
}

# rested: the pause is over, in which nobody but these packets comes
rested() {
	local start

	slb_ms start
	slb_wait 60 slb_ms_since "$start" 31000
	slb_check 'after the pause, most packets are served' slb_wait 60 served
}

# tried: from an address that tries, with the virtual address; the answers' addresses do not
tried() {
	local before

	slb_in client ip address add 10.1.0.17/32 dev c0
	slb_in dir ip neighbour add 10.1.0.17 lladdr "$(slb_mac 10.1.0.2)" dev dc nud permanent
	slb_in client ip route add $SLB_VIP_NAT/32 dev c0 src 10.1.0.17
	before=$(slb_stat_get dir)
	slb_ping "$SLB_VIP_NAT:7" 4 60
	slb_is 'one pair of addresses learns: hits' "$(slb_stat_grew dir hits "$before")" gt 150
	slb_is 'and flows' "$(slb_stat_grew dir learned "$before")" ge 4
	slb_in client ip route del $SLB_VIP_NAT/32 dev c0 src 10.1.0.17
}

# asked LINE: of ask.py; its result in $got
asked() {
	echo "$1" >&"${asker[1]}"
	read -r got <&"${asker[0]}"
}

# asked_each ADDR:PORT COUNT TEXT: from three ports; all answers in $all
asked_each() {
	local i

	for i in 0 10 20; do
		asked "10.1.0.2:$((port + i)) $1 $2 $3"
		all+=" $got"
	done
}

# shared: a client asks two services from a port, which have one real server; the first service
# while nobody looks at its packets
shared() {
	local scope want='' all=''

	for scope in 0 2; do
		slb_scope $scope
		[ $scope = 0 ] || rested
		# ports that "udp.py once" leaves alone: they have no older connections
		port=$((62100 + scope))
		asked_each $second:7 40 second
		if [ $scope = 2 ]; then
			pauses 1 &
			while kill -0 $! 2>/dev/null; do
				asked_each $second:7 1 second
				slb_pause 0.2
			done
			wait $!
			slb_is 'learning pauses at one of two services: exit code' $? eq 0
		fi
		before=$(slb_stat_get dir)
		all=
		asked_each $SLB_VIP_NAT:7 3 first
		asked_each $second:7 3 second
		[ $scope != 0 ] || want=$all
	done
	slb_is 'it has been asked, not looked at: packets' "$(slb_stat_grew dir miss_paused "$before")" ge 7
	slb_is 'the other had flows: ended' "$(slb_stat_grew dir ended "$before")" ge 3
	slb_same 'one port, two services' "$all" "$want"
	slb_note "$want"
}

modprobe shadowlb
slb_net_up
slb_order_stays
slb_one_cpu
slb_udp_up
slb_in dir sysctl -qw net.shadowlb.lease=60
# a port that is used again is a connection of its own, which has few packets
slb_in dir ipvsadm --set 0 0 8
slb_in dir ip address add $second/32 dev dc
slb_in client ip neighbour add $second lladdr "$(slb_mac 10.1.0.1)" dev c0 nud permanent
slb_in dir ipvsadm -R <<-EOF
	-A -u $SLB_VIP_NAT:7 -s shadow
	-a -u $SLB_VIP_NAT:7 -r 10.2.1.2:7777 -m
	-A -u $second:7 -s shadow
	-a -u $second:7 -r 10.2.1.2:7777 -m
EOF
paced
if ! pauses 3; then
	paced
	slb_fail 'learning pauses'
fi
before=$(slb_stat_get dir)
n=$(slb_once $SLB_VIP_NAT:7 1)
slb_is "of $n questions and answers, not looked at" "$(slb_stat_grew dir miss_paused "$before")" gt $((n * 3 / 2))
slb_is 'and flows learned' "$(slb_stat_grew dir learned "$before")" eq 0
tried

coproc asker { slb_in client /usr/bin/python3 -u traffic/ask.py; }
shared

rested

pauses 3 || slb_fail 'learning pauses again'
slb_spawn client /usr/bin/python3 traffic/udp.py ping "$SLB_VIP_NAT:7" 1 10000000
busy=$!
slb_check 'a connection that lasts ends the pause' slb_wait 60 slb_stat_above dir hits $(($(slb_stat dir hits) + 200))
slb_once "$SLB_VIP_NAT:7" 8 >/dev/null || slb_fail 'questions without an answer'
before=$(slb_stat_get dir)
slb_ping "$SLB_VIP_NAT:7" 4 20
slb_is 'beside it learning does not pause, flows learned' "$(slb_stat_grew dir learned "$before")" ge 8
slb_stop $busy
slb_done
