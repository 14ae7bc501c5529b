# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Messages, the cache directory, a lock. Sourced first by every script of the harness.

# shellcheck disable=SC2034
SLB_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SLB_CACHE=$(realpath -ms -- "${SHADOWLB_CACHE:-$HOME/.cache/shadowlb}")

SLB_T0=${SLB_T0:-$(date +%s)}
export SLB_T0

slb_elapsed() {
	local s=$(($(date +%s) - SLB_T0))

	printf '%d:%02d' $((s / 60)) $((s % 60))
}

# Progress goes to stderr, so that stdout stays KTAP.
slb_msg() {
	printf '[%s] %s\n' "$(slb_elapsed)" "$*" >&2
}

slb_die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# slb_show_errors LOG: the first errors in it of apt or mmdebstrap, if there are some.
slb_show_errors() {
	{ grep -E '^[EW]:|Depends:' "$1" || :; } | sed 5q >&2
}

# slb_locked NAME COMMAND...: run COMMAND while no other run prepares NAME in this cache.
# Children do not inherit the lock: a daemon left behind would hold it.
#
# bash ignores set -e in a command whose status is tested, even in a subshell and in the
# background. A process substitution is not part of that command.
slb_locked() {
	local name=$1 fd out rc=0

	shift
	mkdir -p "$SLB_CACHE"
	exec {fd}>"$SLB_CACHE/.$name.lock"
	if ! flock -n "$fd"; then
		slb_msg "waiting for another run that prepares $name" \
			"(it holds $SLB_CACHE/.$name.lock; fuser names it)"
		flock "$fd"
	fi
	exec {out}>&1
	: < <("$@" {fd}>&- >&"$out" {out}>&-)
	wait $! || rc=$?
	exec {fd}>&- {out}>&-
	return "$rc"
}

# slb_kill_children PID: ends the processes that it started, the leaves first.
slb_kill_children() {
	local p

	for p in $(ps -o pid= --ppid "$1"); do
		slb_kill_children "$p"
		kill -TERM "$p" 2>/dev/null || :
	done
}
