#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: uml smp
# slb-rows: stock
# slb-timeout: 240
#
# net.shadowlb.verify: packets that flows could serve are given to the slow path, and what
# it does with them is compared. Nothing differs, until a rule behind the raw table changes
# what the slow path does: that is found, and traced, long before the lease is over.

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

# What flows serve, and the slow path changes: a connection that was learned before the rule.
slb_spawn client /usr/bin/python3 traffic/udp.py flood $SLB_VIP_NAT:7 2 "$SLB_TMP/flood"
slb_wait 20 slb_stat_above dir hits $(($(slb_stat dir hits) + 200)) || slb_fail 'no flood'
slb_in dir nft -f - <<EOF
table ip later {
	chain late {
		type filter hook postrouting priority mangle
		udp dport 7777 ip dscp set af21
	}
}
EOF
slb_check 'a rule that sets DSCP: found' slb_wait 20 slb_stat_above dir differs 0
slb_check 'a rule that sets DSCP: traced' slb_traced 'slb_differ:.*reason=skip_changed'
slb_note "$(grep -m 1 'slb_differ:' $trace/trace)"
slb_in dir nft delete table ip later
slb_wait 20 slb_stat_above dir hits $(($(slb_stat dir hits) + 200)) || slb_fail 'no flows after the rule'
before=$(slb_stat_get dir)
ip -n slb-dir route add 10.2.1.2 via 10.2.2.2
ip -n slb-dir route delete 10.2.1.2 via 10.2.2.2
slb_wait 20 slb_stat_above dir hits $(($(slb_stat dir hits) + 200)) || slb_fail 'no flows after the route'
diff=$(slb_since "$before")
slb_is 'a route changed: compared' "$(slb_grew verified)" gt 0
slb_is 'a route changed: packets that differ' "$(slb_grew differs)" eq 0
echo 0 >$trace/events/shadowlb/slb_differ/enable
slb_done
