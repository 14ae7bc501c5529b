#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: 6.12 uml smp here
# slb-timeout: 360
#
# HTTP through direct routing: replies never see the director.

set -u
. lib/stat.sh
. lib/net.sh
. lib/http.sh
trap slb_net_down EXIT

modprobe shadowlb
slb_http_test g $SLB_VIP_DR
slb_done
