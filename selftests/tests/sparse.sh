#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: uml smp here
# slb-rows: stock
# slb-timeout: 240
#
# Packets that are more than a lease apart. Where nothing decides but IPVS's connections and the
# kernel's routes, flows serve them. Where a rule may decide, they make no flow, however many come:
# their flow would serve none of them; packets that come twice in a lease do.

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
trap slb_net_down EXIT
# a packet that is compared proves its flow, too
unset SLB_VERIFY

# asked_apart PORT MS [CLOSE]: eight questions, so far apart, behind CLOSE ones that are 0.2 s apart
asked_apart() {
	local i

	for ((i = 8 + ${3:-0}; i > 0; i--)); do
		printf '10.1.0.2:%s %s:7 1 x\nwait %s\n' "$1" $SLB_VIP_NAT $((i > 8 ? 200 : $2))
	done | slb_in client /usr/bin/python3 traffic/ask.py | awk '{ n += $1; sub(/.*=/, "", $2); a += $2 }
		END { print n - a }'
}

modprobe shadowlb
slb_one_cpu
slb_net_up
slb_udp_up
slb_scope 2
slb_service u m 7 rr 7777
slb_check 'a flow serves' slb_wait 30 slb_serving $SLB_VIP_NAT:7
slb_epochs_over
slb_check 'rules are constant' slb_wait 60 eval '[[ $(slb_show) == *constant\ ipv4* ]]'
slb_in dir sysctl -qw net.shadowlb.lease=2

before=$(slb_stat_get dir)
slb_is 'far apart: questions without an answer' "$(asked_apart 30001 3000)" eq 0
slb_is 'far apart: flows learned' "$(slb_stat_grew dir learned "$before")" eq 2
slb_is 'far apart: packets that flows served' "$(slb_stat_grew dir hits "$before")" ge 9
slb_is 'far apart: of these, after a lookup' "$(slb_stat_grew dir rechecked "$before")" ge 9
slb_is 'far apart: proofs' "$(slb_stat_grew dir renewed "$before")" eq 0

# a sweep must look at such flows in time, and not end them early
slb_in dir ipvsadm --set 0 0 6
before=$(slb_stat_get dir)
slb_is 'short timeout: questions without an answer' "$(asked_apart 30004 1500)" eq 0
slb_is 'short timeout: flows learned' "$(slb_stat_grew dir learned "$before")" eq 2
slb_is 'short timeout: packets that flows served' "$(slb_stat_grew dir hits "$before")" ge 9
slb_in dir ipvsadm --set 0 0 300

# of IPv4 alone: IPv6 has no rules, but counts of packets are common to both
slb_in dir sysctl -qw net.ipv6.conf.all.forwarding=1
slb_in dir nft -f - <<-'EOF' || slb_bail 'no rules'
	table ip t { chain c { type filter hook input priority 0; udp dport 9 drop; }; }
EOF
slb_rules_settle
slb_check 'rules of IPv6 alone are constant' slb_wait 60 eval '[[ $(slb_show) == *constant\ ipv6* ]]'
before=$(slb_stat_get dir)
slb_is 'far apart, with a rule: questions without an answer' "$(asked_apart 30002 3000)" eq 0
slb_is 'far apart, with a rule: flows learned' "$(slb_stat_grew dir learned "$before")" eq 0
slb_is 'far apart, with a rule: packets without a flow' \
	"$(slb_stat_grew dir miss_none "$before")" ge 16
# a flow that lives for longer than a lease would be proved by each packet, and serve none
before=$(slb_stat_get dir)
slb_is 'first close, with a rule: questions without an answer' "$(asked_apart 30005 3500 5)" eq 0
slb_is 'first close, with a rule: flows learned' "$(slb_stat_grew dir learned "$before")" eq 2
slb_is 'first close, with a rule: proofs' "$(slb_stat_grew dir renewed "$before")" le 2
before=$(slb_stat_get dir)
slb_is 'close, with a rule: questions without an answer' "$(asked_apart 30003 500)" eq 0
slb_is 'close, with a rule: packets that flows served' "$(slb_stat_grew dir hits "$before")" ge 4
slb_is 'close, with a rule: lookups' "$(slb_stat_grew dir rechecked "$before")" eq 0
slb_done
