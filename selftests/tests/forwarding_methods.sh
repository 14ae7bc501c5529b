#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp
# slb-rows: stock
# slb-timeout: 1200
#
# Every way from the director to a real server, of IPv4 and IPv6, with what people run
# through it: wrk against nginx, a transfer whose checksum is compared, iperf3 with TCP
# and UDP, a transfer by SCTP. The tunnels end in ordinary devices of the real servers' kernel, and their
# replies go straight to the client, as with direct routing. What reaches a real server's
# wire must have the form that was asked for, whether flows or IPVS gave it.
#
# Way N has services on an address of its own, 10.1.0.(100+N) or fd01::(100+N), and an
# address of its own on each real server I, 10.2.I.(100+N) or fd02:I::(100+N).

set -u
. lib/stat.sh
. lib/net.sh
. lib/net6.sh
. lib/methods.sh
trap slb_net_down EXIT

# name | family of the service, of the real server | method for ipvsadm | device in the
# real server, but for its address | the only form on its wire
ways='
nat4     | 4 4 | -m | | meta l4proto { tcp, udp, sctp }
nat6     | 6 6 | -m | | meta l4proto { tcp, udp, sctp }
dr4      | 4 4 | -g | | meta l4proto { tcp, udp, sctp }
dr6      | 6 6 | -g | | meta l4proto { tcp, udp, sctp }
ipip4    | 4 4 | -i | ipip   | meta l4proto 4
ipip6    | 6 6 | -i | ip6tnl mode ip6ip6 | meta l4proto 41
ipip6in4 | 6 4 | -i | sit    | meta l4proto 41
ipip4in6 | 4 6 | -i | ip6tnl mode ipip6  | meta l4proto 4
gre4     | 4 4 | -i --tun-type gre --tun-nocsum | gre | meta l4proto 47 @th,0,32 0x00000800
gre4csum | 4 4 | -i --tun-type gre --tun-csum | gre icsum | meta l4proto 47 @th,0,32 0x80000800
gre6     | 6 6 | -i --tun-type gre --tun-nocsum | ip6gre | meta l4proto 47 @th,0,32 0x000086dd
gre6csum | 6 6 | -i --tun-type gre --tun-csum | ip6gre icsum | meta l4proto 47 @th,0,32 0x800086dd
gre6in4  | 6 4 | -i --tun-type gre --tun-csum | gre icsum | meta l4proto 47 @th,0,32 0x800086dd
gre4in6  | 4 6 | -i --tun-type gre --tun-nocsum | ip6gre | meta l4proto 47 @th,0,32 0x00000800
gue4     | 4 4 | -i --tun-type gue --tun-nocsum | ipip | udp checksum 0 @th,64,32 0x00040000
gue4csum | 4 4 | -i --tun-type gue --tun-csum | ipip | udp checksum != 0 @th,64,32 0x00040000
gue4rem  | 4 4 | -i --tun-type gue --tun-remcsum | ipip | udp checksum != 0 @th,64,32 0x02040001
gue6     | 6 6 | -i --tun-type gue --tun-nocsum | ip6tnl mode ip6ip6 | udp checksum 0 @th,64,32 0x00290000
gue6csum | 6 6 | -i --tun-type gue --tun-csum | ip6tnl mode ip6ip6 | udp checksum != 0 @th,64,32 0x00290000
gue6rem  | 6 6 | -i --tun-type gue --tun-remcsum | ip6tnl mode ip6ip6 | udp checksum != 0 @th,64,32 0x02290001
gue6in4  | 6 4 | -i --tun-type gue --tun-csum | sit | udp checksum != 0 @th,64,32 0x00290000
gue4in6  | 4 6 | -i --tun-type gue --tun-nocsum | ip6tnl mode ipip6 | udp checksum 0 @th,64,32 0x00040000
'

# SLB_WAYS="gue4 gre6": these only.
only=${SLB_WAYS:-}

# The transfer, in blocks of 4 MB.
blocks=${SLB_BLOCKS:-2}

# slb_each_way COMMAND...: for each, with n, name, af, real_af, method, device, wire, vip
# (in brackets before a port: host) and iperf, the real server whose iperf3 it uses.
# Without a subshell, as all here that is done for each: a program costs a debug kernel dear.
slb_each_way() {
	local n=100 name af real_af method device wire vip host iperf

	while IFS='|' read -r name af method device wire <&5; do
		read -r name <<<"$name"
		n=$((n + 1))
		[ -n "$name" ] || continue
		[[ -z $only || " $only " == *" $name "* ]] || continue
		read -r af real_af <<<"$af"
		read -r method <<<"$method"
		read -r device <<<"$device"
		if [[ $method == *gue* ]]; then
			method+=" --tun-port $((6000 + n))"
			wire="udp dport $((6000 + n)) $wire"
		fi
		vip=10.1.0.$n host=10.1.0.$n
		[ "$af" = 4 ] || vip=fd01::$n host=[fd01::$n]
		iperf=$((n % 3 + 1))
		"$@"
	done 5<<<"$ways"
}

