#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp
# slb-long: uml
# slb-rows: stock
# slb-timeout: 480
#
# What operators can see of a namespace: /proc/net/shadowlb, shadowlb_flows, shadowlb_services.
# They agree with the counters, with ipvsadm and with nft, show nothing of another
# namespace, and can be read while all of it changes and goes away.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

# Flows in use: as the file says, and as the counters do. Flows may end in between.
slb_used() { slb_show | awk '$1 == "all" { print $3 + $5 }'; }
slb_used_counted() {
	slb_stat_get dir | awk '$1 == "learned" { n += $2 } $1 == "ended" || $1 == "evicted" { n -= $2 }
		END { print n + 0 }'
}
slb_used_agree() { [ "$(slb_used)" = "$(slb_used_counted)" ]; }

slb_shows() { slb_show | grep -qE "$1"; }
slb_not_listed() { ! slb_shows "$1"; }

# slb_hooks NS: how many hooks are listed there.
slb_hooks() { slb_show "$1" | grep -c '^ipv[46] '; }


slb_see_state() {
	local knob

	slb_same 'no service: hooks are not registered' "$(slb_shown hooked)" 0
	slb_is 'no service: hooks that are skipped' "$(slb_hooks dir)" eq 0
	slb_service u m 7 shadow 7777
	slb_same 'a service: hooks are registered' "$(slb_shown hooked)" 1
	for knob in scope=2 lease=77 verify=1000000; do
		slb_in dir sysctl -qw net.shadowlb.$knob
		slb_same "$knob is shown" "$(slb_shown ${knob%=*})" ${knob#*=}
	done
	slb_in dir sysctl -qw net.shadowlb.lease=600 net.shadowlb.verify=0
	slb_same 'flows per CPU' "$(slb_shown flows)" "$(</sys/module/shadowlb/parameters/flows)"
	slb_ping "$SLB_VIP_NAT:7" 4 20
	slb_is 'flows in use' "$(slb_used)" ge 8
	slb_check 'flows in use: learned less ended' slb_wait 10 slb_used_agree
	slb_is 'bytes for each slot' "$(slb_show | awk '$1 == "all" { print int(($6 - 80 * $2 - 144 * $4) / 1000) }')" ge 0
	slb_check 'the last sweep is shown' slb_wait 10 slb_swept
	slb_show | sed 's/^/# /'
}
slb_swept() { slb_show | awk '$1 == "all" { exit !($7 > 0 && $8 <= $7) }'; }

slb_see_hooks() {
	local n

	slb_is "IPVS's own hooks are listed" "$(slb_show | grep -c '^ipv4.*\[ip_vs\]')" eq 6
	n=$(slb_hooks dir)
	slb_in dir nft -f - <<-END
		table ip before {
			chain b { type filter hook prerouting priority raw; }
		}
		table ip behind {
			chain p { type filter hook prerouting priority 7; }
			chain i { type filter hook input priority 8; }
			chain f { type filter hook forward priority 9; }
			chain o { type filter hook output priority 10; }
			chain s { type filter hook postrouting priority 11; }
		}
		table inet both {
			chain w { type filter hook forward priority -5; }
		}
	END
	slb_check 'behind, in prerouting' slb_shows '^ipv4 +prerouting +7 .*\[nf_tables\] chain behind/p$'
	slb_check 'in input' slb_shows '^ipv4 +input +8 .* behind/i$'
	slb_check 'in forward' slb_shows '^ipv4 +forward +9 .* behind/f$'
	slb_check 'in output' slb_shows '^ipv4 +output +10 .* behind/o$'
	slb_check 'in postrouting' slb_shows '^ipv4 +postrouting +11 .* behind/s$'
	slb_check 'of both families' slb_shows '^ipv6 +forward +-5 .* both/w$'
	slb_check 'not before, where it is visited' slb_not_listed before/
	slb_is 'and no others' "$(slb_hooks dir)" eq $((n + 7))
	slb_in dir nft 'delete table ip behind; delete table inet both; delete table ip before'
	slb_check 'they go' slb_not_listed nf_tables
	slb_is 'and no others' "$(slb_hooks dir)" eq "$n"
	slb_is "hooks in the client's namespace" "$(slb_hooks client)" eq 0
}

# slb_flows [NS]: /proc/net/shadowlb_flows there, without its first line.
slb_flows() { slb_in "${1:-dir}" cat /proc/net/shadowlb_flows | tail -n +2; }

# Client, service and real server of each connection to port 7, by flows and by ipvsadm.
# Keys whose hints meet in one place may be learned too late for these few packets. One
# whose packets moved from CPU to CPU has a flow on each.
slb_conns_by_flows() { slb_flows | awk '$5 == "request" && $3 ~ /:7$/ { print $1, $2, $3, $7 }' | sort -u; }
slb_conns_by_ipvs() { slb_in dir ipvsadm -Lnc | awk '$1 == "UDP" && $5 ~ /:7$/ { print $1, $4, $5, $6 }' | sort; }

slb_missed() { slb_stat_get dir | awk '/^miss_/ { n += $2 } END { print n + 0 }'; }
slb_flow_packets() { slb_flows | awk '{ n += $11 } END { print n + 0 }'; }
slb_ipvs_packets() { echo $(($(slb_vs inpkts) + $(slb_vs outpkts))); }
slb_packets_agree() { [ "$(slb_ipvs_packets)" = $(($(slb_flow_packets) + $(slb_missed))) ]; }

# No flow has ended so far, and nothing but IPVS's packets came by. A flow ends that is idle for
# 45 s, or for one where its place is wanted: a machine may be too slow for this.
slb_see_packets() {
	local sum hits ipvs all

	sum=$(slb_flow_packets)
	hits=$(slb_stat dir hits)
	slb_wait 10 slb_packets_agree
	ipvs=$(slb_ipvs_packets)
	all=$(($(slb_flow_packets) + $(slb_missed)))
	if [ $(($(slb_stat dir ended) + $(slb_stat dir evicted))) != 0 ]; then
		slb_note 'flows have ended meanwhile: their packets are not compared'
		return
	fi
	slb_same 'packets of all flows are the hits' "$sum" "$hits"
	# the command of the README that sums up the CPUs
	sum=$(sed -n '/^    perl -lane/,/shadowlb$/p' "$SLB_SRC/README.md")
	slb_same "README's sum of hits" "$(slb_in dir bash -c "$sum" | sed -n 's/^hits //p')" \
		"$(slb_stat dir hits)"
	slb_same "ipvsadm's packets are those of flows and the misses" "$ipvs" "$all"
}

slb_see_flows() {
	local i got

	for i in 1 2 3; do
		slb_ping "$SLB_VIP_NAT:7" 40 6
	done
	slb_same 'no connection or real server that ipvsadm does not know' \
		"$(comm -23 <(slb_conns_by_flows) <(slb_conns_by_ipvs))" ''
	slb_is "of $(slb_conns_by_ipvs | wc -l) connections, with flows" "$(slb_conns_by_flows | wc -l)" ge 110
	got=$(slb_flows)
	slb_is 'flows listed' "$(wc -l <<<"$got")" eq "$(slb_used)"
	slb_same 'none twice on a CPU' "$(awk '{ print $1, $2, $3, $4, $12 }' <<<"$got" | sort | uniq -d)" ''
	slb_same 'the same in small reads' "$(slb_in dir dd if=/proc/net/shadowlb_flows bs=100 2>/dev/null |
		awk 'NR > 1 { print $1, $2, $3 }')" "$(awk '{ print $1, $2, $3 }' <<<"$got")"
	slb_see_packets
	slb_is 'devices, and replies by masquerading' \
		"$(grep -cE '^UDP 10.2.1.2:7777 10.1.0.2:[0-9]+ dr1 reply masq 10.2.1.2:7777 dc ' <<<"$got")" ge 25
	slb_is 'requests by masquerading' \
		"$(grep -cE '^UDP 10.1.0.2:[0-9]+ 10.1.0.100:7 dc request masq 10.2.3.2:7777 dr3 ' <<<"$got")" ge 25
	slb_is 'wrong ages' "$(awk '$9 > 400 || $10 > $9 + 1.1 { n++ } END { print n + 0 }' <<<"$got")" eq 0
	head -3 <<<"$got" | sed 's/^/# /'
}

