#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: uml smp
# slb-long: 6.12
# slb-timeout: 300
#
# Bridges with br_netfilter, which shows frames to the rules of IP at their port, as on a node whose
# pods are clients and real servers. What is for the bridge itself is served there. The
# bridge counts it all the same, whoever looks at the bridge's device sees all of it, and what
# rules of the bridge refuse by port has no flow of another port.
#
#   client            director              real servers
#     c0 ---------- dc  |      |  dr1 ----- rs1
#     x0 ---------- x1  | br0  |  dr2 ----- rs2
#                       |  br1 |  dr3 ----- rs3

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
. lib/xdp.sh
trap slb_net_down EXIT

# slb_bridge BRIDGE PORT...: addresses and neighbours of the ports become the bridge's.
slb_bridge() {
	local br=$1 dev port=10 line

	shift
	echo "link add $br type bridge"
	echo "link set $br address $(slb_mac "$(ip -n slb-dir -o -4 address show dev "$1" |
		sed -n '1s/.*inet \([0-9.]*\).*/\1/p')") up"
	for dev; do
		port=$((port + 1))
		ip -n slb-dir -o -4 address show dev "$dev" |
			sed -n "s/.*inet \([0-9./]*\).*/address del \1 dev $dev\naddress add \1 dev $br/p"
		ip -n slb-dir neighbour show dev "$dev" nud permanent | while read -r line _ mac _; do
			echo "neighbour replace $line lladdr $mac dev $br nud permanent"
		done
		echo "link set $dev address 02:00:00:00:0${br#br}:$port master $br"
	done
}

# slb_rx DEVICE: packets that it has received
slb_rx() { slb_in dir cat "/proc/net/dev" | awk -v d="$1:" '$1 == d { print $3 }'; }

slb_bridges_up() {
	local i

	{
		slb_bridge br0 dc
		slb_bridge br1 dr1 dr2 dr3
	} >"$SLB_TMP/bridges"
	ip -n slb-dir -batch "$SLB_TMP/bridges" || slb_bail 'no bridges'
	for i in $SLB_SERVERS; do
		ip -n "slb-rs$i" neighbour replace "10.2.$i.1" lladdr "$(slb_mac 10.2.1.1)" \
			dev d0 nud permanent
	done
	ip -batch - <<-IP || slb_bail 'no second wire to the client'
		link add x0 netns slb-client address 02:00:00:00:09:00 type veth peer name x1 netns slb-dir
	IP
	ip -n slb-dir link set x1 master br0 up
	ip -n slb-client link set x0 up
}

slb_load_test() {
	local vip before came counted

	for vip in $SLB_VIP_NAT $SLB_VIP_DR; do
		before=$(slb_stat_get dir)
		slb_in client curl -sS -o "$SLB_TMP/small" "http://$vip/?[1-20]"
		slb_same "TCP: 3 MB arrive as they are ($vip)" \
			"$(slb_in client curl -sS "http://$vip/big" | sha256sum)" \
			"$(sha256sum <"$SLB_TMP/www/big")"
		came=$(slb_rx dc) counted=$(slb_rx br0)
		slb_xdp_echo "UDP ($vip)" "$vip" 60
		slb_is "UDP ($vip): packets at the port, which the bridge counts" \
			$(($(slb_rx br0) - counted)) eq $(($(slb_rx dc) - came))
		slb_served "$vip" "$(slb_since "$before")" 85
	done
}

# slb_seen TEXT GOT WANT BEFORE: nobody who looks at the bridge misses a packet, which are slow then
slb_seen() {
	slb_is "$1: requests that it sees" "$2" eq "$3"
	slb_is "$1: packets left to IPVS" "$(slb_xdp_stat "$(slb_since "$4")" miss_meta)" ge "$3"
}

