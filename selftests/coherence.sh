#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make coherence REPEAT=n: the test coherence, each event so often, and what was measured
# as the table in docs/coherence.md. Two guests side by side have half of the events each.
#
#   COHERENCE_KERNEL=6.12    on that kernel (default uml: user-mode Linux without what the
#                            debug kernel has to find errors, which make test has seen)

set -euo pipefail
cd "$(dirname "$0")/.."
. selftests/lib/single.sh

export SLB_UML=fast SLB_REPEAT=${REPEAT:-100}
page=docs/coherence.md
slb_single_prepare "${COHERENCE_KERNEL:-uml}"
release=$(modinfo -F vermagic "$SLB_KO" | cut -d ' ' -f 1)
slb_msg "each event $SLB_REPEAT times; it ends by itself"

pids=''
for part in 1 2; do
	SLB_PART=$part/2 slb_single_run $((600 + SLB_REPEAT * 60)) coherence "$SLB_WORK/out.$part" &
	pids+=" $!"
done
rc=0
for pid in $pids; do
	wait "$pid" || rc=1
done

# The rows in the order of the test, which dealt them by turns.
paste -d '\n' <(sed -n 's/^.*# row\t//p' "$SLB_WORK/out.1") \
	<(sed -n 's/^.*# row\t//p' "$SLB_WORK/out.2") | grep . >"$SLB_WORK/rows"
{
	sed '/^Measured on /,$d' "$page"
	printf 'Measured on %s by `make coherence REPEAT=%s`, Linux %s (`%s`).\n\n' \
		"$(date +%Y-%m-%d)" "$SLB_REPEAT" "$release" "$SLB_KERNEL"
	cat <<-'T'
		| event | promised bound | worst case | last packet by the old decision | repetitions | packets before the event by flows | packets behind it |
		|---|---|---|---|---|---|---|
	T
	awk -F'\t' '{ printf "| %s | %s | %s | %s | %d | %d | %d |\n", $1, $2, $3, $4, $5, $7, $6 }' \
		"$SLB_WORK/rows"
} >"$SLB_WORK/page"
cp "$SLB_WORK/page" "$page"
slb_msg "$(wc -l <"$SLB_WORK/rows") events are in $page"
exit $rc
