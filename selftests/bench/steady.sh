# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Steady ways: for each way of IPVS the same packets again and again, by turns. The packets pass
# through IPVS alone or through flows; are dropped in shadowlb's place, or forwarded from there
# without any check; or are forwarded from netdev ingress. The turns of XDP are in xdp.sh.
# Sourced by guest.sh, after director.sh.
#
# nat4_ct is nat4 with connection tracking (net.ipv4.vs.conntrack=1), nat4_nft with 100 rules in
# a chain of input that packets pass. WAY_churn: each packet is the first of its flow after a
# route to an unrelated address was added.

# table FLOWS: a line about memory and the sweeps of eight seconds
table() {
	local i

	for ((i = 0; i < 16; i++)); do
		slb_pause 0.5
		slb_show
	done | awk -v n="$1" '$1 == "all" {
			if (i++ == 0 || $7 < least) least = $7
			if ($7 > most) most = $7
			if ($8 > off) off = $8
			all = $2 "\t" $3 "\t" $6
		}
		END { printf "# table\t%s\t%s\t%s\t%s\t%s\n", n, all, most, least, off }'
}

# measure WAY WHAT FLOWS ROUND
measure() {
	local way=$1 what=$2 flows=$3 scope=0 as=receive share=0 line=$request
	local common hits empty count

	common="len=${SLB_BENCH_LEN:-100} flows=$flows random=1 tsc=$tsc via=$via"
	common+=" flags=${SLB_BENCH_FLAGS:-16}"
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
	# IPVS keeps the connections of the first round; scope=0 ends flows
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
	costs "$empty"
	row "$way" "$what" "$flows" "$4" "$share" "${costs[@]}"
}

# steady WAY
steady() {
	local flows round last what

	choose "$1"
	for flows in ${SLB_BENCH_FLOWS:-1000}; do
		last=$((flows > 100000 ? (rounds + 2) / 3 : rounds))
		for ((round = 1; round <= last; round++)); do
			for what in $whats; do
				case $what:$1 in
				xdp_*:*6 | xdp*:*_*) ;;
				xdp*) [ ! "$have_xdp" ] || xdp "$1" "$what" "$flows" "$round" ;;
				*) measure "$1" "$what" "$flows" "$round" ;;
				esac
			done
		done
	done
}
