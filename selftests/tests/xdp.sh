#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: 6.12
# slb-long: newest
# slb-timeout: 900
#
# XDP on a network of veth pairs, native and generic: it serves what the hook has had
# learned, leaves the rest to the hook and says why, and is safe to misuse.

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
. lib/xdp.sh
trap slb_net_down EXIT

slb_xdp_need

# slb_xdp_says TEXT REASON [MIN]: a UDP exchange works, though XDP leaves it to the hook.
slb_xdp_says() {
	local before diff min=${3:-40}

	before=$(slb_stat_get dir)
	slb_xdp_echo "$1"
	diff=$(slb_since "$before")
	slb_is "$1: $2" "$(slb_xdp_stat "$diff" "$2")" ge "$min"
	[ "$(slb_xdp_stat "$diff" "$2")" -ge "$min" ] || slb_show_diff "$diff"
}

# slb_vlan_up: clients are in VLAN 10, real server 1 in VLAN 20 of its wire. VLAN 30 of the
# clients' wire is another namespace's, in which its device has the number of VLAN 10's.
slb_vlan_up() {
	slb_in client ip -batch - <<-IP
		link add link c0 name c0.10 type vlan id 10
		link set c0.10 up
		address add 10.9.0.2/24 dev c0.10
	IP
	slb_in dir ip -batch - <<-IP
		link add link dc name dc.30 index 5000 address 02:00:00:00:09:01 type vlan id 30
		link set dc.30 netns slb-rs3
		link add link dc name dc.10 index 5000 type vlan id 10 egress-qos-map 0:5
		link set dc.10 address 02:00:00:00:09:01 up
		address add 10.9.0.1/24 dev dc.10
		address add 10.9.0.100/32 dev dc.10
		link add link dr1 name dr1.20 type vlan id 20
		link set dr1.20 up
		address add 10.9.1.1/24 dev dr1.20
	IP
	slb_in rs1 ip -batch - <<-IP
		link add link d0 name d0.20 type vlan id 20
		link set d0.20 up
		address add 10.9.1.2/24 dev d0.20
		route add 10.9.0.0/24 via 10.9.1.1
	IP
	slb_in dir ipvsadm -R <<-IPVS
		-A -u 10.9.0.100:7 -s shadow
		-a -u 10.9.0.100:7 -r 10.9.1.2:7 -m
	IPVS
	slb_spawn rs1 /usr/bin/python3 traffic/udp.py serve 10.9.1.2:7
	slb_wait 60 slb_vlan_bound
}

# The same packets, to the other namespace.
slb_vlan_other_test() {
	local before diff

	slb_in rs3 ip link set dc.30 up
	slb_in client /usr/bin/python3 traffic/udp.py ping 10.9.0.100:7 1 60 from=40000 >/dev/null
	slb_in client ip -batch - <<-IP
		link del c0.10
		link add link c0 name c0.30 type vlan id 30
		link set c0.30 up
		address add 10.9.0.2/24 dev c0.30
		neighbour add 10.9.0.100 lladdr 02:00:00:00:09:01 dev c0.30 nud permanent
	IP
	before=$(slb_stat_get dir)
	slb_spawn client /usr/bin/python3 traffic/udp.py ping 10.9.0.100:7 1 1 from=40000 >/dev/null
	slb_wait 30 slb_vlan_seen "$before"
	slb_stop $!
	diff=$(slb_since "$before")
	slb_is "$1: VLAN of another namespace: left to it" "$(slb_xdp_stat "$diff" xdp_vlan)" ge 1
	slb_is "$1: VLAN of another namespace: served" "$(slb_xdp_stat "$diff" xdp_hits)" eq 0
	slb_in rs3 ip link del dc.30
	slb_in client ip link del c0.30
}

slb_vlan_seen() { [ "$(slb_xdp_stat "$(slb_since "$1")" xdp_vlan)" -ge 1 ]; }
slb_vlan_bound() { slb_in rs1 ss -Hlnu | grep -q '10.9.1.2:7 '; }

slb_vlan_test() {
	local before

	slb_vlan_up || slb_bail "$1: no VLANs"
	slb_in client nft -f - <<-NFT
		table netdev tags {
			chain in {
				type filter hook ingress device c0 priority 0
				vlan id 10 vlan pcp 5 counter
			}
		}
	NFT
	before=$(slb_stat_get dir)
	slb_xdp_echo "$1: VLANs" 10.9.0.100 100
	slb_xdp_served "$1: VLANs" "$(slb_since "$before")"
	slb_is "$1: VLANs: replies with the priority that the VLAN device gives" \
		"$(slb_in client nft list table netdev tags | sed -n 's/.*packets \([0-9]*\) .*/\1/p')" ge 400
	slb_vlan_other_test "$1"
	slb_in dir ipvsadm -D -u 10.9.0.100:7
	slb_in dir ip link del dc.10
	slb_in dir ip link del dr1.20
	slb_in client nft delete table netdev tags
	slb_in rs1 ip link del d0.20
}

