#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: uml smp
# slb-rows: stock
# slb-timeout: 240
#
# net.shadowlb.verify: packets that flows could serve are given to the slow path, and the results
# are compared. Nothing differs, until the slow path changes and nothing signals that: the change is
# found, and traced, long before the lease is over.

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
trap slb_net_down EXIT
slb_differ=1
unset SLB_VERIFY

slb_verify() { slb_in dir sysctl -qw net.shadowlb.verify="$1"; }

# slb_grew NAME: in $diff
slb_grew() { awk -v n="$1" '$1 == n { g = $2 } END { print g + 0 }' <<<"$diff"; }

# slb_ping_counted PORT: sets diff to what 600 datagrams there and back did to the counters.
slb_ping_counted() {
	local before

	before=$(slb_stat_get dir)
	slb_in client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:7 4 150 >"$SLB_TMP/ping" ||
		slb_fail "datagrams are lost: $(<"$SLB_TMP/ping")"
	diff=$(slb_since "$before")
}

slb_traced() { grep -q "$1" "$trace/trace"; }

modprobe shadowlb
slb_net_up
slb_udp_up
slb_in dir ipvsadm -A -u $SLB_VIP_NAT:7 -s shadow
slb_in dir ipvsadm -a -u $SLB_VIP_NAT:7 -r 10.2.1.2:7777 -m
slb_in dir sysctl -qw net.shadowlb.lease=600
trace=/sys/kernel/tracing
mountpoint -q $trace || mount -t tracefs trace $trace
echo 1 >$trace/events/shadowlb/slb_differ/enable
echo >$trace/trace

slb_check 'a share of less than none is refused' \
	eval '! slb_in dir sysctl -qw net.shadowlb.verify=-1 2>/dev/null'
slb_ping_counted
slb_is 'verify=0: compared' "$(slb_grew verified)" eq 0
slb_is 'verify=0: hits' "$(slb_grew hits)" gt 1000
slb_verify 1
slb_ping_counted
slb_is 'verify=1: hits' "$(slb_grew hits)" eq 0
slb_is 'verify=1: compared' "$(slb_grew verified)" gt 1000
slb_verify 10
slb_ping_counted
slb_is 'verify=10: hits' "$(slb_grew hits)" gt 800
slb_is 'verify=10: compared, a tenth' "$(slb_grew verified)" gt 40
slb_is 'verify=10: compared, no more' "$(slb_grew verified)" lt 300
slb_is 'packets that differ' "$(slb_stat dir differs)" eq 0

# What flows serve, and the slow path changes. A rule is for addresses of a set: flows follow the
# transaction that adds it. Then the address expires, which nothing signals.
slb_spawn client /usr/bin/python3 traffic/udp.py flood $SLB_VIP_NAT:7 2 "$SLB_TMP/flood"
slb_wait 60 slb_stat_above dir hits $(($(slb_stat dir hits) + 200)) || slb_fail 'no flood'
slb_in dir nft -f - <<EOF
table ip later {
	set soon {
		type ipv4_addr
		flags timeout
		elements = { 10.2.1.2 timeout 20s }
	}
	chain late {
		type filter hook postrouting priority mangle
		ip daddr @soon udp dport 7777 ip dscp set af21
	}
}
EOF
slb_ms start
slb_wait 15 slb_stat_above dir hits $(($(slb_stat dir hits) + 100)) || slb_fail 'no flows behind the rule'
differs=$(slb_stat dir differs)
if slb_ms_since "$start" 18000; then
	slb_note 'the address of the set has expired: too late to see flows follow its rule'
else
	slb_is 'a rule that sets DSCP: packets that differ' "$differs" eq 0
fi
slb_check 'the address of a rule expires: found' slb_wait 60 slb_stat_above dir differs "$differs"
slb_check 'the address of a rule expires: traced' slb_traced 'slb_differ:'
slb_note "$(grep -m 1 'slb_differ:' $trace/trace)"
slb_in dir nft delete table ip later
slb_wait 60 slb_stat_above dir hits $(($(slb_stat dir hits) + 200)) || slb_fail 'no flows after the rule'
before=$(slb_stat_get dir)
ip -n slb-dir route add 10.2.1.2 via 10.2.2.2
ip -n slb-dir route delete 10.2.1.2 via 10.2.2.2
slb_wait 60 slb_stat_above dir hits $(($(slb_stat dir hits) + 200)) || slb_fail 'no flows after the route'
diff=$(slb_since "$before")
slb_is 'a route changed: compared' "$(slb_grew verified)" gt 0
slb_is 'a route changed: packets that differ' "$(slb_grew differs)" eq 0
echo 0 >$trace/events/shadowlb/slb_differ/enable
slb_done
