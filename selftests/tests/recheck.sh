#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: uml smp here
# slb-rows: stock
# slb-timeout: 600
#
# Flows that are proved again by lookups alone: each way to a real server, what ends it at once or
# after a sweep, and that a packet proves the flow on the slow path in the end. A lease is a second.

set -u
. lib/stat.sh
. lib/net.sh
. lib/net6.sh
. lib/methods.sh
trap slb_net_down EXIT
# a packet that is compared proves its flow, too
unset SLB_VERIFY

# name | from | to | what arrives at the real server; answers come by masquerading alone
ways='
nat4     | 10.1.0.2:30001  | 10.1.0.100:7    | udp dport 7777
nat6     | [fd01::2]:30002 | [fd01::100]:7   | ip6 daddr fd02:1::2 udp dport 7778
dr4      | 10.1.0.2:30003  | 10.1.0.200:8    | ip daddr 10.1.0.200 udp dport 8
dr6      | [fd01::2]:30004 | [fd01::200]:8   | ip6 daddr fd01::200 udp dport 8
ipip4    | 10.1.0.2:30005  | 10.1.0.100:9    | ip protocol 4
ipip6    | [fd01::2]:30006 | [fd01::100]:9   | ip6 nexthdr 41
gre4     | 10.1.0.2:30007  | 10.1.0.100:10   | ip protocol 47
gue4     | 10.1.0.2:30008  | 10.1.0.100:11   | udp dport 6080
gue6     | [fd01::2]:30009 | [fd01::100]:11  | udp dport 6081
ipip4in6 | 10.1.0.2:30010  | 10.1.0.100:12   | ip6 nexthdr 4
'

# asked_paced FROM TO COUNT MS: questions, each so long after the answer to the one before, or half a
# second without one
asked_paced() {
	local i

	for ((i = 0; i < $3; i++)); do
		printf '%s %s 1 x\nwait %s\n' "$1" "$2" "$4"
	done | slb_in client /usr/bin/python3 traffic/ask.py >"$SLB_TMP/asked"
}

all_answered() { grep -c 'x=1$' "$SLB_TMP/asked"; }

