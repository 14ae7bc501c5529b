#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp here
# slb-long: uml
# slb-rows: stock
# slb-timeout: 360
#
# net.shadowlb.scope says whose packets are served: of no service (0), of those
# scheduled by "shadow" (1), of all (2). A switch holds when the write returns.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

# Two services, the same real servers: 7 is scheduled by shadow, 9 by rr.
# slb_hits PORT: how many of a fixed number of datagrams flows serve
slb_hits() {
	local before

	before=$(slb_stat dir hits)
	slb_in client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:"$1" 1 50 >"$SLB_TMP/ping" ||
		slb_fail "port $1: $(<"$SLB_TMP/ping")"
	echo $(($(slb_stat dir hits) - before))
}

# slb_refused KNOB VALUE: the write fails with EINVAL and changes nothing
slb_refused() {
	local knob=net.shadowlb.$1 old out

	old=$(slb_in dir sysctl -n "$knob")
	out=$(slb_in dir sysctl -w "$knob=$2" 2>&1)
	slb_check "$knob=$2: invalid argument" grep -q 'Invalid argument' <<<"$out"
	slb_same "$knob=$2 changes nothing" "$(slb_in dir sysctl -n "$knob")" "$old"
}

modprobe shadowlb
slb_net_up
slb_udp_up
slb_http_up
slb_service u m 7 shadow 7777
slb_service u m 9 rr 7777
slb_service t m 80 rr 8080

slb_same 'the default scope' "$(slb_in dir sysctl -n net.shadowlb.scope)" 1
slb_same 'the default lease' "$(slb_in dir sysctl -n net.shadowlb.lease)" 10
slb_is 'scope 1: hits of shadow' "$(slb_hits 7)" gt 80
slb_is 'scope 1: hits of rr' "$(slb_hits 9)" eq 0
slb_scope 2
slb_is 'scope 2: hits of shadow' "$(slb_hits 7)" gt 80
slb_is 'scope 2: hits of rr' "$(slb_hits 9)" gt 80
slb_scope 0
slb_is 'scope 0: hits of shadow' "$(slb_hits 7)" eq 0
slb_is 'scope 0: hits of rr' "$(slb_hits 9)" eq 0

# Values out of range
slb_scope 2
for value in -1 3 4294967297 two; do
	slb_refused scope $value
done
for value in 0 -1 601 x; do
	slb_refused lease $value
done
slb_is 'hits of rr after that' "$(slb_hits 9)" gt 80
for value in 1 600; do
	slb_check "lease=$value is taken" slb_in dir sysctl -qw net.shadowlb.lease=$value
done

# A namespace of its own
slb_same 'scope elsewhere' "$(slb_in client sysctl -n net.shadowlb.scope)" 1
slb_same 'lease elsewhere' "$(slb_in client sysctl -n net.shadowlb.lease)" 10

# Off and on under load
slb_wrk_start 4 http://$SLB_VIP_NAT/4k
slb_must 'under load: hits grow' slb_wait 10 slb_stat_above dir hits $(($(slb_stat dir hits) + 200))
slb_scope 0
hits=$(slb_stat dir hits)
slb_check 'under load, scope 0: IPVS serves' slb_wait 10 slb_vs_above inpkts $(($(slb_vs inpkts) + 200))
slb_is 'under load, scope 0: hits' $(($(slb_stat dir hits) - hits)) eq 0
slb_scope 2
slb_check 'under load, scope 2: hits grow again' slb_wait 10 slb_stat_above dir hits $((hits + 200))
slb_wrk_end
slb_is "under load: failed of $requests requests" "$failed" eq 0
slb_is "under load: connections, for wrk's 4 and the one it tries first" \
	"$(slb_vs conns "TCP $SLB_VIP_NAT:80")" le 5
slb_done
