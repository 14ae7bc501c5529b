# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Pressure on the flow table: shares of packets that flows serve, without times. Sourced by
# guest.sh, after director.sh.
#
# skew4: more connections than there are places for, some of them used more often than others.
# flood4: connections that are in use, while ten times as many packets of UDP are of flows that
# have two each.

# skewed FLOWS
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
	row skew4 flow "$1" 1 $((served * 1000 / (3 * $1))) 0
}

# flooded FLOWS
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
		job ${request/$client/10.8.$((100 + i)).1} len=100 proto=17 flows=$(($1 / 2)) \
			packets="$1"
		# shellcheck disable=SC2086
		hits job $request $common proto=6
		all=$((all + served))
	done
	row flood4 flow "$1" 1 $((all * 1000 / (40 * ($1 / 10)))) 0
}

# pressure WAY
pressure() {
	local flows

	for flows in ${SLB_BENCH_FLOWS:-1000}; do
		if [ "$1" = skew4 ]; then skewed "$flows"; else flooded "$flows"; fi
	done
}
