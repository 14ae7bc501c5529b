# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# XDP at the director of net.sh. Sourced after net.sh.

SLB_XDP_OBJ=$SLB_SRC/bpf/shadowlb_xdp.o

# slb_xdp_need: ends the test, as skipped, where there is no XDP for modules.
slb_xdp_need() {
	local line

	modprobe shadowlb || slb_bail 'shadowlb cannot be loaded'
	line=$(grep '^xdp ' /proc/net/shadowlb)
	case $line in
	'xdp    1') ;;
	'xdp    0 '?*)
		slb_note "no XDP: ${line#xdp    0 }"
		exit 4
		;;
	*) slb_bail "/proc/net/shadowlb does not say whether there is XDP: '$line'" ;;
	esac
}

# slb_xdp_up: the network, and services of both protocols by masquerading and direct routing.
slb_xdp_up() {
	slb_net_up
	slb_http_up
	slb_udp_up
	slb_service t m 80 'shadow -b flag-3' 8080
	slb_service u m 7 'shadow -b flag-3'
	slb_service t g 80 'shadow -b flag-3'
	slb_service u g 7 'shadow -b flag-3'
}

# slb_xdp_wires: frames come with all that they are, as from a wire, and devices at the
# director take frames from XDP, which of a veth pair its other end decides (gro).
slb_xdp_wires() {
	local whole='tx off txvlan off tx-vlan-stag-hw-insert off tso off gso off' i

	slb_in client ethtool -K c0 $whole gro on >/dev/null
	for i in $SLB_SERVERS; do
		slb_in "rs$i" ethtool -K d0 $whole gro on >/dev/null
	done
}

# slb_xdp_set native|generic|off [DEVICE...]: by default at all of the director's.
slb_xdp_set() {
	local mode=$1 dev args=(obj "$SLB_XDP_OBJ" sec xdp)

	shift
	[ $# -gt 0 ] || set -- dc dr1 dr2 dr3
	for dev; do
		case $mode in
		native) slb_in dir ip link set dev "$dev" xdp "${args[@]}" ;;
		generic) slb_in dir ip link set dev "$dev" xdpgeneric "${args[@]}" ;;
		off) slb_in dir ip link set dev "$dev" xdp off && slb_in dir ip link set dev "$dev" xdpgeneric off ;;
		esac || return 1
	done
}

# slb_xdp_stat DIFF NAME: of a slb_stat_diff.
slb_xdp_stat() { awk -v n="$2" '$1 == n { v = $2 } END { print v + 0 }' <<<"$1"; }

# slb_xdp_served TEXT DIFF: did XDP serve 90 % of the established flows' packets?
slb_xdp_served() {
	local hits all

	hits=$(slb_xdp_stat "$2" xdp_hits)
	all=$(awk '/^(hits|miss_[a-z]*) / && !/unrelated/ { n += $2 } END { print n + 0 }' <<<"$2")
	slb_check "$1: $hits of $all packets served by XDP (want > 90 %)" test $((hits * 10)) -gt $((all * 9))
	[ $((hits * 10)) -gt $((all * 9)) ] || slb_show_diff "$2"
}

# slb_xdp_echo TEXT [VIP [COUNT]]: 4 sockets, 30 datagrams each, there and back
slb_xdp_echo() {
	slb_check "$1: datagrams come back as they went" slb_echo "${2:-$SLB_VIP_NAT}" "${3:-30}"
}

slb_echo() {
	slb_in client /usr/bin/python3 traffic/udp.py ping "$1:7" 4 "$2" >"$SLB_TMP/ping" && return
	slb_note "$(<"$SLB_TMP/ping")"
	return 1
}

slb_traffic() {
	local before vip

	# on a slow machine a connection's packets are further apart than a lease
	slb_in dir sysctl -qw net.shadowlb.lease=600
	for vip in $SLB_VIP_NAT $SLB_VIP_DR; do
		# until there is a table
		slb_in client curl -sSo "$SLB_TMP/small" "http://$vip/?[1-60]"
		before=$(slb_stat_get dir)
		slb_in client curl -sS -o "$SLB_TMP/small" "http://$vip/?[1-600]"
		slb_same "$1: 3 MB arrive as they are ($vip)" \
			"$(slb_in client curl -sS "http://$vip/big" | sha256sum)" \
			"$(sha256sum <"$SLB_TMP/www/big")"
		slb_xdp_served "$1: TCP, $vip" "$(slb_since "$before")"
		before=$(slb_stat_get dir)
		slb_xdp_echo "$1: UDP, $vip" "$vip" 100
		slb_xdp_served "$1: UDP, $vip" "$(slb_since "$before")"
	done
	slb_in dir sysctl -qw net.shadowlb.lease=10
}

# What the hook verifies are packets that XDP left to it for that.
slb_verify_test() {
	local before diff

	slb_in dir sysctl -qw net.shadowlb.verify=2
	before=$(slb_stat_get dir)
	slb_in client /usr/bin/python3 traffic/udp.py ping "$SLB_VIP_NAT:7" 4 100 >/dev/null
	diff=$(slb_since "$before")
	slb_is "$1: compared with the slow path" "$(slb_xdp_stat "$diff" verified)" gt 200
	slb_is "$1: other than the slow path" "$(slb_xdp_stat "$diff" differs)" eq 0
	slb_is "$1: served by XDP between them" "$(slb_xdp_stat "$diff" xdp_hits)" gt 50
	slb_in dir sysctl -qw net.shadowlb.verify=0
}
