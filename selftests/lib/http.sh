# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What nat_http and dr_http have in common: curl and wrk against three nginx, with the
# network's offloads as they come and switched off. Sourced, after stat.sh and net.sh.

# slb_http_fetch VIP: 100 small answers over one connection, and a big one.
slb_http_fetch() {
	local vip=$1 got sum

	got=$(slb_in client curl -sS "http://$vip/?[1-100]" | sort | uniq -c | sort -rn)
	slb_note "100 requests over one connection were answered by:" $got
	slb_is 'answers from one real server over one connection' "$(awk '{ print $1; exit }' <<<"$got")" eq 100
	sum=$(slb_in client curl -sS "http://$vip/big" | sha256sum)
	slb_same "3 MB arrive as they are ($vip)" "${sum%% *}" "$(sha256sum <"$SLB_TMP/www/big" | cut -d' ' -f1)"
}

# slb_http_load VIP TEXT: wrk, and what share of it flows served.
slb_http_load() {
	local vip=$1 text=$2 before after diff share requests=0 failed=1 us p50 p99 p999 max

	before=$(slb_stat_get dir)
	eval "$(slb_wrk 400 4 "http://$vip/4k")"
	after=$(slb_stat_get dir)
	diff=$(slb_stat_diff "$before" "$after")
	share=$(slb_share "$diff")
	slb_show_diff "$diff"
	slb_note "$text: $requests requests in $us us, p50 $p50 us, p99 $p99 us"
	slb_is "$text: requests" "$requests" ge 400
	slb_is "$text: failed requests" "$failed" eq 0
	slb_check "$text: $share % of established packets served by flows (want > 95)" \
		slb_share_above 95 "$share"
}

# slb_http_hooks VIP: served by flows in both directions? The hooks that a hit skips
# tell: INPUT sees what comes in, FORWARD what goes back through masquerading. Not where
# flows are only compared.
slb_http_hooks() {
	local hook hits epochs start requests=0
	local -A met

	[ -z "${SLB_VERIFY:-}" ] || return 0
	epochs=$(slb_shown epochs)
	slb_count_hook dir input
	slb_count_hook dir forward
	# flows are proved again when a packet finds that rules have changed, when a sweep finds new
	# hooks, and half a second and five seconds behind that
	slb_wrk 50 2 "http://$1/4k" >/dev/null
	slb_check 'the new rules are noticed' slb_wait 10 slb_shown_above epochs "$epochs"
	slb_ms start
	slb_wait 30 slb_ms_since "$start" 6000
	for hook in input forward; do
		met[$hook]=$(slb_counted dir ip $hook)
	done
	hits=$(slb_stat dir hits)
	eval "$(slb_wrk 200 2 "http://$1/4k")"
	hits=$(($(slb_stat dir hits) - hits))
	for hook in input forward; do
		slb_is "200 requests, $hits hits: packets that still met the $hook hook" \
			$(($(slb_counted dir ip $hook) - met[$hook])) lt $((hits / 20 + 20))
	done
}

# slb_http_test m|g VIP
slb_http_test() {
	local vip=$2 port=8080

	[ "$1" = m ] || port=80
	slb_net_up
	# a slow machine is not to prove flows again because of that
	slb_in dir sysctl -qw net.shadowlb.lease=600
	slb_http_up
	slb_service t "$1" 80 shadow $port
	slb_http_fetch "$vip"
	slb_http_load "$vip" 'wrk'
	slb_http_hooks "$vip"
	slb_offload_off
	slb_http_fetch "$vip"
	slb_http_load "$vip" 'wrk without offloads'
}
