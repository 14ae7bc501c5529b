#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp 6.12
# slb-timeout: 600
#
# Packets a second as "ipvsadm --rate" shows them: with steady traffic they are as steady by flows as
# by IPVS alone.

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
trap slb_net_down EXIT

slb_rate() { slb_in dir ipvsadm -Ln --rate | awk '$1 == "UDP" { print $4 }'; }

# slb_rates SCOPE: a line each second for a minute, once the estimators, which are means over some
# samples of two seconds, have seen that scope alone
slb_rates() {
	local start

	slb_scope "$1"
	slb_pause 20
	slb_ms start
	until slb_ms_since "$start" 60000; do
		slb_rate
		slb_pause 1
	done >"$SLB_TMP/rates.$1"
	slb_note "scope $1: $(paste -sd ' ' "$SLB_TMP/rates.$1")"
}

# slb_rates_spread SCOPE: sets most and mean, differences from the median, in thousandths
slb_rates_spread() {
	read -r most mean < <(sort -n "$SLB_TMP/rates.$1" | awk '
		{ v[NR] = $1 }
		END {
			m = v[int((NR + 1) / 2)]
			for (i = 1; i <= NR; i++) {
				d = v[i] > m ? v[i] - m : m - v[i]
				sum += d
				if (d > most) most = d
			}
			print m ? int(most * 1000 / m) : 1000, m ? int(sum * 1000 / m / NR) : 1000
		}')
}

modprobe shadowlb || slb_bail 'shadowlb cannot be loaded'
slb_net_up
slb_udp_up
slb_service u m 7 rr 7777
slb_spawn client /usr/bin/python3 traffic/udp.py steady $SLB_VIP_NAT:7 20 500
# the first samples of a new service are low
slb_pause 20
slb_rates 0
slb_rates 2
slb_check 'flows serve' slb_stat_above dir hits 10000
slb_rates_spread 0
alone=$mean alone_most=$most
slb_rates_spread 2
slb_is "differences from the median in thousandths, the largest: IPVS alone $alone_most, flows" \
	"$most" le $((alone_most + 100))
slb_is "the mean: IPVS alone $alone, flows" "$mean" le $((alone + 10))
slb_done
