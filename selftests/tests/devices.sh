#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp
# slb-long: uml
# slb-timeout: 600
#
# The devices and routes that directors have: every kind of device towards the clients
# and towards the real servers, replies that come back by another way, routes chosen by
# mark, multipath routes, a path that is narrow. HTTP and UDP through each: all is answered, and
# by flows.
#
# To the network of net.sh comes one more wire, with the kind's device on the director's
# end of it:
#
#    slb-client            slb-dir                    slb-rs1
#   +-----------+       +-----------+                +---------+
#   |       x0  |-------| w0        |  10.11.0.0/24  |         |   towards the clients
#   |           |       |        w0 |----------------| x0      |   towards the real server
#   +-----------+       +-----------+  10.12.1.0/24  +---------+

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
trap slb_net_down EXIT

# Here much goes the slow way, or meets the flow table twice: no packet may be wrong.
slow='in-vrf out-vrf'

# slb_wrap KIND: the director's end of the wire, y0, becomes w0.
slb_wrap() {
	case $1 in
	veth) echo 'link set y0 name w0' ;;
	vlan) echo 'link add link y0 name w0 type vlan id 5' ;;
	bond) echo 'link add w0 type bond mode active-backup miimon 100
		link set y0 master w0' ;;
	bridge*) echo 'link add w0 type bridge
		link set y0 master w0' ;;
	macvlan) echo 'link add link y0 name w0 type macvlan mode bridge' ;;
	vrf) echo 'link add vrf0 type vrf table 10
		link set vrf0 up
		link set y0 name w0
		link set w0 master vrf0' ;;
	esac
	[[ $1 == v[er]* ]] || echo 'link set y0 up'
}

# slb_wire NS KIND NETWORK: the wire from the director, .1 there, to NS, .2.
slb_wire() {
	local nf=/proc/sys/net/bridge/bridge-nf-call-iptables

	if [ "$2" = bridge-nf ]; then
		modprobe br_netfilter || slb_bail 'no br_netfilter'
	fi
	slb_in dir sh -c "[ ! -e $nf ] || echo $([ "$2" != bridge-nf ]; echo $?) >$nf"
	ip -batch - <<-IP &&
		link add x0 netns slb-$1 type veth peer name y0 netns slb-dir
	IP
		ip -n slb-dir -batch - <<-IP &&
			$(slb_wrap "$2")
			address add $3.1/24 dev w0
			link set w0 up
		IP
		ip -n "slb-$1" -batch - <<-IP || slb_bail "no wire: $2"
			$([ "$2" != vlan ] || printf '%s\n' 'link set x0 name l0' 'link set l0 up' \
				'link add link l0 name x0 type vlan id 5')
			address add $3.2/24 dev x0
			link set x0 up
		IP
}

slb_unwire() {
	ip -n slb-dir -batch - <<-IP
		$([[ $1 == v[er]* ]] || echo 'link delete w0')
		$([[ $1 == v[er]* ]] && echo 'link delete w0' || echo 'link delete y0')
		$([ "$1" != vrf ] || echo 'link delete vrf0')
	IP
}