# slb_looks TEXT COMMAND UNDO: somebody who may see each packet at the bridge's device. A socket
# for IP alone has packets copied behind the hook, which then lets them by.
slb_looks() {
	local before diff slow

	eval "$2" || slb_bail "$1: not to be had"
	before=$(slb_stat_get dir)
	slb_xdp_echo "$1"
	diff=$(slb_since "$before")
	slow=$(($(slb_xdp_stat "$diff" miss_meta) + $(slb_xdp_stat "$diff" miss_unrelated)))
	slb_is "$1: requests left to IPVS" $slow ge 120
	[ $slow -ge 120 ] || slb_show_diff "$diff"
	eval "$3"
}

slb_looks_test() {
	local queue=/sys/class/net/br0/queues/rx-0/rps_cpus socket

	slb_looks 'a device on top' 'slb_in dir ip link add mv0 link br0 type macvlan mode bridge' \
		'slb_in dir ip link del mv0'
	slb_spawn dir /usr/bin/python3 -c '
import signal, socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x800))
s.bind(("br0", 0x800))
print("bound", flush=True)
signal.pause()' >"$SLB_TMP/socket"
	socket=$!
	slb_looks 'a socket for IP' 'slb_wait 60 test -s "$SLB_TMP/socket"' "slb_stop $socket"
	if ! ip netns exec slb-dir test -e $queue; then
		slb_note 'this kernel lacks RPS: it is left out'
		return
	fi
	slb_looks 'RPS' "ip netns exec slb-dir sh -c 'echo 1 >$queue'" \
		"ip netns exec slb-dir sh -c 'echo 0 >$queue'"
}

# The virtual address is that of a VLAN of the bridge, whose frames come without a tag.
slb_bridge_vlan_test() {
	if ! slb_in dir ip link set br0 type bridge vlan_filtering 1 vlan_default_pvid 0; then
		slb_note 'this kernel lacks VLANs of bridges: they are left out'
		return
	fi
	slb_in dir ip link add br0.10 link br0 type vlan id 10
	slb_in dir bridge vlan add dev dc vid 10 pvid untagged
	slb_in dir bridge vlan add dev br0 vid 10 self
	slb_in dir ip -batch - <<-IP
		address del 10.1.0.1/24 dev br0
		address add 10.1.0.1/24 dev br0.10
		link set br0.10 up
		neighbour add 10.1.0.2 lladdr $(slb_mac 10.1.0.2) dev br0.10 nud permanent
	IP
	slb_in dir nft -f - <<-NFT
		table netdev at {
			chain in { type filter hook ingress device br0.10 priority 0; udp dport 7 counter; }
		}
	NFT
	slb_xdp_echo 'a VLAN of the bridge'
	slb_is 'a VLAN of the bridge: requests that its device sees' \
		"$(slb_in dir nft list table netdev at | sed -n 's/.*packets \([0-9]*\) .*/\1/p')" eq 120
}

slb_seen_test() {
	local before

	before=$(slb_stat_get dir)
	slb_seen 'a tap' "$(/usr/bin/python3 traffic/arrive.py slb-client slb-dir br0 \
		<<<"$SLB_VIP_NAT 7 31000 20")" 20 "$before"

	slb_in dir nft -f - <<-NFT
		table netdev at {
			chain in { type filter hook ingress device br0 priority 0; udp dport 7 counter; }
		}
	NFT
	before=$(slb_stat_get dir)
	slb_xdp_echo 'a rule at ingress'
	slb_seen 'a rule at ingress' "$(slb_in dir nft list table netdev at |
		sed -n 's/.*packets \([0-9]*\) .*/\1/p')" 120 "$before"
	slb_in dir nft delete table netdev at

	slb_in dir tc qdisc add dev br0 clsact
	if ! slb_in dir tc filter add dev br0 ingress protocol ip matchall action pass; then
		slb_note 'this kernel lacks matchall: traffic control is left out'
		return
	fi
	before=$(slb_stat_get dir)
	slb_xdp_echo 'traffic control'
	slb_seen 'traffic control' "$(slb_in dir tc -s filter show dev br0 ingress |
		sed -n 's/.*Sent [0-9]* bytes \([0-9]*\) pkt.*/\1/p')" 120 "$before"
}

