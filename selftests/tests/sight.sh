#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: 6.1 6.12 uml
# slb-timeout: 480
#
# What operators can see of a namespace: /proc/net/shadowlb. It agrees with the counters,
# with ipvsadm and with nft, shows nothing of another namespace, and can be read while all
# of it changes and goes away.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

# slb_show [NS]: /proc/net/shadowlb there.
slb_show() { slb_in "${1:-dir}" cat /proc/net/shadowlb; }
slb_shown() { slb_show | awk -v k="$1" '$1 == k { print $2; exit }'; }

# Flows in use: as the file says, and as the counters do. Flows may end in between.
slb_used() { slb_show | awk '$1 == "all" { print $3 + $5 }'; }
slb_used_counted() {
	slb_stat_get dir | awk '$1 == "learned" { n += $2 } $1 == "ended" || $1 == "evicted" { n -= $2 }
		END { print n + 0 }'
}
slb_used_agree() { [ "$(slb_used)" = "$(slb_used_counted)" ]; }

slb_listed() { slb_show | grep -qE "$1"; }
slb_not_listed() { ! slb_listed "$1"; }

# slb_hooks NS: how many hooks are listed there.
slb_hooks() { slb_show "$1" | grep -c '^ipv[46] '; }

slb_ping() {
	slb_in client /usr/bin/python3 lib/udp.py ping "$@" >"$SLB_TMP/ping" ||
		slb_fail "datagrams are lost: $(<"$SLB_TMP/ping")"
}

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
	slb_is 'bytes' "$(slb_show | awk '$1 == "all" { print int($6 / 64) }')" ge "$(slb_shown flows)"
	slb_show | sed 's/^/# /'
}

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
	slb_check 'behind, in prerouting' slb_listed '^ipv4 +prerouting +7 .*\[nf_tables\] chain behind/p$'
	slb_check 'in input' slb_listed '^ipv4 +input +8 .* behind/i$'
	slb_check 'in forward' slb_listed '^ipv4 +forward +9 .* behind/f$'
	slb_check 'in output' slb_listed '^ipv4 +output +10 .* behind/o$'
	slb_check 'in postrouting' slb_listed '^ipv4 +postrouting +11 .* behind/s$'
	slb_check 'of both families' slb_listed '^ipv6 +forward +-5 .* both/w$'
	slb_check 'not before, where it is visited' slb_not_listed before/
	slb_is 'and no others' "$(slb_hooks dir)" eq $((n + 7))
	slb_in dir nft 'delete table ip behind; delete table inet both; delete table ip before'
	slb_check 'they go' slb_not_listed nf_tables
	slb_is 'and no others' "$(slb_hooks dir)" eq "$n"
	slb_is "hooks in the client's namespace" "$(slb_hooks client)" eq 0
}

modprobe shadowlb
slb_net_up
slb_udp_up
slb_see_state
slb_see_hooks
slb_done
