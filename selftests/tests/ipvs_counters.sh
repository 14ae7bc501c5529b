#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp here
# slb-long: uml
# slb-rows: stock
# slb-timeout: 480
#
# What ipvsadm shows is what it would show without flows: the same traffic with scope 0
# and 2. Counters exactly, one sweep (1 s) late at most, and as late as IPVS itself, which
# before 6.2 adds up its counts every 2 s; states; expiry.

set -u
. lib/stat.sh
. lib/net.sh
. lib/obey.sh
trap slb_net_down EXIT

slb_udp='10.1.0.100:7 10.1.0.200:7'

slb_fresh() {
	slb_in dir ipvsadm -C
	slb_service u m 7 rr 7777
	slb_service u g 7 rr
	slb_service t m 80 rr 8080
	slb_service t g 80 rr
	slb_scope "$1"
}

slb_udp_stats() { slb_vs_stats | grep UDP; }
slb_udp_same() { [ "$(slb_udp_stats)" = "$(<"$SLB_TMP/udp.want")" ]; }

# UDP: the very same packets, so the very same figures.
slb_truth_udp() {
	local scope=$1 vip hits

	slb_fresh "$scope"
	hits=$(slb_stat dir hits)
	for vip in $slb_udp; do
		slb_in client /usr/bin/python3 traffic/udp.py ping "$vip" 2 150 >"$SLB_TMP/ping" ||
			slb_fail "UDP, scope $scope, $vip: $(<"$SLB_TMP/ping")"
	done
	hits=$(($(slb_stat dir hits) - hits))
	if [ "$scope" = 0 ]; then
		slb_is 'UDP, scope 0: hits' $hits eq 0
		slb_wait 4 slb_vs_above inpkts 599
		slb_udp_stats >"$SLB_TMP/udp.want"
		sed 's/^/# /' "$SLB_TMP/udp.want"
		return
	fi
	slb_is "UDP, scope $scope: hits of 900 packets" $hits gt 850
	slb_wait 4 slb_udp_same
	slb_same 'UDP: service and real servers count as without flows' \
		"$(slb_udp_stats)" "$(<"$SLB_TMP/udp.want")"

	slb_in dir ipvsadm -Z
	slb_same 'ipvsadm -Z' "$(slb_vs_stats | grep -vc ' 0 0 0 0 0$')" 0
	slb_in client /usr/bin/python3 traffic/udp.py ping ${slb_udp%% *} 2 150 >"$SLB_TMP/ping"
	slb_wait 4 slb_udp_again
	slb_check 'UDP: the same again after ipvsadm -Z' slb_udp_again
}

slb_udp_again() {
	[ "$(slb_vs_stats | grep "${slb_udp%% *} all")" = "$(grep "${slb_udp%% *} all" "$SLB_TMP/udp.want")" ]
}

# TCP: how many ACKs there are is chance. So the wires count too, before anything of IP:
# to the services (nat, dr), to and from each real server.
slb_wire_counts() {
	local i

	{
		slb_counted_all dir
		for i in $SLB_SERVERS; do
			slb_counted_all "rs$i"
		done
	} | awk '/^in_/ { sub(/^in_/, ""); print $1, "in", $2, $3 }
		 /^to_/ { sub(/^to_/, ""); in_[$1] = $2 " " $3 }
		 /^out_/ { sub(/^out_/, ""); out[$1] = $2 " " $3 }
		 END { for (i in in_) print i, "in", in_[i], "out", out[i] }' | sort
}

# IPVS's figures in the same form; each real server is in two services.
slb_wires_by_ipvs() {
	slb_vs_stats | awk '
		$1 != "TCP" { next }
		$3 == "all" { svc[$2] = ($2 ~ /\.100:/ ? "nat" : "dr") " in " $5 " " $7; next }
		{ $3 = "rs" substr($3, 6, 1); ip[$3] += $5; ib[$3] += $7; op[$3] += $6; ob[$3] += $8 }
		END { for (s in svc) print svc[s]
			for (r in ip) print r, "in", ip[r], ib[r], "out", op[r], ob[r] }' | sort
}

slb_wires_agree() { [ "$(slb_wires_by_ipvs)" = "$(slb_wire_counts)" ]; }

slb_truth_tcp() {
	local hits vip i

	slb_count_at dir dc in_nat "ip daddr $SLB_VIP_NAT ip protocol tcp"
	slb_count_at dir dc in_dr "ip daddr $SLB_VIP_DR ip protocol tcp"
	for i in $SLB_SERVERS; do
		slb_count_at "rs$i" d0 "to_rs$i" 'ip protocol tcp'
		slb_count_at dir "dr$i" "out_rs$i" 'ip protocol tcp'
	done
	hits=$(slb_stat dir hits)
	for vip in $SLB_VIP_NAT $SLB_VIP_DR; do
		slb_check "TCP: curl to $vip" slb_in client curl -sS -o /dev/null \
			"http://$vip/[1-60]" -o /dev/null "http://$vip/big"
	done
	slb_is 'TCP: hits' $(($(slb_stat dir hits) - hits)) gt 100
	slb_wait 4 slb_wires_agree
	slb_same 'TCP: IPVS counts what the wires count' "$(slb_wires_by_ipvs)" "$(slb_wire_counts)"
	slb_wire_counts | sed 's/^/# /'
}

# slb_conn PORT: state and seconds left of the client's connection from that port
slb_conn() {
	slb_in dir ipvsadm -Lnc | awk -v p="10.1.0.2:$1" '$4 == p {
		split($2, t, ":"); print $3, t[1] * 60 + t[2] }'
}
slb_conn_in_state() { [[ $(slb_conn "$1") == "$2 "* ]]; }