# Packets of each service since slb_since_now, as IPVS counts them and as those served and
# not served add up: "TCP 10.1.0.100:80 1234" or "FWM 5 1234".
slb_services() { slb_in dir cat /proc/net/shadowlb_services | tail -n +2; }
slb_sum_ours() { slb_services | awk '$1 != "-" { print $1, $2, $3 + $4 }'; }
slb_sum_ipvs() {
	slb_in dir ipvsadm -Ln --stats --exact | awk '$1 ~ /^(TCP|UDP|FWM)$/ { print $1, $2, $4 + $5 }'
}
slb_since_now() {
	ours=$(slb_sum_ours)
	ipvs=$(slb_sum_ipvs)
}
slb_grown() {
	awk 'NR == FNR { old[$1 $2] = $3; next } { print $1, $2, $3 - old[$1 $2] }' \
		<(echo "$1") <(echo "$2") | sort
}
# Packets that flows cannot learn from are counted by samples of one in eight: for n of them,
# the standard deviation is the root of 7 n. Five of them for less than n, which is all packets.
slb_services_agree() {
	want=$(slb_grown "$ipvs" "$(slb_sum_ipvs)")
	# without services that were deleted
	got=$(slb_grown "$ours" "$(slb_sum_ours)" |
		awk 'NR == FNR { known[$1 $2]; next } $1 $2 in known' <(echo "$want") -)
	[ "$(wc -l <<<"$got")" = "$(wc -l <<<"$want")" ] &&
		paste -d ' ' <(echo "$got") <(echo "$want") | awk '
			$1 $2 != $4 $5 || ($3 - $6) ^ 2 > 25 * 7 * $6 { bad = 1 }
			END { exit bad }'
}

