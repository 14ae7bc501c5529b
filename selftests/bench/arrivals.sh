# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The cost of a packet by the time at which packets arrive, learning included: long after the
# connection's last packet, many connections at once, between changes of routes. Sourced by
# guest.sh, after connections.sh.
#
# gap_S: each connection, of a client of its own, has a packet every S seconds, with the default
# lease; the number of flows is that of connections in a second. burst4: many connections begin at
# once. routes4: routes are inserted meanwhile.

# routed WHAT ROUND: 20 routes a second are inserted, none for the packets; 1,000 connections have
# five packets a second each. The cost of a packet, over ten seconds.
routed() {
	local common="len=${SLB_BENCH_LEN:-100} flows=1000 packets=1000 tsc=$tsc" scope=0
	local i k total=0 hits

	[ "$1" != flow ] || scope=2
	choose nat4
	sysctl -qw net.shadowlb.scope=$scope
	# shellcheck disable=SC2086
	{
		job $request $common warm=4
		hits=$(slb_stat dir hits)
		for ((i = 0; i < 50; i++)); do
			for k in 1 2 3 4; do
				ip route add 192.0.2.$((k + i * 4))/32 via 10.9.1.2
				[ $k != 2 ] || job $request $common
				slb_pause 0.05
			done
			total=$((total + mean))
		done
	}
	ip route flush 192.0.2.0/24
	ip route flush root 192.0.2.0/24
	row routes4 "$1" 1000 "$2" $((($(slb_stat dir hits) - hits) / 50)) $((total / 50))
}

# routes: all rounds of routes4
routes() {
	local round what

	for ((round = 1; round <= rounds; round++)); do
		for what in ipvs flow; do
			routed "$what" "$round"
		done
	done
}

# sparse WAY WHAT FLOWS: WAY is gap_GAP. In each second FLOWS connections of TCP have a packet, and
# again GAP seconds later; with a fraction for GAP, the same connections each time. The cost of the
# ninth to sixteenth packet of each connection; with many connections, of the fifth to eighth.
sparse() {
	local common i k scope=0 gap=${1#gap_} before total=0 share half=$(($3 > 10000 ? 4 : 8))
	local start parts=1

	common="len=${SLB_BENCH_LEN:-100} flows=$3 ports=1 packets=$3 tsc=$tsc proto=6"
	[ "$2" != flow ] || scope=2
	[[ $gap == *.* ]] || parts=$gap
	slb_pause 75
	sysctl -qw net.shadowlb.scope=$scope net.shadowlb.lease=10
	proto=t choose nat4
	# shellcheck disable=SC2086
	{
		job $request $common packets=2000 what=empty
		empty=$p50
		for ((i = 1; i <= 2 * half; i++)); do
			[ $i != $((half + 1)) ] || before=$(slb_stat_get dir)
			for ((k = 0; k < parts; k++)); do
				slb_ms start
				job ${request/sport=1024/sport=$((1024 + k))} $common
				[ $i -le $half ] || total=$((total + mean - empty))
				[[ $gap != *.* ]] || slb_pause "$gap"
				[[ $gap == *.* ]] || slb_wait 60 slb_ms_since "$start" 1000
			done
		done
	}
	[ "$2" != flow ] || grown "$1" "$before"
	share=$(slb_stat_grew dir hits "$before")
	sysctl -qw net.shadowlb.lease=600
	row "$1" "$2" $(($3 * parts)) 1 $((share * 1000 / half / parts / $3)) \
		$((total / half / parts))
}

# gaps WAY
gaps() {
	local flows what

	for flows in ${SLB_BENCH_FLOWS:-1000}; do
		for what in ipvs flow; do
			sparse "$1" "$what" "$flows"
		done
	done
}

# burst WHAT FLOWS ROUND: FLOWS connections of TCP begin at once, from SYN to the first answer, a
# packet of each flow a step; then ten questions and ten answers of each. The cost of a packet of
# all, and the share that flows serve of the packets behind the first answer.
burst() {
	local common scope=0 step line n=0 all=0 hits steps proto before shares

	common="len=${SLB_BENCH_LEN:-100} flows=$2 packets=$2 tsc=$tsc proto=6"
	[ "$1" != flow ] || scope=2
	ipvsadm --set 60 30 30
	slb_pause 140
	sysctl -qw net.shadowlb.scope=$scope
	steps conn28
	proto=t choose reply4
	# a director that has some connections already: its tables are there, in their smallest size
	# shellcheck disable=SC2086
	{
		job ${request/$client/10.8.200.1} $common flows=100 packets=1000
		slb_pause 2
		job ${request/$client/10.8.200.1} $common flows=100 packets=1000
		job $request $common packets=2000 what=empty
	}
	empty=$p50
	for step in ${steps% request:17*}; do
		[ $((n++)) != 5 ] || before=$(slb_stat_get dir)
		hits=$(slb_stat dir hits)
		line=${step%:*}
		# shellcheck disable=SC2086
		job ${!line} $common flags=${step#*:}
		all=$((all + mean - empty))
		shares+=" $((($(slb_stat dir hits) - hits) * 100 / $2))"
	done
	hits=$(slb_stat_grew dir hits "$before")
	[ "$1" != flow ] || echo "# burst of $2: per cent served of each step:$shares"
	[ "$1" != flow ] || grown 'behind the first answer' "$before"
	row burst4 "$1" "$2" "$3" $((hits * 50 / $2)) $((all / n))
}

# bursts: burst4 with each number of flows
bursts() {
	local flows what

	for flows in ${SLB_BENCH_FLOWS:-10000 100000}; do
		for what in ipvs flow; do
			burst "$what" "$flows" 1
		done
	done
}
