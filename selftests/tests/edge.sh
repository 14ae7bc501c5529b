#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp
# slb-timeout: 1200
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

# edge_none NAME TEXT: of the connections with that name none broke.
edge_none() {
	edge_broken "$1"
	slb_is "$1, $2: broken connections" "$edge_lost" eq 0
}

edge_reload() {
	local i edge_at

	for i in $EDGE_DIRECTORS; do
		edge_at=d$i
		edge_real "$@"
		kill -HUP "${edge_pid[keepalived$i]}"
	done
}

# edge_count I: real servers that director I has
edge_count() { slb_in "d$1" ipvsadm -Ln | grep -c -- '->.*Tunnel'; }

# edge_all_have N: each director has so many real servers.
edge_all_have() {
	local i

	for i in $EDGE_DIRECTORS; do
		[ "$(edge_count "$i")" = "$1" ] || return
	done
}

edge_directors_test() {
	edge_cable 2 down
	edge_spread 'a director dies' 3
	edge_none old 'a director dies'
	edge_cable 2 up
	edge_spread 'it comes back' 4
	edge_none old 'it comes back'
	slb_in d3 "$SLB_TMP/d3/announce" down
	edge_spread 'a director is taken out' 3
	slb_stop "${edge_pid[keepalived3]}"
	edge_none old 'a director is taken out'
	edge_keepalived 3
	edge_spread 'and begins again' 4
	edge_none old 'and begins again'
}

edge_server_test() {
	local i held broken

	# tables of some age, as they have when real servers change rarely
	slb_pause $((EDGE_GRACE + 2))
	held=$(sed -n 's,.*\<r5=\([0-9]*\)/.*,\1,p' "$SLB_TMP/old")
	slb_stop "${edge_pid[r5]}"
	edge_cable 1 down
	edge_spread 'a real server and a director die' 3
	for i in 2 3 4; do
		slb_must "... and director $i knows" slb_wait 30 edge_knows "$i" 7
	done
	edge_broken old
	broken=$(sed -n 's,.*\<r5=[0-9]*/\([0-9]*\).*,\1,p' "$SLB_TMP/old")
	slb_is '... broken connections of that real server' "$broken" eq "$held"
	slb_is '... and all broken connections' "$edge_lost" eq "$held"
	edge_serve 5
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

# edge_die NAME I TEXT: director I dies and comes back.
edge_die() {
	edge_cable "$2" down
	edge_spread "$3, and then a director dies" 3
	edge_none "$1" "$3, and then a director dies"
	edge_cable "$2" up
	edge_spread 'it comes back' 4
	edge_none "$1" 'it comes back'
}

# Directors hear of a change, then one dies: others get connections that began before the change.
edge_together_test() {
	slb_pause $((EDGE_GRACE + 2))
	edge_reload 1 2 3 4 5 6 7 8 9
	slb_must 'a real server is added' slb_wait 60 edge_all_have 9
	edge_die old 4 'a real server is added'
	slb_must '... and has all real servers' slb_wait 60 edge_all_have 9
	slb_stop "${edge_pid[old]}"
	edge_hold recent 400
	slb_pause $((EDGE_GRACE + 2))
	edge_reload 1 2 3 4 5 6=0 7 8 9
	slb_must 'a real server is drained' slb_wait 60 edge_all_drain
	edge_die recent 3 'a real server is drained'
	slb_stop "${edge_pid[recent]}"
}

# Of connections that are older than the grace time only their director knows, or sync messages.
# The real server that is added has one slot of nine.
edge_late_test() {
	local name=$1 most=$2

	edge_reload 1 2 3 4 5 6 7 8
	slb_must "$name: eight real servers" slb_wait 60 edge_all_have 8
	edge_hold "$name" 400
	slb_pause $((EDGE_GRACE + 2))
	edge_reload 1 2 3 4 5 6 7 8 9
	slb_must "$name: a real server is added" slb_wait 60 edge_all_have 9
	slb_pause $((EDGE_GRACE + 2))
	edge_cable 4 down
	edge_spread "$name: much later a director dies" 3
	edge_broken "$name"
	slb_is "$name: broken connections" "$edge_lost" le "$most"
	edge_cable 4 up
	edge_spread "$name: it comes back" 4
	slb_stop "${edge_pid[$name]}"
}

edge_sync_up() {
	local i

	for i in $EDGE_DIRECTORS; do
		slb_in "d$i" sysctl -qw net.ipv4.vs.sync_refresh_period=10
		slb_in "d$i" ipvsadm --start-daemon master --mcast-interface e0 --syncid 1
		slb_in "d$i" ipvsadm --start-daemon backup --mcast-interface e0 --syncid 1
	done
}

EDGE_GRACE=20
modprobe -a ipip dummy || slb_bail 'this kernel has no tunnels'
modprobe ip_vs_shadow grace=$EDGE_GRACE || slb_bail 'no scheduler'
modprobe shadowlb || slb_bail 'shadowlb cannot be loaded'
edge_up
edge_spread 'four directors' 4
edge_hold old 400
for i in $EDGE_DIRECTORS; do
	slb_is "hits at director $i" "$(slb_stat "d$i" hits)" gt 0
done
edge_directors_test
edge_server_test
edge_together_test
edge_late_test late 80
edge_sync_up
edge_late_test synced 0
slb_done
