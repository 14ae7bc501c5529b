#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: stock
# slb-also: uml rt smp here
# slb-timeout: 360
#
# A UDP echo, masqueraded and routed directly: every byte comes back, by flows. Without
# a checksum too: those packets stay with the slow path where the checksum would have
# to be rewritten (IPVS computes one), and are served where nothing is.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

# slb_echo_test TEXT VIP [nocheck]: sets diff
slb_echo_test() {
	local before text=$1 vip=$2

	shift 2
	before=$(slb_stat_get dir)
	slb_check "$text: 800 datagrams come back as they went" \
		slb_in client /usr/bin/python3 traffic/udp.py ping "$vip:7" 4 200 "$@"
	diff=$(slb_stat_diff "$before" "$(slb_stat_get dir)")
	slb_show_diff "$diff"
}

slb_ping_share() {
	local share

	share=$(slb_share "$diff")
	slb_check "$1: $share % served by flows (want > 90)" slb_share_above 90 "$share"
}

modprobe shadowlb
slb_net_up
# a slow machine is not to prove flows again because of that
slb_in dir sysctl -qw net.shadowlb.lease=600
slb_udp_up
slb_service u m 7 shadow 7777
slb_service u g 7 shadow

slb_echo_test NAT $SLB_VIP_NAT
slb_ping_share NAT
slb_is 'NAT: requests and replies, hits' "$(awk '/^hits/ { print $2 }' <<<"$diff")" gt 1300
slb_echo_test DR $SLB_VIP_DR
slb_ping_share DR

# Many clients in turn: those that share a place among the hints must not keep each
# other waiting for their third packet.
before=$(slb_stat_get dir)
slb_check '192 clients in turn: 3840 datagrams come back' \
	slb_in client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:7 192 20
diff=$(slb_stat_diff "$before" "$(slb_stat_get dir)")
slb_show_diff "$diff"
slb_is '192 clients in turn: flows of 384' "$(awk '/^learned/ { print $2 }' <<<"$diff")" ge 382

slb_echo_test 'NAT, no checksum' $SLB_VIP_NAT nocheck
slb_is 'NAT, no checksum: requests that IPVS served itself' \
	"$(awk '/^miss_(none|csum)/ { n += $2 } END { print n + 0 }' <<<"$diff")" ge 800
slb_is 'NAT, no checksum: replies, hits' "$(awk '/^hits/ { print $2 }' <<<"$diff")" gt 750
slb_echo_test 'DR, no checksum' $SLB_VIP_DR nocheck
slb_ping_share 'DR, no checksum'

slb_offload_off
slb_echo_test 'NAT without offloads' $SLB_VIP_NAT
slb_ping_share 'NAT without offloads'
slb_done
