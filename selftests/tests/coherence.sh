#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: uml
# slb-also: smp
# slb-timeout: 600
#
# How long a stale decision is used (docs/contract.md, Bounds on a stale decision): under
# load, each event SLB_REPEAT times. differential/coherence.py is the test itself,
# differential/rows.py has the events.
#
#   SLB_ROWS="MTU rule"  those events alone that have one of these words
#   SLB_PART=1/2         every second event, from the first on

set -u
. lib/stat.sh

modprobe -a tun ip_vs ip_vs_rr || slb_bail 'this kernel lacks what the test needs'
read -ra rows <<<"${SLB_ROWS:-}"
exec /usr/bin/python3 -B -m differential.coherence "${SLB_REPEAT:-2}" "${SLB_PART:-1/1}" \
	"${rows[@]}"