slb_unseen_test() {
	local before

	slb_in dir tc qdisc del dev br0 clsact
	# flows that could serve nothing wait for a second
	slb_pause 1.2
	before=$(slb_stat_get dir)
	slb_xdp_echo 'nobody looks'
	slb_served 'nobody looks' "$(slb_since "$before")" 80
}

# slb_other DATAGRAMS: of a flow's connection, by the other port. Prints how they went.
slb_other() {
	slb_in client /usr/bin/python3 traffic/udp.py ping "$SLB_VIP_NAT:7" 1 "$1" from=32000
}

# A connection has a flow at one port. Then its packets come by another one.
slb_port_test() {
	local before

	if ! slb_in dir nft add table bridge guard; then
		slb_note 'this kernel lacks rules of bridges: they are left out'
		return
	fi
	slb_other 20 >/dev/null
	ip -n slb-client -batch - <<-IP
		neighbour add $SLB_VIP_NAT lladdr $(slb_mac 10.1.0.1) dev x0 nud permanent
		route add $SLB_VIP_NAT dev x0 src 10.1.0.2
	IP
	before=$(slb_stat_get dir)
	slb_same 'another port: datagrams come back' "$(slb_other 20)" 'good=20 bad=0 lost=0'
	slb_is 'another port: served, once it is learned there' \
		"$(slb_xdp_stat "$(slb_since "$before")" hits)" ge 30
	slb_in dir nft -f - <<-NFT
		table bridge guard {
			chain in { type filter hook input priority 0; iifname x1 udp dport 7 counter drop; }
		}
	NFT
	slb_check 'a rule of the bridge: it is listed as skipped' \
		grep -q '^bridge  *input .* chain guard/in' <(slb_in dir cat /proc/net/shadowlb)
	# let go of what was learned there before the rule
	slb_scope 0
	slb_scope 2
	ip -n slb-client route del $SLB_VIP_NAT
	slb_same 'a rule for the other port: by this one they come back' "$(slb_other 20)" \
		'good=20 bad=0 lost=0'
	ip -n slb-client route add $SLB_VIP_NAT dev x0 src 10.1.0.2
	slb_same 'a rule for the other port: by that one none does' "$(slb_other 1)" \
		'good=0 bad=0 lost=1'
	ip -n slb-client route del $SLB_VIP_NAT
	slb_in dir nft delete table bridge guard
}

# To the virtual address, but another host's MAC address: the bridge sends it on.
slb_passed_test() {
	local before

	slb_other 20 >/dev/null
	slb_count_at client x0 came 'udp dport 7'
	ip -n slb-client neighbour replace $SLB_VIP_NAT lladdr 02:00:00:00:09:00 dev c0 nud permanent
	before=$(slb_stat_get dir)
	slb_other 1 >/dev/null
	slb_is 'frames for another host: they arrive there' "$(slb_counted client netdev came)" eq 1
	slb_is 'frames for another host: served' "$(slb_xdp_stat "$(slb_since "$before")" hits)" eq 0
	ip -n slb-client neighbour replace $SLB_VIP_NAT lladdr "$(slb_mac 10.1.0.1)" dev c0 nud permanent
	slb_in client nft delete table netdev slb
}

modprobe shadowlb
modprobe br_netfilter || slb_bail 'this kernel has no br_netfilter'
slb_xdp_up
slb_bridges_up
slb_in dir sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.shadowlb.lease=600
slb_scope 2
slb_check 'a flow serves' slb_wait 30 slb_serving $SLB_VIP_NAT:7
slb_load_test
slb_seen_test
slb_unseen_test
slb_looks_test
slb_port_test
slb_passed_test
slb_bridge_vlan_test
slb_done
