#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: uml smp here 6.12
# slb-timeout: 360
#
# What changes beside IPVS while flows serve a UDP echo, and how soon it holds: rules of nftables,
# routes and neighbours from the next packet on; rules of iptables-legacy after a sweep.

set -u
. lib/stat.sh
. lib/net.sh
slb_differ=1
trap slb_net_down EXIT

slb_flows_serve() {
	slb_must "$1: flows serve" \
		slb_wait 60 slb_stat_above dir hits $(($(slb_stat dir hits) + 200))
}

# slb_still TEXT NS COUNTER: while the client goes on, nothing more is counted there
slb_still() {
	local before

	before=$(slb_counted "$2" netdev "$3")
	slb_wait 60 slb_counted_above dir netdev sent $(($(slb_counted dir netdev sent) + 100)) ||
		slb_fail "$1: the client stopped"
	slb_is "$1: packets" $(($(slb_counted "$2" netdev "$3") - before)) eq 0
}

# slb_rule HOOK PRIORITY EXPRESSION: drop it
slb_rule() {
	slb_in dir nft -f - <<-EOF
		table ip later {
			chain late {
				type filter hook $1 priority $2
				$3 drop
			}
		}
	EOF
}

slb_unrule() { slb_in dir nft delete table ip later; }

# slb_settle: no epoch is to come for past changes; sets epochs
slb_settle() {
	local before start

	epochs=$(slb_shown epochs)
	while before=$epochs; do
		slb_ms start
		slb_wait 60 slb_ms_since "$start" 6500
		epochs=$(slb_shown epochs)
		[ "$epochs" != "$before" ] || return 0
	done
}

# slb_epochs_more N SECONDS TEXT: so many begin
slb_epochs_more() {
	slb_must "$3: epochs: $1" slb_wait "$2" slb_shown_above epochs $((epochs + $1 - 1))
}

modprobe shadowlb
slb_net_up
slb_udp_up
slb_in dir ipvsadm -A -u $SLB_VIP_NAT:7 -s shadow
slb_in dir ipvsadm -a -u $SLB_VIP_NAT:7 -r 10.2.1.2:7777 -m
slb_count_at dir dc sent 'ip protocol udp'
slb_count_at client c0 answered 'ip protocol udp'
slb_count_at rs1 d0 arrived 'ip protocol udp'
slb_count_at rs1 d0 mac1 "ether daddr $(slb_mac 10.2.1.2) ip protocol udp"
slb_count_at rs1 d0 mac2 'ether daddr 02:00:00:00:00:99 ip protocol udp'
slb_count_at rs2 d0 strays 'ip daddr 10.2.1.2'
slb_in dir sysctl -qw net.shadowlb.lease=600
slb_spawn client /usr/bin/python3 traffic/udp.py flood $SLB_VIP_NAT:7 2 "$SLB_TMP/flood"
slb_flows_serve 'at first'

slb_rule input 0 'udp dport 7'
slb_still 'a rule in INPUT, at once' rs1 arrived
slb_unrule
slb_flows_serve 'after the rule in INPUT'
slb_rule forward 0 'udp sport 7777'
slb_still 'a rule in FORWARD, at once' client answered
slb_unrule
slb_flows_serve 'after the rule in FORWARD'

slb_settle
slb_rule input 0 'udp dport 9999'
# at once, for the new hook, and later on
slb_epochs_more 4 30 'a rule about others'
slb_unrule
slb_settle

if modprobe -q iptable_filter; then
	slb_must 'a table of iptables-legacy' slb_in dir iptables-legacy -nL
	slb_epochs_more 1 10 'an empty table of iptables-legacy'
	slb_flows_serve 'with an empty table of iptables-legacy'
	slb_settle
	slb_must 'a rule of iptables-legacy' \
		slb_in dir iptables-legacy -I INPUT -p udp --dport 7 -j DROP
	slb_epochs_more 1 10 'a rule of iptables-legacy'
	slb_still 'a rule of iptables-legacy, after a sweep' rs1 arrived
	slb_must 'another rule in its place' \
		slb_in dir iptables-legacy -R INPUT 1 -p udp --dport 7 -j ACCEPT
	slb_flows_serve 'after the rule of iptables-legacy'
else
	slb_note 'this kernel has no iptables-legacy'
fi

slb_rule prerouting -300 'udp dport 7'
slb_still 'a rule in raw PREROUTING, at once' rs1 arrived
slb_unrule
slb_flows_serve 'after the rule in raw'

ip -n slb-dir route add 10.2.1.2 via 10.2.2.2
slb_still 'another route, at once: the old way' rs1 arrived
slb_check 'another route: the new way' slb_wait 10 slb_counted_above rs2 netdev strays 50
ip -n slb-dir route delete 10.2.1.2 via 10.2.2.2
slb_still 'the route as before, at once: the other way' rs2 strays
slb_flows_serve 'the route as before'

ip -n slb-dir neighbour replace 10.2.1.2 lladdr 02:00:00:00:00:99 dev dr1 nud permanent
slb_still 'another MAC, at once: to the old one' rs1 mac1
slb_check 'another MAC: to the new one' slb_wait 10 slb_counted_above rs1 netdev mac2 50
slb_done
