# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For the tests of what users have around IPVS: the share that flows serve, and real
# programs that load them. Sourced in a guest, after stat.sh and net.sh.

# slb_served TEXT DIFF [WANT]: did flows serve over 90 (WANT) % of the packets?
slb_served() {
	local share want=${3:-90}

	share=$(slb_share "$2")
	if slb_share_above "$want" "$share"; then
		slb_ok "$1: $share % served by flows (want > $want)"
	else
		slb_fail "$1: $share % served by flows (want > $want)"
		slb_show_diff "$2"
	fi
}

# slb_serving DEST: for slb_wait: do flows serve datagrams to DEST? The first allocate tables.
slb_serving() {
	local before

	before=$(slb_stat dir hits)
	slb_ping "$1" 4 10
	[ "$(slb_stat dir hits)" -gt "$before" ]
}

# slb_epochs_over: no further epoch is to come for a change of rules that a packet has noticed
slb_epochs_over() {
	local start

	slb_ms start
	slb_wait 30 slb_ms_since "$start" 6000
}

# slb_rules_settle: packets have noticed a change of rules, and no further epoch is to come for it
slb_rules_settle() {
	slb_ping "$SLB_VIP_NAT:7" 2 10
	slb_epochs_over
}

# slb_since BEFORE: what grew at the director since that slb_stat_get.
slb_since() { slb_stat_diff "$1" "$(slb_stat_get dir)"; }

# slb_http6_up: slb_http_up, on IPv6 too.
slb_http6_up() {
	local i

	slb_http_up
	for i in $SLB_SERVERS; do
		sed -i 's/listen \(80[80]*\);/listen \1; listen [::]:\1;/' "$SLB_TMP/rs$i/nginx.conf"
		kill -HUP "$(<"$SLB_TMP/rs$i/nginx.pid")"
	done
	for i in $SLB_SERVERS; do
		slb_wait 120 slb_listens "rs$i" 'sport = 80 and src [::]' ||
			slb_bail "nginx in rs$i does not take IPv6"
	done
}

slb_listens() { [ -n "$(slb_in "$1" ss -Hlnt "$2")" ]; }

# slb_sum_up: whatever comes to port 9 of a real server is answered by its checksum.
slb_sum_up() {
	local i

	for i in $SLB_SERVERS; do
		slb_spawn "rs$i" socat -t60 -b65536 \
			TCP6-LISTEN:9,ipv6only=0,backlog=64,reuseaddr,fork EXEC:sha256sum 2>/dev/null
	done
	for i in $SLB_SERVERS; do
		slb_wait 120 slb_listens "rs$i" 'sport = 9' || slb_bail "no socat in rs$i"
	done
}

# slb_stream FILE TIMES: what slb_sum sends.
slb_stream() {
	local i

	for ((i = 0; i < $2; i++)); do
		cat "$1"
	done
}

# slb_sum HOST FILE TIMES: the checksum of what arrived there.
slb_sum() {
	local sum _

	read -r sum _ < <(slb_stream "$2" "$3" |
		slb_in client timeout $((120 + 2 * $3)) socat -t60 -b65536 - "TCP:$1:9")
	echo "$sum"
}

# slb_iperf ADDRESS OPTION...: its line about what the receiver got.
slb_iperf() {
	local to=$1

	shift
	slb_in client timeout 60 iperf3 -c "$to" -f k --connect-timeout 20000 "$@" \
		>"$SLB_TMP/iperf" 2>&1 || sed 's/^/# /' "$SLB_TMP/iperf" >&2
	grep receiver "$SLB_TMP/iperf"
}
