#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: 6.12
# slb-timeout: 120
#
# Packets that a rule gives to user space (NFQUEUE) behind raw, an inline intrusion
# prevention for one: each of them does, also if one process on one CPU does all of it.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

queued() { cat "$SLB_TMP/queued"; }

# queue_both: flows serve requests and answers
queue_both() {
	local before

	before=$(slb_stat dir hits)
	slb_in client /usr/bin/python3 traffic/ask.py <<<"10.1.0.2:30000 $SLB_VIP_NAT:7 60 text" >/dev/null
	[ $(($(slb_stat dir hits) - before)) -gt 90 ]
}

taskset -pc 0 $$ >/dev/null
modprobe shadowlb
slb_net_up
slb_spawn rs1 /usr/bin/python3 traffic/ask.py serve 10.2.1.2:7
slb_wait 60 eval '[ "$(slb_in rs1 ss -Hlnu | wc -l)" -ge 1 ]' || slb_bail 'no UDP server'
slb_scope 2
slb_in dir ipvsadm -A -u $SLB_VIP_NAT:7 -s rr
slb_in dir ipvsadm -a -u $SLB_VIP_NAT:7 -r 10.2.1.2:7 -m
modprobe -a nfnetlink_queue nft_queue || slb_bail 'this kernel has no NFQUEUE'
slb_spawn dir /usr/bin/python3 traffic/nfqueue.py 0 "$SLB_TMP/queued"
slb_wait 60 test -e "$SLB_TMP/queued" || slb_bail 'no program takes the queue'
slb_in dir nft -f - <<-'EOF'
	table ip q {
		chain c {
			type filter hook prerouting priority mangle
			udp dport 7 queue num 0
		}
	}
EOF
before=$(slb_stat dir hits)
slb_same 'answers' "$(slb_in client /usr/bin/python3 traffic/ask.py \
	<<<"10.1.0.2:30000 $SLB_VIP_NAT:7 60 text")" "60 $SLB_VIP_NAT:7=60 text=60"
slb_is 'requests that user space had' "$(queued)" eq 60
slb_is 'answers that flows served' $(($(slb_stat dir hits) - before)) gt 40
slb_in dir nft delete table ip q
# a key whose packets taught nothing is tried again after a second
slb_check 'without the rule flows serve requests, too' slb_wait 30 queue_both
slb_done
