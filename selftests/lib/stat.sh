# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For tests: results as KTAP, waits that poll, and the counters of shadowlb, IPVS and
# nftables. Sourced in a guest, before net.sh.

slb_n=0
slb_failed=0

slb_note() { printf '# %s\n' "$*"; }

# slb_ok TEXT, slb_fail TEXT: one result.
slb_ok() {
	slb_n=$((slb_n + 1))
	printf 'ok %d - %s\n' "$slb_n" "$*"
}

slb_fail() {
	slb_n=$((slb_n + 1))
	slb_failed=1
	printf 'not ok %d - %s\n' "$slb_n" "$*"
}

# slb_check TEXT COMMAND...: a result that is the command's exit code.
slb_check() {
	local text=$1

	shift
	if "$@"; then slb_ok "$text"; else slb_fail "$text"; fi
}

# slb_is TEXT GOT OP WANT: compares two integers, and shows them. Nothing is 0.
slb_is() {
	slb_check "$1: ${2:-0} (want -$3 $4)" test "${2:-0}" "-$3" "$4"
}

# slb_same TEXT GOT WANT: compares two texts.
slb_same() {
	if [ "$2" = "$3" ]; then
		slb_ok "$1"
		return
	fi
	slb_fail "$1"
	diff <(printf '%s\n' "$3") <(printf '%s\n' "$2") | sed 's/^/# /'
}

# The last line of a test. Rules that come and go, and what else a lease is for, may
# differ from what flows do: such a test says so (slb_differ=1).
slb_done() {
	if [ -n "${SLB_VERIFY:-}" ] && [ -z "${slb_differ:-}" ] && [ -e /run/netns/slb-dir ]; then
		slb_is 'flows that differ from the slow path' "$(slb_stat dir differs)" eq 0
	fi
	printf '1..%d\n' "$slb_n"
	exit $slb_failed
}

# A test that cannot go on has failed.
slb_bail() {
	slb_fail "$*"
	slb_done
}

# This test and its children on one CPU: flows are of a CPU, and of few packets each counts.
slb_one_cpu() { taskset -pc 0 $$ >/dev/null; }

# Milliseconds of a clock that nobody sets: in the variable of that name.
slb_ms() {
	local _ up

	read -r up _ </proc/uptime
	printf -v "$1" %d "$((10#${up/./} * 10))"
}

# slb_ms_since START MS: are so many gone by?
slb_ms_since() {
	local now

	slb_ms now
	[ $((now - $1)) -ge "$2" ]
}

# Reading from this never succeeds: a sleep that starts no program. Programs are what
# costs time in an emulated guest.
exec {slb_never}<> <(:)
slb_pause() {
	local _

	read -rt "$1" -u "$slb_never" _
}

# slb_must TEXT COMMAND...: a result without which the rest means nothing.
slb_must() {
	local text=$1

	shift
	"$@" || slb_bail "$text"
	slb_ok "$text"
}

# slb_wait SECONDS COMMAND...: until it succeeds; fails when time is up.
slb_wait() {
	local slb_end slb_now

	slb_ms slb_end
	slb_end=$((slb_end + $1 * 1000))
	shift
	until "$@"; do
		slb_ms slb_now
		[ "$slb_now" -lt "$slb_end" ] || return 1
		slb_pause 0.1
	done
	return 0
}

