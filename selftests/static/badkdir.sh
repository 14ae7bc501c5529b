#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make says in one line why it cannot build for a kernel, before anything is built:
# no headers, none that are prepared, an untested release, an option missing, or
# PREEMPT_RT whose softirqs preempt each other.

set -u
cd "$(dirname "$0")/../.." || exit 1

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL ANY_KERNEL
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

# refuses TEXT WORDS [VARIABLE=VALUE]: make fails for $dir/k, its error has the words
refuses() {
	local rc=0

	make KDIR="$dir/k" "${@:3}" >"$dir/out" 2>&1 && rc=1
	grep -q "^error: .*$2" "$dir/out" || rc=1
	[ "$(grep -c '^error: ' "$dir/out")" = 1 ] || rc=1
	! grep -q built "$dir/out" || rc=1
	result $rc "$1"
}

# takes TEXT [VARIABLE=VALUE]: make builds for $dir/k
takes() {
	make -s KDIR="$dir/k" "${@:2}" >"$dir/out" 2>&1 && grep -q built "$dir/out"
	result $? "$1"
}

refuses 'no such directory' 'install linux-headers-'
mkdir -p "$dir/k"
touch "$dir/k/Makefile"
refuses 'not configured' 'no configured and prepared kernel'
for release in 4.19.0-27-amd64 5.10.0-30-amd64 5.15.160 6.0.9 \
	7.4.0-rc1 7.4.1-amd64 7.10.2 7.30.1 8.0.1 10.0.1 61.1.0; do
	kdir $release
	refuses "$release is not tested" "tested on Linux 6.1 to 7.3, .* is $release: ANY_KERNEL=1"
	takes "$release is built for with ANY_KERNEL=1" ANY_KERNEL=1
done
for option in $options; do
	kdir 6.1.0-56-amd64 "$option"
	refuses "without $option" "kernel 6.1.0-56-amd64 lacks $option$"
done
kdir 8.0.1 CONFIG_IP_VS
refuses 'ANY_KERNEL=1 without CONFIG_IP_VS' 'kernel 8.0.1 lacks CONFIG_IP_VS$' ANY_KERNEL=1
for release in 6.1.0-56-amd64 6.1.192 6.10.3 6.12.95+deb12-amd64 6.19.14 7.0.0 \
	7.2.13+deb14-amd64 7.3.4+deb13-amd64; do
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
		"kernel $release .*CONFIG_PREEMPT_RT_NEEDS_BH_LOCK=y" ANY_KERNEL=1
	kdir $release
	rt '# CONFIG_PREEMPT_RT_NEEDS_BH_LOCK is not set'
	refuses "$release with PREEMPT_RT and the lock switched off" \
		"kernel $release .*CONFIG_PREEMPT_RT_NEEDS_BH_LOCK=y" ANY_KERNEL=1
	kdir $release
	rt CONFIG_PREEMPT_RT_NEEDS_BH_LOCK=y
	takes "$release with PREEMPT_RT and the lock is built for" ANY_KERNEL=1
done
echo "1..$n"
exit $failed
