#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp here
# slb-long: uml
# slb-rows: stock
# slb-timeout: 200
#
# What the slow path asks about routes at each packet, and a flow's own route does not say:
# the neighbours of a multipath route, IPv6 forwarding and policy rules, and the MTU of
# the route that an answer had before IPVS gave it another one. The lease is long: whatever is
# seen is seen without it.

set -u
. lib/stat.sh
. lib/net.sh
. lib/net6.sh
trap slb_net_down EXIT

vip6=fd01::100
port=30000
clients=16

# ask LINE...: one result a line
ask() { printf '%s\n' "$@" | slb_in client /usr/bin/python3 traffic/ask.py; }

# answered RESULT...: how many answers all have had
answered() { printf '%s\n' "$@" | awk '{ split($2, a, "="); n += a[2] } END { print n + 0 }'; }

# many COUNT: each client sends so many datagrams
many() {
	local i

	for ((i = 1; i <= clients; i++)); do
		echo "10.9.0.$i:$port $SLB_VIP_NAT:7 $1 many"
	done | slb_in client /usr/bin/python3 traffic/ask.py
}

neigh_is() { slb_in dir ip neighbour show "$1" | grep -q "$2"; }

# Do flows serve more than half of the packets of a round? The first packets of a flow, on each
# CPU, have none. Sets all_answered to 0 if an answer is missing.
all_answered=1
many_served() {
	local before

	before=$(slb_stat dir hits)
	[ "$(answered "$(many 4)")" = $((clients * 4)) ] || all_answered=0
	[ $(($(slb_stat dir hits) - before)) -gt $((clients * 4)) ]
}

# All clients are behind two gateways, each on a wire of its own; one dies.
multipath() {
	local i neigh

	ip link add dc9 netns slb-dir type veth peer name c9 netns slb-client
	slb_in dir ip address add 10.5.0.1/24 dev dc9
	slb_in client ip address add 10.5.0.2/24 dev c9
	slb_in dir ip link set dc9 up
	slb_in client ip link set c9 up
	for ((i = 1; i <= clients; i++)); do
		echo "address add 10.9.0.$i/32 dev lo"
	done | ip -n slb-client -batch -
	for neigh in dc dc9; do
		slb_in dir sysctl -qw net.ipv4.neigh.$neigh.base_reachable_time_ms=600 \
			net.ipv4.neigh.$neigh.delay_first_probe_time=1 \
			net.ipv4.neigh.$neigh.retrans_time_ms=200
	done
	slb_in dir sysctl -qw net.ipv4.fib_multipath_use_neigh=1
	slb_in dir ip route add 10.9.0.0/24 nexthop via 10.1.0.2 dev dc nexthop via 10.5.0.2 dev dc9
	slb_is 'two gateways: answers' "$(answered "$(many 8)")" ge $((clients * 7))
	slb_check 'flows serve more than half of the packets' slb_wait 60 many_served
	slb_is 'answers to all packets meanwhile' "$all_answered" eq 1
	# deaf and dumb, but its device stays up
	slb_in client nft -f - <<-EOF
		table netdev dead {
			chain c { type filter hook ingress device c9 priority -500; drop; }
		}
	EOF
	for ((i = 0; i < 100; i++)); do
		neigh_is 10.5.0.2 FAILED && break
		many 1 >/dev/null
	done
	slb_check 'one gateway is dead' neigh_is 10.5.0.2 FAILED
	slb_is 'then all clients have answers' "$(answered "$(many 4)")" eq $((clients * 4))
	slb_in client nft delete table netdev dead
	slb_in dir ip route delete 10.9.0.0/24
}

# stops TEXT COMMAND UNDO: without flows the command stops all answers; with them, too.
stops() {
	local line="[fd01::2]:$((port += 1)) [$vip6]:7 20 text"

	ask "$line" >/dev/null
	slb_is "$1: first, answers" "$(answered "$(ask "$line")")" eq 20
	eval "slb_in dir $2"
	slb_is "$1: then, answers" "$(answered "$(ask "$line")")" eq 0
	eval "slb_in dir $3"
	slb_is "$1: undone" "$(answered "$(ask "$line")")" ge 19
}

# The answer's first route is narrow, the one that IPVS gives it is not.
narrow() {
	local from=$1 vip=$2 client=$3 small large want v=$4

	slb_in dir ip $v route replace "$client" dev dc mtu 1400
	slb_in dir ip $v rule add from "$vip" table 77
	slb_in dir ip $v route add "$client" dev dc table 77
	slb_scope 0
	ask "$from:$((port += 1)) $5 20 100" >/dev/null
	want=$(answered "$(ask "$from:$port $5 20 1440")")
	slb_scope 2
	port=$((port + 1))
	before=$(slb_stat dir hits)
	small=$(ask "$from:$port $5 20 100")
	large=$(ask "$from:$port $5 20 1440")
	slb_is "$client: small answers" "$(answered "$small")" eq 20
	slb_is 'packets that flows served' $(($(slb_stat dir hits) - before)) gt 20
	slb_is "$client: answers above the MTU of the first route" "$(answered "$large")" eq "$want"
	slb_in dir ip $v rule delete from "$vip" table 77
	slb_in dir ip $v route delete "$client" dev dc mtu 1400
}

modprobe shadowlb
slb_net_up
slb_net6_up
slb_in dir ip address add $vip6/128 dev dc nodad
slb_in client ip neighbour add $vip6 lladdr "$(slb_mac 10.1.0.1)" dev c0 nud permanent
# answers of services over IPv6 go back by the director
slb_in rs1 ip -6 rule delete from fd01::/64 table 100
slb_spawn rs1 /usr/bin/python3 traffic/ask.py serve 10.2.1.2:7 '[fd02:1::2]:7'
slb_wait 60 eval '[ "$(slb_in rs1 ss -Hlnu | wc -l)" -ge 2 ]' || slb_bail 'no UDP server'
slb_in dir sysctl -qw net.shadowlb.lease=600 net.shadowlb.scope=2
slb_in dir ipvsadm -R <<-EOF
	-A -u $SLB_VIP_NAT:7 -s rr
	-a -u $SLB_VIP_NAT:7 -r 10.2.1.2:7 -m
	-A -u [$vip6]:7 -s rr
	-a -u [$vip6]:7 -r [fd02:1::2]:7 -m
EOF

stops 'IPv6 forwarding off' 'sysctl -qw net.ipv6.conf.all.forwarding=0' \
	'sysctl -qw net.ipv6.conf.all.forwarding=1'
stops 'a policy rule' "ip -6 rule add from $vip6 prohibit" "ip -6 rule delete from $vip6 prohibit"
stops 'an unreachable route to the client' 'ip -6 route add prohibit fd01::2' \
	'ip -6 route delete prohibit fd01::2'
narrow 10.1.0.2 $SLB_VIP_NAT 10.1.0.2 '' "$SLB_VIP_NAT:7"
narrow '[fd01::2]' $vip6 fd01::2 -6 "[$vip6]:7"
multipath
slb_done