# slb_stat_get NS: all counters of shadowlb there, one "name value" a line, CPUs summed.
# With SLB_VERIFY (net.sh) packets that flows could have served count as hits.
slb_stat_get() {
	local -a names row
	local -A sum=()
	local i

	{
		read -ra names
		while read -ra row; do
			for i in "${!names[@]}"; do
				sum[${names[i]}]=$((${sum[${names[i]}]:-0} + 16#${row[i]}))
			done
		done
	} < <(slb_in "$1" cat /proc/net/stat/shadowlb)
	if [ -n "${SLB_VERIFY:-}" ]; then
		sum[hits]=$((${sum[hits]:-0} + ${sum[miss_verify]:-0}))
		sum[miss_verify]=0
	fi
	for i in "${names[@]}"; do
		printf '%s %d\n' "$i" "${sum[$i]:-0}"
	done
}

# slb_stat NS NAME: one of them; 0 where the module is not loaded.
slb_stat() {
	local name value

	while read -r name value; do
		if [ "$name" = "$2" ]; then
			echo "$value"
			return
		fi
	done < <(slb_stat_get "$1" 2>/dev/null)
	echo 0
}

# slb_stat_diff BEFORE AFTER: two outputs of slb_stat_get; what grew.
slb_stat_diff() {
	awk 'NR == FNR { old[$1] = $2; next }
	     $2 != old[$1] { print $1, $2 - old[$1] }' \
		<(printf '%s\n' "$1") <(printf '%s\n' "$2")
}

# slb_share DIFF: of a slb_stat_diff, the share of the packets of established
# connections that flows served, in percent with two decimals:
#
#   hits / (hits + every miss but miss_flags)
#
# miss_flags are the SYN, FIN and RST, which open and end connections. All other
# misses count against it, the ones that teach the flows too.
slb_share() {
	awk '$1 == "hits" { hits = $2 }
	     /^miss_/ && $1 != "miss_flags" { miss += $2 }
	     END { printf "%.2f\n", hits + miss ? 100 * hits / (hits + miss) : 0 }' <<<"$1"
}

# slb_share_above PERCENT SHARE
slb_share_above() { awk -v p="$1" -v s="$2" 'BEGIN { exit !(s > p) }'; }

# slb_stat_grew NS NAME BEFORE: how much that counter grew since slb_stat_get said BEFORE.
slb_stat_grew() {
	slb_stat_diff "$3" "$(slb_stat_get "$1")" | awk -v n="$2" '$1 == n { v = $2 } END { print v + 0 }'
}

# slb_show_diff DIFF: as one comment line.
slb_show_diff() { slb_note "$(printf '%s\n' "$1" | tr ' \n' '= ')"; }

# slb_vs_stats: a line for each service and each of its real servers, exact and sorted:
# "TCP 10.1.0.100:80 all|10.2.1.2:8080 conns inpkts outpkts inbytes outbytes".
slb_vs_stats() {
	slb_in dir ipvsadm -Ln --stats --exact |
		awk '$1 == "TCP" || $1 == "UDP" { svc = $1 " " $2; print svc, "all", $3, $4, $5, $6, $7 }
		     $1 == "->" && $2 ~ /^[0-9]/ { print svc, $2, $3, $4, $5, $6, $7 }' | sort
}

# slb_vs FIELD [SERVICE]: a sum over all services, or "TCP 10.1.0.100:80" alone; FIELD is
# conns, inpkts, outpkts, inbytes or outbytes.
slb_vs() {
	slb_vs_stats | awk -v f="$1" -v s="${2:-}" '
		BEGIN { split("conns inpkts outpkts inbytes outbytes", name)
			for (i in name) if (name[i] == f) n = 3 + i }
		$3 == "all" && (s == "" || s == $1 " " $2) { sum += $n }
		END { print sum + 0 }'
}

# slb_table_bytes NS: memory of the flow tables there.
slb_table_bytes() { slb_in "$1" awk '$1 == "all" { print $6 }' /proc/net/shadowlb; }

# For slb_wait: has it grown above N?
slb_stat_above() { [ "$(slb_stat "$1" "$2")" -gt "$3" ]; }
slb_vs_above() { [ "$(slb_vs "$1")" -gt "$2" ]; }

# slb_count_at NS DEVICE NAME EXPRESSION: counts what arrives at that device and
# matches, as early as can be; read it with slb_counted.
slb_count_at() {
	slb_in "$1" nft -f - <<-EOF
		table netdev slb {
			chain $3 {
				type filter hook ingress device $2 priority -500
				$4 counter
			}
		}
	EOF
}

# slb_count_hook NS HOOK: counts the packets that meet a netfilter hook.
slb_count_hook() {
	slb_in "$1" nft -f - <<-EOF
		table ip slb {
			chain $2 {
				type filter hook $2 priority 0
				counter
			}
		}
	EOF
}

# slb_counted NS FAMILY NAME [bytes]: netdev for the former, ip for the latter.
slb_counted() {
	local word

	while read -r word; do
		if [[ $word =~ counter\ packets\ ([0-9]+)\ bytes\ ([0-9]+) ]]; then
			echo "${BASH_REMATCH[${4:+1}+1]}"
		fi
	done < <(slb_in "$1" nft list chain "$2" slb "$3")
}

# shellcheck disable=SC2120
# slb_show [NS]: /proc/net/shadowlb there. slb_shown NAME: a value of the director's.
slb_show() { slb_in "${1:-dir}" cat /proc/net/shadowlb; }
slb_shown() { slb_show | awk -v k="$1" '$1 == k { print $2; exit }'; }
slb_shown_above() { [ "$(slb_shown "$1")" -gt "$2" ]; }

# slb_counted_above NS FAMILY NAME N: for slb_wait.
slb_counted_above() { [ "$(slb_counted "$1" "$2" "$3")" -gt "$4" ]; }

# slb_counted_all NS: "name packets bytes" of each slb_count_at there.
slb_counted_all() {
	slb_in "$1" nft list table netdev slb |
		awk '$1 == "chain" { c = $2 }
		     { for (i = 1; i < NF; i++) if ($i == "counter") print c, $(i + 2), $(i + 4) }'
}
