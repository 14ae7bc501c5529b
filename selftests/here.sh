#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make test HERE=1: tests on the kernel that runs, of the shadowlb that is installed for that
# kernel. Also the program of the kselftest form (Makefile).
#
#   here.sh [TEST...]    without names, each test with "here" in its head
#
# Network, processes and mounts are in namespaces of their own; they end with this script. The
# modules are the machine's: shadowlb is loaded and removed. The machine may crash.

set -euo pipefail
cd "$(dirname "$0")"

marked='^# slb-also: .*\<here\>'

# The exit code means "skipped" to kselftest.
die() { echo "error: $*" >&2; exit 4; }

# need COMMAND PACKAGE ...
need() {
	local lacks=

	while [ $# -gt 0 ]; do
		command -v "$1" >/dev/null || lacks+=" $2"
		shift 2
	done
	[ -z "$lacks" ] || die "this machine lacks programs of the tests: apt-get install$lacks"
}

# Why the tests cannot run here.
check_machine() {
	local loaded

	[ "$(id -u)" = 0 ] || die 'not root: tests make namespaces and load modules'
	need ip iproute2 nft nftables ipvsadm ipvsadm ethtool ethtool conntrack conntrack \
		nginx nginx-light wrk wrk curl curl python3 python3 unshare util-linux
	[ /var/run -ef /run ] || die '/var/run is not /run, where names of namespaces are expected'
	modinfo -n shadowlb >/dev/null 2>&1 ||
		die "no shadowlb is installed for Linux $(uname -r): make install"
	loaded=$(lsmod | awk '$1 == "shadowlb" || $1 == "ip_vs_shadow" { print $1 }' | sort -r | xargs)
	[ -z "$loaded" ] || die "tests load and remove what is loaded: rmmod $loaded"
}

# check_names TEST...
check_names() {
	local name

	for name; do
		[ -e "tests/$name.sh" ] || die "no test is called $name"
		grep -qE "$marked" "tests/$name.sh" ||
			die "$name needs a guest: make test TESTS=$name"
	done
}

# What a guest has at its boot (guest/stock-init.sh). Names of network namespaces are in /run.
make_place() {
	mount --make-rprivate /
	mount -t sysfs sysfs /sys
	[ ! -d /sys/kernel/debug ] || mount -t debugfs debugfs /sys/kernel/debug
	mount -t tmpfs -o mode=755 run /run
	mkdir -p /run/lock
	ip link set lo up
}

if [ "${1:-}" = --inside ]; then
	shift
	make_place
	SLB_SRC=$(dirname "$PWD") SLB_KERNEL=here SLB_KO=$(modinfo -n shadowlb)
	export SLB_SRC SLB_KERNEL SLB_KO
	exec bash guest/run.sh "$@"
fi

# loaded_since: modules that were not there before the tests.
loaded_since() { lsmod | awk 'NR > 1 { print $1 }' | sort | comm -13 <(echo "$before") -; }

# Ends the tests, if they run, and removes the modules that they have loaded: some use others,
# and a namespace ends some time after its last process.
end() {
	local i

	if [ "$pid" ]; then
		kill -KILL "$pid"
		wait "$pid" || :
	fi
	for ((i = 0; i < 50 && $(loaded_since | wc -l) > 0; i++)); do
		loaded_since | xargs -n 1 rmmod 2>/dev/null || sleep 0.1
	done
}

check_machine
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(grep -lE "$marked" tests/*.sh | xargs -n 1 basename -s .sh)
check_names "$@"
before=$(lsmod | awk 'NR > 1 { print $1 }' | sort)
# unshare ignores signals, and its child is process 1 of a namespace
unshare --net --mount --pid --fork --kill-child --mount-proc \
	bash "$PWD/here.sh" --inside "$@" &
pid=$!
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
rc=0
wait $pid || rc=$?
# another process may have that number now
pid=
exit $rc
