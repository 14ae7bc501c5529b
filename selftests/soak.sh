#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make soak MINUTES=n: the differential test (tests/differential.sh) on the debug kernel,
# for that long, from a random seed on. Ends as the test ends. Seeds that failed are
# shown; they belong into cases/differential.seeds.

set -euo pipefail
cd "$(dirname "$0")/.."
. selftests/host/single.sh

export SLB_MINUTES=${MINUTES:-30}
export SLB_FIRST=${FIRST:-$((RANDOM * 32768 + RANDOM))}
slb_single_prepare uml
slb_msg "$SLB_MINUTES minutes from seed $SLB_FIRST on"
slb_single_run $((SLB_MINUTES * 60 + 600)) differential "$SLB_WORK/out"