# What XDP cannot do, and does not try.
slb_left_test() {
	local mode=$1 i

	slb_in client ethtool -K c0 tx on >/dev/null
	slb_xdp_says "$mode: checksums left to hardware" xdp_csum
	slb_in client ethtool -K c0 tx off >/dev/null

	slb_in client ethtool -K c0 txvlan on >/dev/null
	slb_xdp_says "$mode: VLAN tags left to hardware" xdp_vlan
	slb_in client ethtool -K c0 txvlan off >/dev/null

	slb_in dir ip link add br0 address 02:00:00:00:0b:00 type bridge
	slb_in dir ip link set br0 up
	slb_in dir ip link set dr2 master br0
	slb_in dir ip address add 10.2.2.1/24 dev br0
	slb_in dir ip address del 10.2.2.1/24 dev dr2
	slb_in dir ip neighbour replace 10.2.2.2 lladdr "$(slb_mac 10.2.2.2)" dev br0
	slb_in rs2 ip neighbour replace 10.2.2.1 lladdr 02:00:00:00:0b:00 dev d0
	# generic XDP gives the bridge requests, and leaves answers, of one connection at least
	slb_xdp_says "$mode: a server behind a bridge" xdp_device 25
	if [ "$mode" = generic ]; then
		# what the port may have merged, or taken out of frames, does not show there
		slb_xdp_set off dr2
		slb_xdp_set generic br0
		slb_xdp_says "$mode: at the bridge" xdp_device 25
		slb_xdp_set off br0
		slb_must "$mode: the program is attached at the port again" slb_xdp_set generic dr2
	fi
	slb_in dir ip link del br0
	slb_in dir ip address add 10.2.2.1/24 dev dr2
	slb_in dir ip neighbour replace 10.2.2.2 lladdr "$(slb_mac 10.2.2.2)" dev dr2 nud permanent
	slb_in rs2 ip neighbour replace 10.2.2.1 lladdr "$(slb_mac 10.2.2.1)" dev d0 nud permanent

	[ "$mode" = native ] || return 0
	for i in $SLB_SERVERS; do
		slb_in "rs$i" ethtool -K d0 gro off >/dev/null
	done
	slb_xdp_set off dr1 dr2 dr3
	slb_xdp_says "$mode: devices that take no frames" xdp_device
	slb_xdp_set "$mode" dr1 dr2 dr3
	for i in $SLB_SERVERS; do
		slb_in "rs$i" ethtool -K d0 gro on >/dev/null
	done
}

# slb_nested_test MODE CSUM: VXLAN through a service of direct routing; checksums of the packets
# inside are left to hardware. CSUM is udpcsum or noudpcsum, the outer packet's. Whom an address is
# at is not learned from answers, or requests would go there, past the service.
slb_nested_test() {
	local text="$1: VXLAN, $2" before diff server

	slb_in dir ipvsadm -R <<-IPVS
		-A -u $SLB_VIP_DR:4789 -s shadow
		-a -u $SLB_VIP_DR:4789 -r 10.2.1.2:4789 -g
	IPVS
	slb_in client ethtool -K c0 tx on >/dev/null
	slb_in rs1 ip -batch - <<-IP
		link add vx type vxlan id 7 remote 10.1.0.2 dstport 4789 nolearning dev d0
		address add 10.77.0.2/24 dev vx
		link set vx address 02:00:00:00:77:02 up
		neighbour add 10.77.0.1 lladdr 02:00:00:00:77:01 dev vx nud permanent
	IP
	slb_in client ip -batch - <<-IP
		link add vx type vxlan id 7 remote $SLB_VIP_DR dstport 4789 $2 nolearning dev c0
		address add 10.77.0.1/24 dev vx
		link set vx address 02:00:00:00:77:01 up
		neighbour add 10.77.0.2 lladdr 02:00:00:00:77:02 dev vx nud permanent
	IP
	slb_spawn rs1 /usr/bin/python3 traffic/udp.py serve 10.77.0.2:7
	server=$!
	slb_wait 60 slb_nested_bound || slb_fail "$text: no server"
	before=$(slb_stat_get dir)
	slb_xdp_echo "$text" 10.77.0.2 30
	diff=$(slb_since "$before")
	slb_is "$text: left to the hook, for a checksum" "$(slb_xdp_stat "$diff" xdp_csum)" ge 90
	slb_is "$text: served by the hook" "$(slb_xdp_stat "$diff" hits)" ge 90
	slb_stop "$server"
	slb_in rs1 ip link del vx
	slb_in client ip link del vx
	slb_in client ethtool -K c0 tx off >/dev/null
	slb_in dir ipvsadm -D -u "$SLB_VIP_DR:4789"
}

