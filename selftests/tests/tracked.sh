#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: 6.12
# slb-timeout: 240
#
# What rules of a bridge behind the way out see of a packet's connection is the same with flows
# as without: that IPVS takes its packets out of conntrack (net.ipv4.vs.conntrack=0), their
# entry (1), and "notrack" in raw, which holds for the next packet. And traffic control at egress sees
# the entry, and the kernel counts packets of realms.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

port=30000

# bridge_up DEVICE ADDRESS PEER: a bridge in this device's place
bridge_up() {
	slb_in dir ip -batch - <<-IP || slb_bail 'no bridge'
		link add br0 address $(slb_mac "$2") type bridge
		address del $2/24 dev $1
		link set $1 master br0
		link set br0 up
		address add $2/24 dev br0
		neighbour add $3 lladdr $(slb_mac "$3") dev br0 nud permanent
	IP
}

bridge_down() {
	slb_in dir ip -batch - <<-IP || slb_bail 'the bridge stays'
		link del br0
		address add $2/24 dev $1
		neighbour replace $3 lladdr $(slb_mac "$3") dev $1 nud permanent
	IP
}

# count_states MATCH: counts what leaves by the bridge and matches, by the state of its connection
count_states() {
	local state counters='' rules=''

	for state in new established untracked invalid; do
		counters+="counter $state { }"$'\n'
		rules+="$1 ct state $state counter name $state"$'\n'
	done
	slb_in dir nft -f - <<-NFT || slb_bail 'nft has no rules for bridges'
		table bridge seen {
			$counters
			chain out {
				type filter hook output priority 0
				$rules
			}
		}
	NFT
}

# seen: "established=19 new=1 ", since it was last asked
seen() {
	slb_in dir nft reset counters table bridge seen |
		awk '$1 == "counter" { name = $2 } $1 == "packets" && $2 { print name "=" $2 }' | sort | tr '\n' ' '
}

# ask_one COUNT: from the same port again
ask_one() { slb_in client /usr/bin/python3 traffic/ask.py <<<"10.1.0.2:$port $SLB_VIP_NAT:7 $1 text" >/dev/null; }

# states SCOPE: sets got, to those of a connection's datagrams, of more that conntrack is not
# to track, and of more that it is to track again
states() {
	slb_scope "$1"
	port=$((port + 1))
	seen >/dev/null
	ask_one 20
	got=$(seen)
	slb_in dir nft -f - <<-'NFT'
		add rule ip early c udp dport 7 notrack
		add rule ip early c udp sport 7 notrack
	NFT
	ask_one 20
	got+="- notrack: $(seen)"
	slb_in dir nft flush chain ip early c
	ask_one 20
	got+="- again: $(seen)"
}

# shapes DEVICE SIDE: what traffic control at that device's egress sees of a connection's packets,
# without flows and with them
shapes() {
	local scope want before

	slb_in dir tc qdisc add dev "$1" clsact &&
		slb_in dir tc filter add dev "$1" egress protocol ip flower ct_state +trk+est action ok ||
		slb_bail 'tc has no flower'
	for scope in 0 2; do
		slb_scope $scope
		# new hooks begin an epoch; packets of its first eighth of a second prove nothing
		[ $scope = 0 ] || slb_pause 1.5
		port=$((port + 1))
		before=$(slb_stat dir hits)
		want=${got:-}
		got=$(shaped "$1")
		ask_one 20
		got=$(($(shaped "$1") - got))
	done
	slb_same "$2: packets that traffic control finds established" "$got" "$want"
	slb_is "$2, traffic control: packets that flows served" $(($(slb_stat dir hits) - before)) gt 10
	slb_in dir tc qdisc del dev "$1" clsact
}
shaped() { slb_in dir tc -s filter show dev "$1" egress | awk '$1 == "Sent" { n += $4 } END { print n + 0 }'; }

# The kernel counts packets of routes with a realm, and flows serve none while there is one.
realms() {
	local before

	slb_in dir ip route add 192.0.2.0/24 via 10.1.0.2 realm 7
	before=$(slb_stat dir hits)
	port=$((port + 1))
	ask_one 20
	slb_is 'a route has a realm: packets that flows served' $(($(slb_stat dir hits) - before)) eq 0
	slb_in dir ip route delete 192.0.2.0/24
	slb_check 'no realm: flows serve' slb_wait 60 realms_served
}
realms_served() {
	local before

	before=$(slb_stat dir hits)
	port=$((port + 1))
	ask_one 20
	[ $(($(slb_stat dir hits) - before)) -gt 10 ]
}

# compare TEXT: without flows, and with them
compare() {
	local want before

	states 0
	want=$got
	before=$(slb_stat dir hits)
	states 2
	slb_same "$1: $want" "$got" "$want"
	slb_is "$1: packets that flows served" $(($(slb_stat dir hits) - before)) gt 10
}

modprobe shadowlb
modprobe -a nf_conntrack_bridge nft_ct || slb_bail 'this kernel lacks what the test needs'
# else frames of a bridge pass the rules of IP, too
modprobe -qr br_netfilter
slb_net_up
slb_spawn rs1 /usr/bin/python3 traffic/ask.py serve 10.2.1.2:7
slb_wait 60 eval '[ "$(slb_in rs1 ss -Hlnu | wc -l)" -ge 1 ]' || slb_bail 'no UDP server'
slb_in dir sysctl -qw net.shadowlb.lease=600
slb_in dir nft -f - <<-EOF
	table ip early { chain c { type filter hook prerouting priority raw; }; }
	table ip late { chain c { type filter hook forward priority 0; ct state invalid counter; }; }
EOF
slb_in dir ipvsadm -A -u $SLB_VIP_NAT:7 -s rr
slb_in dir ipvsadm -a -u $SLB_VIP_NAT:7 -r 10.2.1.2:7 -m

for side in requests answers; do
	wire=(dr1 10.2.1.1 10.2.1.2)
	port_of=dport
	if [ $side = answers ]; then
		wire=(dc 10.1.0.1 10.1.0.2)
		port_of=sport
	fi
	bridge_up "${wire[@]}"
	count_states "udp $port_of 7"
	for conntrack in 0 1; do
		slb_in dir sysctl -qw net.ipv4.vs.conntrack=$conntrack
		compare "$side, conntrack=$conntrack"
	done
	slb_in dir nft delete table bridge seen
	bridge_down "${wire[@]}"
done
slb_in dir sysctl -qw net.ipv4.vs.conntrack=1
shapes dr1 requests
shapes dc answers
realms
slb_done
