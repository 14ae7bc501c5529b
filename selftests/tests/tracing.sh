#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: 6.12
# slb-timeout: 1200
#
# Commands of docs/tracing.md, as they stand there, show packets and flows while there is traffic.

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
. lib/xdp.sh
trap slb_net_down EXIT

# slb_trace_line COMMAND: the command of docs/tracing.md that begins so, at dc for eth0
slb_trace_line() {
	local line

	line=$(grep -m 1 -F "    $1" "$SLB_SRC/docs/tracing.md" | sed 's/eth0/dc/; s/^ *//')
	[ -n "$line" ] || slb_bail "docs/tracing.md has no command $1"
	printf '%s\n' "$line"
}

# slb_trace_try PATTERN LINE: does the output of the command have such a line?
slb_trace_try() {
	slb_in dir timeout 120 bash -c "$2" >"$SLB_TMP/out" 2>&1 </dev/null
	grep -qE -- "$1" "$SLB_TMP/out"
}

# slb_trace_shows PATTERN COMMAND: the command shows a line with the pattern, sooner or later.
slb_trace_shows() {
	local line

	line=$(slb_trace_line "$2")
	if slb_wait 120 slb_trace_try "$1" "$line"; then
		slb_ok "$line"
	else
		slb_fail "$line"
		head -n 20 "$SLB_TMP/out" | sed 's/^/# /'
	fi
}

# slb_trace_runs COMMAND: the command succeeds.
slb_trace_runs() {
	local line

	line=$(slb_trace_line "$1")
	slb_check "$line" slb_in dir timeout 120 bash -c "$line"
}

# The reasons of what was recorded, in words
slb_trace_recorded() {
	slb_in dir bash -c "$(slb_trace_line 'perf record')" >"$SLB_TMP/out" 2>&1 </dev/null &&
		slb_trace_try 'slb_miss: .*reason=(miss_none|miss_lease)' "$(slb_trace_line 'perf script')"
}

# New connections again and again, for flows that are made.
slb_trace_new() {
	while slb_in client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:7 2 12 >/dev/null; do :; done
}

slb_xdp_need
mountpoint -q /sys/kernel/tracing || mount -t tracefs trace /sys/kernel/tracing
slb_net_up
slb_udp_up
slb_service u m 7 shadow 7777
slb_wait 60 slb_serving "$SLB_VIP_NAT:7" || slb_bail 'flows do not serve'
slb_spawn client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:7 2 1000000 slow >/dev/null
slb_trace_new &
slb_pids+=($!)

slb_trace_shows 'slb_learn' 'perf trace'
slb_check 'perf record, perf script: reasons in words' slb_wait 120 slb_trace_recorded
slb_trace_shows '^ +[1-9][0-9,]* +shadowlb:slb_hit' 'perf stat'
slb_trace_shows '^@\[[0-9]+\]: [1-9]' "bpftrace -e 'tracepoint:shadowlb:slb_miss"
slb_trace_shows '^\[.*@' "bpftrace -e 'tracepoint:shadowlb:slb_hit"
slb_trace_runs 'echo 1 >/sys'
slb_trace_shows 'slb_miss: .*reason=miss_' 'timeout 2 cat'
slb_trace_runs 'echo 0 >/sys'
before=$(slb_stat dir hits)
slb_trace_shows '10\.1\.0\.2\.[0-9]+ > 10\.1\.0\.100\.7' 'timeout 2 tcpdump'
slb_is 'served meanwhile' "$(slb_stat dir hits)" gt "$before"

slb_xdp_wires
for dev in dc dr1 dr2 dr3; do
	slb_in dir xdp-loader load -m native -s xdp "$dev" "$SLB_XDP_OBJ" || slb_bail "no XDP at $dev"
done
slb_wait 60 slb_stat_above dir xdp_hits 100 || slb_fail 'XDP does not serve'
slb_trace_shows 'shadowlb.*@exit(\[TX\]|\[REDIRECT\])' 'timeout -s INT 5 xdpdump'
for dev in dc dr1 dr2 dr3; do
	slb_in dir xdp-loader unload -a "$dev" || slb_fail "xdp-loader unload $dev"
done
slb_done
