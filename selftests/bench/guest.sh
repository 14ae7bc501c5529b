#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest's part of make bench: the director alone, without wires (load.c).
#
#      clients                 director                     real server
#   10.8.0.1+ ------ in0  VIP 10.9.0.1:port  out0 ------ 10.9.1.2:port
#   fd08::1+              VIP [fd09::1]:port             fd09:1::2
#
# in0 and out0 are dummy devices; all neighbours are permanent. For each way of IPVS the
# same packets again and again, by turns: through IPVS alone, through flows, dropped in
# shadowlb's place, forwarded from there without asking anything, and so from netdev
# ingress. With XDP: shadowlb's program, one that swaps MAC addresses, and one that does in
# BPF what direct routing is at the least (IPv4 only), each less what it costs to run one that
# does nothing. Prints tab-separated lines, each behind "# row": way, what, flows, round, unit,
# share of packets that flows served, and p50 p90 p99 p999 p9999 mean, less what measuring
# costs. Behind "# table": flows, places in all tables, places taken, bytes, and how long a
# sweep takes and holds up packets, in us (where cycles are measured).
#
#   SLB_BENCH_WAYS     which ways             SLB_BENCH_FLOWS   how many flows, a list
#   SLB_BENCH_PACKETS  packets measured       SLB_BENCH_ROUNDS  how often by turns, a third of
#                                             that with more than 100,000 flows
#   SLB_BENCH_TSC      cycles, not ns         SLB_BENCH_WHATS   what is measured
#   SLB_BENCH_BITS     of IPVS's table        SLB_BENCH_PROTO   t or u (default)
#   SLB_BENCH_WARM     packets of each flow before those measured (default 16)
# nat4_ct is nat4 with connection tracking (net.ipv4.vs.conntrack=1), nat4_nft with 100 rules in
# a chain of input that packets pass. WAY_churn: each packet is the first of its flow after a
# route was added that is not for it. scale_N: nat4 on N CPUs at once; what a packet takes of
# the time that all take.
#
# Whole connections, each of a client of its own, the mean of each step: connN of N packets of TCP,
# udpN of N packets of UDP, questions and answers by turns; dns4 is one question. burst4: many
# connections begin at once. gap_S: a packet of each connection, of a client of its own, in S seconds,
# with the default lease; the number of flows is that of connections in a second. routes4: routes are
# inserted meanwhile.
#
# The ways trip_KIND are round trips (trip.c) through veth devices to a real server and back,
# by masquerading: IPVS alone, flows by the hook, and flows by XDP (native). What a trip takes
# when they come as fast as they can (trip_KIND_max, the mean in every column), and at 50, 80
# and 95 % of the rate that IPVS alone can do, waiting and all. KIND udp and tcp: 100 bytes;
# bulk: TCP, 1,400 bytes; mixed: UDP, and one packet in ten is the first of a connection. With
# XDP the ends are programs too, so that frames stay frames, as a network card's do, until
# the client looks at the clock.
#
#   SLB_BENCH_PROFILE  print symbols, then do the first measurement until the guest is ended

set -u
cd "$SLB_SRC/selftests" || exit 1
. lib/stat.sh
. bench/xdp.sh
slb_in() { shift; "$@"; }

ways=${SLB_BENCH_WAYS:-nat4 reply4 dr4 ipip4 gre4 gue4 nat6 reply6 dr6 ipip6 gre6 gue6 other4 other6 nat4_ct nat4_nft nat4_churn reply4_churn nat6_churn reply6_churn conn8 conn8_new conn16 conn32 dns4 dns4_new routes4 burst4 trip_udp trip_tcp trip_bulk trip_mixed}
whats=${SLB_BENCH_WHATS:-ipvs flow drop forward ingress xdp xdp_swap xdp_plain}
packets=${SLB_BENCH_PACKETS:-20000}
rounds=${SLB_BENCH_ROUNDS:-1}
tsc=${SLB_BENCH_TSC:-0}
unit=ns
[ "$tsc" = 0 ] || unit=cycles
proto=${SLB_BENCH_PROTO:-u}
warm=${SLB_BENCH_WARM:-16}
[ -z "${SLB_BENCH_ICOUNT:-}" ] || unit=instructions
bad=0
port=9000

die() { printf 'error: %s\n' "$*" >&2; exit 1; }

