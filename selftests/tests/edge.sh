#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp
# slb-timeout: 2400
#
# An edge as docs/edge.md describes it: a router that spreads connections over four directors, each
# with keepalived, and bird or FRR. Directors and real servers come and go, together too. Connections
# that break are those of a real server that died. Without sync messages, so do those that a change
# moved, when a director dies after the grace time. Connections by IPv6 are there until a real server
# has died and come back.

set -u
. lib/stat.sh
. lib/net.sh
. lib/edge.sh
trap slb_net_down EXIT

# edge_none_yet NAME TEXT: of the connections with that name none broke. No verdict if the grace time
# since $changed is over.
edge_none_yet() {
	edge_broken "$1"
	if [ "$edge_lost" -gt 0 ] && slb_ms_since "$changed" $((EDGE_GRACE * 1000)); then
		slb_note "$1, $2: this machine is too slow to see it"
	else
		slb_is "$1, $2: broken connections" "$edge_lost" eq 0
	fi
}

# edge_reload I[=WEIGHT]...: another list of real servers, at all directors at once
edge_reload() {
	local i edge_at pids=()

	for i in $EDGE_DIRECTORS; do
		edge_at=d$i
		edge_real "$@"
		kill -HUP "$(<"$SLB_TMP/d$i/pid")"
		slb_in "d$i" "$SLB_TMP/d$i/announce" reload &
		pids+=($!)
	done
	wait "${pids[@]}"
}

