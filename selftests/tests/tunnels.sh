#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: uml
# slb-also: smp here
# slb-rows: stock
# slb-timeout: 120
#
# conntrack keeps the entry of a tunnel as long as flows send packets through the tunnel,
# and for the timeout of the protocol after that. When a tunnel is edited, its packets meet
# conntrack and rules as packets of the new tunnel. Nothing answers from the other end.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

# seconds after which conntrack forgets a quiet tunnel
timeout=6

# slb_entry ADDRESS: the packets of each entry of tunnels to that real server. (An id tells no new
# entry from an old one: it is made of the entry's address.)
slb_entry() {
	slb_in dir conntrack -L -d "$1" 2>/dev/null | sed -n 's/[^=]* src=.* packets=\([0-9]*\) .*src=.*/\1/p'
}
slb_entry_there() { [ -n "$(slb_entry "$1")" ]; }
slb_entry_gone() { ! slb_entry_there "$1"; }

modprobe shadowlb
slb_one_cpu
slb_net_up
slb_scope 2
# conntrack sees what the director sends
slb_in dir nft 'table ip t { chain o { type filter hook output priority 0; ct state new counter;
	udp dport 7777 drop; }; }' ||
	slb_bail 'no conntrack'
for name in generic gre; do
	knob=net.netfilter.nf_conntrack_${name}_timeout
	# without a protocol of its own GRE is generic
	! slb_in dir sysctl -n $knob >/dev/null 2>&1 || slb_in dir sysctl -qw $knob=$timeout
done
slb_in dir sysctl -qw net.netfilter.nf_conntrack_acct=1
# One proof is enough: whatever keeps the entries are the flows.
slb_in dir sysctl -qw net.shadowlb.lease=600
{
	printf '%s\n' "-A -u $SLB_VIP_DR:7 -s rr" "-a -u $SLB_VIP_DR:7 -r 10.2.1.2:7 -i" \
		"-A -u $SLB_VIP_DR:9 -s rr" "-a -u $SLB_VIP_DR:9 -r 10.2.2.2:9 -i --tun-type gre"
} | slb_in dir ipvsadm -R || slb_bail 'ipvsadm does not take the services'
for i in 1 2; do
	slb_in "rs$i" nft "table netdev t { chain c { type filter hook ingress device d0 priority 0;
		drop; }; }" || slb_bail 'no ingress'
done

pids=()
for port in 7 9; do
	slb_spawn client /usr/bin/python3 traffic/udp.py flood "$SLB_VIP_DR:$port" 1 "$SLB_TMP/flood$port"
	pids+=($!)
done
slb_must 'flows serve' slb_wait 60 slb_stat_above dir hits 100
declare -A packets=()
for to in 10.2.1.2 10.2.2.2; do
	slb_wait 10 slb_entry_there $to
	packets[$to]=$(slb_entry $to)
	slb_is "the tunnel to $to is tracked: entries" "$(wc -w <<<"${packets[$to]}")" eq 1
done
hits=$(slb_stat dir hits)
start=0
slb_ms start
slb_wait $((timeout * 4)) slb_ms_since "$start" $((timeout * 2500))
hits=$(($(slb_stat dir hits) - hits))
slb_is 'hits meanwhile' $hits gt 200
# each tunnel has half of them
for to in 10.2.1.2 10.2.2.2; do
	slb_is "packets that its entry to $to counted in $((timeout * 5 / 2)) s, $timeout s being its timeout" \
		$(($(slb_entry $to) - packets[$to])) gt $((hits / 4))
done
# slb_edit PORT: the second tunnel becomes GUE to that port
slb_edit() {
	slb_must "the tunnel is edited: GUE, port $1" slb_in dir ipvsadm -e -u $SLB_VIP_DR:9 -r 10.2.2.2:9 \
		-i --tun-type gue --tun-port "$1"
}
slb_gue_packets() {
	slb_in dir conntrack -L -p udp -d 10.2.2.2 --dport 6080 2>/dev/null |
		sed -n 's/.* packets=\([0-9]*\) .*src=.*/\1/p'
}
slb_gue_above() { [ "$(slb_gue_packets)" -gt "$1" ]; }
slb_count_at rs2 d0 gue 'udp dport 6080'
slb_count_at rs2 d0 refused 'udp dport 7777'
missed=$(slb_stat dir miss_tunnel)
slb_edit 6080
slb_check 'its new packets arrive' slb_wait 10 slb_counted_above rs2 netdev gue 10
slb_is 'a packet was not served because the tunnel is another' \
	$(($(slb_stat dir miss_tunnel) - missed)) gt 0
hits=$(slb_stat dir hits)
before=$(slb_gue_packets)
slb_check 'flows serve again' slb_wait 60 slb_stat_above dir hits $((hits + 200))
slb_check 'a new entry counts what they serve' slb_wait 10 slb_gue_above $((before + 50))
slb_edit 7777
slb_check 'the client goes on' slb_wait 60 slb_stat_above dir hits $(($(slb_stat dir hits) + 100))
slb_is 'packets to a port that a rule drops' "$(slb_counted rs2 netdev refused)" eq 0
slb_edit 6080

for pid in "${pids[@]}"; do
	slb_stop "$pid"
done
for to in 10.2.1.2 10.2.2.2; do
	slb_check "the entry to $to ends without packets" slb_wait 60 slb_entry_gone $to
done
slb_done