setup() {
	local modules

	modules=/lib/modules/$(uname -r)
	install -D -m 644 -t "$modules/updates" "$SLB_KO" "${SLB_KO%/*}/ip_vs_shadow.ko"
	if [ -n "${SLB_DEPMOD:-}" ]; then cp "$SLB_DEPMOD"/modules.* "$modules/"; else depmod; fi
	modprobe ip_vs ${SLB_BENCH_BITS:+conn_tab_bits=$SLB_BENCH_BITS}
	modprobe -a ip_vs ip_vs_rr dummy ${SLB_BENCH_MODULES:-} || die 'this kernel lacks what the benchmark needs'
	insmod "$SLB_SRC/selftests/bench/slb_bench.ko" || die 'slb_bench does not load'
	# shellcheck disable=SC2086
	modprobe shadowlb ${SLB_BENCH_TABLE:+flows=$SLB_BENCH_TABLE} || die 'shadowlb does not load'
	sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv6.conf.default.accept_dad=0 net.ipv4.conf.all.rp_filter=0 \
		net.ipv4.conf.default.rp_filter=0 net.shadowlb.lease=600 \
		net.ipv4.vs.sloppy_tcp=1
	ip -batch - <<-IP
		link add in0 address 02:00:0a:09:00:01 type dummy
		link add out0 address 02:00:0a:09:01:01 type dummy
		link set in0 up
		link set out0 up
		address add 10.9.0.1/24 dev in0
		address add 10.9.1.1/24 dev out0
		address add fd09::1/64 dev in0 nodad
		address add fd09:1::1/64 dev out0 nodad
		neighbour add 10.9.0.2 lladdr 02:00:0a:09:00:02 dev in0 nud permanent
		neighbour add 10.9.1.2 lladdr 02:00:0a:09:01:02 dev out0 nud permanent
		neighbour add fd09::2 lladdr 02:00:0a:09:00:02 dev in0 nud permanent
		neighbour add fd09:1::2 lladdr 02:00:0a:09:01:02 dev out0 nud permanent
		route add 10.8.0.0/16 via 10.9.0.2
		route add fd08::/64 via fd09::2
	IP
}

# job NAME=VALUE...: what it took, in $p50, $p90...
job() {
	echo "$*" >/proc/slb_bench || die "not done: $*"
	eval "$(</proc/slb_bench)"
}

# rules WAY: what of netfilter the way is with.
rules() {
	local i

	sysctl -qw net.ipv4.vs.conntrack=0
	[ -z "${ruled:-}" ] || nft flush ruleset
	ruled=
	case $1 in
	*_ct) sysctl -qw net.ipv4.vs.conntrack=1 && nft -f - <<<'table ip slb {
			chain input { type filter hook input priority 0; ct state invalid drop; }
		}' ;;
	*_nft)
		{
			echo 'table ip slb {'
			echo 'chain input { type filter hook input priority 0;'
			for i in {1..100}; do echo "ip saddr 192.0.2.$i counter drop;"; done
			printf '}\n}\n'
		} | nft -f - ;;
	*) return ;;
	esac || die 'no rules: nft, or nf_tables'
	ruled=y
}

# choose WAY: service, and the packets of the way: $request, $reply or nothing, $via. A
# port of its own: connections outlive their service, and would serve the next one.
choose() {
	local options

	rules "$1"
	set -- "${1%_*}"
	ipvsadm -C
	port=$((port + 1))
	reply=
	case $1 in
	*4) vip=10.9.0.1 rs=10.9.1.2 client=10.8.0.1 via=$rs bvip=$vip brs=$rs ;;
	*6) vip=fd09::1 rs=fd09:1::2 client=fd08::1 via=$rs bvip=[$vip] brs=[$rs] ;;
	esac
	case $1 in
	nat*) options=-m ;;
	reply*) options=-m; reply=y ;;
	dr*) options=-g ;;
	ipip*) options=-i ;;
	gre*) options='-i --tun-type gre' ;;
	gue*) options='-i --tun-type gue --tun-port 6080' ;;
	other*) options= ;;
	*) die "no such way: $1" ;;
	esac
	request="dev=in0 src=$client dst=$vip sport=1024 dport=$port vary_src=1"
	if [ "$reply" ]; then
		reply="dev=out0 src=$rs dst=$client sport=$port dport=1024 vary_src=0"
		via=${vip%1}2
	elif [ -z "$options" ]; then
		# forwarded by the kernel, and none of IPVS's business; addresses that IPVS has had
		# something to do with are remembered for ten seconds
		slb_pause 11
		request="dev=in0 src=$client dst=$rs sport=1024 dport=9 vary_src=1"
	fi
	ipvsadm -A "-$proto" "$bvip:$port" -s rr
	# shellcheck disable=SC2086
	ipvsadm -a "-$proto" "$bvip:$port" -r "$brs:$port" ${options:--m}
}

