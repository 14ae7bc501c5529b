# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# IPv6 for the network of net.sh, on the same wires. Sourced after it.
#
#   10.1.0.x    fd01::x      client and director
#   10.2.N.x    fd02:N::x    director and real server N
#   10.3.N.x    fd03:N::x    client and real server N
#
# A real server's default route is the director; what it sends from an address of
# fd01::/64, a service's, goes straight to the client.

# slb_end6 NS DEVICE ADDRESS PEER PEERMAC: one end of a wire.
slb_end6() {
	slb_batch[$1]+="address add $3/64 dev $2 nodad
		neighbour add $4 lladdr $5 dev $2 nud permanent
	"
}

# slb_link6 NS DEVICE ADDRESS MAC NS DEVICE ADDRESS MAC: a wire.
slb_link6() {
	slb_end6 "$1" "$2" "$3" "$7" "$8"
	slb_end6 "$5" "$6" "$7" "$3" "$4"
}

# slb_net6_up: after slb_net_up.
slb_net6_up() {
	local -A slb_batch=()
	local i ns all=net.ipv6.conf.all new=net.ipv6.conf.default

	slb_link6 client c0 fd01::2 "$(slb_mac 10.1.0.2)" dir dc fd01::1 "$(slb_mac 10.1.0.1)"
	for i in $SLB_SERVERS; do
		slb_link6 dir "dr$i" "fd02:$i::1" "$(slb_mac "10.2.$i.1")" \
			"rs$i" d0 "fd02:$i::2" "$(slb_mac "10.2.$i.2")"
		slb_link6 client "s$i" "fd03:$i::1" "$(slb_mac "10.3.$i.1")" \
			"rs$i" c0 "fd03:$i::2" "$(slb_mac "10.3.$i.2")"
		slb_batch[rs$i]+="route add default via fd02:$i::1
			route add default via fd03:$i::1 table 100
			rule add from fd01::/64 table 100
		"
	done
	for ns in $SLB_NETNS; do
		slb_in $ns sysctl -qw $all.accept_ra=0 $new.accept_ra=0 \
			$new.router_solicitations=0 $new.accept_dad=0 \
			$all.forwarding="$([ $ns != dir ]; echo $?)" \
			$new.disable_ipv6=0 $all.disable_ipv6=0
		ip -6 -n slb-$ns -batch - <<<"${slb_batch[$ns]}" ||
			slb_bail "cannot set up IPv6 in $ns"
	done
}
