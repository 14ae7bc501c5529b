#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make soak MINUTES=n: the differential test (tests/differential.sh) on the debug kernel,
# for that long, from a random seed on. Ends as the test ends. Seeds that failed are
# shown; they belong into cases/differential.seeds.

set -euo pipefail
cd "$(dirname "$0")/.."
. selftests/lib/host.sh
. selftests/lib/kernels.sh
. selftests/lib/stock.sh
. selftests/lib/uml.sh
. selftests/lib/build.sh

export SLB_MINUTES=${MINUTES:-30}
export SLB_FIRST=${FIRST:-$((RANDOM * 32768 + RANDOM))}
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
work=$(mktemp -d "${TMPDIR:-/tmp}/shadowlb-soak.XXXXXX")
export SLB_KERNEL=uml SLB_SRC=$work/uml SLB_KO=$work/uml/shadowlb.ko

cleanup() {
	slb_kill_children $$
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

slb_need_tools
slb_uml_prepare
slb_msg 'building the module'
slb_build_module uml "$SLB_SRC" >&2
seconds=$((SLB_MINUTES * 60 + 600))
sed -i "s/^# slb-timeout:.*/# slb-timeout: $seconds/" "$SLB_SRC/selftests/tests/differential.sh"
slb_msg "$SLB_MINUTES minutes from seed $SLB_FIRST on"
TMPDIR=$work slb_uml_run $((seconds + 60)) \
	bash "$SLB_SRC/selftests/lib/guest.sh" differential | tee "$work/out"
! grep -q '^not ok' "$work/out" && grep -q '^ok' "$work/out"
