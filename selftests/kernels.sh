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
ALL=2 selftests/run || rc=$?
logs=$(find "$SLB_CACHE/logs" -mindepth 1 -maxdepth 1 -type d | sort | tail -n 1)
new=$(mktemp)
trap 'rm -f "$new"' EXIT
{
	sed '/^Measured on /,$d' "$page"
	printf 'Measured on %s by `make kernels`.\n\n' "$(date +%Y-%m-%d)"
	cat <<-'T'
		| kernel | package | built, `W=1` | booted | tests | probes that hold (`SLB_HAVE_`) |
		|---|---|---|---|---|---|
	T
	cat "$logs/kernels"
} >"$new"
cat "$new" >"$page"
slb_msg "the rows are in $page"
exit $rc
