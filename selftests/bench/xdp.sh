# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The cost of XDP for a frame: of shadowlb's program, of a program that swaps MAC addresses, and of
# a program that does the least of direct routing in BPF (IPv4 only). The cost to run a program
# that does nothing is subtracted. Sourced by guest.sh, after director.sh.

# program DEVICE off | DEVICE OBJECT PROGRAM [xdpdrv]: attached to a device without a wire
# (xdpgeneric) no packet comes by that way.
program() {
	if [ "$2" = off ]; then
		ip link set dev "$1" xdp off
	else
		ip link set dev "$1" "${4:-xdpgeneric}" obj "$SLB_SRC/$2" program "$3"
	fi || die "no XDP at $1"
}

# xdp WAY WHAT FLOWS ROUND: as measure, with flows that it has had learned.
xdp() {
	local way=$1 what=$2 flows=$3 common line=${reply:-$request} dev empty

	dev=${line#dev=}
	dev=${dev%% *}
	sysctl -qw net.shadowlb.scope=2
	common="len=${SLB_BENCH_LEN:-100} flows=$flows random=1 tsc=$tsc"
	program "$dev" selftests/bench/programs.o nothing
	# shellcheck disable=SC2086
	job $line $common packets=2000 what=xdp
	empty=$p50
	program "$dev" off
	case $what in
	xdp) program "$dev" bpf/shadowlb_xdp.o shadowlb ;;
	*) program "$dev" selftests/bench/programs.o "${what#xdp_}" ;;
	esac
	# the kernel makes its routes anew when a program is attached
	# shellcheck disable=SC2086
	{
		if [ "$what" = xdp ]; then
			[ -z "$reply" ] || job $request $common warm=3
			job $line $common warm="$warm"
			# of flows just learned XDP serves no packet
			slb_pause .3
		fi
		while [ -n "${SLB_BENCH_PROFILE:-}" ]; do
			job $line $common packets="$packets" what=xdp
			echo '# running'
		done
		job $line $common warm=1 packets="$packets" what=xdp
	}
	program "$dev" off
	served=$(((packets - passed) * 1000 / packets))
	case $way:$what in
	other*) ;;
	*) [ $served -ge 990 ] || { echo "# XDP served only $served of 1000"; bad=1; } ;;
	esac
	costs "$empty"
	row "$way" "$what" "$flows" "$4" "$served" "${costs[@]}"
}
