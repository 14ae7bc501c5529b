#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: 6.12
# slb-also: stock uml rt smp
# slb-timeout: 240
#
# The modules as an operator meets them: loads and unloads, what modinfo says, what they
# do with values out of range, autoload by ipvsadm, also where modprobe is slow and namespaces
# end meanwhile, and removal from under a service.

set -u

n=0
failed=0

# check TEXT COMMAND...: one KTAP line, ok if the command succeeds
check() {
	local text=$1 out rc=0

	shift
	n=$((n + 1))
	out=$("$@" 2>&1) || rc=$?
	if [ $rc = 0 ]; then
		echo "ok $n - $text"
	else
		failed=1
		[ -z "$out" ] || printf '%s\n' "$out" | sed 's/^/# /'
		echo "not ok $n - $text"
	fi
}

loaded() { [ -d /sys/module/shadowlb ]; }
not() { ! "$@"; }

# unload: waits for what the last service left to the kernel's own time
unload() {
	local i

	for ((i = 0; i < 50; i++)); do
		loaded || return 0
		rmmod shadowlb 2>/dev/null && return 0
		sleep 0.1
	done
	rmmod shadowlb
}

load_and_unload() {
	local i

	for ((i = 0; i < 20; i++)); do
		modprobe shadowlb || return 1
		loaded || return 1
		rmmod shadowlb || return 1
		! loaded || return 1
	done
}

# field NAME PATTERN: a line of modinfo
field() {
	modinfo -F "$1" "$SLB_KO" | grep -qE "$2" || {
		modinfo "$SLB_KO"
		return 1
	}
}

# parameter GIVEN USED: loads with flows=GIVEN, and it takes USED and says so
parameter() {
	local mark="module_params.sh $RANDOM$RANDOM" used said

	echo "$mark" >/dev/kmsg
	modprobe shadowlb flows="$1" || return 1
	used=$(cat /sys/module/shadowlb/parameters/flows)
	said=$(dmesg | sed "1,/$mark/d" | grep "shadowlb: flows=$1 ")
	rmmod shadowlb || return 1
	echo "used $used, said: $said"
	[ "$used" = "$2" ] && [ -n "$said" ]
}

# refuses KNOB VALUE: the write fails with EINVAL, and changes nothing
refuses() {
	local file=/proc/sys/net/shadowlb/$1 before after err

	before=$(cat "$file")
	if err=$( (echo "$2" >"$file") 2>&1); then
		echo "$1 took $2"
		return 1
	fi
	after=$(cat "$file")
	echo "$err; $before, then $after"
	[[ $err == *"Invalid argument"* ]] && [ "$before" = "$after" ]
}

# takes KNOB VALUE
takes() {
	echo "$2" >"/proc/sys/net/shadowlb/$1" && [ "$(cat "/proc/sys/net/shadowlb/$1")" = "$2" ]
}

# hooked: are packets looked at here?
hooked() { grep -qx "hooked 1" /proc/net/shadowlb; }

# within SECONDS COMMAND...
within() {
	local end=$((SECONDS + $1))

	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

# The kernel's modprobe takes 3 s; a namespace ends in the meantime.
slow_modprobe() {
	printf '#!/bin/sh\nsleep 3\nexec %s "$@"\n' "$(command -v modprobe)" >"$SLB_TMP/modprobe"
	chmod 755 "$SLB_TMP/modprobe"
	trap 'sysctl -qw kernel.modprobe='"$(sysctl -n kernel.modprobe)" EXIT
	sysctl -qw kernel.modprobe="$SLB_TMP/modprobe"
	ip netns add slb-x
	(sleep 1; exec timeout 30 ip netns delete slb-x) &
	ending=$!
}

end_done() {
	wait $ending && within 30 not grep -q slb-x <(ip netns)
}

version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$SLB_SRC/dkms.conf")
check 'modinfo: version of dkms.conf' field version "^${version//./\\.}$"
check 'modinfo: licence GPL' field license '^GPL$'
check 'modinfo: description' field description '.'
check 'modinfo: needs the scheduler' field depends '\<ip_vs_shadow\>'
check 'modinfo: parameter flows with unit and default' field parm '^flows:.*default.*\(uint\)$'
check '20 loads and unloads' load_and_unload

modprobe shadowlb
default=$(cat /sys/module/shadowlb/parameters/flows)
check 'the parameter is read-only' [ "$(stat -c %a /sys/module/shadowlb/parameters/flows)" = 444 ]
check 'sysctl scope: default 1' [ "$(cat /proc/sys/net/shadowlb/scope)" = 1 ]
for value in -1 3 99999999999 x; do
	check "sysctl scope: $value is refused" refuses scope "$value"
done
for value in 0 2 1; do
	check "sysctl scope: $value is taken" takes scope "$value"
done
for value in -1 0 99999999 x; do
	check "sysctl lease: $value is refused" refuses lease "$value"
done
check 'sysctl lease: 1 is taken' takes lease 1
check '/proc/net/stat/shadowlb has a line a CPU, and a header' \
	[ "$(wc -l </proc/net/stat/shadowlb)" -gt "$(nproc)" ]
check 'unload' unload
check 'nothing left in /proc' not ls /proc/sys/net/shadowlb /proc/net/stat/shadowlb

check 'parameter: 0 is clamped, and says so' parameter 0 1024
check 'parameter: 5000 becomes a power of two, and says so' parameter 5000 8192
check 'parameter: text is refused' not modprobe shadowlb flows=many
check 'and leaves nothing loaded' not loaded
modprobe shadowlb
check 'the default is back' [ "$(cat /sys/module/shadowlb/parameters/flows)" = "$default" ]
unload

service=10.9.9.9:80
rmmod ip_vs_shadow
slow_modprobe
check 'ipvsadm -s shadow loads the scheduler' timeout 30 ipvsadm -A -t $service -s shadow
check 'a namespace ended meanwhile' end_done
check 'and one can be made' timeout 30 ip netns add slb-y
check 'shadowlb is loaded' within 30 loaded
check 'and serves the service' within 10 hooked
check 'it goes while a service uses the scheduler' rmmod shadowlb
check 'the scheduler does not' not rmmod ip_vs_shadow
check 'the service is still there' bash -c "ipvsadm -Ln | grep -q '$service shadow'"
check 'shadowlb comes back' modprobe shadowlb
check 'and serves the service again' hooked
check 'the service is deleted' ipvsadm -D -t $service
check 'then it is served no more' not hooked
check 'shadowlb goes' rmmod shadowlb
check 'and the scheduler' rmmod ip_vs_shadow

echo "1..$n"
exit $failed