arrived() { slb_in rs1 nft list chain netdev ways "$1" | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'; }

# rounds COUNT: a question by each way in each round. A round lasts for four seconds, because most
# have no answer.
rounds() {
	local i name from to _

	for ((i = 0; i < $1; i++)); do
		while IFS=' |' read -r name from to _; do
			[ -z "$name" ] || printf '%s %s 1 x\n' "$from" "$to"
		done <<<"$ways"
	done | slb_in client /usr/bin/python3 traffic/ask.py >"$SLB_TMP/asked"
}

# all_ways: each packet comes more than a lease after the one before
all_ways() {
	local name from to _ before
	local -A there

	# less than a round; all rounds are over in 29 of these, on a slow machine, too
	slb_in dir sysctl -qw net.shadowlb.lease=3
	rounds 5
	while IFS=' |' read -r name _; do
		[ -z "$name" ] || there[$name]=$(arrived "$name")
	done <<<"$ways"
	before=$(slb_stat_get dir)
	rounds 6
	slb_is 'packets that flows served' "$(slb_stat_grew dir hits "$before")" eq $((6 * (${#there[@]} + 2)))
	slb_is 'of these, after a lookup' "$(slb_stat_grew dir rechecked "$before")" ge $((5 * (${#there[@]} + 2)))
	slb_is 'proofs' "$(slb_stat_grew dir renewed "$before")" eq 0
	for name in "${!there[@]}"; do
		slb_is "$name: packets that arrived" $(($(arrived "$name") - there[$name])) eq 6
	done
	slb_is 'answers by masquerading' "$(all_answered)" eq 12
	slb_in dir sysctl -qw net.shadowlb.lease=1
}

count_ways() {
	local name what

	{
		echo 'table netdev ways {'
		while IFS='|' read -r name _ _ what; do
			[ -n "$name" ] || continue
			read -r name <<<"$name"
			echo "chain $name { type filter hook ingress device d0 priority -500; $what counter"
			# nobody there takes it
			[[ $name == nat* ]] || echo "$what drop"
			echo '}'
		done <<<"$ways"
		echo '}'
	} | slb_in rs1 nft -f -
}

# proved TEXT: from now on packets prove the flow, and lookups tell nothing. A flow that is idle for
# a lease ends. The lease is three seconds meanwhile.
proved() {
	local before

	# a sweep
	slb_in dir sysctl -qw net.shadowlb.lease=3
	asked_paced 10.1.0.2:30001 10.1.0.100:7 4 400
	slb_check "$1: not constant" slb_wait 10 not_constant
	before=$(slb_stat_get dir)
	asked_paced 10.1.0.2:30001 10.1.0.100:7 12 1300
	slb_is "$1: lookups" "$(slb_stat_grew dir rechecked "$before")" eq 0
	slb_is "$1: proofs" "$(slb_stat_grew dir renewed "$before")" ge 4
	slb_is "$1: answers" "$(all_answered)" eq 12
	slb_in dir sysctl -qw net.shadowlb.lease=1
}

constant() { [[ $(slb_show) == *$'\nconstant ipv4'* ]]; }
not_constant() { ! constant; }

# proved_once TEXT BEFORE PROOFS: packets have proved the flow, then lookups do again
proved_once() {
	local before=$2

	asked_paced 10.1.0.2:30001 10.1.0.100:7 4 1200
	slb_is "$1: proofs" "$(slb_stat_grew dir renewed "$before")" ge "$3"
	before=$(slb_stat_get dir)
	asked_paced 10.1.0.2:30001 10.1.0.100:7 3 1200
	slb_is "$1: later: lookups" "$(slb_stat_grew dir rechecked "$before")" ge 4
	# on a slow machine 30 leases may be over, in each direction
	slb_is "$1: later: proofs" "$(slb_stat_grew dir renewed "$before")" le 2
}

modprobe shadowlb
slb_one_cpu
slb_net_up
slb_net6_up
slb_in dir ip -batch - <<-'EOF'
	address add fd01::100/128 dev dc nodad
	address add fd01::200/128 dev dc nodad
EOF
for vip in fd01::100 fd01::200; do
	slb_in client ip neighbour add $vip lladdr "$(slb_mac 10.1.0.1)" dev c0 nud permanent
done
slb_udp_up
slb_spawn rs1 /usr/bin/python3 traffic/udp.py serve '[fd02:1::2]:7778'
slb_must 'an echo of IPv6' slb_wait 60 eval '[ -n "$(slb_in rs1 ss -Hlnu sport = 7778)" ]'
slb_must 'what arrives is counted' count_ways
slb_scope 2
slb_in dir ipvsadm -R <<-'EOF'
	-A -u 10.1.0.100:7 -s rr
	-a -u 10.1.0.100:7 -r 10.2.1.2:7777 -m
	-A -u [fd01::100]:7 -s rr
	-a -u [fd01::100]:7 -r [fd02:1::2]:7778 -m
	-A -u 10.1.0.200:8 -s rr
	-a -u 10.1.0.200:8 -r 10.2.1.2:8 -g
	-A -u [fd01::200]:8 -s rr
	-a -u [fd01::200]:8 -r [fd02:1::2]:8 -g
	-A -u 10.1.0.100:9 -s rr
	-a -u 10.1.0.100:9 -r 10.2.1.2:9 -i
	-A -u [fd01::100]:9 -s rr
	-a -u [fd01::100]:9 -r [fd02:1::2]:9 -i
	-A -u 10.1.0.100:10 -s rr
	-a -u 10.1.0.100:10 -r 10.2.1.2:10 -i --tun-type gre --tun-nocsum
	-A -u 10.1.0.100:11 -s rr
	-a -u 10.1.0.100:11 -r 10.2.1.2:11 -i --tun-type gue --tun-port 6080 --tun-nocsum
	-A -u [fd01::100]:11 -s rr
	-a -u [fd01::100]:11 -r [fd02:1::2]:11 -i --tun-type gue --tun-port 6081 --tun-nocsum
	-A -u 10.1.0.100:12 -s rr
	-a -u 10.1.0.100:12 -r [fd02:1::2]:12 -i
EOF
slb_check 'a flow serves' slb_wait 30 slb_serving 10.1.0.100:7
slb_epochs_over
slb_check 'rules are constant' slb_wait 60 constant
all_ways

before=$(slb_stat_get dir)
asked_paced 10.1.0.2:30001 10.1.0.100:7 30 1200
slb_is '30 leases: proofs of both directions' "$(slb_stat_grew dir renewed "$before")" ge 2
slb_is '30 leases: proofs' "$(slb_stat_grew dir renewed "$before")" le 4
slb_is '30 leases: answers' "$(all_answered)" eq 30

for setting in snat_reroute=0 pmtu_disc=0 expire_nodest_conn=1; do
	asked_paced 10.1.0.2:30001 10.1.0.100:7 2 100
	before=$(slb_stat_get dir)
	slb_in dir sysctl -qw "net.ipv4.vs.$setting"
	proved_once "net.ipv4.vs.$setting" "$before" 2
done
before=$(slb_stat_get dir)
slb_in dir ipvsadm --set 0 0 299
proved_once 'a timeout' "$before" 1
asked_paced 10.1.0.2:30001 10.1.0.100:7 2 100
slb_in dir sysctl -qw net.ipv4.ip_forward_update_priority=0
before=$(slb_stat_get dir)
asked_paced 10.1.0.2:30001 10.1.0.100:7 3 1200
slb_is 'net.ipv4.ip_forward_update_priority: proofs' "$(slb_stat_grew dir renewed "$before")" ge 1
slb_in dir sysctl -qw net.ipv4.ip_forward_update_priority=1

slb_in dir nft -f - <<-'EOF' || slb_bail 'no rules'
	table ip t { chain c { type filter hook input priority 0; udp dport 9 counter; }; }
EOF
proved 'a rule of nftables'
slb_in dir nft delete table ip t
slb_rules_settle
slb_check 'some time after the rule is gone: constant' slb_wait 60 constant
before=$(slb_stat_get dir)
asked_paced 10.1.0.2:30001 10.1.0.100:7 6 1200
slb_is 'the rule is gone: lookups' "$(slb_stat_grew dir rechecked "$before")" ge 4
if modprobe -q iptable_filter; then
	slb_must 'a table of iptables-legacy' slb_in dir iptables-legacy -nL
	proved 'a table of iptables-legacy'
	slb_must 'the table can be removed' modprobe -r iptable_filter
	slb_check 'without the table: constant' slb_wait 60 constant
else
	slb_note 'this kernel has no iptables-legacy'
fi
# for good: the kernel does not forget that there were rules
slb_in dir ip rule add from 192.0.2.1 table 99
proved 'a policy rule'
slb_done
