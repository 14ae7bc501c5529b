#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make kernels: every test on every kernel that it can run on, and the table in
# docs/kernels.md from that run. Hours under emulation; before a release.
#
#   KERNELS="6.1 newest"   only these rows

set -euo pipefail
cd "$(dirname "$0")/.."
. selftests/lib/host.sh

page=docs/kernels.md
rc=0
new=$(mktemp) rows=$(mktemp)
trap 'rm -f "$new" "$rows"' EXIT
unset TESTS
export SLB_TABLE=$rows
ALL=2 selftests/run || rc=$?
[ -s "$rows" ] || slb_die "the run ended early: $page is as before"
{
	sed '/^Measured on /,$d' "$page"
	printf 'Measured on %s by `make kernels`.\n\n' "$(date +%Y-%m-%d)"
	cat <<-'T'
		| kernel | package | built, `W=1` | booted | tests | probes that hold (`SLB_HAVE_`) |
		|---|---|---|---|---|---|
	T
	cat "$rows"
} >"$new"
cat "$new" >"$page"
slb_msg "the rows are in $page"
exit $rc
