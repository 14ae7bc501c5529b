#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make says in one line why it cannot build for a kernel, before anything is built:
# no headers, none that are prepared, too old, an option missing, or PREEMPT_RT
# whose softirqs preempt each other.

set -u
cd "$(dirname "$0")/../.." || exit 1

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
options=$(sed -n 's/^BUILD_EXCLUSIVE_CONFIG="\(.*\)"/\1/p' dkms.conf)
n=0
failed=0

# kdir RELEASE [OPTION]: a build directory of that kernel, without that option
kdir() {
	local o

	rm -rf "$dir/k"
	mkdir -p "$dir/k/include/generated"
	printf 'all modules:\n\t@echo built\n' >"$dir/k/Makefile"
	printf '#define UTS_RELEASE "%s"\n' "$1" >"$dir/k/include/generated/utsrelease.h"
	for o in $options; do
		if [ "$o" = "${2:-}" ]; then
			echo "# $o is not set"
		else
			echo "$o=m"
		fi
	done >"$dir/k/.config"
}

# rt [LINE]: make $dir/k one of a PREEMPT_RT kernel, with that line in its configuration
rt() {
	printf '%s\n' CONFIG_PREEMPT_RT=y "$@" >>"$dir/k/.config"
}

result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		failed=1
		sed 's/^/# /' "$dir/out"
		echo "not ok $n - $2"
	fi
}

# refuses TEXT WORDS: make fails for $dir/k, with an error that has the words
refuses() {
	local rc=0

	make KDIR="$dir/k" >"$dir/out" 2>&1 && rc=1
	grep -q "^error: .*$2" "$dir/out" || rc=1
	[ "$(grep -c '^error: ' "$dir/out")" = 1 ] || rc=1
	! grep -q built "$dir/out" || rc=1
	result $rc "$1"
}

takes() {
	make -s KDIR="$dir/k" >"$dir/out" 2>&1 && grep -q built "$dir/out"
	result $? "$1"
}

refuses 'no such directory' 'install linux-headers-'
mkdir -p "$dir/k"
touch "$dir/k/Makefile"
refuses 'not configured' 'no configured and prepared kernel'
for release in 4.19.0-27-amd64 5.10.0-30-amd64 5.15.160 6.0.9; do
	kdir $release
	refuses "$release is too old" "needs Linux 6.1 or newer, .* is $release"
done
for option in $options; do
	kdir 6.1.0-56-amd64 "$option"
	refuses "without $option" "kernel 6.1.0-56-amd64 lacks $option$"
done
for release in 6.1.0-56-amd64 6.1.192 6.10.3 6.12.95+deb12-amd64 7.3.1-amd64 10.0.1; do
	kdir $release
	takes "$release is built for"
done
# PREEMPT_RT took the lock always until 6.18 made it an option.
for release in 6.1.0-56-rt-amd64 6.12.118+deb13-rt-amd64 6.17.13-rt; do
	kdir $release
	rt
	takes "$release with PREEMPT_RT is built for"
done
for release in 6.18.0-rt-amd64 6.19.2 6.20.1 7.3.4+deb13-rt-amd64 10.0.1-rt; do
	kdir $release
	rt
	refuses "$release with PREEMPT_RT and without the lock" \
		"kernel $release .*CONFIG_PREEMPT_RT_NEEDS_BH_LOCK=y"
	kdir $release
	rt '# CONFIG_PREEMPT_RT_NEEDS_BH_LOCK is not set'
	refuses "$release with PREEMPT_RT and the lock switched off" \
		"kernel $release .*CONFIG_PREEMPT_RT_NEEDS_BH_LOCK=y"
	kdir $release
	rt CONFIG_PREEMPT_RT_NEEDS_BH_LOCK=y
	takes "$release with PREEMPT_RT and the lock is built for"
done
echo "1..$n"
exit $failed
