#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make pictures: runs the test "pictures" for seven minutes, on user-mode Linux with two CPUs, and
# draws what it saw: docs/top.svg (shadowlbctl top) and docs/dashboard.svg (the panels of
# tool/prometheus/shadowlb.dashboard.json, with what Prometheus has for them).

set -euo pipefail
cd "$(dirname "$0")/.."
. selftests/host/single.sh

slb_single_prepare smp
slb_msg 'seven minutes of load'
slb_single_run 900 pictures "$SLB_WORK/out" | grep -v '^ *# picture'
for picture in top dashboard; do
	sed -n "s/^ *# picture $picture\t//p" "$SLB_WORK/out" | base64 -d >"$SLB_WORK/$picture"
	[ -s "$SLB_WORK/$picture" ] || slb_die "nothing to draw docs/$picture.svg from, which stays as it is"
	python3 -B selftests/pictures/$picture.py <"$SLB_WORK/$picture" >"$SLB_WORK/$picture.svg"
	cp "$SLB_WORK/$picture.svg" docs/
	slb_msg "docs/$picture.svg"
done
