#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest's part of make bench BENCH=close: requests a second without keep-alive, by IPVS alone
# and with flows, by turns. wrk, director and three nginx share the guest's CPUs. Prints a line
# "# row" for each round, as guest.sh does: the time of a request, in ns.
#
#   SLB_BENCH_ROUNDS   rounds (default 7)     SLB_BENCH_PACKETS  requests of a round (3000)

set -u
cd "$SLB_SRC/selftests" || exit 1
. lib/stat.sh
. lib/net.sh
export SLB_TMP=/run/slb-close
trap slb_net_down EXIT

die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# requests N: without keep-alive, 8 at a time; in $us and $failed
requests() {
	eval "$(slb_in client wrk -t1 -c8 -d600s --timeout 60s -H 'Connection: close' -s traffic/wrk.lua \
		"http://$SLB_VIP_NAT/4k" -- '' "$1" | sed -n 's/^SLB //p')"
	[ "$failed" = 0 ] || die "$failed requests failed"
}

# round N SCOPE WHAT
round() {
	local us=0 failed=1

	slb_scope "$2"
	requests $((packets / 10))
	requests "$packets"
	printf '# row\tclose\t%s\t8\t%s\tns\t0' "$3" "$1"
	for _ in 1 2 3 4 5 6; do
		printf '\t%s' $((us * 1000 / packets))
	done
	printf '\n'
}

mkdir -p $SLB_TMP
mount -t tmpfs slb-close $SLB_TMP
modules=/lib/modules/$(uname -r)
install -D -m 644 -t "$modules/updates" "$SLB_KO" "${SLB_KO%/*}/ip_vs_shadow.ko"
if [ -n "${SLB_DEPMOD:-}" ]; then cp "$SLB_DEPMOD"/modules.* "$modules/"; else depmod; fi
modprobe shadowlb || die 'shadowlb does not load'
packets=${SLB_BENCH_PACKETS:-3000}
slb_net_up
slb_http_up
slb_service t m 80 rr 8080
# until learning pauses
slb_scope 2
requests "$packets"
requests "$packets"
for ((n = 1; n <= ${SLB_BENCH_ROUNDS:-7}; n++)); do
	round $n 0 ipvs
	round $n 2 flow
done
slb_stat_get dir | grep -E 'hits|paused|none|learned' | sed 's/^/# /'