# ActiveConn and InActConn of all TCP real servers
slb_tcp_counts() {
	slb_in dir ipvsadm -Ln | awk '$1 == "TCP" || $1 == "UDP" { tcp = $1 == "TCP" }
		$1 == "->" && tcp { a += $5; i += $6 } END { print a + 0, i + 0 }'
}

# An HTTP connection that obeys, and the port it comes from.
slb_hold() {
	slb_obey /usr/bin/python3 traffic/hold.py "$1" "$SLB_TMP/tell"
	port=$slb_answer
}

# States of one connection from its first request to its FINs.
slb_truth_states() {
	local scope=$1 port state old

	old=$(slb_tcp_counts)
	slb_hold $SLB_VIP_NAT
	slb_tell get 30
	state=$(slb_conn "$port")
	slb_same "TCP, scope $scope, open: state" "${state% *}" ESTABLISHED
	slb_is "TCP, scope $scope, open: seconds left of 900" "${state#* }" ge 896
	slb_same "TCP, scope $scope, open: active, inactive" "$(slb_tcp_counts)" "1 ${old#* }"
	slb_tell close
	slb_wait 5 slb_conn_in_state "$port" TIME_WAIT
	state=$(slb_conn "$port")
	slb_dismiss
	slb_same "TCP, scope $scope, closed: active, inactive" "$(slb_tcp_counts)" "0 $((${old#* } + 1))"
	echo "${state% *}" >"$SLB_TMP/closed.$scope"
	echo "${state#* }" >"$SLB_TMP/left.$scope"
	slb_note "TCP, scope $scope, closed: $state s left"
}

# "tcp" and "udp", if the connections are there
slb_kinds() {
	slb_in dir ipvsadm -Lnc | awk -v p="10.1.0.2:$port" -v u="$SLB_VIP_NAT:9" '
		$4 == p { print "tcp" } $1 == "UDP" && $5 == u { print "udp" }'
}

# slb_gone_in_time TEXT TIMEOUT EARLIEST LATEST SEEN GONE: all in ms. The last packet came
# between EARLIEST and LATEST; then the connection was SEEN for the last time, and then
# found GONE. A slow machine draws these apart, and never makes a good result a bad one.
slb_gone_in_time() {
	slb_note "$1: its last packet came $(($4 - $3)) ms before the end of the traffic at most;" \
		"after that it was seen for $(($5 - $4)) ms and gone after $(($6 - $4)) ms"
	slb_is "$1: gone after ms" $(($6 - $3)) ge $(($2 - 100))
	slb_is "$1: seen after ms" $(($5 - $4)) le $(($2 + 2000))
}

# How long connections without traffic last, with timeouts of 6 and 5 s, which is the
# shortest that flows serve. Before that they are busy for longer, and must last.
slb_truth_expiry() {
	local scope=$1 port flood hits kinds before diff kind
	local -A early late seen gone=([tcp]=0 [udp]=0)

	slb_fresh "$scope"
	slb_service u m 9 rr 7777
	slb_in dir ipvsadm --set 6 3 5
	before=$(slb_stat_get dir)
	slb_hold $SLB_VIP_NAT
	slb_spawn client /usr/bin/python3 traffic/udp.py flood $SLB_VIP_NAT:9 1 "$SLB_TMP/flood"
	flood=$!
	slb_tell pace 14 0.5
	slb_is "scope $scope: busy for 7 s, UDP connections" "$(slb_vs conns "UDP $SLB_VIP_NAT:9")" eq 1
	slb_check "scope $scope: busy for 7 s, TCP established" slb_conn_in_state "$port" ESTABLISHED
	slb_ms 'early[tcp]'
	slb_tell get 10
	slb_ms 'late[tcp]'
	slb_ms 'early[udp]'
	slb_stop "$flood"
	slb_ms 'late[udp]'
	while [ "${gone[tcp]}" = 0 ] || [ "${gone[udp]}" = 0 ]; do
		slb_ms 'seen[now]'
		kinds=$(slb_kinds)
		slb_ms 'gone[now]'
		for kind in tcp udp; do
			if [[ $kinds == *$kind* ]]; then
				seen[$kind]=${seen[now]}
			elif [ "${gone[$kind]}" = 0 ]; then
				gone[$kind]=${gone[now]}
			fi
		done
		[ $((gone[now] - late[udp])) -lt 30000 ] || slb_bail "after 30 s there is still $kinds"
	done
	slb_dismiss
	slb_in dir ipvsadm --set 900 120 300
	diff=$(slb_stat_diff "$before" "$(slb_stat_get dir)")
	hits=$(awk '$1 == "hits" { n = $2 } END { print n + 0 }' <<<"$diff")
	slb_show_diff "$diff"
	[ "$scope" = 0 ] || slb_is "scope $scope: hits" "$hits" gt 300
	slb_gone_in_time "scope $scope: idle TCP" 6000 "${early[tcp]}" "${late[tcp]}" \
		"${seen[tcp]:-${late[tcp]}}" "${gone[tcp]}"
	slb_gone_in_time "scope $scope: idle UDP" 5000 "${early[udp]}" "${late[udp]}" \
		"${seen[udp]:-${late[udp]}}" "${gone[udp]}"
}

modprobe shadowlb
slb_net_up
slb_udp_up
slb_http_up
for scope in 0 2; do
	slb_truth_udp $scope
	[ $scope = 0 ] || slb_truth_tcp
	slb_truth_states $scope
done
slb_same 'TCP, closed: the state as without flows' "$(<"$SLB_TMP/closed.2")" "$(<"$SLB_TMP/closed.0")"
left=$(($(<"$SLB_TMP/left.2") - $(<"$SLB_TMP/left.0")))
slb_is 'TCP, closed: seconds left, difference' ${left#-} le 3

slb_truth_expiry 0
slb_truth_expiry 2
slb_done
