#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: uml smp
# slb-rows: stock
# slb-timeout: 120
#
# Rules that give packets another mark in raw than at the exit, and set priority, DSCP and
# time to live there: flows serve such packets, and each leaves as the rules say.

set -u
. lib/stat.sh
. lib/net.sh
. lib/net6.sh
. lib/methods.sh
trap slb_net_down EXIT

# send ADDRESS PORT STEP...: by one socket of the client. A step is COUNT:TEXT, ttl=N or
# await=FILE.
# Nobody answers, and the client does not hear of that.
send() {
	slb_in client bash -s -- "$@" 2>/dev/null <<-'EOF'
		exec 3<>"/dev/udp/$1/$2"
		shift 2
		for step; do
			case $step in
			ttl=*) sysctl -qw net.ipv4.ip_default_ttl=${step#ttl=} ;;
			await=*) until [ -e "${step#await=}" ]; do sleep .1; done ;;
			*) for ((i = 0; i < ${step%%:*}; i++)); do printf '%s' "${step#*:}" >&3 || :; done ;;
			esac
		done
	EOF
}

# run TEXT ADDRESS PORT: all datagrams leave as the rules say, by flows.
run() {
	local right hits

	right=$(slb_counted dir netdev right)
	hits=$(slb_stat dir hits)
	send "$2" "$3" 100:x
	slb_is "$1: of 100 packets, as the rules say" $(($(slb_counted dir netdev right) - right)) eq 100
	slb_is "$1: served by flows" $(($(slb_stat dir hits) - hits)) ge 90
}

# ecn LINE: of 60 datagrams of a socket, half of them capable of ECN, how many leave with a type
# of service of "$1" without ECN. By direct routing.
ecn() {
	local before

	before=$(slb_counted dir netdev "$1")
	slb_in client /usr/bin/python3 - "$SLB_VIP_NAT" <<-'EOF'
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		for i in range(60):
		    s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 2 if i % 20 >= 10 else 0)
		    s.sendto(b"x", (sys.argv[1], 8))
	EOF
	echo $(($(slb_counted dir netdev "$1") - before))
}

slb_right_above() { [ "$(slb_counted dir netdev right)" -gt "$1" ]; }

modprobe shadowlb
slb_one_cpu
slb_net_up
slb_net6_up
slb_in dir ip address add fd01::100/128 dev dc nodad
slb_in client ip neighbour add fd01::100 lladdr "$(slb_mac 10.1.0.1)" dev c0 nud permanent
slb_in client nft -f - <<-'EOF'
	table inet deaf {
		chain i {
			type filter hook input priority 0
			meta l4proto icmp drop
			icmpv6 type destination-unreachable drop
		}
	}
EOF
slb_scope 2
slb_in dir ipvsadm -R <<-EOF
	-A -u $SLB_VIP_NAT:7 -s rr
	-a -u $SLB_VIP_NAT:7 -r 10.2.1.2:7 -m
	-A -u $SLB_VIP_NAT:8 -s rr
	-a -u $SLB_VIP_NAT:8 -r 10.2.1.2:8 -g
	-A -u $SLB_VIP_NAT:9 -s rr
	-a -u $SLB_VIP_NAT:9 -r 10.2.1.2:9 -i
	-A -u [fd01::100]:7 -s rr
	-a -u [fd01::100]:7 -r [fd02:1::2]:7 -m
	-A -u [fd01::100]:8 -s rr
	-a -u [fd01::100]:8 -r [fd02:1::2]:8 -g
