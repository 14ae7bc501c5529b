#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: uml
# slb-timeout: 300
#
# Loads each KUnit suite and judges it by its own results file: insmod succeeds
# when a suite fails. No file, no case, or "not ok" anywhere in it is a failure.
# The modules (kunit/Kbuild) lie beside shadowlb.ko, in kunit/.

set -u

n=0
failed=0

# slb_case RESULT TEXT: one KTAP line
slb_case() {
	n=$((n + 1))
	[ "$1" = ok ] || failed=1
	printf '%s %d - %s\n' "$1" "$n" "$2"
}

# slb_suite NAME: the suite shadowlb-NAME
slb_suite() {
	local suite=shadowlb-$1 module=shadowlb_kunit_$1 cases=0 line result rest
	local results=/sys/kernel/debug/kunit/$suite/results

	if ! insmod "${SLB_KO%/*}/kunit/$module.ko"; then
		slb_case 'not ok' "$suite: cannot load $module.ko"
		return
	fi
	if [ ! -r "$results" ]; then
		slb_case 'not ok' "$suite: no results in $results"
		rmmod "$module"
		return
	fi
	while IFS= read -r line; do
		# "    ok 3 - name" is a case; deeper ones are its parameters, and the
		# line without indent is the suite's.
		if [[ $line =~ ^\ {4}((not\ )?ok)\ [0-9]+\ (-\ )?(.*)$ ]]; then
			result=${BASH_REMATCH[1]}
			rest=${BASH_REMATCH[4]}
			cases=$((cases + 1))
			slb_case "$result" "$suite: $rest"
		else
			printf '# %s\n' "$line"
		fi
	done <"$results"
	if [ $cases -eq 0 ]; then
		slb_case 'not ok' "$suite: it has no case"
	elif ! grep -q "^ok [0-9]* \(- \)\?$suite" "$results"; then
		slb_case 'not ok' "$suite: as a whole"
	elif grep -q '^ *not ok' "$results"; then
		failed=1
	fi
	rmmod "$module" || slb_case 'not ok' "$suite: cannot unload $module"
}

if [ "$SLB_KERNEL" != uml ]; then
	echo '# the suites are built for the debug kernel (uml) alone'
	exit 4
fi
for name in epoch flow hints hold maglev parse rewrite worth; do
	slb_suite "$name"
done
echo "1..$n"
exit $failed
