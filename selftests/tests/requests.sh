#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp
# slb-rows: stock
# slb-timeout: 300
#
# What the slow path asks about routes at each request, where IPv6 is in it: by direct routing,
# and by tunnels whose outer family is another one. Each event is given to a connection
# without flows and to one with flows: as many requests must reach the real server's wire before
# it, behind it, and when it is undone. The lease is long: whatever is seen is seen without it.

set -u
. lib/stat.sh
. lib/net.sh
. lib/net6.sh
trap slb_net_down EXIT

vip6=fd01::200
port=30000

# send_ten TO: of ten datagrams from $port, how many come to the real server
send_ten() {
	local n

	echo "$1 7 $port 10" >&"${slb_arrive[1]}"
	read -rt 60 -u "${slb_arrive[0]}" n || slb_bail 'no datagrams'
	got+="$n "
}

# A flow that is wanted has its CPU's table made, which takes a moment.
tabled() {
	local got

	send_ten "$1"
	slb_in dir awk '$1 == 0 && $4 > 0 { n = 1 } END { exit !n }' /proc/net/shadowlb
}

# The kernel makes the route of an IPv6 address later.
local_again() {
	local family=-4

	[[ $1 != *:* ]] || family=-6
	slb_in dir ip $family route show table local "$1" | grep -q .
}

# arrive SCOPE TO COMMAND UNDO: sets got, to how many requests arrive: before, behind, undone
arrive() {
	slb_scope "$1"
	[ "$1" = 0 ] || slb_wait 60 tabled "$2" || slb_fail "$way: no flow table"
	port=$((port + 1))
	got=''
	send_ten "$2"
	eval "slb_in dir $3"
	send_ten "$2"
	eval "slb_in dir $4"
	slb_wait 60 local_again "$2" || slb_fail "$way: $2 has no route"
	send_ten "$2"
}

# event TO TEXT COMMAND UNDO
event() {
	local want before

	arrive 0 "$1" "$3" "$4"
	want=$got
	before=$(slb_stat dir hits)
	arrive 2 "$1" "$3" "$4"
	slb_same "$way: $2: ${want}requests arrive" "$got" "$want"
	slb_is "$way: $2: packets that flows served" $(($(slb_stat dir hits) - before)) ge 5
}

# v6_events TO: what is asked of IPv6
v6_events() {
	event "$1" 'forwarding off' 'sysctl -qw net.ipv6.conf.all.forwarding=0' \
		'sysctl -qw net.ipv6.conf.all.forwarding=1'
	event "$1" 'a rule for the client' 'ip -6 rule add pref 5 from fd01::2 prohibit' \
		'ip -6 rule delete pref 5'
	event "$1" 'a rule for the virtual address' "ip -6 rule add pref 5 to $1 prohibit" \
		'ip -6 rule delete pref 5'
	event "$1" 'the virtual address is gone' "ip -6 address delete $1/128 dev dc" \
		"ip -6 address add $1/128 dev dc nodad"
}

# server_events TO ADDRESS: what is asked of the way to the real server
server_events() {
	local family=-4

	[[ $2 != *:* ]] || family=-6
	event "$1" 'a prohibited route to the real server' "ip route add prohibit $2" \
		"ip route delete prohibit $2"
	event "$1" 'a rule for the real server' "ip $family rule add pref 5 to $2 prohibit" \
		"ip $family rule delete pref 5"
}

modprobe shadowlb
modprobe -a sit ip6_tunnel ipip || slb_bail 'this kernel has no tunnels'
slb_one_cpu
slb_net_up
slb_net6_up
slb_in dir sysctl -qw net.shadowlb.lease=600
# rules come before the director's own addresses
for family in -4 -6; do
	slb_in dir ip $family rule add pref 10 lookup local
	slb_in dir ip $family rule delete pref 0
done
for ip in $vip6 fd01::201; do
	slb_in dir ip address add $ip/128 dev dc nodad
	slb_in client ip neighbour add $ip lladdr "$(slb_mac 10.1.0.1)" dev c0 nud permanent
done
slb_in dir ipvsadm -R <<-EOF
	-A -u [$vip6]:7 -s rr
	-a -u [$vip6]:7 -r [fd02:1::2]:7 -g
	-A -u [fd01::201]:7 -s rr
	-a -u [fd01::201]:7 -r 10.2.1.2:7 -i
	-A -u $SLB_VIP_DR:7 -s rr
	-a -u $SLB_VIP_DR:7 -r [fd02:1::2]:7 -i
EOF
# the real server counts, and does nothing else
slb_in rs1 nft -f - <<-EOF || slb_bail 'nft cannot drop at the real server'
	table netdev slb {
		chain c { type filter hook ingress device d0 priority -500; drop; }
	}
EOF
coproc slb_arrive { exec /usr/bin/python3 traffic/arrive.py slb-client slb-rs1 d0; }
slb_pids+=("$slb_arrive_PID")

way=dr6
v6_events $vip6
server_events $vip6 fd02:1::2
way=t6in4
v6_events fd01::201
server_events fd01::201 10.2.1.2
way=t4in6
event $SLB_VIP_DR 'the virtual address is gone' "ip address delete $SLB_VIP_DR/32 dev dc" \
	"ip address add $SLB_VIP_DR/32 dev dc"
event $SLB_VIP_DR 'a rule for the client' 'ip rule add pref 5 from 10.1.0.2 prohibit' \
	'ip rule delete pref 5'
server_events $SLB_VIP_DR fd02:1::2
slb_done
