#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: stock uml
# slb-also: rt smp here
# slb-timeout: 360
#
# HTTP through masquerading: replies come back through the director and are flows too.

set -u
. lib/stat.sh
. lib/net.sh
. lib/http.sh
trap slb_net_down EXIT

modprobe shadowlb
slb_http_test m $SLB_VIP_NAT
slb_done