# slb_services_to ADDRESS...: HTTP and a UDP echo on these real servers; NAT and DR.
slb_services_to() {
	local svc vip method server real

	slb_in dir ipvsadm -C
	for svc in t:80 u:7; do
		for method in m g; do
			vip=$SLB_VIP_NAT
			real=${svc#*:}
			[ $method = m ] || vip=$SLB_VIP_DR
			[ $svc$method != u:7m ] || real=7777
			echo "-A -${svc%:*} $vip:${svc#*:} -s rr"
			for server; do
				echo "-a -${svc%:*} $vip:${svc#*:} -r $server:$real -$method"
			done
		done
	done | slb_in dir ipvsadm -R
}

slb_port=20000

# slb_pass_load NAME TEXT [m]: HTTP, masqueraded, and at the same time UDP, routed directly, or
# with m masqueraded too.
slb_pass_load() {
	local name=$1 text=$2 before diff ping vip=$SLB_VIP_DR
	local requests=0 failed=1 us p50 p99 p999 max

	[ -z "${3:-}" ] || vip=$SLB_VIP_NAT
	# a new device begins an epoch, whose first packets prove nothing
	slb_pause 1.5
	before=$(slb_stat_get dir)
	# Ports of its own: IPVS drops what comes from those of a case before, while it knows a
	# connection of theirs to a real server that has gone.
	slb_port=$((slb_port + 4))
	slb_spawn client /usr/bin/python3 traffic/udp.py ping "$vip:7" 4 60 from=$slb_port \
		>"$SLB_TMP/ping"
	ping=$!
	eval "$(slb_wrk 200 4 http://$SLB_VIP_NAT/4k)"
	slb_check "$text: wrk: $requests requests, $failed failed" \
		test "$requests" -ge 200 -a "$failed" = 0
	wait $ping
	slb_same "$text: 240 datagrams come back as they went" "$(<"$SLB_TMP/ping")" \
		'good=240 bad=0 lost=0'
	diff=$(slb_since "$before")
	if [[ " $slow " == *" $name "* ]]; then
		slb_show_diff "$diff"
	else
		slb_served "$name: $text" "$diff"
	fi
}

slb_in_case() {
	local kind=$1

	slb_wire client "$kind" 10.11.0
	if [ "$kind" = vrf ]; then
		ip -n slb-dir -batch - <<-IP
			address add $SLB_VIP_NAT/32 dev w0
			address add $SLB_VIP_DR/32 dev w0
			route add 10.11.0.0/24 dev w0
		IP
	fi
	ip -n slb-client -batch - <<-IP
		route add $SLB_VIP_NAT via 10.11.0.1
		route add $SLB_VIP_DR via 10.11.0.1
	IP
	slb_count_at client x0 came "ip saddr $SLB_VIP_NAT"
	slb_pass_load "in-$kind" "clients by $kind"
	slb_is "clients by $kind: packets that came back this way" \
		"$(slb_counted client netdev came)" gt 200
	slb_in client nft delete table netdev slb
	slb_unwire "$kind"
}

# slb_out_case KIND [asym]
slb_out_case() {
	local kind=$1 name="out-$1" text="real server by $1"

	slb_wire rs1 "$kind" 10.12.1
	if [ "$kind" = vrf ]; then
		ip -n slb-dir -batch - <<-IP
			route add 10.12.1.0/24 dev w0
			route add 10.1.0.0/24 dev dc table 10
		IP
	fi
	if [ "${2:-}" != asym ]; then
		ip -n slb-rs1 -batch - <<-IP
			route add default via 10.12.1.1 table 101
			rule add from 10.12.1.2 table 101 priority 101
		IP
	else
		name=asym
		text='replies by another device'
	fi
	slb_services_to 10.12.1.2
	slb_count_at rs1 x0 went 'ip protocol { tcp, udp }'
	slb_pass_load "$name" "$text"
	slb_is "$text: packets to the real server this way" \
		"$(slb_counted rs1 netdev went)" gt 400
	slb_in rs1 nft delete table netdev slb
	slb_unwire "$kind"
	[ "${2:-}" = asym ] || ip -n slb-rs1 rule delete priority 101
}

# slb_mark_rule PRIORITY EXPRESSION MARK
slb_mark_rule() {
	slb_in dir nft -f - <<-NFT
		table ip marks {
			chain prerouting {
				type filter hook prerouting priority $1
				$2 meta mark set $3
			}
		}
	NFT
}

# slb_old_and_new: "N M": what came to the client from the service by its old and new wire.
slb_old_and_new() { slb_counted_all client | awk '{ n[$1] = $2 } END { print n["old"] + 0, n["new"] + 0 }'; }

# Replies with a mark take another route; then the rule goes, and they do not.
slb_mark_case() {
	local old new

	slb_wire client veth 10.11.0
	slb_mark_rule mangle 'ip saddr 10.2.0.0/16' 7
	ip -n slb-dir -batch - <<-IP
		route add default via 10.11.0.2 dev w0 table 107
		rule add fwmark 7 table 107 priority 107
	IP
	slb_count_at client c0 old "ip saddr $SLB_VIP_NAT"
	slb_count_at client x0 new "ip saddr $SLB_VIP_NAT"
	slb_rules_settle
	slb_pass_load mark 'replies routed by mark' m
	read -r old new < <(slb_old_and_new)
	slb_is 'replies routed by mark: packets by the old way' $old eq 0
	slb_is 'replies routed by mark: packets by the new way' $new gt 200
	ip -n slb-dir rule delete priority 107
	slb_pass_load mark 'a mark without its rule' m
	slb_is 'a mark without its rule: packets by the way of the mark' \
		$(($(slb_old_and_new | cut -d' ' -f2) - new)) eq 0
	slb_in dir nft delete table ip marks
	slb_in client nft delete table netdev slb
	slb_unwire veth
}

# A service by firewall mark, set in the mangle or in the raw table.
slb_fwmark_case() {
	local i

	slb_mark_rule "$1" "ip daddr $SLB_VIP_NAT" 8
	slb_in dir ipvsadm -C
	{
		echo '-A -f 8 -s rr'
		for i in $SLB_SERVERS; do
			echo "-a -f 8 -r 10.2.$i.2:0 -m"
		done
	} | slb_in dir ipvsadm -R
	slb_rules_settle
	slb_pass_load "fwmark-$1" "service by a mark of $1" m
	slb_in dir nft delete table ip marks
}

# One route, two wires: to a real server, whose replies take one of them; and to clients
# of 16 addresses.
slb_multipath_server() {
	slb_wire rs1 veth 10.12.1
	ip -n slb-rs1 address add 10.20.0.1/32 dev lo
	ip -n slb-dir route add 10.20.0.1 nexthop via 10.2.1.2 dev dr1 nexthop via 10.12.1.2 dev w0
	slb_services_to 10.20.0.1
	slb_pass_load multipath-server 'multipath to a real server'
	slb_unwire veth
	ip -n slb-dir route flush 10.20.0.1
}

slb_multipath_clients() {
	local i before good=0 old new

	slb_wire client veth 10.11.0
	{
		for ((i = 1; i <= 16; i++)); do
			echo "address add 10.30.0.$i/32 dev lo"
		done
	} | ip -n slb-client -batch -
	ip -n slb-dir route add 10.30.0.0/24 nexthop via 10.1.0.2 dev dc nexthop via 10.11.0.2 dev w0
	slb_services_to 10.2.1.2 10.2.2.2 10.2.3.2
	slb_count_at client c0 old "ip saddr $SLB_VIP_NAT"
	slb_count_at client x0 new "ip saddr $SLB_VIP_NAT"
	before=$(slb_stat_get dir)
	for ((i = 1; i <= 16; i++)); do
		if [ "$(slb_in client curl -sS --interface 10.30.0.$i "http://$SLB_VIP_NAT/4k?[1-50]" |
			wc -c)" = $((50 * 4096)) ]; then
			good=$((good + 1))
		fi
	done
	slb_is 'multipath to the clients: clients with all their answers' $good eq 16
	slb_served 'multipath to the clients' "$(slb_since "$before")"
	read -r old new < <(slb_old_and_new)
	slb_is 'multipath to the clients: packets by the first way' $old gt 100
	slb_is 'multipath to the clients: packets by the second way' $new gt 100
	slb_in client nft delete table netdev slb
	slb_unwire veth
	ip -n slb-dir route flush 10.30.0.0/24
}

# Does the director know that so much arrives at the real server?
slb_path_told() {
	slb_in rs1 /usr/bin/python3 traffic/pmtu.py tell 10.2.1.2 10.2.1.1 5555 "$1"
	ip -n slb-dir route get 10.2.1.2 | grep -q "mtu $1"
}

# slb_path MTU SIZE WANT TEXT: packets of a flow, which is of one CPU
slb_path() {
	slb_is "path of $1: $4 packets of $2 that are answered" "$(slb_in client taskset -c 0 \
		/usr/bin/python3 traffic/pmtu.py send $SLB_VIP_NAT:7 6000 "$2" 10)" eq "$3"
}

# A path turns out to be narrow, and then narrower: the route stays as it is, but for its MTU.
slb_path_case() {
	local hold before

	slb_services_to 10.2.1.2
	# rules that went in the case before begin a late epoch, which would end the flow's lease
	slb_rules_settle
	slb_spawn dir /usr/bin/python3 traffic/pmtu.py hold 10.2.1.2 5555
	hold=$!
	slb_path 1500 1400 10 'of a new flow,'
	slb_must 'a path of 1300 is known' slb_wait 60 slb_path_told 1300
	slb_path 1300 1400 0 'too long,'
	before=$(slb_stat dir hits)
	slb_path 1300 1200 10 short
	slb_is 'path of 1300: hits' $(($(slb_stat dir hits) - before)) gt 10
	slb_must 'a path of 1100 is known' slb_wait 60 slb_path_told 1100
	before=$(slb_stat_get dir)
	slb_path 1100 1200 0 'too long,'
	slb_is 'path of 1100: packets that flows had not for their length' \
		"$(slb_stat_grew dir miss_mtu "$before")" gt 0
	slb_show_diff "$(slb_since "$before")"
	slb_path 1100 1000 10 short
	slb_stop $hold
}

modprobe shadowlb
slb_net_up
slb_http_up
slb_udp_up
# on addresses that come later
slb_in rs1 sysctl -qw net.ipv4.ip_nonlocal_bind=1
slb_spawn rs1 /usr/bin/python3 traffic/udp.py serve 10.12.1.2:7777 10.20.0.1:7777
slb_scope 2

slb_services_to 10.2.1.2 10.2.2.2 10.2.3.2
slb_check 'a flow serves' slb_wait 30 slb_serving $SLB_VIP_NAT:7
for kind in veth vlan bond bridge bridge-nf macvlan vrf; do
	slb_in_case $kind
done
slb_mark_case
slb_fwmark_case mangle
slb_fwmark_case raw
for kind in veth vlan bond bridge bridge-nf macvlan vrf; do
	slb_out_case $kind
done
slb_out_case veth asym
slb_multipath_server
slb_multipath_clients
slb_path_case
slb_note "done after $SECONDS s"
slb_done
