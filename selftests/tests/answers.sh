#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: uml
# slb-also: smp here
# slb-rows: stock
# slb-timeout: 400
#
# Several services with the same real servers and ports, and clients that use a port of
# theirs for all of them. IPVS answers from the service of the newest connection: so it
# does with flows. All that a packet meets is on one CPU here; between CPUs docs/contract.md
# allows a lease.

set -u
. lib/stat.sh
. lib/net.sh
. lib/net6.sh
trap slb_net_down EXIT

second=10.1.0.101
first6=fd01::100
second6=fd01::101
third=10.1.0.102
third6=fd01::102
port=30000

# same TEXT VIP1:PORT VIP2:PORT CLIENT: both are asked from one port, with and without flows.
same() {
	local scope lines want='' got

	for scope in 0 2; do
		slb_scope $scope
		port=$((port + 1))
		lines="$4:$port $2 40 first
			$4:$port $3 20 second
			$4:$port $2 20 first
			wait 1200
			$4:$port $3 20 second"
		got=$(answers_to <<<"$lines")
		[ $scope != 0 ] || want=$got
	done
	slb_same "$1" "$got" "$want"
	slb_note "$(paste -sd, <<<"$want")"
}

answers_to() { slb_in client /usr/bin/python3 traffic/ask.py; }

# forgotten CLIENT VIP: IPVS has no such connection
forgotten() {
	slb_in dir ipvsadm -Lnc | awk -v c="$1" -v v="$2" '$4 == c && $5 == v { n = 1 } END { exit n }'
}

# again TEXT VIP1:PORT VIP2:PORT CLIENT: a connection that IPVS has forgotten, and makes again
# while another has flows for the same answers, is the newest.
again() {
	local scope want='' got

	for scope in 0 2; do
		slb_scope $scope
		port=$((port + 1))
		slb_in dir ipvsadm --set 0 0 2
		got=$(answers_to <<<"$4:$port $2 2 first")
		[ "${got#2 "$2"=2 }" != "$got" ] || slb_bail "$1: no answers: $got"
		slb_wait 60 forgotten "$4:$port" "$2" || slb_bail "$1: IPVS does not forget a connection"
		slb_in dir ipvsadm --set 0 0 300
		got+=" $(answers_to <<<"$4:$port $3 40 second
			$4:$port $2 1 first
			$4:$port $3 3 second")"
		[ $scope != 0 ] || want=$got
	done
	slb_same "$1" "$got" "$want"
	slb_note "$(paste -sd, <<<"$want")"
}

# let_by ADDRESS CLIENT: are packets between them taken for unrelated?
let_by() {
	local before

	before=$(slb_stat dir miss_unrelated)
	answers_to <<<"$2:9 $1:9 100 x" >"$SLB_TMP/answers"
	[ $(($(slb_stat dir miss_unrelated) - before)) -ge 90 ]
}

# another_served VIP CLIENT: flows serve another connection.
another_served() {
	local before

	before=$(slb_stat dir hits)
	answers_to <<<"$2:$((port + 5000)) $1:7 20 first" >/dev/null
	[ "$(slb_stat dir hits)" -gt "$before" ]
}

# let_by_first TEXT VIP1 VIP2 CLIENT SERVER: the first packet of the newest connection is taken for
# unrelated: its service came after its address was known to have none.
let_by_first() {
	local scope want='' got before

	for scope in 0 2; do
		slb_scope $scope
		port=$((port + 1))
		slb_in dir ipvsadm -D -u "$3:7" 2>/dev/null
		if [ $scope = 2 ]; then
			slb_wait 60 let_by "$3" "$4" || slb_bail "$1: not taken for unrelated"
			# before tables are there, a fast machine has sent all that it is to send
			slb_wait 60 another_served "$2" "$4" || slb_bail "$1: no flow serves"
		fi
		printf -- '-A -u %s:7 -s rr\n-a -u %s:7 -r %s:7 -m\n' "$3" "$3" "$5" | slb_in dir ipvsadm -R
		before=$(slb_stat_get dir)
		got=$(answers_to <<<"$4:$port $2:7 40 first
			$4:$port $3:7 3 second")
		[ $scope != 0 ] || want=$got
	done
	slb_show_diff "$(slb_stat_diff "$before" "$(slb_stat_get dir)")"
	slb_is "$1: packets let by" "$(slb_stat_grew dir miss_unrelated "$before")" ge 1
	slb_is "$1: served before" "$(slb_stat_grew dir hits "$before")" ge 60
	slb_same "$1" "$got" "$want"
	slb_note "$(paste -sd, <<<"$want")"
}

taskset -pc 0 $$ >/dev/null
modprobe shadowlb
slb_net_up
slb_order_stays
slb_net6_up
for vip in $second $third; do
	slb_in dir ip address add $vip/32 dev dc
	slb_in client ip neighbour add $vip lladdr "$(slb_mac 10.1.0.1)" dev c0 nud permanent
done
for vip in $first6 $second6 $third6; do
	slb_in dir ip address add $vip/128 dev dc nodad
	slb_in client ip neighbour add $vip lladdr "$(slb_mac 10.1.0.1)" dev c0 nud permanent
done
slb_spawn rs1 /usr/bin/python3 traffic/ask.py serve 10.2.1.2:7 '[fd02:1::2]:7'
slb_spawn dir /usr/bin/python3 traffic/ask.py serve $third:9 "[$third6]:9"
for ns in rs1 dir; do
	slb_wait 60 eval '[ "$(slb_in $ns ss -Hlnu | wc -l)" -ge 2 ]' || slb_bail 'no UDP server'
done
for service in $SLB_VIP_NAT:7 $SLB_VIP_NAT:8 $second:7; do
	echo "-A -u $service -s rr"
	echo "-a -u $service -r 10.2.1.2:7 -m"
done | slb_in dir ipvsadm -R
for service in "[$first6]:7" "[$second6]:7"; do
	echo "-A -u $service -s rr"
	echo "-a -u $service -r [fd02:1::2]:7 -m"
done | slb_in dir ipvsadm -R
before=$(slb_stat dir hits)
same 'two addresses' $SLB_VIP_NAT:7 $second:7 10.1.0.2
same 'two ports' $SLB_VIP_NAT:7 $SLB_VIP_NAT:8 10.1.0.2
same 'two IPv6 addresses' "[$first6]:7" "[$second6]:7" '[fd01::2]'
again 'forgotten by IPVS' $SLB_VIP_NAT:7 $second:7 10.1.0.2
again 'forgotten by IPVS, IPv6' "[$first6]:7" "[$second6]:7" '[fd01::2]'
let_by_first 'first packet let by' $SLB_VIP_NAT $third 10.1.0.2 10.2.1.2
let_by_first 'first packet let by, IPv6' "[$first6]" "[$third6]" '[fd01::2]' '[fd02:1::2]'
slb_is 'packets that flows served' $(($(slb_stat dir hits) - before)) gt 200
slb_done