# slb_why SERVICE REASON: how many packets were not served for that reason.
slb_why() { slb_services | grep "^$1 " | grep -oE " $2=[0-9]+" | cut -d= -f2; }

slb_see_services() {
	local url vip=$SLB_VIP_NAT

	slb_http_up
	slb_service t m 80 rr 8080
	slb_in dir nft -f - <<-END
		table ip five {
			chain m {
				type filter hook prerouting priority mangle
				ip daddr $SLB_VIP_DR tcp dport 80 mark set 5
			}
		}
	END
	slb_in dir ipvsadm -A -f 5 -s rr
	slb_in dir ipvsadm -a -f 5 -r 10.2.1.2 -g
	for url in $vip $SLB_VIP_DR; do
		slb_in client curl -sS "http://$url/?[1-20]" >/dev/null || slb_fail "no answer from $url"
	done
	slb_wait 10 slb_hits_rest || slb_fail 'packets come by though nobody sends any'
	slb_since_now
	for url in $vip $SLB_VIP_DR; do
		eval "$(slb_wrk 100 3 "http://$url/4k")"
		slb_is "requests to $url" "$requests" ge 100
		slb_in client curl -sS -H 'Connection: close' "http://$url/?[1-20]" >/dev/null
	done
	slb_ping "$vip:7" 20 10
	slb_check 'each service: packets served and not are about those that IPVS counts' \
		slb_wait 10 slb_services_agree
	slb_note "$got" and "$want"
	slb_services | sed 's/^/# /'
	slb_check 'of HTTP, most are served' eval "slb_services | awk '\$1 ~ /TCP|FWM/ && \$3 <= \$4 { bad = 1 } END { exit bad }'"
	slb_is 'beginnings and ends of connections' "$(slb_why "TCP $vip:80" miss_flags)" gt 40
	slb_is 'packets that flows were made of' "$(slb_why 'FWM 5' learned)" ge 4
	slb_is 'first datagrams' "$(slb_why "UDP $vip:7" miss_none)" ge 10
	slb_scope 1
	slb_wait 10 slb_hits_rest
	slb_since_now
	slb_in client curl -sS "http://$vip/?[1-200]" >/dev/null
	slb_check 'out of scope: about the same' slb_wait 10 slb_services_agree
	slb_is 'out of scope' "$(slb_why "TCP $vip:80" skip_scope)" ge 50
	slb_scope 2
	slb_in dir ipvsadm -A -u $SLB_VIP_DR:7 -s rr -o
	slb_in dir ipvsadm -a -u $SLB_VIP_DR:7 -r 10.2.1.2 -g
	slb_ping "$SLB_VIP_DR:7" 1 200
	slb_is 'packets whose service IPVS alone knows' "$(slb_why '- others' skip_kind)" ge 10
	slb_in dir ipvsadm -D -u $SLB_VIP_DR:7
	slb_in dir nft delete table ip five
}
slb_hits_rest() {
	local hits

	hits=$(slb_sum_ours)
	slb_pause 1.5
	[ "$hits" = "$(slb_sum_ours)" ]
}

# slb_method METHOD WORD: a flow of that kind is listed.
slb_method() {
	slb_in dir ipvsadm -A -u $SLB_VIP_DR:9 -s shadow
	slb_in dir ipvsadm -a -u $SLB_VIP_DR:9 -r 10.2.2.2:9 $1
	slb_spawn client /usr/bin/python3 traffic/udp.py flood $SLB_VIP_DR:9 1 "$SLB_TMP/flood"
	slb_check "$2" slb_wait 10 slb_method_listed "$2"
	slb_stop "${slb_pids[-1]}"
	slb_in dir ipvsadm -D -u $SLB_VIP_DR:9
	slb_check "$2: gone" slb_wait 10 slb_method_gone "$2"
}

slb_method_listed() { slb_flows | grep -q " 10.1.0.200:9 dc request $1 10.2.2.2:9 dr2 "; }
slb_method_gone() { ! slb_method_listed "$1"; }