# table FLOWS: what the tables take, and a sweep over them. Two sweeps on, or a bit later.
table() {
	slb_pause $((3 + $1 / 2000000))
	awk -v n="$1" '$1 == "all" { printf "# table\t%s\t%s\t%s\t%s\t%s\t%s\n", n, $2, $3, $6, $7, $8 }' \
		/proc/net/shadowlb
}

# measure WAY WHAT FLOWS ROUND
measure() {
	local way=$1 what=$2 flows=$3 common hits scope=0 as=receive share=0 line=$request empty count

	common="len=${SLB_BENCH_LEN:-100} flows=$flows random=1 tsc=$tsc via=$via flags=${SLB_BENCH_FLAGS:-16}"
	[ $proto = u ] || common+=" proto=6"
	case $what in
	flow) scope=2 ;;
	drop | forward | ingress) as=$what ;;
	esac
	sysctl -qw net.shadowlb.scope=$scope
	if [ "$reply" ]; then
		# shellcheck disable=SC2086
		job $line $common warm=3
		line=$reply
	fi
	# IPVS has its connections from the first round on; flows are ended by scope=0
	if [ "$what" = flow ] || [ "$what:$4" = ipvs:1 ]; then
		# shellcheck disable=SC2086
		job $line $common warm="$warm"
	fi
	# shellcheck disable=SC2086
	job $line $common packets=2000 what=empty
	empty=$p50
	hits=$(slb_stat dir hits)
	while [ -n "${SLB_BENCH_PROFILE:-}" ]; do
		# shellcheck disable=SC2086
		job $line $common packets="$packets" what=$as
		echo '# running'
	done
	count=$packets
	case $way in
	*_churn)
		common=${common/random=1/random=0} count=$flows
		# at once: a sweep in between would end the flows
		ip -batch - <<-IP
			route add 192.0.2.1/32 via 10.9.1.2
			route del 192.0.2.1/32
			route add 2001:db8::1/128 via fd09:1::2
			route del 2001:db8::1/128
		IP
		;;
	esac
	# shellcheck disable=SC2086
	job $line $common packets="$count" what=$as
	if [ $what = flow ]; then
		hits=$(($(slb_stat dir hits) - hits))
		share=$((hits * 1000 / count))
		case $way in
		other*) ;;
		*) [ $share -ge 900 ] || { echo "# flows served only $share of 1000"; bad=1; } ;;
		esac
		[ "$tsc" = 0 ] || table "$flows"
	fi
	printf '# row\t%s\t%s\t%s\t%s\t%s\t%s' "$way" "$what" "$flows" "$4" $unit "$share"
	for line in "$p50" "$p90" "$p99" "$p999" "$p9999" "$mean"; do
		printf '\t%s' $((line - empty))
	done
	printf '\n'
}

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

