#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp
# slb-timeout: 2400
#
# An edge as docs/edge.md describes it: a router that spreads connections over four directors, each
# with keepalived, and bird or FRR. Directors and real servers come and go, together too. Connections
# that break are those of a real server that died. Without sync messages, so do those that a change
# moved, when a director dies after the grace time.

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

# edge_count I [PORT]: real servers that director I has
edge_count() { slb_in "d$1" ipvsadm -Ln | grep -c -- "->.*:${2:-80} *Tunnel"; }

# edge_all_have N [PORT]: each director has N real servers.
edge_all_have() {
	local i

	for i in $EDGE_DIRECTORS; do
		[ "$(edge_count "$i" "${2:-80}")" = "$1" ] || return
	done
}

# All directors have that scheduler for both services.
edge_all_shadow() {
	local i

	for i in $EDGE_DIRECTORS; do
		[ "$(slb_in "d$i" ipvsadm -Ln | grep -c "$EDGE_VIP:8[01] shadow")" = 2 ] || return
	done
}

# A service without real servers takes no route from the other one of its address.
edge_services_test() {
	local i

	slb_check 'both services have the scheduler' slb_wait 60 edge_all_shadow
	for i in $EDGE_SERVERS; do
		slb_stop "${edge_pid[more$i]}"
	done
	slb_must 'the second service has no real server' slb_wait 60 edge_all_have 0 81
	slb_pause 5
	slb_is '... paths of the router' "$(edge_paths)" eq 4
	edge_none old '... and the first one goes on'
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
	edge_none old 'a director dies'
	edge_director 2
	edge_spread 'it boots' 4
	edge_none old 'it boots'
	slb_in d3 "$SLB_TMP/d3/announce" down
	edge_spread 'a director is taken out' 3
	slb_stop "${edge_pid[keepalived3]}"
	edge_none old 'a director is taken out'
	edge_keepalived 3
	edge_spread 'it is put in again' 4
	edge_none old 'it is put in again'
	kill -KILL "$(<"$SLB_TMP/d4/check.pid")"
	edge_spread "keepalived's checker dies" 3
	edge_none old "keepalived's checker dies"
	edge_keepalived 4
	edge_spread 'keepalived starts' 4
	edge_none old 'keepalived starts'
}

edge_server_test() {
	local i held broken

	# tables of some age, as they have when real servers change rarely
	slb_pause $((EDGE_GRACE + 2))
	held=$(sed -n 's,.*\<r5=\([0-9]*\)/.*,\1,p' "$SLB_TMP/old")
	ip -n slb-lan link set p-r5 down
	edge_cable 1 down
	edge_spread 'a real server and a director die' 3
	for i in 2 3 4; do
		slb_must "... and director $i knows" slb_wait 30 edge_knows "$i" 7
	done
	edge_broken old
	broken=$(sed -n 's,.*\<r5=[0-9]*/\([0-9]*\).*,\1,p' "$SLB_TMP/old")
	slb_is '... broken connections of that real server' "$broken" eq "$held"
	slb_is '... and all broken connections' "$edge_lost" eq "$held"
	ip -n slb-lan link set p-r5 up
	edge_cable 1 up
	edge_spread 'both come back' 4
	slb_must '... with all real servers' slb_wait 60 edge_all_have 8
	edge_none old 'both come back'
}

edge_knows() { [ "$(edge_count "$1")" = "$2" ]; }

edge_all_drain() {
	local i

	for i in $EDGE_DIRECTORS; do
		slb_in "d$i" ipvsadm -Ln | grep -q '10.5.0.16:80 *Tunnel *0 ' || return
	done
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
		[ "$(slb_in "d$i" grep -c ESTABLISHED /proc/net/ip_vs_conn)" -ge 400 ] || return
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
modprobe -a ipip dummy || slb_bail 'this kernel has no tunnels'
modprobe ip_vs_shadow grace=$EDGE_GRACE || slb_bail 'no scheduler'
modprobe shadowlb || slb_bail 'shadowlb cannot be loaded'
edge_up
edge_spread 'four directors' 4
edge_hold old 400
for i in $EDGE_DIRECTORS; do
	slb_check "flows serve at director $i" slb_wait 60 slb_stat_above "d$i" hits 0
done
edge_services_test
edge_directors_test
edge_server_test
edge_together_test
edge_late late gt 0
edge_resilient_test
edge_sync_up
edge_late synced eq 0
slb_done
