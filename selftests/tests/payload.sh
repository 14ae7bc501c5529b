#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: uml smp here
# slb-rows: stock
# slb-timeout: 120
#
# Rules behind the flows' place that change what is behind the headers of packets: payload of
# UDP, options of TCP. With the checksum left to the device, or without one, no header shows
# it. Every packet is changed, whether flows serve others or not.

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
trap slb_net_down EXIT

# same_payload TEXT: the answers to a new socket's datagrams are those that it has without flows.
port=30000
same_payload() {
	local scope got want=

	for scope in 0 2; do
		slb_scope $scope
		port=$((port + 1))
		got=$(slb_in client /usr/bin/python3 traffic/ask.py \
			<<<"10.1.0.2:$port $SLB_VIP_NAT:7 30 xxxxxxxx")
		[ $scope != 0 ] || want=$got
	done
	slb_same "$1: $want" "$got" "$want"
}

modprobe shadowlb
slb_net_up
slb_http_up
slb_spawn rs1 /usr/bin/python3 traffic/ask.py serve 10.2.1.2:7
slb_wait 60 eval '[ "$(slb_in rs1 ss -Hlnu | wc -l)" -ge 1 ]' || slb_bail 'no UDP server'
slb_in dir ipvsadm -R <<-EOF
	-A -u $SLB_VIP_NAT:7 -s rr
	-a -u $SLB_VIP_NAT:7 -r 10.2.1.2:7 -m
	-A -t $SLB_VIP_NAT:80 -s rr
	-a -t $SLB_VIP_NAT:80 -r 10.2.1.2:8080 -m
EOF
slb_scope 2
slb_check 'a flow serves' slb_wait 30 slb_serving $SLB_VIP_NAT:7
before=$(slb_stat_get dir)
same_payload 'without a rule'
slb_is 'packets that flows served' "$(slb_stat_grew dir hits "$before")" gt 10
slb_show_diff "$(slb_stat_diff "$before" "$(slb_stat_get dir)")"

slb_in dir nft -f - <<-'EOF'
	table ip m {
		chain i {
			type filter hook input priority mangle
			udp dport 7 @th,64,32 set 0x41424344
		}
	}
EOF
same_payload 'requests, checksum left to the device'
slb_in client ethtool -K c0 tx off >/dev/null
same_payload 'requests, checksum complete'
slb_in client ethtool -K c0 tx on >/dev/null
slb_in dir nft -f - <<-'EOF'
	delete table ip m
	table ip m {
		chain f {
			type filter hook forward priority mangle
			udp sport 7 @th,64,32 set 0x41424344
		}
	}
EOF
same_payload 'answers'
slb_in dir nft delete table ip m

slb_in dir sysctl -qw net.shadowlb.lease=1
slb_count_at rs1 d0 stamped 'tcp dport 8080 tcp flags & (syn|fin|rst) == 0 tcp option timestamp exists'
slb_count_at rs1 d0 bare 'tcp dport 8080 tcp flags & (syn|fin|rst) == 0 tcp option timestamp missing'
slb_wrk_start 2 http://$SLB_VIP_NAT/4k 20
slb_wait 60 slb_stat_above dir hits $(($(slb_stat dir hits) + 50)) || slb_fail 'flows serve TCP'
slb_in dir nft -f - <<-'EOF'
	table ip m {
		chain i {
			type filter hook input priority mangle
			tcp dport 80 reset tcp option timestamp
		}
	}
EOF
slb_pause 4
stamped=$(slb_counted rs1 netdev stamped)
bare=$(slb_counted rs1 netdev bare)
slb_pause 3
slb_is 'a lease after the rule: segments with the option' \
	$(($(slb_counted rs1 netdev stamped) - stamped)) eq 0
slb_is 'and without it' $(($(slb_counted rs1 netdev bare) - bare)) gt 20
slb_wrk_end
slb_is 'failed requests' "$failed" eq 0
slb_done