# steps_cost PORT: adds to $sum what a packet of each of $steps costs
steps_cost() {
	local step line i

	for step in $steps; do
		line=${step%:*}
		# shellcheck disable=SC2086
		job ${!line/port=1024/port=$1} $common flags=${step#*:} what=empty
		empty=$p50
		# shellcheck disable=SC2086
		job ${!line/port=1024/port=$1} $common flags=${step#*:}
		i=0
		for line in "$p50" "$p90" "$p99" "$p999" "$p9999" "$mean"; do
			sum[i]=$((sum[i] + line - empty))
			i=$((i + 1))
		done
	done
}

# connection WAY WHAT FLOWS ROUND: a connection from SYN to FIN for each flow, or a question of
# UDP with its answer: what all its packets cost together. Step by step, all flows a step. Before
# the measurement such connections come for some seconds, of UDP for 75, so that flows end that were
# of no use; with WAY_new, none for longer than shadowlb remembers. Of short ones the mean of 17 s.
connection() {
	local step common sum=(0 0 0 0 0 0) scope=0 line i steps proto warm=10000 lasts=17000 before
	local share start from=1024 turns=0

	steps "$1"
	[ $proto = t ] || warm=75000
	[ "${1%_new}" = "$1" ] || warm=0 lasts=0
	# learning does not pause for long ones
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
	sysctl -qw net.shadowlb.scope=$scope
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
	[ "$2" != flow ] || echo "# $1: $(slb_stat_diff "$before" "$(slb_stat_get dir)" | paste -sd' ')"
	share=$(slb_stat_grew dir hits "$before")
	line=$(($(wc -w <<<"$steps") * turns))
	printf '# row\t%s\t%s\t%s\t%s\t%s\t%s' "$1" "$2" "$3" "$4" $unit $((share * 1000 / ($3 * line)))
	printf '\t%s' "${sum[@]}"
	printf '\n'
}

# routed WHAT ROUND: 20 routes are inserted a second, none for the packets; 1,000 connections have
# five packets a second each. What a packet costs, of ten seconds, learning and all.
routed() {
	local common="len=${SLB_BENCH_LEN:-100} flows=1000 packets=1000 tsc=$tsc" scope=0 i k total=0 hits
	local line=''

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
	printf '# row\troutes4\t%s\t1000\t%s\t%s\t%s' "$1" "$2" $unit $((($(slb_stat dir hits) - hits) / 50))
	for i in 1 2 3 4 5 6; do
		line+=$'\t'$((total / 50))
	done
	printf '%s\n' "$line"
}

# sparse WAY WHAT FLOWS: WAY is gap_GAP. In each second FLOWS connections of TCP have a packet, and
# again GAP seconds later; with a fraction for GAP, the same connections each time. Default lease.
# What a packet costs of the ninth to sixteenth of each connection; with many, of the fifth to eighth.
sparse() {
	local common i k scope=0 gap=${1#gap_} before total=0 share half=$(($3 > 10000 ? 4 : 8)) start parts=1

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
	[ "$2" != flow ] || echo "# $1: $(slb_stat_diff "$before" "$(slb_stat_get dir)" | paste -sd' ')"
	share=$(slb_stat_grew dir hits "$before")
	sysctl -qw net.shadowlb.lease=600
	printf '# row\t%s\t%s\t%s\t1\t%s\t%s' "$1" "$2" $(($3 * parts)) $unit $((share * 1000 / half / parts / $3))
	for i in 1 2 3 4 5 6; do
		printf '\t%s' $((total / half / parts))
	done
	printf '\n'
}

# burst WHAT FLOWS ROUND: so many connections of TCP begin at once, from SYN to the first answer, all
# flows a step; then ten questions and ten answers of each. What a packet costs of all, and the share
# that flows serve of those behind the first answer.
burst() {
	local common scope=0 step line i n=0 all=0 hits steps proto before shares

	common="len=${SLB_BENCH_LEN:-100} flows=$2 packets=$2 tsc=$tsc proto=6"
	[ "$1" != flow ] || scope=2
	ipvsadm --set 60 30 30
	slb_pause 140
	sysctl -qw net.shadowlb.scope=$scope
	steps conn28
	proto=t choose reply4
	# a director that has some connections already: its tables are there, as small as they get
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
	[ "$1" != flow ] || echo "# behind the first answer: $(slb_stat_diff "$before" "$(slb_stat_get dir)" | paste -sd' ')"
	printf '# row\tburst4\t%s\t%s\t%s\t%s\t%s' "$1" "$2" "$3" $unit $((hits * 50 / $2))
	for i in 1 2 3 4 5 6; do
		printf '\t%s' $((all / n))
	done
	printf '\n'
}

# Two more wires, whose far ends are client and real server: no VLAN tags but in frames.
wires() {
	local dev

	[ ! -e /sys/class/net/cl ] || return 0
	ip -batch - <<-IP || die 'no veth devices'
		link add in1 address 02:00:0a:09:02:01 type veth peer name cl
		link add out1 address 02:00:0a:09:03:01 type veth peer name rs
		link set in1 up
		link set cl up
		link set out1 up
		link set rs up
		address add 10.9.2.1/24 dev in1
		address add 10.9.3.1/24 dev out1
		neighbour add 10.9.2.2 lladdr 02:00:0a:09:02:02 dev in1 nud permanent
		neighbour add 10.9.3.2 lladdr 02:00:0a:09:03:02 dev out1 nud permanent
		route add 10.7.0.0/16 via 10.9.2.2
	IP
	for dev in cl rs; do
		ethtool -K $dev txvlan off tx-vlan-stag-hw-insert off || die 'no ethtool'
	done
}

# ends on|off: programs for XDP at all four of the wires' ends. They turn GRO on.
ends() {
	local dev

	if [ "$1" = off ]; then
		for dev in in1 out1 cl rs; do
			program $dev off
		done
		return
	fi
	for dev in in1 out1; do
		program $dev bpf/shadowlb_xdp.o shadowlb xdpdrv
	done
	program cl selftests/bench/programs.o client xdpdrv
	program rs selftests/bench/programs.o server xdpdrv
	for dev in in1 out1 cl rs; do
		ethtool -K $dev gro off || die 'no ethtool'
	done
}

# trip WAY WHAT ROUND NAME=VALUE...: a job, its line and, in $took, the mean time for each.
trip() {
	local way=$1 what=$2 round=$3 hits share=0 values counter=hits

	shift 3
	[ "$what" != xdp ] || counter=xdp_hits
	hits=$(slb_stat dir $counter)
	job "$@"
	[ "$lost" = 0 ] || { echo "# $way, $what: $lost packets without an answer"; bad=1; }
	if [ "$what" != ipvs ]; then
		share=$((($(slb_stat dir $counter) - hits) * 500 / packets))
		[ "${way#trip_mixed}" != "$way" ] || [ $share -ge 900 ] ||
			{ echo "# $way, $what: flows served only $share of 1000"; bad=1; }
	fi
	took=$((elapsed / packets))
	values=("$p50" "$p90" "$p99" "$p999" "$p9999" "$mean")
	[ "${way%_max}" = "$way" ] || values=("$took" "$took" "$took" "$took" "$took" "$took")
	printf '# row\t%s\t%s\t1000\t%s\t%s\t%s' "$way" "$what" "$round" $unit $share
	printf '\t%s' "${values[@]}"
	printf '\n'
}

# trips KIND ROUND
trips() {
	local kind=$1 round=$2 proto=u line what load rate gap=0 scope

	wires
	case $kind in
	udp) line='proto=17 len=100' ;;
	tcp) line='proto=6 len=100' proto=t ;;
	bulk) line='proto=6 len=1400' proto=t ;;
	mixed) line='proto=17 len=100 fresh=10' ;;
	*) die "no such trip: $kind" ;;
	esac
	ipvsadm -C
	port=$((port + 1))
	ipvsadm -A "-$proto" 10.9.2.1:$port -s rr
	ipvsadm -a "-$proto" 10.9.2.1:$port -r 10.9.3.2:$port -m
	line="what=trip dev=in1 client=cl server=rs src=10.7.0.1 dst=10.9.2.1 sport=1024 dport=$port flows=1000 tsc=$tsc $line"
	for load in max 50 80 95; do
		for what in ipvs flow ${have_xdp:+xdp}; do
			scope=0
			[ $what = ipvs ] || scope=2
			sysctl -qw net.shadowlb.scope=$scope
			[ $what != xdp ] || ends on
			rate=0
			[ $load = max ] || rate=$((gap * 100 / load))
			# shellcheck disable=SC2086
			{
				# learned without haste, and again when a sweep has made room
				job ${line% fresh*} packets=4000 gap=30000
				slb_pause 2
				job ${line% fresh*} packets=4000 gap=30000
				trip "trip_${kind}_$load" $what "$round" $line packets="$packets" random=1 \
					gap="$rate"
			}
			[ $load$what != maxipvs ] || gap=$took
			[ $what != xdp ] || ends off
		done
	done
}

