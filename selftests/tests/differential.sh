#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: uml
# slb-also: 6.1 6.12 newest smp
# slb-timeout: 1200
#
# Packet for packet what IPVS does: random topologies, each with two directors, one with
# flows and one without. Both get the same packets; what leaves them, their counters and
# their connections must be the same. Seeds that once failed (cases/differential.seeds)
# come first. At the end a table says what flows served. differential/ is the test itself.
# On smp packets enter on both CPUs by turns, and what leaves is compared, not how long IPVS
# knows of a connection.
#
#   SLB_SEED=n          this topology alone, packet by packet
#   SLB_TOPOLOGIES=n    so many (200 on the debug kernel, 10 in an emulator)
#   SLB_MINUTES=n       or for so long
#   SLB_FIRST=n         the first seed; the others follow it
#   SLB_DIFF="..."      more options of differential/__main__.py

set -u -o pipefail
. lib/stat.sh

# An emulator takes ten times as long. Its seeds are others than the debug kernel's.
case $SLB_KERNEL in
uml) args=(--topologies "${SLB_TOPOLOGIES:-200}" --packets "${SLB_PACKETS:-100000}") ;;
6.1*) args=(--topologies "${SLB_TOPOLOGIES:-10}" --first "${SLB_FIRST:-3000}") ;;
newest) args=(--topologies "${SLB_TOPOLOGIES:-10}" --first "${SLB_FIRST:-5000}") ;;
*) args=(--topologies "${SLB_TOPOLOGIES:-10}" --first "${SLB_FIRST:-4000}") ;;
esac
[ -z "${SLB_TOPOLOGIES:-}" ] || args+=(--packets 0)
[ -z "${SLB_FIRST:-}" ] || args+=(--first "$SLB_FIRST")
[ -z "${SLB_MINUTES:-}" ] || args+=(--minutes "$SLB_MINUTES")
if [ -n "${SLB_SEED:-}" ]; then
	args=(--seed "$SLB_SEED")
elif [ "$SLB_KERNEL" = uml ]; then
	args+=(--seeds cases/differential.seeds)
fi
read -ra more <<<"${SLB_DIFF:-}"
[ "$SLB_KERNEL" != smp ] || more=(--force cpus=1 "${more[@]}")

modprobe -a tun nf_conntrack br_netfilter ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh ip_vs_mh ||
	slb_bail 'this kernel lacks what the test needs'
modprobe shadowlb flows=1024 || slb_bail 'shadowlb cannot be loaded'

# Flows are of a CPU: all packets enter on one, if nothing else is asked for.
slb_diff() { taskset -c 0 /usr/bin/python3 -B -m differential "$@" | tee "$SLB_TMP/diff"; }

if slb_diff "${args[@]}" "${more[@]}" >"$SLB_TMP/first"; then
	cat "$SLB_TMP/first"
	exit 0
fi
# A busy machine may be late with a packet or a timer in one director and not in the
# other. What differs each time is a difference; what differed once is shown.
sed 's/^not ok/# at first: not ok/; s/^ok/# ok/; s/^1\.\./# &/' "$SLB_TMP/first"
sed -n 's/^not ok 1 .*(seeds \[\(.*\)\])$/\1/p' "$SLB_TMP/first" | tr ',' '\n' >"$SLB_TMP/again"
if [ ! -s "$SLB_TMP/again" ] || [ -n "${SLB_SEED:-}" ]; then
	slb_fail 'flows serve what they should, and nothing differs'
	slb_done
fi
if grep -q '^not ok 2' "$SLB_TMP/first"; then
	slb_fail 'flows serve what they should'
fi
slb_diff "${more[@]}" --topologies 0 --packets 0 --seeds "$SLB_TMP/again" >/dev/null
sed 's/^not ok/# again: not ok/; s/^ok/# ok/; s/^1\.\./# &/' "$SLB_TMP/diff"
slb_check "no seed differs twice" grep -q '^ok 1 ' "$SLB_TMP/diff"
slb_done