EOF
slb_in dir nft -f - <<-'EOF' || slb_bail 'no rules'
	table inet m {
		chain r {
			type filter hook prerouting priority -350
			iifname dc meta mark set 0x10
			iifname dc udp length > 50 meta mark set 0x11
		}
		chain x {
			type filter hook postrouting priority mangle
			oifname != dr1 return
			meta mark 0x10 meta mark set 0x20
			meta priority set 1:5
			ip dscp set af21
			ip ttl set 33
			ip6 dscp set af21
			ip6 hoplimit set 33
		}
	}
	table netdev slb {
		chain right {
			type filter hook egress device dr1 priority 0
			meta mark != 0x20 return
			meta priority != 1:5 return
			ip dscp != af21 return
			ip ttl != 33 return
			ip6 dscp != af21 return
			ip6 hoplimit != 33 return
			counter
		}
		chain longer {
			type filter hook egress device dr1 priority 0
			meta mark 0x11 ip dscp af21 ip ttl 33 counter
		}
	}
EOF
# Allocates the table, which may take longer than 100 packets do.
warm() {
	send "$SLB_VIP_NAT" 7 10:x
	[ "$(slb_stat dir hits)" -gt 0 ]
}
slb_check 'a flow serves' slb_wait 60 warm
run 'IPv4, masquerading' "$SLB_VIP_NAT" 7
run 'IPv4, direct routing' "$SLB_VIP_NAT" 8
run 'IPv4, tunnel' "$SLB_VIP_NAT" 9
run 'IPv6, masquerading' fd01::100 7
run 'IPv6, direct routing' fd01::100 8

# one socket, packets with two marks and two times to live by turns
right=$(slb_counted dir netdev right)
turn=(10:x '10:a payload with which a datagram is longer than others' ttl=50 10:x ttl=64)
send "$SLB_VIP_NAT" 7 "${turn[@]}" "${turn[@]}" "${turn[@]}"
slb_is 'by turns: with one mark' $(($(slb_counted dir netdev right) - right)) eq 60
slb_is 'by turns: with another mark' "$(slb_counted dir netdev longer)" eq 30

# a rule that writes the whole byte, and one that leaves ECN alone
slb_in dir nft -f - <<-'EOF'
	table ip e {
		chain x {
			type filter hook postrouting priority -140
			oifname dr1 @nh,8,8 set 0x28
		}
	}
	table netdev slb {
		chain whole {
			type filter hook egress device dr1 priority 0
			@nh,8,8 0x28 counter
		}
		chain kept {
			type filter hook egress device dr1 priority 0
			@nh,8,8 0x4a counter
		}
	}
EOF
slb_in dir nft flush table inet m
slb_is 'a rule writes DSCP and ECN: as it says' "$(ecn whole)" eq 60
slb_in dir nft delete table ip e
slb_in dir nft add rule inet m x ip dscp set af21
send "$SLB_VIP_NAT" 8 10:x
slb_epochs_over
hits=$(slb_stat dir hits)
slb_is 'a rule writes DSCP: with ECN as it came' "$(ecn kept)" eq 30
slb_is 'a rule writes DSCP: of 60, served by flows' $(($(slb_stat dir hits) - hits)) ge 50
slb_in dir nft add rule inet m r iifname dc meta mark set 0x10
slb_in dir nft add rule inet m x 'meta mark 0x10 meta mark set 0x20'
slb_in dir nft add rule inet m x 'meta priority set 1:5'
slb_in dir nft add rule inet m x 'ip ttl set 33'

# no rules any more
slb_in dir sysctl -qw net.shadowlb.lease=1
right=$(slb_counted dir netdev right)
send "$SLB_VIP_NAT" 7 20:x "await=$SLB_TMP/go" 100:x &
slb_wait 60 slb_right_above $((right + 19)) || slb_fail 'no packets'
slb_in dir nft delete table inet m
send "$SLB_VIP_NAT" 7 10:x
slb_epochs_over
hits=$(slb_stat dir hits)
touch "$SLB_TMP/go"
wait $!
slb_is 'a lease after the rules: as they said' $(($(slb_counted dir netdev right) - right)) eq 20
slb_is 'a lease after the rules: served by flows' $(($(slb_stat dir hits) - hits)) ge 80
slb_done
