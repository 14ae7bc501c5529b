# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Jobs for the load (job.c), and the lines with their figures. Sourced by guest.sh.

# job NAME=VALUE...: sends packets; the figures are in $p50, $p90...
job() {
	# the guest's own $packets stays: how many each measurement has
	local packets

	echo "$*" >/proc/slb_bench || die "not done: $*"
	eval "$(</proc/slb_bench)"
}

# hits COMMAND...: runs jobs; the number of packets that flows served meanwhile is in $served
hits() {
	local before

	before=$(slb_stat dir hits)
	"$@"
	served=$(($(slb_stat dir hits) - before))
}

# costs EMPTY: the six figures of the last job, each minus EMPTY, in the array $costs
costs() {
	local i

	costs=("$p50" "$p90" "$p99" "$p999" "$p9999" "$mean")
	for i in "${!costs[@]}"; do
		costs[i]=$((costs[i] - $1))
	done
}

# row WAY WHAT FLOWS ROUND SHARE FIGURE...: a line of six figures; a single FIGURE is all six.
row() {
	[ $# != 6 ] || set -- "$@" "$6" "$6" "$6" "$6" "$6"
	printf '# row\t%s\t%s\t%s\t%s\t%s\t%s' "${@:1:4}" "$unit" "$5"
	printf '\t%s' "${@:6}"
	printf '\n'
}

# grown TEXT BEFORE: a comment line with the counters that grew since slb_stat_get said BEFORE
grown() {
	echo "# $1: $(slb_stat_diff "$2" "$(slb_stat_get dir)" | paste -sd' ')"
}
