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
