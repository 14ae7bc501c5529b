#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp
# slb-long: uml
# slb-rows: stock
# slb-timeout: 600
#
# What kube-proxy does with IPVS: service addresses on a dummy device that is down,
# net.ipv4.vs.conntrack=1, and clients from outside marked in nat PREROUTING by a set and
# masqueraded in nat POSTROUTING. So real servers see the director, and each connection is
# IPVS's and conntrack's, and conntrack's must be as alive, counted and ended as IPVS's.

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
. lib/obey.sh
trap slb_net_down EXIT

SLB_TCP=10.96.0.10
SLB_UDP=10.96.0.20
# seconds after which conntrack forgets a quiet connection
timeout=6

slb_kube_up() {
	local i

	slb_in dir sysctl -qw net.ipv4.vs.conntrack=1 net.ipv4.vs.conn_reuse_mode=0 \
		net.ipv4.vs.expire_nodest_conn=1 net.ipv4.vs.expire_quiescent_template=1
	ip -n slb-dir -batch - <<-IP || slb_bail 'no kube-ipvs0'
		link add kube-ipvs0 type dummy
		link set kube-ipvs0 arp off
		address add $SLB_TCP/32 dev kube-ipvs0
		address add $SLB_UDP/32 dev kube-ipvs0
	IP
	ip -n slb-client route add 10.96.0.0/16 via 10.1.0.1
	slb_in dir nft -f - <<-NFT || slb_bail 'nft cannot masquerade'
		table ip kube {
			set services {
				type ipv4_addr . inet_proto . inet_service
				elements = { $SLB_TCP . tcp . 80, $SLB_TCP . tcp . 9, $SLB_UDP . udp . 7 }
			}
			chain prerouting {
				type nat hook prerouting priority dstnat
				ip saddr != 10.2.0.0/16 ip daddr . ip protocol . th dport @services meta mark set meta mark or 0x4000
			}
			chain postrouting {
				type nat hook postrouting priority srcnat
				meta mark & 0x4000 == 0 return
				meta mark set meta mark xor 0x4000
				masquerade fully-random
			}
		}
		table ip slb {
			chain bad {
				counter drop
			}
			chain prerouting {
				type filter hook prerouting priority mangle
				ct state invalid jump bad
			}
			chain input {
				type filter hook input priority filter
				ct state invalid jump bad
			}
			chain forward {
				type filter hook forward priority filter
				ct state invalid jump bad
			}
			chain postrouting {
				type filter hook postrouting priority filter
				ct state invalid jump bad
			}
		}
	NFT
	slb_in dir sysctl -qw net.netfilter.nf_conntrack_acct=1
	{
		echo "-A -t $SLB_TCP:80 -s rr"
		echo "-A -t $SLB_TCP:9 -s rr"
		echo "-A -u $SLB_UDP:7 -s rr"
		for i in $SLB_SERVERS; do
			echo "-a -t $SLB_TCP:80 -r 10.2.$i.2:8080 -m"
			echo "-a -t $SLB_TCP:9 -r 10.2.$i.2:9 -m"
			echo "-a -u $SLB_UDP:7 -r 10.2.$i.2:7777 -m"
		done
	} | slb_in dir ipvsadm -R || slb_bail 'ipvsadm does not take the services'
	slb_count_at dir dc from_tcp "ip daddr $SLB_TCP tcp dport 80"
	slb_count_at dir dc from_udp "ip daddr $SLB_UDP udp dport 7"
	for i in $SLB_SERVERS; do
		slb_count_at dir "dr$i" "to_tcp$i" 'tcp sport 8080'
		slb_count_at dir "dr$i" "to_udp$i" 'udp sport 7777'
		slb_count_at "rs$i" d0 director "ip saddr 10.2.$i.1 ip protocol { tcp, udp }"
		slb_count_at "rs$i" d0 others "ip saddr != 10.2.$i.1 ip protocol { tcp, udp }"
	done
}

# slb_wires PROTOCOL: "packets bytes packets bytes", from the client and from real servers.
slb_wires() {
	slb_counted_all dir | awk -v p="$1" '$1 == "from_" p { n = $2; b = $3 }
		$1 ~ "^to_" p { rn += $2; rb += $3 }
		END { printf "%.0f %.0f %.0f %.0f\n", n, b, rn, rb }'
}

# slb_tracked PROTOCOL: the same of all that conntrack knows, and how many connections that
# are, and the id of one.
slb_tracked() {
	slb_in dir conntrack -L -p "$1" --orig-dst 10.96.0.0/16 --mask-dst 255.255.0.0 -o id 2>/dev/null | awk '
		/dport=(80|7) / { conns++; k = 0
			for (i = 1; i <= NF; i++) {
				split($i, f, "=")
				if (f[1] == "packets") n[k] += f[2]
				if (f[1] == "bytes") b[k++] += f[2]
				if (f[1] == "id") id = f[2]
			}
		}
		END { printf "%.0f %.0f %.0f %.0f %d %s\n", n[0], b[0], n[1], b[1], conns, id ? id : 0 }'
}

