#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make coherence REPEAT=n: the tests coherence and xdp_coherence, each event so often (with XDP a
# tenth of it, in an emulator), and what was measured as the tables in docs/coherence.md. Two
# guests side by side have half of the events each.
#
#   COHERENCE=xdp            that table alone, or hook: the other one stays
#   COHERENCE_KERNEL=6.12    the hook on that kernel (default smp, whose two CPUs run at the same
#                            time; uml is 6.1 without what the debug kernel has to find errors)

set -euo pipefail
cd "$(dirname "$0")/.."

# By itself once for each table.
if [ $# = 0 ]; then
	rc=0
	for table in ${COHERENCE:-hook xdp}; do
		selftests/coherence.sh "$table" || rc=1
	done
	exit $rc
fi
. selftests/host/single.sh

page=docs/coherence.md
case $1 in
hook) head='## The netfilter hook' test=coherence kernel=${COHERENCE_KERNEL:-smp} part=1 ;;
xdp) head='## XDP' test=xdp_coherence kernel=6.12 part=10 ;;
*) slb_die "COHERENCE is hook or xdp, not $1" ;;
esac
export SLB_UML=fast SLB_REPEAT=$(((${REPEAT:-100} + part - 1) / part))
slb_single_prepare "$kernel"
release=$(modinfo -F vermagic "$SLB_KO" | cut -d ' ' -f 1)
slb_msg "$1: each event $SLB_REPEAT times; it ends by itself"

pids=''
for part in 1 2; do
	SLB_PART=$part/2 slb_single_run $((600 + SLB_REPEAT * 400)) $test "$SLB_WORK/out.$part" &
	pids+=" $!"
done
rc=0
for pid in $pids; do
	wait "$pid" || rc=1
done

# The rows in the order of the test, which dealt them by turns.
paste -d '\n' <(sed -n 's/^.*# row\t//p' "$SLB_WORK/out.1") \
	<(sed -n 's/^.*# row\t//p' "$SLB_WORK/out.2") | grep . >"$SLB_WORK/rows"

awk -F'\t' '!$5 { exit 1 }' "$SLB_WORK/rows" && [ -s "$SLB_WORK/rows" ] ||
	slb_die "an event has no repetition, so $page stays as it is"

# The section of a table, with its head.
section() {
	printf '%s\n\nMeasured on %s by `make coherence`, each event %s times, Linux %s (`%s`).\n\n' \
		"$head" "$(date +%Y-%m-%d)" "$SLB_REPEAT" "$release" "$SLB_KERNEL"
	cat <<-'T'
		| event | promised bound | worst case | last packet by the old decision | repetitions | packets before the event by flows | packets behind it |
		|---|---|---|---|---|---|---|
	T
	awk -F'\t' '{ printf "| %s | %s | %s | %s | %d | %d | %d |\n", $1, $2, $3, $4, $5, $7, $6 }' \
		"$SLB_WORK/rows"
	echo
}

section >"$SLB_WORK/section"
awk -v head="$head" -v new="$SLB_WORK/section" '
	/^## / { skip = $0 == head }
	$0 == head { while ((getline line <new) > 0) print line }
	!skip' "$page" | sed -e '${/^$/d}' >"$SLB_WORK/page"
cp "$SLB_WORK/page" "$page"
slb_msg "$(wc -l <"$SLB_WORK/rows") events are in $page"
exit $rc