# edge_knows I N [PORT]: director I has N real servers, for each family with a service at that port.
edge_knows() {
	slb_in "d$1" ipvsadm -Ln | awk -v n="$2" -v port=":${3:-80}$" '
		$1 == "->" && $2 ~ port && $3 == "Tunnel" { $2 ~ /^\[/ ? six++ : four++ }
		END { exit four + 0 != n || (port ~ /80/ && six + 0 != n) }'
}

# edge_all_have N [PORT]: each director has N real servers, for each of these families.
edge_all_have() {
	local i

	for i in $EDGE_DIRECTORS; do
		edge_knows "$i" "$@" || return
	done
}

# All directors have that scheduler for all three services.
edge_all_shadow() {
	local i

	for i in $EDGE_DIRECTORS; do
		[ "$(slb_in "d$i" ipvsadm -Ln | grep -c '^TCP .*:8[01] shadow')" = 3 ] || return
	done
}

# edge_none_of_both TEXT: of the connections by IPv4, and of those by IPv6, none broke.
edge_none_of_both() {
	edge_none old "$1"
	edge_none six "$1"
}

# edge_serves_six I: flows of director I served packets over IPv6.
edge_serves_six() {
	slb_in "d$1" awk -v name="[$EDGE_VIP6]:80" '$2 == name && $3 > 0 { found = 1 } END { exit !found }' \
		/proc/net/shadowlb_services
}

# A service without real servers takes no route from the other one of its address.
edge_services_test() {
	local i

	slb_check 'all services have the scheduler' slb_wait 60 edge_all_shadow
	for i in $EDGE_SERVERS; do
		slb_stop "${edge_pid[more$i]}"
	done
	slb_must 'the second service has no real server' slb_wait 60 edge_all_have 0 81
	slb_pause 5
	slb_is '... paths of the router' "$(edge_paths $EDGE_VIP)" eq 4
	edge_none_of_both '... and the first one goes on'
	for i in $EDGE_SERVERS; do
		edge_serve_more "$i"
	done
	slb_must 'they come back' slb_wait 60 edge_all_have 8 81
	slb_check '... with the scheduler' slb_wait 60 edge_all_shadow
	slb_check '... and answer' slb_wait 60 edge_answers 81
}

# edge_answers PORT: a connection gets an answer.
edge_answers() {
	# shellcheck disable=SC2016 # of the other shell
	slb_in client timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1" && echo 1 >&3 && read -r <&3' \
		$EDGE_VIP "$1"
}

edge_directors_test() {
	edge_off 2
	edge_spread 'a director dies' 3
	edge_none_of_both 'a director dies'
	edge_director 2
	edge_spread 'it boots' 4
	edge_none_of_both 'it boots'
	slb_in d3 "$SLB_TMP/d3/announce" down
	edge_spread 'a director is taken out' 3
	slb_stop "${edge_pid[keepalived3]}"
	edge_none_of_both 'a director is taken out'
	edge_keepalived 3
	edge_spread 'it is put in again' 4
	edge_none_of_both 'it is put in again'
	kill -KILL "$(<"$SLB_TMP/d4/check.pid")"
	edge_spread "keepalived's checker dies" 3
	edge_none_of_both "keepalived's checker dies"
	edge_keepalived 4
	edge_spread 'keepalived starts' 4
	edge_none_of_both 'keepalived starts'
}

edge_server_test() {
	local i name
	local -A held=()

	# tables of some age, as they have when real servers change rarely
	slb_pause $((EDGE_GRACE + 2))
	for name in old six; do
		held[$name]=$(sed -n 's,.*\<r5=\([0-9]*\)/.*,\1,p' "$SLB_TMP/$name")
	done
	ip -n slb-lan link set p-r5 down
	edge_cable 1 down
	edge_spread 'a real server and a director die' 3
	for i in 2 3 4; do
		slb_must "... and director $i knows" slb_wait 30 edge_knows "$i" 7
	done
	for name in old six; do
		edge_broken "$name"
		slb_is "... $name: broken connections of that real server" \
			"$(sed -n 's,.*\<r5=[0-9]*/\([0-9]*\).*,\1,p' "$SLB_TMP/$name")" eq "${held[$name]}"
		slb_is "... $name: all broken connections" "$edge_lost" eq "${held[$name]}"
	done
	ip -n slb-lan link set p-r5 up
	edge_cable 1 up
	edge_spread 'both come back' 4
	slb_must '... with all real servers' slb_wait 60 edge_all_have 8
	edge_none_of_both 'both come back'
	slb_stop "${edge_pid[six]}"
}

edge_all_drain() {
	local i

	for i in $EDGE_DIRECTORS; do
		slb_in "d$i" ipvsadm -Ln | grep -q '10.5.0.16:80 *Tunnel *0 ' || return
	done
}

# Clients behind a further router, slb-client, with a smaller MTU: all addresses of 10.6.0.0/24 and
# 2001:db8:6::/64.
edge_far() {
	SLB_NETNS+=' far'
	edge_netns far
	ip link add f0 netns slb-client type veth peer name f0 netns slb-far || return
	ip -n slb-client -batch - <<-END &&
		link set f0 up
		address add 10.7.0.1/24 dev f0
		address add 2001:db8:7::1/64 dev f0 nodad
		route add 10.6.0.0/24 via 10.7.0.2 mtu lock 1300
		route add 2001:db8:6::/64 via 2001:db8:7::2 mtu lock 1300
	END
		ip -n slb-far -batch - <<-END &&
			link set f0 up
			address add 10.7.0.2/24 dev f0
			address add 2001:db8:7::2/64 dev f0 nodad
			route add default via 10.7.0.1
			route add default via 2001:db8:7::1
			route add local 10.6.0.0/24 dev lo
			route add local 2001:db8:6::/64 dev lo
		END
		ip -n slb-router route add 10.6.0.0/24 via 10.1.0.2 &&
		ip -n slb-router route add 2001:db8:6::/64 via 2001:db8:1::2 &&
		slb_in client sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 &&
		slb_in far sysctl -qw net.ipv6.ip_nonlocal_bind=1
}

# edge_ask TEXT I SECONDS OP N: sixteen such clients of each family, of which I is the first, ask for
# a large answer. So many get it in time.
edge_ask() {
	local text=$1 first=$2 seconds=$3

	shift 3
	slb_is "$text, IPv4: answers" "$(slb_in far /usr/bin/python3 -B traffic/many.py large \
		"$EDGE_VIP:80" "10.6.0.$first" 16 "$seconds")" "$@"
	slb_is "$text, IPv6: answers" "$(slb_in far /usr/bin/python3 -B traffic/many.py large \
		"[$EDGE_VIP6]:80" "2001:db8:6::$first" 16 "$seconds")" "$@"
}

edge_schedule_icmp() {
	local i

	for i in $EDGE_DIRECTORS; do
		slb_in "d$i" sysctl -qw "net.ipv4.vs.schedule_icmp=$1"
	done
}

# The ICMP errors of that further router have its address and no ports. So all go to the same
# director, which knows a quarter of the connections.
edge_mtu_test() {
	slb_must 'there are clients behind a smaller MTU' edge_far
	edge_ask 'a smaller MTU' 10 30 eq 16
	edge_schedule_icmp 0
	edge_ask 'a smaller MTU, without schedule_icmp' 40 3 lt 16
	edge_schedule_icmp 1
	edge_none_of_both 'a smaller MTU'
}

# edge_cut NAME I TEXT: director I is cut off, and comes back.
edge_cut() {
	edge_cable "$2" down
	edge_spread "$3, and then a director is cut off" 3
	edge_none_yet "$1" "$3, and then a director is cut off"
	edge_cable "$2" up
	edge_spread 'it comes back' 4
	edge_none_yet "$1" 'it comes back'
}

# Directors hear of a change, then one is cut off: others get connections that began before it.
edge_together_test() {
	local changed

	slb_pause $((EDGE_GRACE + 2))
	slb_ms changed
	edge_reload 1 2 3 4 5 6 7 8 9
	slb_must 'a real server is added' slb_wait 60 edge_all_have 9
	edge_cut old 4 'a real server is added'
	slb_must '... and has all real servers' slb_wait 60 edge_all_have 9
	slb_stop "${edge_pid[old]}"
	edge_hold recent 400
	slb_pause $((EDGE_GRACE + 2))
	slb_ms changed
	edge_reload 1 2 3 4 5 6=0 7 8 9
	slb_must 'a real server is drained' slb_wait 60 edge_all_drain
	edge_cut recent 3 'a real server is drained'
	slb_stop "${edge_pid[recent]}"
}

# edge_late NAME: much later a director is cut off. Only it knows the connections that moved, if
# there are no sync messages.
edge_late() {
	edge_reload 1 2 3 4 5 6 7 8
	slb_must "$1: eight real servers" slb_wait 60 edge_all_have 8
	edge_hold "$1" 400
	slb_pause $((EDGE_GRACE + 2))
	edge_reload 1 2 3 4 5 6 7 8 9
	slb_must "$1: a real server is added" slb_wait 60 edge_all_have 9
	slb_pause $((EDGE_GRACE + 2))
	[ "$1" = late ] || slb_must "$1: all directors know all connections" slb_wait 60 edge_all_know
	edge_cable 4 down
	edge_spread "$1: a director is cut off" 3
	edge_broken "$1"
	slb_is "$1: broken connections" "$edge_lost" "$2" "$3"
	edge_cable 4 up
	edge_spread "$1: it comes back" 4
	slb_stop "${edge_pid[$1]}"
}

edge_all_know() {
	local i

	for i in $EDGE_DIRECTORS; do
		[ "$(slb_in "d$i" grep -c '^TCP 0A010002 .*ESTABLISHED' /proc/net/ip_vs_conn)" -ge 400 ] ||
			return
	done
}

# A router with a resilient group of next hops gives a director that comes what nobody uses.
edge_resilient_test() {
	edge_reload 1 2 3 4 5 6 7 8
	slb_must 'resilient: eight real servers' slb_wait 60 edge_all_have 8
	slb_must 'resilient: the router has such a group' edge_group 1/2/3/4
	edge_hold resilient 400
	slb_pause $((EDGE_GRACE + 2))
	slb_must 'resilient: a director leaves the group' edge_group 1/2/3
	edge_none resilient 'a director leaves the group'
	edge_reload 1 2 3 4 5 6 7 8 9
	slb_must 'resilient: a real server is added' slb_wait 60 edge_all_have 9
	slb_pause $((EDGE_GRACE + 2))
	slb_must 'resilient: it joins' edge_group 1/2/3/4
	edge_none resilient 'much later it joins the group'
	ip -n slb-router route del $EDGE_VIP metric 10
	edge_broken resilient
	slb_is 'and with all shares anew: broken connections' "$edge_lost" gt 0
	slb_stop "${edge_pid[resilient]}"
}

edge_sync_up() {
	local i

	for i in $EDGE_DIRECTORS; do
		slb_in "d$i" sysctl -qw net.ipv4.vs.sync_refresh_period=10
		slb_in "d$i" ipvsadm --start-daemon master --mcast-interface e0 --syncid 1
		slb_in "d$i" ipvsadm --start-daemon backup --mcast-interface e0 --syncid 1
	done
}

EDGE_GRACE=30
modprobe -a ipip ip6_tunnel dummy || slb_bail 'this kernel has no tunnels'
modprobe ip_vs_shadow grace=$EDGE_GRACE || slb_bail 'no scheduler'
modprobe shadowlb || slb_bail 'shadowlb cannot be loaded'
edge_up
edge_spread 'four directors' 4
edge_hold old 400
edge_hold six 150 "[$EDGE_VIP6]"
for i in $EDGE_DIRECTORS; do
	slb_check "flows serve at director $i" slb_wait 60 slb_stat_above "d$i" hits 0
	slb_check '... over IPv6, too' slb_wait 60 edge_serves_six "$i"
done
edge_services_test
edge_mtu_test
edge_directors_test
edge_server_test
edge_together_test
edge_late late gt 0
edge_resilient_test
edge_sync_up
edge_late synced eq 0
slb_done