# scale CPUS ROUND: what packets cost that are dropped tells how much the machine itself has
# of a second CPU.
scale() {
	local what scope as

	choose nat4
	for what in ipvs flow drop; do
		scope=0
		as=receive
		case $what in
		flow) scope=2 ;;
		drop) as=drop ;;
		esac
		sysctl -qw net.shadowlb.scope=$scope
		# shellcheck disable=SC2086
		{
			job $request len=100 flows=1000 cpus="$1" warm=16 packets=1000
			slb_pause 2
			hits job $request len=100 flows=1000 cpus="$1" what=$as warm=4 packets="$packets"
		}
		printf '# row\tscale_%s\t%s\t1000\t%s\t%s\t%s' "$1" "$what" "$2" $unit \
			$((served * 1000 / ($1 * (packets + 4000))))
		took=$((elapsed / ($1 * packets)))
		printf '\t%s\t%s\t%s\t%s\t%s\t%s\n' $took $took $took $took $took $took
	done
}

# hits COMMAND...: jobs; how many packets flows served meanwhile, in $served
hits() {
	local before

	before=$(slb_stat dir hits)
	"$@"
	served=$(($(slb_stat dir hits) - before))
}

# share WAY FLOWS OF SERVED: a line without times
share() { printf '# row\t%s\tflow\t%s\t1\t%s\t%s\t0\t0\t0\t0\t0\t0\n' "$1" "$2" "$unit" $(($4 * 1000 / $3)); }

