#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: uml
# slb-also: smp
# slb-rows: stock
# slb-timeout: 120
#
# Packets that a driver hands over at once leave in the order in which they came, also where
# IPv6 extension headers hide the ports of some. differential/overtake.py is the test itself.

set -u
. lib/stat.sh

modprobe -a tun ip_vs ip_vs_rr || slb_bail 'this kernel lacks what the test needs'
modprobe shadowlb flows=1024 || slb_bail 'shadowlb cannot be loaded'
# Flows are of a CPU: all packets enter on one.
exec taskset -c 0 /usr/bin/python3 -B -m differential.overtake
