#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp here
# slb-long: uml
# slb-rows: stock
# slb-timeout: 360
#
# net.shadowlb.scope says whose packets are served: of no service (0), of those
# scheduled by "shadow" (1), of all (2). services_on and services_off make exceptions, by name.
# A switch holds when the write returns.

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
trap slb_net_down EXIT

# Two services, the same real servers: 7 is scheduled by shadow, 9 by rr.
# slb_hits PORT: how many of a fixed number of datagrams flows serve
slb_hits() {
	local before

	before=$(slb_stat dir hits)
	slb_in client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:"$1" 1 50 >"$SLB_TMP/ping" ||
		slb_fail "port $1: $(<"$SLB_TMP/ping")"
	echo $(($(slb_stat dir hits) - before))
}

# slb_refused KNOB VALUE [ERROR]: the write fails with that error, and changes nothing
slb_refused() {
	local knob=net.shadowlb.$1 old out

	old=$(slb_in dir sysctl -n "$knob")
	out=$(slb_in dir sysctl -w "$knob=$2" 2>&1)
	slb_check "$knob=$2: ${3:-Invalid argument}" grep -q "${3:-Invalid argument}" <<<"$out"
	slb_same "$knob=$2 changes nothing" "$(slb_in dir sysctl -n "$knob")" "$old"
}

# A namespace that has room for no more hooks keeps no other one from having flows.
slb_scope_full() {
	local i=0

	slb_check 'the module is removed' slb_wait 60 eval 'rmmod shadowlb 2>/dev/null'
	ip netns add slb-full
	{
		echo 'table ip t {'
		for i in {1..1000}; do echo "chain c$i { type filter hook prerouting priority 0; }"; done
		echo '}'
	} | ip netns exec slb-full nft -f - || slb_bail 'no chains of nftables'
	while ip netns exec slb-full nft "add chain ip t d$i { type filter hook prerouting priority 0; }" \
		2>/dev/null && [ $i -lt 2000 ]; do
		i=$((i + 1))
	done
	slb_note "$i hooks"
	ip netns exec slb-full ipvsadm -A -t 10.1.0.1:80 -s shadow
	slb_check 'all hooks are taken somewhere: the module is loaded' modprobe shadowlb scope=2
	slb_same 'all hooks are taken somewhere: hooks there' \
		"$(ip netns exec slb-full awk '$1 == "hooked"' /proc/net/shadowlb)" 'hooked 0'
	slb_check 'all hooks are taken somewhere: hooks elsewhere' slb_hooked 1
	slb_check 'all hooks are taken somewhere: a list is taken all the same' \
		ip netns exec slb-full sysctl -qw net.shadowlb.services_off=tcp:10.1.0.1:82
	ip netns exec slb-full nft delete table ip t
	ip netns exec slb-full sysctl -qw net.shadowlb.scope=2
	slb_same 'when the scope is set again there are hooks' \
		"$(ip netns exec slb-full awk '$1 == "hooked"' /proc/net/shadowlb)" 'hooked 1'
	ip netns delete slb-full
}

slb_list() { slb_in dir sysctl -qw "net.shadowlb.services_$1=$2"; }
slb_listed() { slb_in dir sysctl -n "net.shadowlb.services_$1"; }
slb_hooked() { slb_in dir grep -qx "hooked $1" /proc/net/shadowlb; }

# slb_list_same TEXT [WANT]: what is written is what is read, sorted
slb_list_same() {
	slb_list off "$1"
	slb_same "a list: $1" "$(slb_listed off | tr , '\n' | sort | paste -sd ' ')" "${2:-$1}"
}