# slb_counts_agree PROTOCOL OLD-WIRES: do the wires and conntrack agree on what came
# since? Sets on_wires and in_conntrack.
slb_counts_agree() {
	local -a old now ct
	local i

	read -ra old <<<"$2"
	read -ra now < <(slb_wires "$1")
	read -ra ct < <(slb_tracked "$1")
	on_wires='' in_conntrack=''
	for i in 0 1 2 3; do
		on_wires+="$((now[i] - old[i])) "
		in_conntrack+="${ct[i]} "
	done
	[ "$on_wires" = "$in_conntrack" ]
}

slb_count_test() {
	slb_wait 5 slb_counts_agree "$1" "$2"
	slb_same "$1: conntrack counts what the wires count" "$in_conntrack" "$on_wires"
	slb_note "$1: packets, bytes, and those of the replies: $on_wires"
}

slb_tcp_test() {
	local old stat requests=0 failed=1 us p50 p99 p999 max sum

	old=$(slb_wires tcp)
	stat=$(slb_stat_get dir)
	eval "$(slb_wrk 200 4 "http://$SLB_TCP/4k")"
	slb_served TCP "$(slb_since "$stat")" 80
	slb_check "wrk: $requests requests, $failed failed" test "$requests" -ge 200 -a "$failed" = 0
	slb_count_test tcp "$old"
	sum=$(slb_sum $SLB_TCP "$SLB_TMP/www/big" 4)
	slb_same '12 MB arrive as they are' "$sum" "$(slb_stream "$SLB_TMP/www/big" 4 | sha256sum | cut -d' ' -f1)"
	sum=$(slb_in client curl -sS "http://$SLB_TCP/big?[1-4]" | sha256sum)
	slb_same '12 MB come back as they are' "${sum%% *}" \
		"$(slb_stream "$SLB_TMP/www/big" 4 | sha256sum | cut -d' ' -f1)"
}

slb_udp_test() {
	local old stat

	old=$(slb_wires udp)
	stat=$(slb_stat_get dir)
	slb_check 'UDP: 3000 datagrams come back as they went' slb_ping_udp
	stat=$(slb_since "$stat")
	slb_served UDP "$stat"
	# some are tried by their first packet already, whose entry is only being made
	slb_is 'UDP: refused because of their entry' \
		"$(awk '$1 == "skip_conntrack" { print $2 }' <<<"$stat")" eq 0
	slb_count_test udp "$old"
}

# Each CPU that a socket's packets come to learns from six of them: up to 12 of 200.
slb_ping_udp() {
	slb_in client /usr/bin/python3 traffic/udp.py ping $SLB_UDP:7 30 100 >"$SLB_TMP/ping" && return
	slb_note "$(<"$SLB_TMP/ping")"
	return 1
}

# "conns id" of slb_tracked
slb_service_entry() {
	local w

	read -ra w < <(slb_tracked "$1")
	echo "${w[4]} ${w[5]}"
}

slb_service_entry_there() { [ "$(slb_service_entry "$1")" != '0 0' ]; }
slb_service_entry_gone() { [ "$(slb_service_entry "$1")" = '0 0' ]; }
slb_service_entry_in() { slb_in dir conntrack -L -p tcp --orig-dst $SLB_TCP 2>/dev/null | grep -q "$1"; }

# The port by which real servers know the client of the UDP connection. An entry's id is
# made of its address and is the old one's, if its memory is.
slb_snat_port() {
	slb_in dir conntrack -L -p udp --orig-dst $SLB_UDP 2>/dev/null |
		sed -n 's/.* dport=\([0-9]*\) packets=.*/\1/p'
}

slb_port_new() {
	local port

	port=$(slb_snat_port)
	[ "$port" ] && [ "$port" != "$1" ]
}


# slb_old: packets that real servers get from the port that the old entry had.
slb_old() {
	local i sum=0

	for i in $SLB_SERVERS; do
		sum=$((sum + $(slb_counted "rs$i" netdev old)))
	done
	echo $sum
}

# The entry of a busy UDP connection is deleted: conntrack's NAT makes another one, with
# another port, and nothing goes by the old one any more.
slb_delete_test() {
	local port old i

	slb_wait 60 slb_stat_above dir hits $(($(slb_stat dir hits) + 200)) ||
		slb_fail 'no flows before an entry is deleted'
	port=$(slb_snat_port)
	for i in $SLB_SERVERS; do
		slb_count_at "rs$i" d0 old "udp sport $port"
	done
	slb_wait 10 eval '[ "$(slb_old)" -gt 0 ]' || slb_fail "nothing comes from port $port"
	slb_in dir conntrack -D -p udp --orig-dst $SLB_UDP >/dev/null 2>&1
	slb_check 'conntrack -D: there is another entry' slb_wait 60 slb_port_new "$port"
	old=$(slb_old)
	slb_wait 60 slb_counted_above dir netdev from_udp $(($(slb_counted dir netdev from_udp) + 200)) ||
		slb_fail 'conntrack -D: the client stopped'
	slb_is 'conntrack -D: packets by the old one' $(($(slb_old) - old)) eq 0
	slb_check 'conntrack -D: flows serve again' \
		slb_wait 60 slb_stat_above dir hits $(($(slb_stat dir hits) + 200))
}

