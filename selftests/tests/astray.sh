#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp
# slb-timeout: 180
#
# Sweeps that run on another CPU than their own end the flows of that CPU, and its
# connections go on without flows. The module of this test (build.sh) puts its sweeps
# into an unbound workqueue, and only CPU 0 may run that.

set -u
. lib/stat.sh
. lib/net.sh
mask=/sys/devices/virtual/workqueue/cpumask
before=$(<$mask)
trap 'echo "$before" >$mask; slb_net_down' EXIT

# From here on everything runs on this CPU, and so does what packets of it meet.
run_on() { taskset -pc "$1" $$ >/dev/null; }

# hits CPU
hits() {
	slb_in dir awk -v row="$(($1 + 2))" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == "hits") n = i }
		NR == row { print $n }' /proc/net/stat/shadowlb |
		while read -r n; do echo $((16#$n)); done
}
hits_above() { [ "$(hits "$1")" -gt "$2" ]; }
said() { dmesg | grep -q 'shadowlb: the sweep of CPU 1 ran on another CPU'; }

slb_must 'there are two CPUs' [ "$(nproc)" -ge 2 ]
# for what it depends on
modprobe shadowlb && rmmod shadowlb
slb_must 'the module with unbound sweeps' insmod "${SLB_KO%/*}/astray/shadowlb.ko"
echo 1 >$mask
run_on 1
slb_net_up
slb_http_up
slb_udp_up
slb_scope 2
slb_service t m 80 rr
slb_service u m 7 rr
# A flow that is not swept would outlive its connection soon.
slb_in dir ipvsadm --set 5 5 5

slb_wrk_start 3 http://$SLB_VIP_NAT/4k 20
slb_spawn client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:7 2 100000000 slow >"$SLB_TMP/ping"
ping=$!
slb_check 'CPU 1 serves packets by flows until its first sweep' slb_wait 60 hits_above 1 0
slb_check 'then the kernel log says why it stops' slb_wait 60 said
slb_pause 1
last=$(hits 1)
packets=$(slb_vs inpkts)
# Longer than any connection of these lives without a packet that IPVS sees.
slb_pause 12
slb_is 'packets meanwhile' "$(slb_vs inpkts)" gt $((packets + 100))
slb_is 'hits of CPU 1 since then' "$(($(hits 1) - last))" eq 0
slb_wrk_end
kill -INT $ping
wait $ping
slb_is 'requests' "$requests" gt 100
slb_is 'failed requests' "$failed" eq 0
slb_is "TCP connections, for wrk's 3 and the one it tries first" \
	"$(slb_vs conns "TCP $SLB_VIP_NAT:80")" le 4
slb_check "UDP: $(<"$SLB_TMP/ping")" grep -q 'good=[1-9][0-9]* bad=0 lost=0' "$SLB_TMP/ping"

run_on 0
last=$(hits 0)
slb_in client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:7 2 200 >/dev/null
slb_is 'hits of CPU 0, whose sweep runs at home' "$(($(hits 0) - last))" gt 100
slb_check 'the scope changes' timeout 30 nsenter --net=/run/netns/slb-dir sysctl -qw net.shadowlb.scope=0
slb_check '/proc/net/shadowlb can be read' slb_in dir cat /proc/net/shadowlb
slb_in dir ipvsadm -C
slb_check 'the module goes' timeout 30 rmmod shadowlb
slb_done