# The client is a director too, between rs1 and rs2.
slb_see_own() {
	slb_in client sysctl -qw net.ipv4.ip_forward=1
	slb_in client ipvsadm -A -u 10.3.1.1:9 -s shadow
	slb_in client ipvsadm -a -u 10.3.1.1:9 -r 10.3.2.2:99 -m
	ip -n slb-rs2 route add 10.3.1.0/24 via 10.3.2.1
	slb_spawn rs2 /usr/bin/python3 traffic/udp.py serve 10.3.2.2:99
	slb_wait 10 slb_own_echo || slb_fail 'no echo through the second director'
	slb_check 'the other director: its flows' slb_wait 60 slb_own_flows
	slb_is 'the other director: flows of ours' "$(slb_flows client | grep -c '10\.2\.')" eq 0
	# those of before may have been idle for too long
	slb_ping "$SLB_VIP_NAT:7" 60 6
	slb_is 'our flows' "$(slb_flows | grep -c '10\.2\.')" ge 100
	slb_is 'our flows: those of the other director' "$(slb_flows | grep -c '10\.3\.')" eq 0
	slb_in client ipvsadm -C
}
slb_own_echo() { slb_in rs1 /usr/bin/python3 traffic/udp.py ping 10.3.1.1:9 1 20 >/dev/null; }

# The tables of a namespace come a moment after its first packets.
slb_own_flows() {
	slb_own_echo
	[ "$(slb_flows client | grep -c ' 10.3.2.2:99 ')" -ge 2 ]
}

# slb_read_there PID: reads all files of that process's namespace, until it is gone
slb_read_there() {
	local n=0

	while [ -e "/proc/$1" ]; do
		cat "/proc/$1/net/"{shadowlb,shadowlb_flows,stat/shadowlb} >/dev/null 2>&1
		n=$((n + 1))
		echo $n >"$SLB_TMP/reads"
	done
}
slb_reads_above() { [ "$(<"$SLB_TMP/reads")" -gt "$1" ]; } 2>/dev/null

# slb_reading TEXT: the loop goes on
slb_reading() { slb_check "$1: reads go on" slb_wait 60 slb_reads_above $(($(<"$SLB_TMP/reads") + 3)); }

slb_see_changes() {
	local i cpu1=/sys/devices/system/cpu/cpu1/online

	slb_in dir ipvsadm -C
	slb_in dir sysctl -qw net.shadowlb.lease=1
	slb_service u m 7 rr 7777
	slb_spawn dir sleep 1000
	slb_there=$!
	slb_read_there $slb_there &
	slb_pids+=($!)
	slb_spawn client /usr/bin/python3 traffic/udp.py flood $SLB_VIP_NAT:7 6 "$SLB_TMP/flood"
	for i in 1 2 3; do
		slb_wait 60 slb_stat_above dir hits $(($(slb_stat dir hits) + 100)) || slb_fail 'no hits'
		slb_ping "$SLB_VIP_NAT:7" 50 4
		slb_in dir ipvsadm -C
		slb_reading "services go, time $i"
		slb_service u m 7 rr 7777
	done
	if [ -w $cpu1 ]; then
		for i in 1 2; do
			echo 0 >$cpu1
			slb_reading "CPU 1 offline, time $i"
			echo 1 >$cpu1
			slb_reading "CPU 1 online, time $i"
		done
	fi
	for i in 1 2 3 4 5; do
		slb_check "the module is removed, time $i" rmmod shadowlb
		modprobe shadowlb
		slb_scope 2
		slb_check "and back, time $i" slb_wait 60 slb_stat_above dir hits 100
	done
	slb_reading 'the module is back'
	exec 7<"/proc/$slb_there/net/shadowlb_flows"
	read -rn 30 -u 7 i
	slb_check 'the module is removed with the file open' rmmod shadowlb
	slb_check 'what is open cannot be read then' eval '! read -rN 5000 -u 7 i 2>/dev/null'
	exec 7<&-
	modprobe shadowlb
	slb_scope 2
	slb_check 'and back' slb_wait 60 slb_stat_above dir hits 100
}


# A namespace that nobody is in any more, but that has files open. Namespaces end one
# after the other: the last one's device tells that those before it have ended.
slb_see_end() {
	exec 7<"/proc/$slb_there/net/shadowlb_flows"
	ip netns delete slb-dir
	slb_stop $slb_there
	slb_is 'an open file holds the namespace: lines' "$(wc -l <&7)" gt 2
	exec 7<&-
	ip netns add slb-last
	ip link add slb-last0 type veth peer name slb-last1 netns slb-last
	ip netns delete slb-last
	slb_check 'closed: the namespace ends' slb_wait 60 slb_link_gone slb-last0
	slb_check 'the module can be removed' rmmod shadowlb
}

modprobe shadowlb
slb_net_up
slb_udp_up
slb_see_state
slb_see_hooks
slb_see_flows
slb_method -g route
slb_method -i ipip
slb_method '-i --tun-type gre' gre
slb_method '-i --tun-type gue --tun-port 6080' gue
slb_see_own
slb_see_services
slb_see_changes
slb_see_end
slb_done
