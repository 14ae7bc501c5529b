#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: 6.12
# slb-timeout: 600
#
# The coherence test with XDP at each device: an event under load, and no packet behind it
# that XDP still sends by the old decision. See coherence.sh.
#
#   SLB_XDP=generic      and not native

set -u
. lib/stat.sh
. lib/xdp.sh

slb_xdp_need
modprobe -a tun ip_vs ip_vs_rr || slb_bail 'this kernel lacks what the test needs'
read -ra rows <<<"${SLB_ROWS:-}"
export SLB_XDP=${SLB_XDP:-native} SLB_XDP_OBJ
exec /usr/bin/python3 -B -m differential.coherence "${SLB_REPEAT:-1}" "${SLB_PART:-1/1}" "${rows[@]}"
