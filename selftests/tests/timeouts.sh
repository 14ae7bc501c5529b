#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp here
# slb-long: uml
# slb-rows: stock
# slb-timeout: 300
#
# Timeouts of connections that change while flows serve them, to 60 s above all, which
# is what IPVS leaves on a connection that it could not end: by "ipvsadm --set" at any
# moment, again and again, by connection sync messages, and right before the module is
# removed. No connection ends by that. Clients and servers have a CPU each, if there are
# two: so requests and answers are flows of different CPUs.

set -u
. lib/stat.sh
. lib/net.sh
. lib/obey.sh
trap slb_net_down EXIT

tcp=12
udp=12
base=20000
last_cpu=$(($(nproc) - 1))

set_timeouts() { slb_in dir ipvsadm --set "$@"; }

# no_flows: have all ended?
no_flows() { [ "$(slb_in dir cat /proc/net/shadowlb_flows | tail -n +2 | wc -l)" -eq 0 ]; }

# begin: open the connections. Each "keep" goes on until the next line.
begin() {
	local i list=()

	for ((i = 0; i < tcp; i++)); do
		list+=("tcp=$SLB_VIP_NAT:80")
	done
	for ((i = 0; i < udp; i++)); do
		list+=("udp=$SLB_VIP_NAT:7")
	done
	slb_obey taskset -c $last_cpu /usr/bin/python3 traffic/steady.py "$SLB_TMP/tell" \
		$((base += 100)) "${list[@]}"
	opened=$((opened + tcp + udp))
	slb_tell each 5
}

end() {
	slb_tell close $((tcp + udp))
	slb_dismiss
}

# slb_made TEXT: since 6.2, IPVS adds its counters up once in two seconds
slb_made() {
	slb_wait 60 eval '[ "$(slb_vs conns)" -ge $opened ]'
	slb_is "$1" "$(slb_vs conns)" eq $opened
}

# lived TEXT: the connections that keep on have had answers, and are still the same ones.
lived() {
	local kept

	# the line ends the keeping
	slb_say each 3
	slb_hear
	kept=$slb_answer
	slb_hear
	slb_same "$1: all answered" "$kept, $slb_answer" 'ok, ok'
	slb_made "$1: connections that IPVS has made so far"
}

opened=0
modprobe shadowlb
slb_net_up
# the servers, which stay where they are started
taskset -pc 0 $$ >/dev/null
slb_http_up
slb_udp_up
slb_scope 2
slb_service t m 80 rr
slb_service u m 7 rr 7777
hits=$(slb_stat dir hits)

set_timeouts 900 120 300
begin
end
slb_in dir sysctl -qw net.shadowlb.lease=1
slb_must 'the flows of connections that were closed end' slb_wait 90 no_flows
set_timeouts 60 120 60
begin
slb_say each 20
slb_check 'set to 60 s while no flow is there: answered' slb_hear
slb_made 'connections that IPVS has made so far'
slb_in dir sysctl -qw net.shadowlb.lease=10

slb_say keep 10
for ((i = 0; i < 12; i++)); do
	for value in 900 60 300 60 61 60 900; do
		set_timeouts $value 120 $value
		slb_pause 0.0$((i % 9 + 1))
	done
	slb_pause 0.$((i % 3))5
done
lived 'set again and again'

set_timeouts 900 120 300
slb_in dir ipvsadm --start-daemon backup --mcast-interface dc --syncid 7 --mcast-group 224.0.0.88
slb_in client ip route replace 224.0.0.88/32 dev c0
slb_say keep 10
for ((i = 0; i < 8; i++)); do
	for service in 80 7; do
		{
			slb_in dir ipvsadm -Lnc
			echo "UDP 01:00 UDP 10.1.0.99:99 $SLB_VIP_NAT:7 10.2.1.2:7777"
		} | slb_in client /usr/bin/python3 traffic/syncmsg.py 224.0.0.88 c0 7 60 \
			$SLB_VIP_NAT:$service >"$SLB_TMP/told"
	done
	slb_pause 0.4
done
slb_is 'connections in a sync message' "$(<"$SLB_TMP/told")" gt $udp
slb_check 'the backup daemon took a connection from it' slb_in dir grep -q SYNC /proc/net/ip_vs_conn_sync
lived 'set to 60 s by sync messages'
slb_in dir ipvsadm --stop-daemon backup

slb_is 'packets that flows served' $(($(slb_stat dir hits) - hits)) gt 500
slb_say keep 10
set_timeouts 60 120 60
slb_pause 0.3
set_timeouts 900 120 300
slb_check 'the module is removed within the second' rmmod shadowlb
slb_pause 2
lived 'and removed'
slb_done
