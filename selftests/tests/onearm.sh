#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: uml smp here
# slb-rows: stock
# slb-timeout: 120
#
# A director with one network device, masquerading, and the kernel's default of sending ICMP
# redirects: flows serve requests and answers, and redirects go out all the same.

set -u
. lib/stat.sh
. lib/net.sh
SLB_NETNS='client dir rs1 switch'
trap slb_net_down EXIT

# port NAME: a namespace on the switch, its device is e0
port() {
	ip netns add "slb-$1"
	ip link add e0 netns "slb-$1" type veth peer name "p$1" netns slb-switch
	slb_in switch ip link set "p$1" master br0 up
	slb_in "$1" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
		net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.e0.accept_dad=0
	slb_in "$1" ip link set e0 up
}

# onearm_test TEXT FROM TO FAMILY
onearm_test() {
	local before hits seen

	before=$(slb_stat_get dir)
	hits=$(slb_stat dir hits)
	seen=$(slb_counted rs1 netdev "icmp$4")
	slb_same "$1: all answered" "$(slb_in client /usr/bin/python3 traffic/ask.py \
		<<<"$2 $3 400 text")" "400 $3=400 text=400"
	hits=$(($(slb_stat dir hits) - hits))
	slb_is "$1: of 800 packets, served by flows" $hits gt 500
	slb_show_diff "$(slb_stat_diff "$before" "$(slb_stat_get dir)")"
	slb_is "$1: redirects" $(($(slb_counted rs1 netdev "icmp$4") - seen)) ge 1
}

modprobe shadowlb
ip netns add slb-switch
slb_in switch ip link add br0 type bridge
slb_in switch ip link set br0 up
for ns in client dir rs1; do
	port $ns
done
slb_in dir sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
	net.shadowlb.scope=2 net.shadowlb.lease=2
slb_in dir ip -batch - <<-'EOF'
	address add 10.7.0.1/24 dev e0
	address add 10.8.0.1/24 dev e0
	address add 10.8.0.100/32 dev e0
	address add fd07::1/64 dev e0 nodad
	address add fd08::1/64 dev e0 nodad
	address add fd08::100/128 dev e0 nodad
EOF
slb_in client ip -batch - <<-'EOF'
	address add 10.8.0.2/24 dev e0
	address add fd08::2/64 dev e0 nodad
EOF
slb_in rs1 ip -batch - <<-'EOF'
	address add 10.7.0.3/24 dev e0
	address add fd07::3/64 dev e0 nodad
	route add default via 10.7.0.1
	route add default via fd07::1
EOF
# that a redirect changes nothing here
slb_in rs1 sysctl -qw net.ipv4.conf.all.accept_redirects=0 net.ipv4.conf.e0.accept_redirects=0 \
	net.ipv6.conf.all.accept_redirects=0 net.ipv6.conf.e0.accept_redirects=0
slb_count_at rs1 e0 icmp4 'icmp type redirect'
slb_count_at rs1 e0 icmp6 'icmpv6 type nd-redirect'
slb_spawn rs1 /usr/bin/python3 traffic/ask.py serve 10.7.0.3:7 '[fd07::3]:7'
slb_wait 60 eval '[ "$(slb_in rs1 ss -Hlnu | wc -l)" -ge 2 ]' || slb_bail 'no UDP server'
slb_in dir ipvsadm -R <<-'EOF'
	-A -u 10.8.0.100:7 -s rr
	-a -u 10.8.0.100:7 -r 10.7.0.3:7 -m
	-A -u [fd08::100]:7 -s rr
	-a -u [fd08::100]:7 -r [fd07::3]:7 -m
EOF
slb_is 'send_redirects' "$(slb_in dir sysctl -n net.ipv4.conf.e0.send_redirects)" eq 1
slb_in client ping -qc 1 -W 5 10.8.0.100 >/dev/null
slb_in client ping -qc 1 -W 5 fd08::100 >/dev/null
onearm_test IPv4 10.8.0.2:30000 10.8.0.100:7 4
onearm_test IPv6 '[fd08::2]:30000' '[fd08::100]:7' 6
slb_done
