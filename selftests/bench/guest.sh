#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest's part of make bench: the cost of packets at a director (director.sh), by IPVS alone
# and with flows, by turns. Each kind of way has a file, which describes its ways:
#
#   steady.sh, xdp.sh  nat4, dr6, nat4_ct...   the same packets again and again
#   connections.sh     connN, udpN, dns4       whole connections
#   arrivals.sh        gap_S, burst4, routes4  by the time at which packets arrive
#   trips.sh           trip_KIND               round trips through wires
#   scale.sh           scale_N                 several CPUs at once
#   pressure.sh        skew4, flood4           more flows than the table has places for
#
# Prints tab-separated lines, each behind "# row": way, what, flows, round, unit, share of packets
# that flows served, and p50 p90 p99 p999 p9999 mean. The cost of measuring is subtracted, but for
# routes4, trips and scale. Behind "# table": flows, places in all tables, places taken, bytes, and in
# us how long the longest and the shortest sweep took, and the longest time for which one held up
# packets (where cycles are measured).
#
#   SLB_BENCH_WAYS     which ways             SLB_BENCH_FLOWS   how many flows, a list
#   SLB_BENCH_PACKETS  packets measured       SLB_BENCH_ROUNDS  how often by turns, a third of
#                                             that with more than 100,000 flows
#   SLB_BENCH_TSC      cycles, not ns         SLB_BENCH_WHATS   what is measured
#   SLB_BENCH_BITS     of IPVS's table        SLB_BENCH_PROTO   t or u (default)
#   SLB_BENCH_WARM     packets of each flow before those measured (default 16)
#   SLB_BENCH_PROFILE  print symbols, then do the first measurement until the guest is ended

set -u
cd "$SLB_SRC/selftests" || exit 1
. lib/stat.sh
. bench/job.sh
. bench/director.sh
. bench/steady.sh
. bench/xdp.sh
. bench/connections.sh
. bench/arrivals.sh
. bench/trips.sh
. bench/scale.sh
. bench/pressure.sh
slb_in() { shift; "$@"; }

ways='nat4 reply4 dr4 ipip4 gre4 gue4 nat6 reply6 dr6 ipip6 gre6 gue6 other4 other6'
ways+=' nat4_ct nat4_nft nat4_churn reply4_churn nat6_churn reply6_churn'
ways+=' conn8 conn8_new conn16 conn32 dns4 dns4_new routes4 burst4'
ways+=' trip_udp trip_tcp trip_bulk trip_mixed trip_flood'
ways=${SLB_BENCH_WAYS:-$ways}
whats=${SLB_BENCH_WHATS:-ipvs flow drop forward ingress xdp xdp_swap xdp_plain}
packets=${SLB_BENCH_PACKETS:-20000}
rounds=${SLB_BENCH_ROUNDS:-1}
tsc=${SLB_BENCH_TSC:-0}
unit=ns
[ "$tsc" = 0 ] || unit=cycles
proto=${SLB_BENCH_PROTO:-u}
warm=${SLB_BENCH_WARM:-16}
[ -z "${SLB_BENCH_ICOUNT:-}" ] || unit=instructions
bad=0
port=9000

die() { printf 'error: %s\n' "$*" >&2; exit 1; }

setup
prime
have_xdp=$(sed -n 's/^xdp    1/y/p' /proc/net/shadowlb)
[ -z "${SLB_BENCH_PROFILE:-}" ] || cat /proc/kallsyms
for way in $ways; do
	case $way in
	scale_*) continue ;;
	conn* | dns4* | udp*) connections "$way" ;;
	routes4) routes ;;
	gap_*) gaps "$way" ;;
	burst4) bursts ;;
	trip_*) trips "${way#trip_}" ;;
	skew4 | flood4) pressure "$way" ;;
	*) steady "$way" ;;
	esac
done
scales
exit $bad
