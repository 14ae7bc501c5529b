#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: uml smp
# slb-rows: stock
# slb-timeout: 620
#
# 100 loads and unloads of the module (SLB_RELOADS) while HTTP and UDP go through IPVS, in
# the slow path and in flows: no request fails, no connection breaks.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

# an emulator is slow at loading modules
case $SLB_KERNEL in
uml | smp) reloads=${SLB_RELOADS:-100} ;;
*) reloads=${SLB_RELOADS:-30} ;;
esac

modprobe ip_vs_shadow
slb_net_up
slb_http_up
slb_udp_up
slb_service t m 80 rr 8080
slb_service u g 7 rr
slb_wrk_start 3 http://$SLB_VIP_NAT/4k 5
slb_spawn client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_DR:7 2 100000000 slow >"$SLB_TMP/ping"
ping=$!
slb_check 'the load runs' slb_wait 10 slb_vs_above outpkts 50

slb_ms start
# What a debugger would read is most of the file, and of the time to load it
strip --strip-debug -o "$SLB_TMP/shadowlb.ko" "$SLB_KO"
slb_must "$reloads loads and unloads, flows used in each" timeout $((reloads * 30)) \
	nsenter --net=/run/netns/slb-dir -- bash guest/reload-loop.sh "$reloads" "$SLB_TMP/shadowlb.ko"
slb_ms end
slb_note "that took $(((end - start) / 1000)) s"
slb_check 'IPVS goes on' slb_wait 10 slb_vs_above inpkts $(($(slb_vs inpkts) + 100))
slb_wrk_end
slb_is 'requests' "$requests" gt 100
slb_is 'failed requests' "$failed" eq 0
slb_is "TCP connections, for wrk's 3 and the one it tries first" \
	"$(slb_vs conns "TCP $SLB_VIP_NAT:80")" le 4
kill -INT $ping
wait $ping
slb_check "UDP: $(<"$SLB_TMP/ping")" grep -q 'good=[1-9][0-9]* bad=0 lost=0' "$SLB_TMP/ping"
slb_done
