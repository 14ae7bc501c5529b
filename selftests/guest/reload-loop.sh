#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Loads and unloads MODULE N times in the director's namespace, where it runs; each
# time flows must have served packets before it goes. By builtins as far as they go:
# every other program costs an emulated CPU more than the reload itself.
#
#   reload-loop.sh N MODULE

# Of all CPUs.
hits() {
	local row sum=0

	{
		read -r _
		while read -r row _; do
			sum=$((sum + 16#$row))
		done
	} </proc/net/stat/shadowlb
	[ $sum -gt 20 ]
}

exec {never}<> <(:)
for ((i = 1; i <= $1; i++)); do
	insmod "$2" || { echo "load $i failed"; exit 1; }
	echo 2 >/proc/sys/net/shadowlb/scope || exit 1
	end=$((SECONDS + 10))
	until hits; do
		[ $SECONDS -lt $end ] || { echo "load $i: no hits"; exit 1; }
		read -rt 0.02 -u "$never" _
	done
	rmmod shadowlb || { echo "unload $i failed"; exit 1; }
done
echo "$1 loads and unloads, each with hits"
