#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: uml
# slb-long: smp
# slb-timeout: 360
#
# Connections end when IPVS would end them: timeouts down to 2 s, ends of TCP, ports used
# again, persistence, real servers that go or have no weight, and what IPVS drops when
# memory is short. Two directors for each case, one with flows and one without; differential/
# expiry.py is the test itself.

set -u
. lib/stat.sh

modprobe -a tun ip_vs ip_vs_rr || slb_bail 'this kernel lacks what the test needs'
modprobe shadowlb flows=1024 || slb_bail 'shadowlb cannot be loaded'
# Flows are of a CPU: all packets enter on one.
exec taskset -c 0 /usr/bin/python3 -B -m differential.expiry
