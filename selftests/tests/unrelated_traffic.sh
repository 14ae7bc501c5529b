#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp here
# slb-timeout: 600
#
# Packets that IPVS has nothing to do with are let by at a glance once that is known of
# their addresses; never those of an address that has flows. A service that comes to an
# address so known is served nevertheless. IPv4, with a mark too, and IPv6.

set -u
. lib/stat.sh
. lib/net.sh
. lib/net6.sh
trap slb_net_down EXIT

# slb_ping_from FROM DEST DATAGRAMS: one socket
slb_ping_from() {
	slb_in "$1" /usr/bin/python3 traffic/udp.py ping "$2" 1 "$3" >"$SLB_TMP/ping" ||
		slb_fail "$2: $(<"$SLB_TMP/ping")"
}

# slb_let_by DEST PACKETS: are so many of 100 datagrams and their answers?
slb_let_by() {
	before=$(slb_stat_get dir)
	slb_ping_from client "$1" 100
	[ "$(slb_stat_grew dir miss_unrelated "$before")" -ge "$2" ]
}

# slb_bound NS: is somebody there to answer, on both families?
slb_bound() { [ "$(slb_in "$1" ss -Hlnu | wc -l)" -ge 2 ]; }

# slb_unrelated_test TEXT VIP NEW SERVER OTHER CLIENT: virtual address, one that will be, a real server
# of it, a host that is only forwarded to, and the client
slb_unrelated_test() {
	local text=$1 vip=$2 new=$3 server=$4 other=$5 client=$6 start

	slb_in dir ipvsadm -R <<-EOF
		-A -u $vip:7 -s rr
		-a -u $vip:7 -r $server:7777 -m
	EOF
	slb_ping_from client "$vip:7" 20
	slb_check "$text: what is only forwarded is let by, in the end each packet" \
		slb_wait 40 slb_let_by "$other:7777" 200
	before=$(slb_stat_get dir)
	slb_ping_from client "$vip:7" 100
	slb_is "$text: hits of 200 packets after that" "$(slb_stat_grew dir hits "$before")" ge 190
	slb_is "$text: of them let by" "$(slb_stat_grew dir miss_unrelated "$before")" eq 0

	# Past the time for which a claim holds (SLB_PEER_KNOWN) flows alone speak for
	# their address: against a program of the director's own at the virtual one, whose
	# answers do not come by, and one of the real server's own.
	slb_ms start
	slb_wait 30 slb_ms_since "$start" 11000
	before=$(slb_stat_get dir)
	slb_ping_from client "$vip:9" 200
	slb_is "$text: let by at the address of a service with flows" "$(slb_stat_grew dir miss_unrelated "$before")" eq 0
	before=$(slb_stat_get dir)
	slb_ping_from rs1 "$client:9" 200
	slb_is "$text: let by at a real server with flows" "$(slb_stat_grew dir miss_unrelated "$before")" eq 0

	slb_check "$text: let by at an address without a service" slb_wait 40 slb_let_by "$new:9" 100
	slb_in dir ipvsadm -R <<-EOF
		-A -u $new:7 -s rr
		-a -u $new:7 -r $server:7777 -m
	EOF
	before=$(slb_stat_get dir)
	slb_ping_from client "$new:7" 50
	slb_is "$text: a new service there: hits of its first 100 packets" "$(slb_stat_grew dir hits "$before")" ge 85
	slb_is "$text: of them let by" "$(slb_stat_grew dir miss_unrelated "$before")" le 2

	slb_in dir ipvsadm -C
	slb_check "$text: the service is gone: let by again" slb_wait 40 slb_let_by "$new:9" 100
}

modprobe shadowlb
# All of it is known to a CPU.
taskset -pc 0 $$ >/dev/null
slb_net_up
slb_net6_up
slb_scope 2
slb_in dir sysctl -qw net.shadowlb.lease=600
slb_in dir ip address add 10.1.0.150 dev dc
for vip in fd01::100 fd01::150; do
	slb_in dir ip address add $vip dev dc nodad
done
for vip in 10.1.0.150 fd01::100 fd01::150; do
	slb_in client ip neighbour add $vip lladdr "$(slb_mac 10.1.0.1)" dev c0 nud permanent
done
slb_in client ip route add 10.2.0.0/16 via 10.1.0.1
slb_in client ip route add fd02::/16 via fd01::1
slb_spawn rs1 /usr/bin/python3 traffic/udp.py serve 10.2.1.2:7777 '[fd02:1::2]:7777'
slb_spawn rs3 /usr/bin/python3 traffic/udp.py serve 10.2.3.2:7777 '[fd02:3::2]:7777'
slb_spawn client /usr/bin/python3 traffic/udp.py serve 10.1.0.2:9 '[fd01::2]:9'
slb_spawn dir /usr/bin/python3 traffic/udp.py serve 10.1.0.100:9 10.1.0.150:9 '[fd01::100]:9' \
	'[fd01::150]:9'
for ns in rs1 rs3 client dir; do
	slb_wait 60 slb_bound $ns || slb_bail "no UDP echo in $ns"
done
slb_unrelated_test IPv4 $SLB_VIP_NAT 10.1.0.150 10.2.1.2 10.2.3.2 10.1.0.2
slb_unrelated_test IPv6 '[fd01::100]' '[fd01::150]' '[fd02:1::2]' '[fd02:3::2]' '[fd01::2]'
# such flows are wide
slb_in dir nft 'table ip t { chain c { type filter hook prerouting priority -350;
	udp dport 7 meta mark set 5; }; }'
slb_unrelated_test 'IPv4, marked' $SLB_VIP_NAT 10.1.0.150 10.2.1.2 10.2.3.2 10.1.0.2
slb_done
