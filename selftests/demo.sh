#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make demo: the same load through IPVS with shadowlb off and on, in an emulated
# guest with one of Debian's own kernels. This machine keeps a directory, its cache, and
# the package mmdebstrap.
#
#   DEMO_KERNEL=6.1      another kernel (default 6.12)
#   DEMO_SECONDS=10      how long each run takes (default 3)

set -euo pipefail
cd "$(dirname "$0")/.."
. selftests/host/host.sh
. selftests/host/apt.sh
. selftests/host/root.sh
slb_enter demo "$0" "$@"
. selftests/host/kernels.sh
. selftests/host/stock.sh
. selftests/host/build.sh

kernel=${DEMO_KERNEL:-6.12}
export DEMO_SECONDS=${DEMO_SECONDS:-3}
slb_work_make
work=$SLB_WORK
trap slb_work_remove EXIT

[[ " $SLB_STOCK_KERNELS " == *" $kernel "* ]] ||
	slb_die "DEMO_KERNEL is one of: $SLB_STOCK_KERNELS"
[[ $DEMO_SECONDS =~ ^[1-9][0-9]?$ ]] || slb_die "DEMO_SECONDS is a number from 1 to 99"

slb_kernels_fetch "$kernel"
slb_msg "building shadowlb for Linux $(slb_kernel_release "$kernel")"
slb_build_module "$kernel" "$work/src" || slb_die 'it does not build, see above'

export SLB_SRC=$PWD SLB_KERNEL=$kernel SLB_KO=$work/src/shadowlb.ko
export SLB_SECONDS=$DEMO_SECONDS
SLB_DEPMOD=$(slb_build_depmod_dir "$kernel" "$work/src")
export SLB_DEPMOD
slb_msg 'booting it, in software emulation: all figures are of a slow machine'
mkdir -p "$SLB_CACHE/logs"
SLB_STOCK_LOG=$SLB_CACHE/logs/demo.console \
	slb_stock_run "$kernel" $((300 + 12 * DEMO_SECONDS)) bash selftests/guest/demo.sh
slb_msg 'done'