# slb_way_server I MAC: what way n needs at real server I and of it.
slb_way_server() {
	local i=$1 server=10.2.$1.$n at=10.2.$1.$n port key own

	[ "$real_af" = 4 ] || server=fd02:$i::$n at=[fd02:$i::$n]
	key=$server own="$vip${own_bits[$af]} dev lo"
	slb_batch[dir]+="neighbour add $server lladdr $2 dev dr$i nud permanent"$'\n'
	slb_batch[rs$i]+="address add $server${own_bits[$real_af]} dev d0"$'\n'
	[ "$method" = -m ] || slb_batch[rs$i]+="address add $own"$'\n'
	[ -z "$device" ] || slb_batch[rs$i]+="link add $name type $device local $server
		link set $name up
	"
	[[ $method != *gue* ]] || slb_gue[$i.$real_af]+="fou add port $((6000 + n)) gue"$'\n'
	for port in t:80 t:9 t:5201 u:5201 -sctp-service:9; do
		if [[ $port == t:@(80|9) ]] || [ "$i" = $iperf ]; then
			slb_rules[$port]+="-a -${port%:*} $host:${port#*:} -r $at:${port#*:} $method"$'\n'
		fi
	done
	# its packets in the form that is right, and in any other
	[ "$method" != -g ] || key=$vip
	slb_form[rs$i]+="chain $name {
		$wire counter accept
		meta l4proto != { icmp, icmpv6 } counter
	}
	"
	if [[ $key == *:* ]]; then
		slb_keys[rs$i]+="ip6 daddr $key goto $name"$'\n'
	else
		slb_keys[rs$i]+="ip daddr $key goto $name"$'\n'
	fi
}

slb_way_add() {
	local i port
	local -A slb_rules=()

	slb_batch[dir]+="address add $vip${own_bits[$af]} dev dc"$'\n'
	slb_batch[client]+="neighbour add $vip lladdr $dir_mac dev c0 nud permanent"$'\n'
	for i in $SLB_SERVERS; do
		slb_way_server "$i" "${server_mac[$i]}"
	done
	for port in "${!slb_rules[@]}"; do
		slb_ipvs+="-A -${port%:*} $host:${port#*:} -s rr"$'\n'${slb_rules[$port]}
	done
}

# slb_ways_up: devices, addresses, counters and services of all ways.
slb_ways_up() {
	local -A slb_batch=() slb_gue=() slb_form=() slb_keys=()
	local slb_ipvs='' i ns dir_mac server_mac=() own_bits=([4]=/32 [6]='/128 nodad')

	modprobe -a sctp fou fou6 ipip sit ip_gre ip6_tunnel ip6_gre || slb_bail 'no tunnels here'
	dir_mac=$(slb_mac 10.1.0.1)
	for i in $SLB_SERVERS; do
		server_mac[i]=$(slb_mac "10.2.$i.2")
	done
	slb_each_way slb_way_add
	for i in $SLB_SERVERS; do
		slb_batch[rs$i]+="rule add from 10.1.0.0/24 table 100"$'\n'
		ip -n "slb-rs$i" -batch - <<<"${slb_gue[$i.4]:-}" &&
			ip -6 -n "slb-rs$i" -batch - <<<"${slb_gue[$i.6]:-}" || slb_bail 'no GUE'
		slb_in "rs$i" nft -f - <<-EOF || slb_bail 'nft cannot count the wires'
			table netdev slb {
				${slb_form[rs$i]}
				chain wire {
					type filter hook ingress device d0 priority -500
					${slb_keys[rs$i]}
				}
			}
		EOF
	done
	for ns in "${!slb_batch[@]}"; do
		ip -n "slb-$ns" -batch - <<<"${slb_batch[$ns]}" || slb_bail "cannot set up the ways in $ns"
	done
	slb_in dir ipvsadm -R <<<"$slb_ipvs" || slb_bail 'ipvsadm does not take the services'
}

# slb_way_served TEXT: since the last of these; for $before, a slb_stat_get. With remote
# checksums IPVS sends some packets of a transfer in another form than most, and a
# connection that one of them was to prove is tried again a second later, which is long
# here.
slb_way_served() {
	local after want=90

	# large packets are few, and a CPU to which a connection moves learns anew
	[ "$1" != TCP ] || want=80
	[[ $name != *rem ]] || want=40
	after=$(slb_stat_get dir)
	slb_served "$name: $1" "$(slb_stat_diff "$before" "$after")" $want
	before=$after
}

# slb_way_sum TEXT BLOCKS
slb_way_sum() {
	slb_same "$name: $1: $(($2 * 4)) MB arrive as they are" \
		"$(slb_sum "$host" "$SLB_TMP/block" "$2")" "${want[$2]}"
}

