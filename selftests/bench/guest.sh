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
# shadowlb's place, and forwarded from there without asking anything. Prints
# tab-separated lines, each behind "# row": way, what, flows, round, unit, share of packets
# that flows served, and p50 p90 p99 p999 p9999 mean, less what measuring costs.
#
#   SLB_BENCH_WAYS     which ways             SLB_BENCH_FLOWS   how many flows, a list
#   SLB_BENCH_PACKETS  packets measured       SLB_BENCH_ROUNDS  how often by turns
#   SLB_BENCH_TSC      cycles, not ns         SLB_BENCH_WHATS   what is measured
#   SLB_BENCH_PROFILE  print symbols, then do the first measurement until the guest is ended

set -u
cd "$SLB_SRC/selftests" || exit 1
. lib/stat.sh
slb_in() { shift; "$@"; }

ways=${SLB_BENCH_WAYS:-nat4 reply4 dr4 ipip4 gre4 gue4 nat6 reply6 dr6 ipip6 gre6 gue6 other4 other6}
whats=${SLB_BENCH_WHATS:-ipvs flow drop forward}
packets=${SLB_BENCH_PACKETS:-20000}
rounds=${SLB_BENCH_ROUNDS:-1}
tsc=${SLB_BENCH_TSC:-0}
unit=ns
[ "$tsc" = 0 ] || unit=cycles
[ -z "${SLB_BENCH_ICOUNT:-}" ] || unit=instructions
bad=0
port=9000

die() { printf 'error: %s\n' "$*" >&2; exit 1; }

setup() {
	[ -z "${SLB_DEPMOD:-}" ] || {
		install -D -m 644 "$SLB_KO" "/lib/modules/$(uname -r)/updates/shadowlb.ko"
		cp "$SLB_DEPMOD"/modules.* "/lib/modules/$(uname -r)/"
	}
	modprobe -a ip_vs ip_vs_rr dummy ${SLB_BENCH_MODULES:-} || die 'this kernel lacks what the benchmark needs'
	insmod "$SLB_SRC/selftests/bench/slb_bench.ko" || die 'slb_bench does not load'
	modprobe shadowlb "flows=${SLB_BENCH_TABLE:-65536}" || die 'shadowlb does not load'
	sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv6.conf.default.accept_dad=0 net.ipv4.conf.all.rp_filter=0 \
		net.ipv4.conf.default.rp_filter=0 net.shadowlb.lease=600
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

# choose WAY: service, and the packets of the way: $request, $reply or nothing, $via. A
# port of its own: connections outlive their service, and would serve the next one.
choose() {
	local options

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
		# forwarded by the kernel, and none of IPVS's business
		request="dev=in0 src=$client dst=$rs sport=1024 dport=9 vary_src=1"
	fi
	ipvsadm -A -u "$bvip:$port" -s rr
	# shellcheck disable=SC2086
	ipvsadm -a -u "$bvip:$port" -r "$brs:$port" ${options:--m}
}

# measure WAY WHAT FLOWS ROUND
measure() {
	local way=$1 what=$2 flows=$3 common hits scope=0 as=receive share=0 line=$request empty

	common="len=${SLB_BENCH_LEN:-100} flows=$flows random=1 tsc=$tsc via=$via"
	case $what in
	flow) scope=2 ;;
	drop | forward) as=$what ;;
	esac
	sysctl -qw net.shadowlb.scope=$scope
	if [ "$reply" ]; then
		# shellcheck disable=SC2086
		job $line $common warm=3
		line=$reply
	fi
	if [ $as = receive ]; then
		# shellcheck disable=SC2086
		job $line $common warm=16
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
	# shellcheck disable=SC2086
	job $line $common packets="$packets" what=$as
	if [ $what = flow ]; then
		hits=$(($(slb_stat dir hits) - hits))
		share=$((hits * 1000 / packets))
		case $way in
		other*) ;;
		*) [ $share -ge 950 ] || { echo "# flows served only $share of 1000"; bad=1; } ;;
		esac
	fi
	printf '# row\t%s\t%s\t%s\t%s\t%s\t%s' "$way" "$what" "$flows" "$4" $unit "$share"
	for line in "$p50" "$p90" "$p99" "$p999" "$p9999" "$mean"; do
		printf '\t%s' $((line - empty))
	done
	printf '\n'
}

setup
[ -z "${SLB_BENCH_PROFILE:-}" ] || cat /proc/kallsyms
for way in $ways; do
	choose "$way"
	for flows in ${SLB_BENCH_FLOWS:-1000}; do
		for ((round = 1; round <= rounds; round++)); do
			for what in $whats; do
				measure "$way" "$what" "$flows" "$round"
			done
		done
	done
done
exit $bad
