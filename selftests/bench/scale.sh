# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Several CPUs at once. scale_N: nat4 on N CPUs at once; the figure is the share of a packet in
# the time that all packets take. Sourced by guest.sh, after director.sh.

# scale CPUS ROUND: the cost of dropped packets tells how much of a second CPU the machine itself
# has.
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
			hits job $request len=100 flows=1000 cpus="$1" what=$as warm=4 \
				packets="$packets"
		}
		row "scale_$1" "$what" 1000 "$2" $((served * 1000 / ($1 * (packets + 4000)))) \
			$((elapsed / ($1 * packets)))
	done
}

# scales: the ways scale_N of $ways, by turns
scales() {
	local round way

	for ((round = 1; round <= rounds; round++)); do
		for way in $ways; do
			[ "${way#scale_}" = "$way" ] || scale "${way#scale_}" "$round"
		done
	done
}
