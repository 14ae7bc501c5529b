#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make kernels: every test on every kernel that it can run on, and the table in
# docs/kernels.md from that run. Hours under emulation; before a release.
#
#   KERNELS="6.1 newest"   only these rows; the others stay as they are

set -euo pipefail
cd "$(dirname "$0")/.."
. selftests/host/host.sh

page=docs/kernels.md
rc=0
new=$(mktemp) rows=$(mktemp)
trap 'rm -f "$new" "$rows"' EXIT
unset TESTS
export SLB_TABLE=$rows
ALL=2 selftests/run || rc=$?
[ -s "$rows" ] || slb_die "the run ended early: $page is as before"

# The row of each kernel, new or old, in the order of all kernels.
merged() {
	local k

	for k in $(sed -n 's/^ALL_KERNELS="\(.*\)"/\1/p' selftests/run | tr ' ' '\n' | sort -V); do
		grep -h "^| \`$k\` | .* | .* | .* |" "$rows" "$page" | head -n 1 || :
	done
}

{
	sed '/^From `make kernels`/,$d' "$page"
	cat <<-'T'
		From `make kernels`, each row on the day that it names, or from `make test` where it says so, which
		runs the tests there that it has for that kernel.

	T
	cat <<-'T'
		| kernel | package | built, `W=1` | booted | tests | probes that hold (`SLB_HAVE_`) | measured |
		|---|---|---|---|---|---|---|
	T
	merged
} >"$new"
cat "$new" >"$page"
slb_msg "the rows are in $page"
exit $rc
