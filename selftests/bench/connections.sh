# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Whole connections, each of a client of its own. The cost is that of all packets of a connection:
# the sum over its steps. Sourced by guest.sh, after director.sh.
#
# connN has N packets of TCP, udpN N packets of UDP, questions and answers by turns; dns4 is one
# question with its answer. Such connections come for some seconds before the measurement, of UDP
# for 75, so that flows without use end. With WAY_new none come, for longer than shadowlb remembers.
# The lease is the default.

# steps WAY: the packets of a connection, in order, as LINE:FLAGS, in $steps; in $proto t or u
steps() {
	local i

	case ${1%_new} in
	dns4)
		steps='request:0 reply:0'
		proto=u
		;;
	udp*)
		steps=
		for ((i = 2; i <= ${1//[^0-9]/}; i += 2)); do
			steps+=' request:0 reply:0'
		done
		proto=u
		;;
	*)
		# a SYN, and its answer; the ACK; questions and answers; FINs; the last ACK
		steps='request:2 reply:18 request:16'
		for ((i = 8; i <= ${1//[^0-9]/}; i += 2)); do
			steps+=' request:24 reply:24'
		done
		steps+=' request:17 reply:17 request:16'
		proto=t
		;;
	esac
}

# run PORT: the packets in $steps, of connections from this port of each client
run() {
	local step line

	for step in $steps; do
		line=${step%:*}
		# shellcheck disable=SC2086
		job ${!line/port=1024/port=$1} $common flags=${step#*:}
	done
}

# steps_cost PORT: adds the cost of a packet of each of $steps to $sum
steps_cost() {
	local step line i

	for step in $steps; do
		line=${step%:*}
		# shellcheck disable=SC2086
		job ${!line/port=1024/port=$1} $common flags=${step#*:} what=empty
		empty=$p50
		# shellcheck disable=SC2086
		job ${!line/port=1024/port=$1} $common flags=${step#*:}
		costs "$empty"
		for i in "${!costs[@]}"; do
			sum[i]=$((sum[i] + costs[i]))
		done
	done
}

# connection WAY WHAT FLOWS ROUND: step by step, a packet of each flow a step. The figures of
# short connections are the mean of 17 s.
connection() {
	local step common sum=(0 0 0 0 0 0) scope=0 line i steps proto warm=10000 lasts=17000
	local before share start from=1024 turns=0

	steps "$1"
	[ $proto = t ] || warm=75000
	[ "${1%_new}" = "$1" ] || warm=0 lasts=0
	# learning does not pause for long connections
	if [ ${#steps} -gt 500 ]; then
		set -- "$1" "$2" 200 "$4"
		warm=1 lasts=0
	fi
	common="len=${SLB_BENCH_LEN:-100} flows=$3 ports=1 packets=$3 tsc=$tsc"
	[ "$2" != flow ] || scope=2
	[ $proto = u ] || common+=' proto=6'
	# as many connections in IPVS's table each time: those of TCP stay for two minutes
	ipvsadm --set 60 30 30
	slb_pause 140
	sysctl -qw net.shadowlb.scope=$scope net.shadowlb.lease=10
	choose reply4
	slb_ms start
	while [ $warm != 0 ]; do
		run $((from++))
		slb_pause 0.7
		! slb_ms_since "$start" $warm || break
	done
	while [ -n "${SLB_BENCH_PROFILE:-}" ]; do
		echo '# running'
		run $((from++))
	done
	before=$(slb_stat_get dir)
	slb_ms start
	while :; do
		turns=$((turns + 1))
		steps_cost $((from++))
		! slb_ms_since "$start" $lasts || break
		slb_pause 0.7
	done
	for i in "${!sum[@]}"; do
		sum[i]=$((sum[i] / turns))
	done
	[ "$2" != flow ] || grown "$1" "$before"
	sysctl -qw net.shadowlb.lease=600
	share=$(slb_stat_grew dir hits "$before")
	line=$(($(wc -w <<<"$steps") * turns))
	row "$1" "$2" "$3" "$4" $((share * 1000 / ($3 * line))) "${sum[@]}"
}

# connections WAY
connections() {
	local turns='ipvs flow' round what

	[ -z "${SLB_BENCH_PROFILE:-}" ] || turns=$whats
	for ((round = 1; round <= rounds; round++)); do
		for what in $turns; do
			connection "$1" "$what" 1000 "$round"
		done
	done
}
