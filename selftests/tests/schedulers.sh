#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-long: smp
# slb-timeout: 3000
#
# The scheduler "shadow" beside those of the kernel, by what IPVS chooses: how even, how near to
# weights, how many connections move. The rows are in docs/evaluation.md.

set -u
. lib/stat.sh
. lib/net.sh
trap 'ip netns delete slb-sched 2>/dev/null' EXIT

# rows_value FIELD KEY...: of the row that begins with these words
rows_value() {
	local field=$1 IFS=$'\t'

	shift
	grep -m 1 "^# row"$'\t'"$*"$'\t' "$SLB_TMP/rows" | cut -f "$field"
}

# rows_most TEXT VALUE LIMIT: a number with a point
rows_most() {
	slb_check "$1: $2 (want at most $3)" awk -v v="$2" -v most="$3" \
		'BEGIN { exit v == "" || v > most }'
}

modprobe -a tun dummy ip_vs_shadow || slb_bail 'this kernel lacks what the test needs'
/usr/bin/python3 -B traffic/schedulers.py 2>"$SLB_TMP/err" | tee "$SLB_TMP/rows"
slb_check 'measured' [ ! -s "$SLB_TMP/err" ]
sed 's/^/# /' "$SLB_TMP/err"
rows_most '100 equal real servers: largest to mean' "$(rows_value 4 even shadow)" 1.05
rows_most 'weights 1 to 10: largest deviation' "$(rows_value 4 weights shadow)" 0.03
rows_most 'one of 16 goes: moved, in its shares' "$(rows_value 5 moves shadow 16)" 1.5
rows_most 'one of 100 goes: moved, in its shares' "$(rows_value 5 moves shadow 100)" 2
rows_most 'one comes to 16: moved, in its shares' "$(rows_value 6 moves shadow 16)" 1.5
rows_most 'one comes to 100: moved, in its shares' "$(rows_value 6 moves shadow 100)" 2
rows_most 'in another order: moved' "$(rows_value 7 moves shadow 16)" 0
rows_most 'bounded loads: largest to mean' "$(rows_value 5 skew flag-1,flag-2)" 1.26
slb_done