# What flows serve of more connections than there are places for, some of them used more
# often than others: skewed FLOWS
skewed() {
	local common="len=100 proto=6 flows=$1 packets=$((3 * $1)) random=1 skew=1"

	proto=t choose nat4
	sysctl -qw net.shadowlb.scope=2
	# shellcheck disable=SC2086
	{
		job $request $common warm=1
		job $request $common
		hits job $request $common
	}
	share skew4 "$1" $((3 * $1)) "$served"
}

# What flows serve of connections that are in use, while ten times as many packets of UDP
# are of flows that have two each: flooded FLOWS
flooded() {
	local common="len=100 flows=$1 packets=$(($1 / 10)) random=1" i all=0

	proto=t choose nat4
	ipvsadm -A -u "$vip:$port" -s rr
	ipvsadm -a -u "$vip:$port" -r "$rs:$port" -m
	sysctl -qw net.shadowlb.scope=2
	# shellcheck disable=SC2086
	job $request $common proto=6 warm=2
	for i in {1..40}; do
		# shellcheck disable=SC2086
		job ${request/$client/10.8.$((100 + i)).1} len=100 proto=17 flows=$(($1 / 2)) packets="$1"
		# shellcheck disable=SC2086
		hits job $request $common proto=6
		all=$((all + served))
	done
	share flood4 "$1" $((40 * ($1 / 10))) "$all"
}

# A namespace's tables are allocated a sweep after its first packets.
prime() {
	choose nat4
	sysctl -qw net.shadowlb.scope=2
	# shellcheck disable=SC2086
	job $request len=100 flows=10 packets=100 tsc=$tsc via=$via
	slb_pause 3
}

setup
prime
have_xdp=$(sed -n 's/^xdp    1/y/p' /proc/net/shadowlb)
[ -z "${SLB_BENCH_PROFILE:-}" ] || cat /proc/kallsyms
for way in $ways; do
	case $way in
	scale_*) continue ;;
	conn* | dns4* | udp*)
		turns='ipvs flow'
		[ -z "${SLB_BENCH_PROFILE:-}" ] || turns=$whats
		for ((round = 1; round <= rounds; round++)); do
			for what in $turns; do
				connection "$way" "$what" 1000 "$round"
			done
		done
		continue
		;;
	routes4)
		for ((round = 1; round <= rounds; round++)); do
			for what in ipvs flow; do
				routed "$what" "$round"
			done
		done
		continue
		;;
	gap_*)
		for flows in ${SLB_BENCH_FLOWS:-1000}; do
			for what in ipvs flow; do
				sparse "$way" "$what" "$flows"
			done
		done
		continue
		;;
	burst4)
		for flows in ${SLB_BENCH_FLOWS:-10000 100000}; do
			for what in ipvs flow; do
				burst "$what" "$flows" 1
			done
		done
		continue
		;;
	trip_*)
		for ((round = 1; round <= rounds; round++)); do
			trips "${way#trip_}" "$round"
		done
		continue
		;;
	skew4 | flood4)
		for flows in ${SLB_BENCH_FLOWS:-1000}; do
			if [ "$way" = skew4 ]; then skewed "$flows"; else flooded "$flows"; fi
		done
		continue
		;;
	esac
	choose "$way"
	for flows in ${SLB_BENCH_FLOWS:-1000}; do
		for ((round = 1; round <= (flows > 100000 ? (rounds + 2) / 3 : rounds); round++)); do
			for what in $whats; do
				case $what:$way in
				xdp_*:*6 | xdp*:*_*) ;;
				xdp*) [ ! "$have_xdp" ] || xdp "$way" "$what" "$flows" "$round" ;;
				*) measure "$way" "$what" "$flows" "$round" ;;
				esac
			done
		done
	done
done
# by turns
for ((round = 1; round <= rounds; round++)); do
	for way in $ways; do
		[ "${way#scale_}" = "$way" ] || scale "${way#scale_}" "$round"
	done
done
exit $bad
