#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest's part of make demo (demo.sh). Fails if a request failed, or if flows served
# no more than 95 % of the packets of established connections.
#
# Cost of a packet: pktgen hands the director packets of 100 UDP connections as if a
# device had received them; they leave by a dummy device. Nobody else runs then, so the
# time that takes, by the number of packets, is the director's and pktgen's own. pktgen's
# is measured too, with a rule that drops all at the device, and taken off. Whatever else
# this machine does can only make a burst longer: the shortest of many short ones counts.

set -u
export SLB_TMP=/run/slb-demo
mkdir -p $SLB_TMP
cd "$SLB_SRC/selftests" || exit 1
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

rounds=3
packets=500
bursts=10
declare -A result
bad=0

say() { printf '  [%3d s] %s\n' $SECONDS "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
slb_bail() { die "$*"; }

install -D -m 644 -t "/lib/modules/$(uname -r)/updates" "$SLB_KO" "${SLB_KO%/*}/ip_vs_shadow.ko"
cp "$SLB_DEPMOD"/modules.* "/lib/modules/$(uname -r)/"

# keep STATE NAME VALUE: one round's figure
keep() { result[$1.$2]+="$3 "; }

sorted() { tr ' ' '\n' <<<"${result[$1.$2]}" | grep . | sort -n; }

# median STATE NAME, least STATE NAME
median() { sorted "$@" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
least() { sorted "$@" | head -n 1; }

state_scope() { if [ "$1" = on ]; then slb_scope 1; else slb_scope 0; fi; }

http_round() {
	local state=$1 before diff requests=0 us=1 failed=1 p50=0 p99=0 p999=0 max=0

	state_scope "$state"
	before=$(slb_stat_get dir)
	eval "$(slb_wrk_for "$SLB_SECONDS" 8 http://$SLB_VIP_NAT/4k)"
	diff=$(slb_stat_diff "$before" "$(slb_stat_get dir)")
	keep "$state" rps $((requests * 1000000 / us))
	keep "$state" p50 "$p50"
	keep "$state" p99 "$p99"
	keep "$state" p999 "$p999"
	keep "$state" share "$(slb_share "$diff")"
	keep "$state" failed "$failed"
	bad=$((bad + failed))
	say "round $2, shadowlb $state: $((requests * 1000000 / us)) requests/s, $failed failed"
}

# Devices without wires: what comes in by in0 leaves by out0 and is gone.
pktgen_up() {
	ip -n slb-dir -batch - <<-IP
		link add in0 address 02:00:0a:09:00:01 type dummy
		link add out0 address 02:00:0a:09:01:01 type dummy
		address add 10.9.0.1/24 dev in0
		address add 10.9.1.1/24 dev out0
		link set in0 up
		link set out0 up
		neighbour add 10.9.1.2 lladdr 02:00:0a:09:01:02 dev out0 nud permanent
	IP
	slb_in dir ipvsadm -R <<-RULES
		-A -u 10.9.0.1:9000 -s shadow
		-a -u 10.9.0.1:9000 -r 10.9.1.2:9000 -m
	RULES
	modprobe pktgen || die 'this kernel has no pktgen'
	slb_in dir sh -c 'echo add_device in0 >/proc/net/pktgen/kpktgend_0' &&
		slb_in dir sh -c 'while read -r line; do echo "$line" || exit 1; done >/proc/net/pktgen/in0' <<-PG
			xmit_mode netif_receive
			count $packets
			delay 0
			pkt_size 100
			flag UDPCSUM
			dst_mac 02:00:0a:09:00:01
			src_min 10.9.0.2
			src_max 10.9.0.2
			dst_min 10.9.0.1
			dst_max 10.9.0.1
			udp_src_min 1024
			udp_src_max 1123
			udp_dst_min 9000
			udp_dst_max 9000
		PG
}

# Prints the us of each burst, but for the first: it makes connections and flows. A loop
# of builtins, so that nothing but pktgen and the director has the CPU.
pktgen_bursts() {
	slb_in dir bash -s "$bursts" <<-'BURSTS'
		for ((i = 0; i <= $1; i++)); do
			echo start >/proc/net/pktgen/pgctrl || exit 1
			while read -r word ok us _; do
				[ "$word $ok" != 'Result: OK:' ] || [ $i = 0 ] || echo "${us%%(*}"
			done </proc/net/pktgen/in0
		done
	BURSTS
}

pktgen_round() {
	local state=$1 us

	if [ "$state" = dropped ]; then
		slb_in dir nft -f - <<-NFT
			table netdev demo {
				chain in0 {
					type filter hook ingress device in0 priority -500
					drop
				}
			}
		NFT
	else
		state_scope "$state"
	fi
	us=$(pktgen_bursts | sort -n | head -n 1)
	[ -n "$us" ] || die "pktgen: $(slb_in dir grep Result /proc/net/pktgen/in0)"
	keep "$state" cost $((us * 1000 / packets))
	say "round $2, $state: $((us * 1000 / packets)) ns a packet"
	[ "$state" != dropped ] || slb_in dir nft delete table netdev demo
}

row() { printf '  %-46s %10s %10s   %s\n' "$@"; }

# figure TEXT NAME UNIT: a row, with what "on" is of "off"
figure() {
	local off on

	off=$(median off "$2")
	on=$(median on "$2")
	row "$1" "$off" "$on" "$(awk -v a="$off" -v b="$on" 'BEGIN { if (a > 0) printf "x %.2f", b / a }')"
}

say "Linux $(uname -r), $(nproc) CPUs: client, director and three nginx real servers"
modprobe shadowlb || die 'shadowlb cannot be loaded'
slb_net_up
slb_http_up
slb_service t m 80 shadow 8080
say "the same load ($SLB_SECONDS s of wrk, 8 connections, masquerading), off and on by turns"
for state in off on; do
	state_scope $state
	slb_wrk_for 2 8 http://$SLB_VIP_NAT/4k >/dev/null
done
say 'warmed up: an emulator translates each path when it is first taken'
for ((i = 1; i <= rounds; i++)); do
	for state in off on; do
		[ $i != $rounds ] || slb_in dir ipvsadm -Z
		http_round $state $i
		# a sweep later, IPVS knows of all that flows have served
		[ $i != $rounds ] || { slb_wait 2 false; slb_in dir ipvsadm -Ln --stats >"$SLB_TMP/stats.$state"; }
	done
done
say "the director alone: $bursts bursts of $packets packets of 100 UDP connections"
pktgen_up || die 'pktgen cannot be set up'
for ((i = 1; i <= rounds; i++)); do
	for state in off on dropped; do
		pktgen_round $state $i
	done
done
own=$(least dropped cost)
for state in off on; do
	result[$state.cost]=$(($(least $state cost) - own))
done

failed_of() { tr ' ' '+' <<<"${result[$1.failed]}0" | bc; }
share=$(median on share)
echo
row "median of $rounds rounds" off on 'on / off'
figure 'requests per second' rps
figure 'latency p50, us' p50
figure 'latency p99, us' p99
figure 'latency p99.9, us' p999
figure "director's least ns per packet (less pktgen's $own)" cost
row 'established packets served by flows, %' "$(median off share)" "$share" ''
row 'failed requests' "$(failed_of off)" "$(failed_of on)" ''
for state in off on; do
	printf '\n  ipvsadm -Ln --stats of the last round, shadowlb %s:\n\n' $state
	sed 's/^/    /' "$SLB_TMP/stats.$state"
done
echo
[ $bad = 0 ] || die "$bad requests failed"
slb_share_above 95 "$share" || die "flows served only $share % of the established packets"
