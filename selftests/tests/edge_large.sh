#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-timeout: 5400
#
# The edge of docs/edge.md at a size: 3,000 services, each with 30 real servers, by IPIP. Directors
# and real servers come and go under 1,000 connections. Says how long each step takes. By name alone:
# it needs SLB_UML_MEM=8G.

set -u
EDGE_SERVERS=$(seq -s ' ' 30)
EDGE_LIST=$EDGE_SERVERS
edge_count=${SLB_SERVICES:-3000}
EDGE_PORTS=1000-$((999 + edge_count))
EDGE_SERVICES=$(seq -s ' ' 1000 $((999 + edge_count)))
EDGE_CHECKS=				# 90,000 a second would be the load
EDGE_VIP6=
EDGE_MORE=edge_all_ports
. lib/stat.sh
. lib/net.sh
. lib/edge.sh
trap slb_net_down EXIT

# A real server takes the ports of all services at one.
edge_all_ports() {
	slb_in "r$1" nft -f - <<-NFT || slb_bail 'no rules at a real server'
		table ip ports {
			chain in {
				type nat hook prerouting priority dstnat
				iifname "tunl0" tcp dport $EDGE_PORTS dnat to $EDGE_VIP:80
			}
		}
	NFT
}

# edge_took TEXT: since $start
edge_took() {
	local end

	slb_ms end
	slb_note "$1: $(((end - start) / 1000)) s"
}

# edge_ready I: director I has all services with their scheduler, and its address.
edge_ready() {
	[ "$(slb_in "d$1" ipvsadm -Ln | grep -c "$EDGE_VIP:.* shadow")" = "$edge_count" ] &&
		ip -n "slb-d$1" address show dev virtual | grep -q $EDGE_VIP
}

# edge_servers_are I N [WEIGHT]: director I has so many entries of real servers.
edge_servers_are() {
	[ "$(slb_in "d$1" ipvsadm -Ln | grep -c -- "->.*Tunnel *${3:-[01]} ")" = "$2" ]
}

# edge_new_list TEXT N [WEIGHT] -- I[=WEIGHT]...: another list at all directors
edge_new_list() {
	local text=$1 count=$2 weight=$3 i edge_at start pids=()

	shift 4
	slb_ms start
	for i in $EDGE_DIRECTORS; do
		edge_at=d$i
		edge_real "$@"
		kill -HUP "$(<"$SLB_TMP/d$i/pid")"
	done
	for i in $EDGE_DIRECTORS; do
		slb_must "$text: director $i knows" slb_wait 900 edge_servers_are "$i" "$count" "$weight"
	done
	edge_took "$text"
	for i in $EDGE_DIRECTORS; do
		slb_in "d$i" "$SLB_TMP/d$i/announce" reload &
		pids+=($!)
	done
	wait "${pids[@]}"
}

edge_free() { awk '/^MemAvailable/ { print $2 }' /proc/meminfo; }

EDGE_GRACE=300
modprobe -a ipip dummy || slb_bail 'this kernel has no tunnels'
modprobe ip_vs_shadow grace=$EDGE_GRACE table_size=8191 || slb_bail 'no scheduler'
modprobe shadowlb || slb_bail 'shadowlb cannot be loaded'
free=$(edge_free)
slb_ms start
edge_up
for i in $EDGE_DIRECTORS; do
	slb_wait 900 edge_ready "$i" || edge_show | cut -c 1-100 | awk '!/10.5.0.1[0-9]/' | tail -n 100
	slb_must "director $i has all services" edge_ready "$i"
done
edge_took 'four directors boot'
edge_spread 'four directors' 4
slb_note "memory: $(((free - $(edge_free)) / 1024)) MB"
edge_hold old 1000
for i in $EDGE_DIRECTORS; do
	slb_check "flows serve at director $i" slb_wait 60 slb_stat_above "d$i" hits 0
done
edge_off 2
edge_spread 'a director dies' 3
edge_none old 'a director dies'
slb_ms start
edge_director 2
slb_must 'it boots' slb_wait 900 edge_ready 2
edge_took 'it boots'
edge_spread 'it boots' 4
edge_none old 'it boots'
# tables of some age, as they have when real servers change rarely
slb_pause 62
mapfile -t list < <(seq 30)
edge_new_list 'a real server is drained' "$edge_count" 0 -- "${list[@]:0:28}" 29=0 30
edge_none old 'a real server is drained'
edge_cable 3 down
edge_spread 'and a director is cut off' 3
edge_none old 'and a director is cut off'
edge_cable 3 up
edge_spread 'it comes back' 4
edge_none old 'it comes back'
held=$(sed -n 's,.*\<r30=\([0-9]*\)/.*,\1,p' "$SLB_TMP/old")
edge_new_list 'it is back' $((30 * edge_count)) 1 -- "${list[@]}"
# the table before is that of the last change alone
slb_pause $((EDGE_GRACE + 2))
edge_new_list 'a real server is removed' $((29 * edge_count)) 1 -- "${list[@]:0:29}"
edge_off 1
edge_spread 'a real server is removed, and a director dies' 3
edge_broken old
slb_is '... broken connections: those of that real server' "$edge_lost" eq "$held"
slb_done
