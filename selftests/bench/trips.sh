# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Round trips (trip.c) through veth devices to a real server and back, by masquerading: IPVS alone,
# flows by the hook, and flows by XDP (native). Sourced by guest.sh, after director.sh and xdp.sh.
#
# trip_KIND is the time of a trip, waiting included. In trip_KIND_max trips come as fast as they
# can, and the mean stands in every column. In trip_KIND_50, _80 and _95 they come at that part of
# the rate that IPVS alone can do, in per cent. KIND udp and tcp: 100 bytes; bulk: TCP, 1,400 bytes;
# mixed: UDP, and one packet in ten is the first of a connection. trip_flood_N: TCP at 30 %, and N
# SYNs to another service for 100 trips, by the hook alone. With XDP the ends are programs too:
# frames stay frames, as a network card's do, until the client looks at the clock.

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

# trip WAY WHAT ROUND NAME=VALUE...: a job and its line; the mean time of a trip is in $took
trip() {
	local way=$1 what=$2 round=$3 hits share=0 counter=hits

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
	costs 0
	[ "${way%_max}" = "$way" ] || costs=("$took")
	row "$way" "$what" 1000 "$round" "$share" "${costs[@]}"
}

# kind KIND: its service, and $line, the jobs of its trips
kind() {
	local proto=u

	wires
	case $1 in
	udp) line='proto=17 len=100' ;;
	tcp | flood) line='proto=6 len=100' proto=t ;;
	bulk) line='proto=6 len=1400' proto=t ;;
	mixed) line='proto=17 len=100 fresh=10' ;;
	*) die "no such trip: $1" ;;
	esac
	ipvsadm -C
	port=$((port + 1))
	ipvsadm -A "-$proto" 10.9.2.1:$port -s rr
	ipvsadm -a "-$proto" 10.9.2.1:$port -r 10.9.3.2:$port -m
	line="dport=$port flows=1000 tsc=$tsc $line"
	line="what=trip dev=in1 client=cl server=rs src=10.7.0.1 dst=10.9.2.1 sport=1024 $line"
}

# timed WAY WHAT ROUND NAME=VALUE...: trips of $line, once their flows are there
timed() {
	local way=$1 what=$2 round=$3 scope=0

	shift 3
	[ "$what" = ipvs ] || scope=2
	sysctl -qw net.shadowlb.scope=$scope
	[ "$what" != xdp ] || ends on
	# shellcheck disable=SC2086
	{
		# learned without haste, and again when a sweep has made room
		job ${line% fresh*} packets=4000 gap=30000
		slb_pause 2
		job ${line% fresh*} packets=4000 gap=30000
		trip "$way" "$what" "$round" $line packets="$packets" random=1 "$@"
	}
	[ "$what" != xdp ] || ends off
}

# loads KIND ROUND: trips at each rate, by turns
loads() {
	local line what load rate gap=0

	kind "$1"
	for load in max 50 80 95; do
		for what in ipvs flow ${have_xdp:+xdp}; do
			rate=0
			[ $load = max ] || rate=$((gap * 100 / load))
			timed "trip_$1_$load" $what "$2" gap="$rate"
			[ $load$what != maxipvs ] || gap=$took
		done
	done
}

# floods ROUND: trips of TCP at 30 % of the rate that IPVS alone can do, and for 100 of them so
# many SYNs to another service, each from a client of its own
floods() {
	local line what flood gap

	kind flood
	port=$((port + 1))
	ipvsadm -A -t 10.9.2.1:$port -s rr
	ipvsadm -a -t 10.9.2.1:$port -r 10.9.3.2:$port -m
	slb_pause 75
	timed trip_flood_max ipvs "$1" gap=0
	gap=$((took * 100 / 30))
	for flood in 0 25 50 100 200; do
		for what in ipvs flow; do
			# IPVS remembers a SYN for a minute
			slb_pause 75
			timed trip_flood_$flood $what "$1" gap=$((gap * 100 / (100 + flood))) \
				flood=$flood floodport=$port
		done
	done
}

# trips KIND
trips() {
	local round

	for ((round = 1; round <= rounds; round++)); do
		if [ "$1" = flood ]; then floods "$round"; else loads "$1" "$round"; fi
	done
}