slb_nested_bound() { slb_in rs1 ss -Hlnu | grep -q '10.77.0.2:7 '; }

# slb_mtu MTU: of all wires between the client and the real servers
slb_mtu() {
	local i

	slb_in client ip link set c0 mtu "$1"
	slb_in dir ip link set dc mtu "$1"
	for i in $SLB_SERVERS; do
		slb_in dir ip link set "dr$i" mtu "$1"
		slb_in "rs$i" ip link set d0 mtu "$1"
	done
}

slb_late() { slb_in client nstat -asz TcpExtTCPOFOQueue | awk '/OFO/ { print $2 }'; }

# slb_shown_test MODE: what XDP skips, and the hook does not, is listed.
slb_shown_test() {
	local listed what

	slb_in dir nft -f - <<-NFT
		table netdev shown {
			chain in { type filter hook ingress device dc priority 5; }
			chain out { type filter hook egress device dr1 priority 6; }
			chain other { type filter hook ingress device lo priority 7; }
		}
		table ip shown {
			chain early { type filter hook prerouting priority -400; }
			chain late { type filter hook prerouting priority 8; }
		}
	NFT
	listed=$(slb_in dir sed '1,/^skipped by XDP/d' /proc/net/shadowlb)
	for what in '^netdev .*ingress .* 5 .* chain shown/in dev dc$' \
		'^netdev .*egress .* 6 .* chain shown/out dev dr1$' \
		'^ipv4 .*prerouting .* -400 .* chain shown/early$' \
		'^qdisc .*egress .* dev dr2$'; do
		slb_check "$1: listed: $what" grep -qE "$what" <<<"$listed"
	done
	slb_check "$1: not listed: what the hook skips too" bash -c '! grep -q shown/late' <<<"$listed"
	slb_check "$1: not listed: a device without a program" bash -c '! grep -q shown/other' <<<"$listed"
	slb_xdp_set off
	slb_check "$1: without programs nothing is listed" \
		bash -c '! nsenter --net=/run/netns/slb-dir grep -q "skipped by XDP" /proc/net/shadowlb'
	slb_xdp_set "$1"
	slb_in dir nft delete table netdev shown
	slb_in dir nft delete table ip shown
}

# Frames in more than one buffer go up, and the last one of an answer, which is in one,
# stays behind them.
slb_frags_test() {
	local dev before late diff

	slb_xdp_set off
	slb_mtu 9000
	for dev in dc dr1 dr2 dr3; do
		slb_must "$1: the program is attached at $dev" slb_in dir ip link set dev "$dev" \
			"xdp" obj "$SLB_XDP_OBJ" sec xdp.frags
	done
	head -c 20000 "$SLB_TMP/www/big" >"$SLB_TMP/www/20k"
	for dev in $SLB_SERVERS; do
		ln -f "$SLB_TMP/www/20k" "$SLB_TMP/rs$dev/www/"
	done
	late=$(slb_late)
	before=$(slb_stat_get dir)
	slb_check "$1: answers arrive as they are" \
		slb_in client curl -sS -o "$SLB_TMP/got" "http://$SLB_VIP_NAT/20k?[1-200]"
	diff=$(slb_since "$before")
	slb_is "$1: frames in more than one buffer" "$(slb_xdp_stat "$diff" xdp_frags)" ge 200
	slb_is "$1: segments out of order" $(($(slb_late) - late)) eq 0
	slb_is "$1: served by XDP" "$(slb_xdp_stat "$diff" xdp_hits)" ge 100
	slb_xdp_set off
	slb_mtu 1500
	slb_xdp_set native
}

# A neighbour that is not permanent is asked again before it is forgotten, though no
# packet but XDP's goes to it.
slb_neigh_test() {
	local before diff t0

	slb_in dir sysctl -qw net.ipv4.neigh.dr1.base_reachable_time_ms=1000 \
		net.ipv4.neigh.dr1.delay_first_probe_time=1 net.ipv4.neigh.dr1.gc_stale_time=1
	slb_in dir ipvsadm -A -u "$SLB_VIP_NAT:8" -s shadow
	slb_in dir ipvsadm -a -u "$SLB_VIP_NAT:8" -r 10.2.1.2:7 -m
	slb_in dir ip neighbour replace 10.2.1.2 lladdr "$(slb_mac 10.2.1.2)" dev dr1 nud stale
	slb_spawn client /usr/bin/python3 traffic/udp.py ping "$SLB_VIP_NAT:8" 1 100000 slow >"$SLB_TMP/neigh"
	t0=$!
	slb_wait 60 slb_reachable || slb_fail "$1: a stale neighbour is asked"
	before=$(slb_stat_get dir)
	slb_pause 6
	diff=$(slb_since "$before")
	slb_xdp_served "$1: a neighbour that changes its state" "$diff"
	slb_check "$1: and is known after 6 s, 1 s being its time" slb_neigh_known
	kill -INT $t0
	wait $t0
	slb_check "$1: and no datagram was lost" grep -q 'bad=0 lost=[01]$' "$SLB_TMP/neigh"
	slb_in dir ipvsadm -D -u "$SLB_VIP_NAT:8"
	slb_in dir ip neighbour replace 10.2.1.2 lladdr "$(slb_mac 10.2.1.2)" dev dr1 nud permanent
}