slb_way_http() {
	local sum requests=0 failed=1 us p50 p99 p999 max

	eval "$(slb_wrk 100 4 "http://$host/4k")"
	slb_check "$name: wrk: $requests requests, $failed failed" \
		test "$requests" -ge 100 -a "$failed" = 0
	slb_way_sum transfer $blocks
	[ "$method" = -m ] || return
	sum=$(slb_in client curl -gsS "http://$host/big" | sha256sum)
	slb_same "$name: 3 MB come back as they are" "${sum%% *}" "$big"
}

slb_way_iperf() {
	local got own=$vip pid

	if [ "$method" = -m ]; then
		own=10.2.$iperf.$n
		[ "$real_af" = 4 ] || own=fd02:$iperf::$n
	fi
	slb_spawn "rs$iperf" iperf3 -s -B "$own" >/dev/null 2>&1
	pid=$!
	[[ $own != *:* ]] || own="[$own]"
	slb_wait 120 slb_listens "rs$iperf" "sport = 5201 and src $own" || slb_fail "$name: no iperf3"
	got=$(slb_iperf "$vip" -n 8M)
	slb_check "$name: iperf3, TCP: ${got#*sec }" test -n "$got"
	# on a busy machine connections move between CPUs: then a longer one
	if ! slb_share_above 80 "$(slb_share "$(slb_since "$before")")"; then
		before=$(slb_stat_get dir)
		slb_iperf "$vip" -n 64M >/dev/null
	fi
	slb_way_served TCP
	got=$(slb_iperf "$vip" -k 400 -u -b 8M -l 1000)
	# a busy machine loses some where they are received
	slb_check "$name: iperf3, UDP: ${got#*sec }" grep -qE '\(([0-9]|[1-3][0-9])(\.[0-9]+)?%\)' <<<"$got"
	slb_way_served UDP
	slb_stop $pid
}

# Both ends are bound to one address: SCTP tells the other side all that it has, and it is
# not IPVS that would translate those.
slb_way_sctp() {
	local own=$vip from=10.1.0.2 pid sum

	if [ "$method" = -m ]; then
		own=10.2.$iperf.$n
		[ "$real_af" = 4 ] || own=fd02:$iperf::$n
	fi
	[ "$af" = 4 ] || from='[fd01::2]'
	[[ $own != *:* ]] || own="[$own]"
	slb_spawn "rs$iperf" socat -u -T60 -b65536 "SCTP$af-LISTEN:9,bind=$own" \
		"CREATE:$SLB_TMP/sctp"
	pid=$!
	slb_wait 60 slb_sctp_listens "rs$iperf" || slb_fail "$name: no SCTP"
	slb_in client timeout 60 socat -u -b1400 - "SCTP$af:$host:9,bind=$from" <"$SLB_TMP/www/big"
	slb_wait 60 slb_ended $pid
	read -r sum _ < <(sha256sum <"$SLB_TMP/sctp")
	slb_same "$name: 3 MB arrive by SCTP as they are" "$sum" "$big"
	slb_way_served SCTP
	slb_stop $pid
}

slb_ended() { ! kill -0 "$1" 2>/dev/null; }
slb_sctp_listens() { [ "$(slb_in "$1" wc -l /proc/net/sctp/eps)" != '1 /proc/net/sctp/eps' ]; }

# slb_way_seen: sets right and other, packets on the real servers' wires.
slb_way_seen() {
	local i

	right=0 other=0
	for i in $SLB_SERVERS; do
		right=$((right + $(slb_counted "rs$i" netdev "$name" | sed -n 1p)))
		other=$((other + $(slb_counted "rs$i" netdev "$name" | sed -n 2p)))
	done
}

slb_way() {
	local right other before

	before=$(slb_stat_get dir)
	# Of a packet that leaves IPVS as several segments with remote checksums, some are
	# wrong when they arrive: nobody can use that.
	[[ $name != *rem ]] || slb_in client ethtool -K c0 tso off gso off
	slb_way_http
	slb_way_iperf
	slb_way_sctp
	[[ $name != *rem ]] || slb_in client ethtool -K c0 tso on gso on
	slb_way_seen
	# remote checksums are for packets that the sender has not summed; a few it has
	[[ $name != *rem ]] || other=$((other * 100 / right))
	slb_check "$name: on the wire, $right packets as they must be, $other others" \
		test "$right" -gt 400 -a "$other" = 0
}

modprobe shadowlb
slb_net_up
slb_net6_up
slb_http6_up
slb_sum_up
slb_ways_up
slb_scope 2
head -c 4000000 /dev/urandom >"$SLB_TMP/block"
want=()
for i in 1 $blocks; do
	read -r 'want[i]' _ < <(slb_stream "$SLB_TMP/block" $i | sha256sum)
done
read -r big _ < <(sha256sum <"$SLB_TMP/www/big")
slb_note "set up after $SECONDS s"
slb_each_way slb_way
slb_note "with offloads, done after $SECONDS s"
slb_offload_off
slb_each_way slb_way_sum 'without offloads' 1
slb_note "done after $SECONDS s"
slb_done