slb_list_syntax() {
	local value

	slb_list_same 'fwm6:16 fwm:5 sctp:10.1.0.100:0 tcp:[2001:db8::1]:80 udp:0.0.0.0:65535'
	slb_list_same $' TCP:192.0.2.1:80,\tfwm:0x10 ,,tcp:192.0.2.1:80 ' 'fwm:16 tcp:192.0.2.1:80'
	for value in tcp udp: icmp:192.0.2.1:1 192.0.2.1:80 tcp:192.0.2.1 tcp:192.0.2.1:65536 \
		tcp:192.0.2.1:80x tcp:192.0.2:80 tcp:[2001:db8::1:80 tcp:2001:db8::1:80 \
		tcp:[2001:db8::1]80 'tcp:[2001:db8::1] :80' fwm:0 fwm:x fwm:4294967296 \
		fwm:7,tcp:192.0.2.1:; do
		slb_refused services_off "$value" 'Bad message'
	done
	# sysctl(8) writes a long list again in parts, if it takes the error for that
	slb_list off fwm:1
	value=$(seq -s, -f fwm:%.0f 3000)
	slb_check 'a long list that ends badly is refused' \
		eval '! slb_list off "$value,fwm" 2>/dev/null'
	slb_same '... and changes nothing' "$(slb_listed off)" fwm:1
	slb_check 'a list without the end of the line is refused' eval \
		'! slb_in dir dd of=/proc/sys/net/shadowlb/services_off status=none 2>/dev/null < <(printf fwm:2)'
	slb_same '... and changes nothing' "$(slb_listed off)" fwm:1
	seq -s, -f fwm:%.0f 65536 >"$SLB_TMP/list"
	slb_check '65,536 services' slb_in dir dd "if=$SLB_TMP/list" of=/proc/sys/net/shadowlb/services_off bs=2M status=none
	slb_same '... are all listed' "$(slb_listed off | tr , '\n' | sort -u | wc -l)" 65536
	seq -s, -f fwm:%.0f 65537 >"$SLB_TMP/list"
	slb_check 'one more is refused' eval \
		'! slb_in dir dd "if=$SLB_TMP/list" of=/proc/sys/net/shadowlb/services_off bs=2M status=none 2>/dev/null'
	slb_list off ''
	slb_same 'an empty list' "$(slb_listed off)" ''
}

# Whatever names a service: address and port, an address alone, a mark.
slb_list_kinds() {
	slb_in dir ipvsadm -R <<-EOF
		-A -u $SLB_VIP_NAT:0 -s rr -p 60
		-a -u $SLB_VIP_NAT:0 -r 10.2.1.2:0 -m
	EOF
	slb_list on "udp:$SLB_VIP_NAT:9"
	slb_is 'scope 1: another port of a service without a port' "$(slb_hits 7777)" eq 0
	slb_list on "udp:$SLB_VIP_NAT:9,udp:$SLB_VIP_NAT:0"
	slb_is '... which is listed: hits' "$(slb_hits 7777)" gt 80
	slb_in dir ipvsadm -D -u $SLB_VIP_NAT:0
	slb_in dir nft -f - <<-EOF
		table ip marks {
			chain pre {
				type filter hook prerouting priority -150
				ip daddr $SLB_VIP_NAT udp dport 9 meta mark set 77
			}
		}
	EOF
	slb_in dir ipvsadm -A -f 77 -s rr
	slb_in dir ipvsadm -a -f 77 -r 10.2.1.2:7777 -m
	slb_is 'the same packets, of a mark now: hits' "$(slb_hits 9)" eq 0
	slb_list on fwm:77
	# rules have just changed, so flows are proved again soon
	slb_is '... which is listed: hits' "$(slb_hits 9)" gt 50
	slb_in dir nft delete table ip marks
	slb_in dir ipvsadm -D -f 77
	slb_list on ''
}

slb_list_test() {
	slb_scope 1
	slb_list on "udp:$SLB_VIP_NAT:9"
	slb_is 'scope 1, services_on: hits of rr' "$(slb_hits 9)" gt 80
	slb_is 'scope 1, services_on: hits of shadow' "$(slb_hits 7)" gt 80
	slb_in dir ipvsadm -D -u $SLB_VIP_NAT:9
	slb_service u m 9 rr 7777
	slb_is 'made again: hits of rr' "$(slb_hits 9)" gt 80
	slb_list off "udp:$SLB_VIP_NAT:9,udp:$SLB_VIP_NAT:7"
	slb_is 'scope 1, services_off: hits of shadow' "$(slb_hits 7)" eq 0
	slb_is 'in both lists: hits' "$(slb_hits 9)" eq 0
	slb_check 'the reason is scope' slb_in dir grep -qE \
		"^UDP $SLB_VIP_NAT:7 .* skip_scope=[1-9]" /proc/net/shadowlb_services
	slb_list off ''
	slb_is 'no longer: hits of shadow' "$(slb_hits 7)" gt 80
	slb_scope 0
	slb_is 'scope 0, services_on: hits' "$(slb_hits 9)" eq 0
	slb_in dir ipvsadm -D -u $SLB_VIP_NAT:7
	slb_scope 1
	slb_check 'no service of shadow, but one that is listed: hooks' slb_hooked 1
	slb_is '... hits' "$(slb_hits 9)" gt 80
	slb_list_kinds
	slb_check 'none is listed: no hooks' slb_hooked 0
	slb_service u m 7 shadow 7777
	slb_same 'lists elsewhere' "$(slb_in client sysctl -n net.shadowlb.services_on)" ''
	slb_scope 2
}

modprobe shadowlb
slb_net_up
slb_udp_up
slb_http_up
slb_service u m 7 shadow 7777
slb_service u m 9 rr 7777
slb_service t m 80 rr 8080

slb_same 'the default scope' "$(slb_in dir sysctl -n net.shadowlb.scope)" 1
slb_same 'the default lease' "$(slb_in dir sysctl -n net.shadowlb.lease)" 10
# the first packets allocate tables
slb_wait 60 slb_serving "$SLB_VIP_NAT:7" || slb_bail 'flows do not serve'
slb_is 'scope 1: hits of shadow' "$(slb_hits 7)" gt 80
slb_is 'scope 1: hits of rr' "$(slb_hits 9)" eq 0
slb_scope 2
slb_is 'scope 2: hits of shadow' "$(slb_hits 7)" gt 80
slb_is 'scope 2: hits of rr' "$(slb_hits 9)" gt 80
slb_scope 0
slb_is 'scope 0: hits of shadow' "$(slb_hits 7)" eq 0
slb_is 'scope 0: hits of rr' "$(slb_hits 9)" eq 0

# Values out of range
slb_scope 2
for value in -1 3 4294967297 two; do
	slb_refused scope $value
done
for value in 0 -1 601 x; do
	slb_refused lease $value
done
slb_is 'hits of rr after that' "$(slb_hits 9)" gt 80
for value in 1 600; do
	slb_check "lease=$value is taken" slb_in dir sysctl -qw net.shadowlb.lease=$value
done

slb_list_syntax
slb_list_test

# A namespace of its own
slb_same 'scope elsewhere' "$(slb_in client sysctl -n net.shadowlb.scope)" 1
slb_same 'lease elsewhere' "$(slb_in client sysctl -n net.shadowlb.lease)" 10

# Off and on under load
slb_wrk_start 4 http://$SLB_VIP_NAT/4k
slb_must 'under load: hits grow' slb_wait 10 slb_stat_above dir hits $(($(slb_stat dir hits) + 200))
slb_scope 0
hits=$(slb_stat dir hits)
slb_check 'under load, scope 0: IPVS serves' slb_wait 10 slb_vs_above inpkts $(($(slb_vs inpkts) + 200))
slb_is 'under load, scope 0: hits' $(($(slb_stat dir hits) - hits)) eq 0
slb_scope 2
slb_check 'under load, scope 2: hits grow again' slb_wait 10 slb_stat_above dir hits $((hits + 200))
slb_list off "tcp:$SLB_VIP_NAT:80"
hits=$(slb_stat dir hits)
slb_check 'under load, services_off: IPVS serves' slb_wait 10 slb_vs_above inpkts $(($(slb_vs inpkts) + 200))
slb_is 'under load, services_off: hits' $(($(slb_stat dir hits) - hits)) eq 0
slb_list off ''
slb_check 'under load, no longer: hits grow again' slb_wait 10 slb_stat_above dir hits $((hits + 200))
slb_wrk_end
slb_is "under load: failed of $requests requests" "$failed" eq 0
slb_is "under load: connections, for wrk's 4 and the one it tries first" \
	"$(slb_vs conns "TCP $SLB_VIP_NAT:80")" le 5
slb_scope_full
slb_done