slb_reachable() { slb_in dir ip neighbour show 10.2.1.2 dev dr1 | grep -q REACHABLE; }
slb_neigh_known() { slb_in dir ip neighbour show 10.2.1.2 dev dr1 | grep -Eq 'REACHABLE|DELAY|PROBE|STALE'; }

# Beside other programs, by libxdp's dispatcher.
slb_loader_test() {
	local dev before

	slb_xdp_set off
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	for dev in dc dr1 dr2 dr3; do
		slb_in dir xdp-loader load -m native -s xdp "$dev" "$SLB_XDP_OBJ" ||
			slb_fail "$1: xdp-loader at $dev"
	done
	slb_in dir xdp-loader status dc | sed 's/^/# /'
	before=$(slb_stat_get dir)
	slb_xdp_echo "$1: xdp-loader" "$SLB_VIP_NAT" 100
	slb_xdp_served "$1: xdp-loader" "$(slb_since "$before")"
	for dev in dc dr1 dr2 dr3; do
		slb_in dir xdp-loader unload -a "$dev"
	done
	slb_xdp_set "$1"
}

slb_misuse_test() {
	local before out

	slb_check "$1: rmmod is refused while a program is attached" bash -c '! rmmod shadowlb 2>/dev/null'

	# another namespace, in which there are no flows
	slb_check "$1: another namespace has a program too" \
		slb_in rs3 ip link set dev d0 "$2" obj "$SLB_XDP_OBJ" sec xdp
	before=$(slb_stat_get rs3)
	slb_xdp_echo "$1: two namespaces"
	slb_is "$1: hits in the one without flows" \
		"$(slb_xdp_stat "$(slb_stat_diff "$before" "$(slb_stat_get rs3)")" xdp_hits)" eq 0
	slb_in rs3 ip link set dev d0 "$2" off

	slb_spawn client /usr/bin/python3 traffic/udp.py ping "$SLB_VIP_NAT:7" 6 100000 slow >/dev/null
	out=$!
	slb_pause 1
	slb_in dir ip link del dr3
	slb_pause 1
	slb_stop $out
	slb_in dir ipvsadm -d -u "$SLB_VIP_NAT:7" -r 10.2.3.2
	slb_xdp_echo "$1: a device is gone"
}

slb_gone() { rmmod shadowlb 2>/dev/null; }

slb_no_module_test() {
	local out

	slb_in dir ipvsadm -C
	slb_check 'the module goes when programs and services are gone' slb_wait 10 slb_gone
	out=$(slb_in dir ip link set dev dc xdp obj "$SLB_XDP_OBJ" sec xdp 2>&1)
	slb_check 'without the module the program is refused' test -n "$out"
	slb_check 'and the message names what is missing' grep -q slb_xdp <<<"$out"
	slb_note "$out"
	slb_check 'and nothing is attached' bash -c '! nsenter --net=/run/netns/slb-dir ip link show dc | grep -q xdp'
}

# "make test" has time for one of them.
modes='native generic'
[ -z "${SLB_BRIEF:-}" ] || modes=native
for mode in $modes; do
	slb_xdp_up
	slb_xdp_wires
	slb_must "$mode: the program is attached" slb_xdp_set "$mode"
	slb_traffic "$mode"
	slb_verify_test "$mode"
	slb_vlan_test "$mode"
	slb_neigh_test "$mode"
	slb_left_test "$mode"
	if [ "$mode" = native ]; then
		slb_nested_test "$mode" noudpcsum
	else
		slb_nested_test "$mode" udpcsum
	fi
	slb_shown_test "$mode"
	[ "$mode" != native ] || slb_frags_test 'native, 9000 bytes'
	[ "$mode" != native ] || slb_loader_test native
	flag=xdp
	[ $mode = native ] || flag=xdpgeneric
	slb_misuse_test "$mode" $flag
	slb_xdp_set off dc dr1 dr2
	[ "$mode" != "${modes##* }" ] || slb_no_module_test
	slb_net_down
done
slb_done
