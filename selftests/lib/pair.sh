# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Two directors for tests, one of them active. Sourced after net.sh, whose names, addresses
# of real servers and virtual addresses hold here too.
#
#   slb-client ---+                +--- slb-dir ----+             +--- slb-rs1
#      10.1.0.2   |  front         |  10.1.0.11     |  back       |    10.2.1.2
#                 +- 10.1.0.0/24 --+  10.2.0.11     +- 10.2.0.0 --+--- slb-rs2
#                 |  fd01::/64     |                |     /16     |    10.2.2.2
#   real servers -+                +--- slb-dir2 ---+  fd02::/16  +--- slb-rs3
#                                     .12
#
# front and back are bridges in slb-lan. The active director has the virtual addresses,
# 10.1.0.100, .200 and fd01::100, and is the real servers' gateway, 10.2.0.1 and fd02::1.

SLB_NETNS="client dir dir2 lan rs1 rs2 rs3"
SLB_VIP_NAT6=fd01::100

# slb_port NS DEVICE BRIDGE ADDRESS...: plug a namespace in.
slb_port() {
	local ns=$1 dev=$2 bridge=$3 a

	shift 3
	slb_batch[root]+="link add $dev netns slb-$ns type veth peer name $bridge-$ns netns slb-lan"$'\n'
	slb_batch[lan]+="link set $bridge-$ns master $bridge up"$'\n'
	slb_batch[$ns]+="link set $dev up"$'\n'
	for a; do
		slb_batch[$ns]+="address add $a dev $dev"$'\n'
	done
}

# slb_pair_up: the network, with no director active.
slb_pair_up() {
	local -A slb_batch=()
	local bridge ns n=11 i v4=net.ipv4.conf v6=net.ipv6.conf

	for ns in $SLB_NETNS; do
		slb_batch[root]+="netns add slb-$ns"$'\n'
		slb_batch[$ns]+="link set lo up"$'\n'
	done
	for bridge in front back; do
		slb_batch[lan]+="link add $bridge type bridge mcast_snooping 0
			link set $bridge up
		"
	done
	slb_port client f0 front 10.1.0.2/24 fd01::2/64
	for ns in dir dir2; do
		slb_port $ns f0 front "10.1.0.$n/24" "fd01::$n/64"
		slb_port $ns b0 back "10.2.0.$n/16" "fd02::$n/16"
		n=12
	done
	for i in $SLB_SERVERS; do
		slb_port "rs$i" f0 front "10.1.0.2$i/24"
		slb_port "rs$i" b0 back "10.2.$i.2/16" "fd02:$i::2/16"
		slb_batch[rs$i]+="address add $SLB_VIP_DR/32 dev lo
			route add 10.2.0.0/16 dev b0 table 100
			route add default via 10.2.0.1 table 100
			rule add from 10.2.0.0/16 table 100
			route add default via fd02::1
		"
	done
	ip -batch - <<<"${slb_batch[root]}" || slb_bail 'cannot make the network'
	for ns in $SLB_NETNS; do
		slb_in "$ns" sysctl -qw $v4.all.rp_filter=0 $v4.default.rp_filter=0 \
			$v4.all.arp_ignore=1 $v4.all.arp_announce=2 $v4.all.send_redirects=0 \
			$v4.default.send_redirects=0 $v6.all.accept_ra=0 $v6.default.accept_ra=0 \
			$v6.default.accept_dad=0 $v6.default.router_solicitations=0
		ip -n "slb-$ns" -batch - <<<"${slb_batch[$ns]}" || slb_bail "cannot set up $ns"
	done
	for ns in dir dir2; do
		slb_in $ns sysctl -qw net.ipv4.ip_forward=1 $v6.all.forwarding=1
		[ -z "${SLB_VERIFY:-}" ] || slb_in $ns sysctl -qw net.shadowlb.verify="$SLB_VERIFY"
	done
}

# slb_active add|delete NS: give the addresses of the active director, or take them away.
slb_active() {
	local ns

	ip -n "slb-$2" -batch - <<-IP
		address $1 $SLB_VIP_NAT/32 dev f0
		address $1 $SLB_VIP_DR/32 dev f0
		address $1 $SLB_VIP_NAT6/128 dev f0
		address $1 10.2.0.1/32 dev b0
		address $1 fd02::1/128 dev b0
	IP
	[ "$1" = add ] || return
	for ns in client rs1 rs2 rs3; do
		ip -n "slb-$ns" neighbour flush all
		ip -6 -n "slb-$ns" neighbour flush all
	done
}
