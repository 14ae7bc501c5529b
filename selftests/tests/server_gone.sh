#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: uml smp here
# slb-rows: stock
# slb-timeout: 480
#
# A real server or a service is removed while flows serve its connections: no packet
# reaches it once ipvsadm has returned, and the others' connections go on.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

# slb_arrived N: what real server N got so far; each has a counter on its wire
slb_arrived() { slb_counted "rs$1" netdev arrived; }

# What the clients have sent into the director: TCP and UDP keep sending
slb_sent() { slb_counted dir netdev sent; }
slb_sent_above() { slb_counted_above dir netdev sent "$1"; }
slb_arrived_above() { slb_counted_above "rs$1" netdev arrived "$2"; }

# All real servers get packets by flows
slb_all_busy() {
	local i hits

	hits=$(slb_stat dir hits)
	slb_wait 60 slb_stat_above dir hits $((hits + 200)) || return 1
	for i in $SLB_SERVERS; do
		slb_wait 60 slb_arrived_above "$i" "$(slb_arrived "$i")" || return 1
	done
}

# slb_silent TEXT N...: after ipvsadm's return, nothing reaches those real servers
# although the clients go on. The first reading is the settling time: it takes the
# time of two programs, some 10 ms, and a packet on the wire far less.
slb_silent() {
	local text=$1 i now
	local -A before=()

	shift
	for i; do
		before[$i]=$(slb_arrived "$i")
	done
	slb_wait 60 slb_sent_above $(($(slb_sent) + 100)) ||
		slb_fail "$text: the clients stopped sending"
	for i; do
		now=$(slb_arrived "$i")
		slb_is "$text: packets to real server $i" $((now - before[$i])) eq 0
	done
}

slb_goes_on() {
	local i text=$1 hits

	shift
	hits=$(slb_stat dir hits)
	slb_must "$text: hits go on" slb_wait 10 slb_stat_above dir hits $((hits + 50))
	for i; do
		slb_check "$text: packets reach real server $i" \
			slb_wait 10 slb_arrived_above "$i" $(($(slb_arrived "$i") + 10))
	done
}

slb_count() {
	local i

	for i in $SLB_SERVERS; do
		slb_count_at "rs$i" d0 arrived "ip protocol $1"
	done
	slb_count_at dir dc sent "ip protocol $1"
}

slb_uncount() {
	local ns

	for ns in dir rs1 rs2 rs3; do
		slb_in $ns nft delete table netdev slb
	done
}

modprobe shadowlb
slb_net_up
slb_udp_up
slb_http_up

slb_note 'UDP'
slb_count udp
slb_service u m 7 'shadow -b flag-3' 7777
slb_spawn client /usr/bin/python3 traffic/udp.py flood $SLB_VIP_NAT:7 6 "$SLB_TMP/flood"
slb_must 'flows serve all three' slb_all_busy
slb_in dir ipvsadm -d -u $SLB_VIP_NAT:7 -r 10.2.1.2:7777
slb_silent 'UDP, ipvsadm -d' 1
slb_goes_on 'UDP, ipvsadm -d' 2 3
slb_in dir ipvsadm -a -u $SLB_VIP_NAT:7 -r 10.2.1.2:7777 -m
slb_goes_on 'UDP, added again' 1 2 3
slb_in dir ipvsadm -D -u $SLB_VIP_NAT:7
slb_silent 'UDP, ipvsadm -D' 1 2 3
slb_service u m 7 'shadow -b flag-3' 7777
slb_must 'UDP, added again: flows serve all three' slb_all_busy
slb_in dir ipvsadm -C
slb_silent 'UDP, ipvsadm -C' 1 2 3
slb_stop "${slb_pids[-1]}"
slb_uncount

slb_note 'TCP'
slb_count tcp
slb_service t m 80 'shadow -b flag-3' 8080
slb_wrk_start 6 http://$SLB_VIP_NAT/4k
slb_must 'TCP: flows serve all three' slb_all_busy
slb_in dir ipvsadm -d -t $SLB_VIP_NAT:80 -r 10.2.1.2:8080
slb_silent 'TCP, ipvsadm -d' 1
slb_goes_on 'TCP, ipvsadm -d' 2 3
slb_in dir ipvsadm -C
arrived=$(slb_arrived 2)
sent=$(slb_sent)
# TCP gives up sending soon, for want of answers: wait for what it does send
slb_check 'TCP, ipvsadm -C: the client tries again' slb_wait 10 slb_sent_above $((sent + 2))
slb_is 'TCP, ipvsadm -C: packets to real server 2' $(($(slb_arrived 2) - arrived)) eq 0
slb_done