# A connection of TCP and one of UDP, busy for much longer than conntrack's timeouts. While
# anything is asked about them they stay busy, however long the answer takes.
slb_life_test() {
	local flood proto start early late seen gone now
	local -A id=()

	slb_in dir conntrack -F 2>/dev/null
	slb_obey /usr/bin/python3 traffic/hold.py $SLB_TCP:80 "$SLB_TMP/tell"
	slb_spawn client /usr/bin/python3 traffic/udp.py flood $SLB_UDP:7 1 "$SLB_TMP/flood"
	flood=$!
	slb_tell get 20
	for proto in tcp udp; do
		slb_wait 10 slb_service_entry_there $proto
		id[$proto]=$(slb_service_entry $proto)
		slb_same "$proto: one connection is tracked" "${id[$proto]% *}" 1
	done
	slb_say keep 0.25
	slb_in dir sysctl -qw net.netfilter.nf_conntrack_udp_timeout=$timeout \
		net.netfilter.nf_conntrack_udp_timeout_stream=$timeout \
		net.netfilter.nf_conntrack_tcp_timeout_established=$timeout \
		net.netfilter.nf_conntrack_tcp_timeout_time_wait=$((timeout * 3))
	slb_ms start
	slb_wait $((timeout * 4)) slb_ms_since "$start" $((timeout * 3000))
	for proto in tcp udp; do
		slb_same "$proto: the same one after $((timeout * 3)) s, $timeout s being its timeout" \
			"$(slb_service_entry $proto)" "${id[$proto]}"
	done
	slb_check 'TCP: is tracked as established' slb_service_entry_in ESTABLISHED
	# the first line ends the keeping
	slb_tell get 1
	slb_hear || slb_bail "get 1: $slb_answer"
	slb_tell close
	slb_check 'TCP, closed: tracked as that' slb_wait 8 slb_service_entry_in TIME_WAIT
	slb_check 'TCP, closed: forgotten' slb_wait 40 slb_service_entry_gone tcp

	slb_delete_test
	slb_ms early
	slb_stop $flood
	slb_ms late
	seen=$late
	while :; do
		slb_ms now
		slb_service_entry_gone udp && break
		seen=$now
		[ $((now - late)) -lt 30000 ] || break
	done
	slb_ms gone
	slb_note "UDP, quiet: seen for $((seen - late)) ms, gone after $((gone - late)) ms"
	slb_is 'UDP, quiet: forgotten after ms' $((gone - early)) ge $((timeout * 1000 - 100))
	slb_is 'UDP, quiet: last seen after ms' $((seen - late)) le $((timeout * 1000 + 2000))
}

# A real server asks the service from the service's own port, gets itself, and source NAT
# puts the service's address before it: what comes back to it is what it sent, and the flow
# of requests is that of the answers too. Then it is removed while it goes on.
slb_self_test() {
	local self before

	{
		echo "-A -u $SLB_UDP:5060 -s rr"
		echo "-a -u $SLB_UDP:5060 -r 10.2.1.2:5060 -m"
	} | slb_in dir ipvsadm -R
	slb_in dir nft "table ip self { chain postrouting { type nat hook postrouting priority 90;
		ip saddr 10.2.1.2 udp sport 5060 snat to $SLB_UDP; }; }"
	before=$(slb_stat dir hits)
	slb_spawn rs1 /usr/bin/python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.2.1.2", 5060))
s.connect((sys.argv[1], 5060))
s.settimeout(3)
n = 0
try:
    while True:
        n += 1
        s.send(b"%d" % n)
        assert s.recv(99) == b"%d" % n
except OSError as error:
    print(n, error)
' $SLB_UDP >"$SLB_TMP/self"
	self=$!
	slb_check 'a real server that is its own client hears itself, by flows' \
		slb_wait 60 slb_stat_above dir hits $((before + 200))
	slb_in dir ipvsadm -d -u $SLB_UDP:5060 -r 10.2.1.2:5060
	slb_check 'it is removed, and hears nothing any more' wait $self
	slb_note "its last datagram: $(<"$SLB_TMP/self")"
	slb_is 'they were' "$(cut -d ' ' -f 1 "$SLB_TMP/self")" gt 200
}

modprobe shadowlb
slb_net_up
slb_http_up
slb_udp_up
slb_sum_up
slb_kube_up
slb_scope 2
slb_tcp_test
slb_udp_test
slb_life_test
others=0 director=0
for i in $SLB_SERVERS; do
	others=$((others + $(slb_counted "rs$i" netdev others)))
	director=$((director + $(slb_counted "rs$i" netdev director)))
done
slb_is 'real servers: packets from the director' $director gt 1000
slb_is 'real servers: packets from anybody else' $others eq 0
slb_is 'packets that conntrack calls invalid' "$(slb_counted dir ip bad)" eq 0
slb_self_test
slb_note "done after $SECONDS s"
slb_done
