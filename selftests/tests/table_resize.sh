#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: uml smp here
# slb-timeout: 500
#
# The flow table follows the number of flows: it starts small, becomes larger and smaller
# while packets flow and the list of flows is read, does not exceed what the module was
# told, and is freed when there are none. No datagram is lost meanwhile, and no flow says other than the slow path.

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
trap slb_net_down EXIT

slots=1024
sockets=1500

# slb_cpus: narrow slots and flows of each CPU that has a table, from /proc/net/shadowlb.
slb_cpus() { slb_in dir cat /proc/net/shadowlb | awk '$1 ~ /^[0-9]+$/ && $2 > 0 { print $2, $3 }'; }
slb_largest() { slb_cpus | awk '$1 > n { n = $1 } END { print n + 0 }'; }
slb_flows_used() { slb_cpus | awk '{ n += $2 } END { print n + 0 }'; }
# Flows that are idle end meanwhile, and none begins.
slb_all_listed() {
	local before listed

	before=$(slb_flows_used)
	listed=$(slb_in dir cat /proc/net/shadowlb_flows | tail -n +2 | wc -l)
	[ "$before" -ge "$listed" ] && [ "$listed" -ge "$(slb_flows_used)" ]
}
slb_freed() { [ "$(slb_largest)" -eq 0 ]; }
slb_small() { [ "$(slb_largest)" -eq $slots ] && [ "$(slb_flows_used)" -eq 0 ]; }

# slb_pings FIRST ROUNDS: as many sockets as that, one after the other.
slb_pings() {
	local i

	for ((i = 0; i < sockets; i += 500)); do
		slb_in client /usr/bin/python3 traffic/udp.py ping "$SLB_VIP_NAT:7" 500 "$2" \
			from=$(($1 + i)) >"$SLB_TMP/ping" ||
			slb_fail "datagrams are lost: $(<"$SLB_TMP/ping")"
	done
}

# The list of flows, read by the page: the table becomes larger between two reads.
slb_read_slowly() {
	slb_in dir sh -c 'exec </proc/net/shadowlb_flows
		while dd bs=4096 count=1 status=none | grep .; do :; done'
}

# What a reader sees while flows come: each once on a CPU, each line whole.
slb_list_loop() {
	local n=0

	until [ -e "$SLB_TMP/stop" ]; do
		slb_read_slowly | tail -n +2 >"$SLB_TMP/list"
		awk '{ print $1, $2, $3, $4, $12 }' "$SLB_TMP/list" | sort | uniq -d >>"$SLB_TMP/twice"
		awk 'NF != 13' "$SLB_TMP/list" >>"$SLB_TMP/broken"
		n=$((n + 1))
		echo $n >"$SLB_TMP/reads"
	done
}

# slb_start OPTIONS: the module anew.
slb_start() {
	slb_in dir ipvsadm -C
	rmmod shadowlb 2>/dev/null
	# shellcheck disable=SC2086
	modprobe shadowlb $1 || slb_bail 'shadowlb cannot be loaded'
	slb_scope 2
	slb_in dir sysctl -qw net.shadowlb.lease=600
	slb_service u m 7 rr 7777
}

modprobe shadowlb
slb_net_up
slb_udp_up

slb_start ''
slb_check 'a few flows serve' slb_wait 30 slb_serving $SLB_VIP_NAT:7
slb_is 'slots' "$(slb_largest)" eq $slots
slb_is 'bytes a CPU' $(($(slb_table_bytes dir) / $(nproc))) le 243000
slb_pings 20000 2
slb_in dir sysctl -qw net.shadowlb.verify=16
slb_list_loop &
reader=$!
slb_pings 20000 5
slb_pings 30000 5
touch "$SLB_TMP/stop"
wait $reader
slb_is 'lists read meanwhile' "$(<"$SLB_TMP/reads")" ge 1
slb_same 'flows listed twice' "$(<"$SLB_TMP/twice")" ''
slb_same 'lines that are not whole' "$(<"$SLB_TMP/broken")" ''
# what is idle for 45 s is gone: a slow machine has fewer than there were sockets
slb_is 'flows in use' "$(slb_flows_used)" ge 900
slb_is 'slots of the largest table' "$(slb_largest)" ge $((2 * slots))
slb_is 'tables that are crowded' "$(slb_cpus | awk '$2 > $1 * 0.38' | wc -l)" eq 0
slb_check 'as many flows are listed as there are' slb_wait 60 slb_all_listed
slb_is 'flows pushed out' "$(slb_stat dir evicted)" le 40
slb_is 'compared with the slow path' "$(slb_stat dir verified)" ge 100
slb_is 'other than the slow path' "$(slb_stat dir differs)" eq 0
slb_in dir cat /proc/net/shadowlb | sed -n '/^cpu/,/^all/s/^/# /p'

slb_in dir sysctl -qw net.shadowlb.lease=1
slb_check 'without packets flows end, and the table becomes small again' slb_wait 120 slb_small

slb_check 'a minute later it is freed' slb_wait 100 slb_freed
slb_is 'bytes left a CPU' $(($(slb_table_bytes dir) / $(nproc))) le 160000
slb_in client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:7 20 4 >/dev/null
slb_is 'and comes again' "$(slb_largest)" eq $slots

slb_start flows=2048
slb_pings 20000 5
slb_is 'no more slots than the module was told' "$(slb_largest)" eq 2048
slb_done
