#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: 6.12
# slb-timeout: 900
#
# Memory for flows is charged to the memory cgroup of the process that created the network
# namespace, and given back. A cgroup at its limit has no flows, and its traffic passes.

set -u
. lib/stat.sh
. lib/net.sh
cg=$SLB_TMP/cgroup
trap 'slb_net_down; slb_many_down; umount "$cg"' EXIT

many=100
cpus=$(nproc)
# What a CPU has in a namespace without flow tables, in bytes, at most.
bare=160000

# slb_paid_by CGROUP COMMAND...
slb_paid_by() {
	(
		echo "$BASHPID" >"$cg/slb/$1/cgroup.procs"
		shift
		"$@"
	)
}

# slb_kernel CGROUP, slb_event CGROUP NAME: kernel memory charged, events.
slb_kernel() { awk '$1 == "kernel" { print $2 }' "$cg/slb/$1/memory.stat"; }
slb_event() { awk -v n="$2" '$1 == n { print $2 }' "$cg/slb/$1/memory.events"; }
# For slb_wait: the kernel adds up what its CPUs know every two seconds.
slb_kernel_within() { slb_between "$(slb_kernel "$1")" "$2" "$3"; }
slb_between() { [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; }
# slb_cpu CPU FIELD: 2 narrow slots, 3 of them in use; of a CPU, or of all.
slb_cpu() { slb_in dir awk -v c="$1" -v f="$2" '$1 == c { print $f }' /proc/net/shadowlb; }
slb_sweeps() { grep -c 'function slb_sweep_work' "$trace/trace"; }

# slb_charged TEXT CGROUP BASE: is what the namespace says charged on top of BASE?
slb_charged() {
	local bytes

	bytes=$(slb_table_bytes dir)
	slb_check "$1" slb_wait 60 slb_kernel_within "$2" $(($3 + bytes * 8 / 10)) \
		$(($3 + bytes * 13 / 10 + 65536))
	slb_note "$bytes bytes by /proc/net/shadowlb, charged $(($(slb_kernel "$2") - $3))"
}

# slb_ping_paid SOCKETS PACKETS [FROM]: all are answered, or the test fails.
slb_ping_paid() {
	slb_in client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:7 "$1" "$2" \
		from="${3:-20000}" >"$SLB_TMP/ping" || slb_fail "datagrams are lost: $(<"$SLB_TMP/ping")"
}

# slb_net_paid CGROUP: the network of net.sh, anew, by a process of that cgroup.
slb_net_paid() {
	slb_net_down
	mkdir -p "$cg/slb/$1"
	slb_paid_by "$1" slb_net_up
	[ -e /run/netns/slb-rs3 ] || slb_bail 'no network'
	slb_udp_up
	slb_scope 2
	slb_in dir sysctl -qw net.shadowlb.lease=600
	slb_service u m 7 rr 7777
	slb_pause 3
	base=$(slb_kernel "$1")
}

# slb_limit CGROUP BYTES: no more than that on top of what it has. CPUs charge up to 256 KB
# ahead, which a limit by memory.high makes them give back. A memory.max below what there is
# would make the kernel look for processes to kill, of which there are none.
slb_limit() {
	local dir=$cg/slb/$1 now=0 last=-1 i

	echo 0 >"$dir/memory.high"
	for ((i = 0; i < 30 && now != last; i++)); do
		slb_pause 3
		last=$now
		now=$(<"$dir/memory.current")
	done
	echo max >"$dir/memory.high"
	echo $((now + $2)) >"$dir/memory.max"
	slb_note "$now bytes and $2 more"
}

slb_many() {
	local i

	for ((i = 0; i < many; i++)); do
		printf 'netns add many%d\n' $i
		printf 'link add d0 netns many%d type dummy\n' $i
	done | ip -batch - || return 1
	for ((i = 0; i < many; i++)); do
		printf 'address add 10.9.0.1/24 dev d0\nlink set d0 up\n' | ip -n many$i -batch - &&
			printf '%s\n' '-A -u 10.9.0.100:7 -s rr' \
				'-a -u 10.9.0.100:7 -r 10.9.0.2:7 -m' |
			nsenter --net=/run/netns/many$i ipvsadm -R &&
			nsenter --net=/run/netns/many$i sysctl -qw net.shadowlb.scope=2 || return 1
	done
}

slb_many_down() {
	local ns

	for ns in /run/netns/many*; do
		[ ! -e "$ns" ] || printf 'netns delete %s\n' "${ns##*/}"
	done | ip -batch -
}

# One packet a CPU, which IPVS sends on to its real server.
slb_many_packets() {
	local i cpu

	for ((cpu = 0; cpu < cpus; cpu++)); do
		taskset -pc $cpu $BASHPID >/dev/null
		for ((i = 0; i < many; i++)); do
			# shellcheck disable=SC2016 # of the other shell
			nsenter --net=/run/netns/many$i bash -c 'echo >/dev/udp/10.9.0.100/7'
		done
	done
}

slb_many_bytes() {
	local i

	for ((i = 0; i < many; i++)); do
		nsenter --net=/run/netns/many$i awk '$1 == "all" { print $6 }' /proc/net/shadowlb
	done | awk '{ n += $1 } END { print n + 0 }'
}

mkdir "$cg"
mount -t cgroup2 none "$cg" || slb_bail 'cgroup2 cannot be mounted'
echo +memory >"$cg/cgroup.subtree_control" || slb_bail 'no memory cgroups'
mkdir -p "$cg/slb/parent"
for dir in slb slb/parent; do
	echo +memory >"$cg/$dir/cgroup.subtree_control"
done
mkdir "$cg/slb/loader" "$cg/slb/many"
trace=/sys/kernel/tracing
[ -e $trace/trace ] || mount -t tracefs none $trace
modprobe shadowlb

slb_note 'a namespace and the cgroup of its creator'
slb_net_paid a
slb_is 'kernel memory of the cgroup: bytes' "$base" gt 10000
slb_ping_paid 20 4
slb_charged 'a few flows are charged to the creator of the namespace' a "$base"
# keys share places among the hints: not all have a flow after four packets
for i in 0 500 1000; do
	slb_ping_paid 500 10 $((20000 + i))
done
# on a slow machine the first are idle for too long, and end, before the last begin
slb_is 'flows learned' "$(slb_stat dir learned)" ge 2500
slb_charged 'so are thousands' a "$base"
slb_in dir sysctl -qw net.shadowlb.lease=1
slb_check 'a minute after the last flow they are not' slb_wait 240 slb_kernel_within a 0 \
	$((base + cpus * bare + 65536))

slb_note 'a cgroup that is removed'
slb_net_paid parent/gone
base=$(slb_kernel parent)
slb_check 'a cgroup can be removed while its namespace lives' rmdir "$cg/slb/parent/gone"
slb_ping_paid 20 8
slb_is 'hits' "$(slb_stat dir hits)" gt 0
slb_charged 'its parent is charged' parent "$base"

slb_note 'a namespace that was there before the module'
slb_in dir ipvsadm -C
rmmod shadowlb
slb_paid_by loader modprobe shadowlb || slb_bail 'shadowlb cannot be loaded'
slb_pause 3
base=$(($(slb_kernel loader) + $(slb_kernel parent)))
slb_scope 2
slb_service u m 7 rr 7777
slb_ping_paid 20 8
slb_is 'hits' "$(slb_stat dir hits)" gt 0
slb_pause 3
slb_is 'nobody is charged: bytes' $(($(slb_kernel loader) + $(slb_kernel parent) - base)) lt 65536

slb_note 'a cgroup at its limit'
slb_net_paid b
slb_limit b 32768
oom=$(slb_event b oom) full=$(slb_event b max)
slb_ms start
slb_ping_paid 50 10
slb_ms end
seconds=$(((end - start) / 1000 + 1))
slb_is 'hits' "$(slb_stat dir hits)" eq 0
slb_is 'packets without a table' "$(slb_stat dir skip_table)" ge 100
slb_is "charges refused in $seconds s" $(($(slb_event b max) - full)) le \
	$((16 * cpus * (seconds + 2)))
slb_is 'and at least' $(($(slb_event b max) - full)) ge 1
echo max >"$cg/slb/b/memory.max"
slb_check 'with more room it has flows' slb_wait 60 eval \
	'slb_ping_paid 20 4; [ "$(slb_stat dir hits)" -gt 0 ]'

slb_is 'out of memory' $(($(slb_event b oom) - oom)) eq 0
slb_is 'processes killed' "$(slb_event b oom_kill)" eq 0

slb_note 'a table that should be larger'
slb_net_paid c
slb_http_up
slb_service t m 80 rr
taskset -apc 0 $$ >/dev/null
for pid in "${slb_pids[@]}" $(pgrep nginx); do
	taskset -apc 0 "$pid" >/dev/null
done
# From 371 flows on a table of 1024 is too small. Each connection begins and ends two.
for i in 1 2 3 4 5; do
	used=$(slb_cpu 0 3)
	[ "$used" -ge 369 ] || slb_ping_paid $(((370 - used) / 2)) 4 $((30000 + i * 1000))
done
slb_limit c 32768
oom=$(slb_event c oom)
echo 'workqueue:workqueue_execute_start' >$trace/set_event
: >$trace/trace
slb_ms start
slb_in client curl -s -o /dev/null -H 'Connection: close' "http://$SLB_VIP_NAT/[1-400]" ||
	slb_fail 'requests failed'
slb_ms end
seconds=$(((end - start) / 1000 + 1))
sweeps=$(slb_sweeps)
echo >$trace/set_event
slb_note "$used flows, then $(slb_cpu 0 3)"
slb_is 'slots: no memory for more' "$(slb_cpu 0 2)" eq 1024
slb_is "sweeps in $seconds s" "$sweeps" le $((3 * seconds + 10))
slb_is 'out of memory' $(($(slb_event c oom) - oom)) eq 0
slb_is 'processes killed' "$(slb_event c oom_kill)" eq 0

slb_note "$many namespaces"
slb_net_down
taskset -apc "0-$((cpus - 1))" $$ >/dev/null
slb_must "there are $many namespaces" slb_paid_by many slb_many
slb_pause 3
base=$(slb_kernel many)
slb_many_packets
slb_pause 3
bytes=$(slb_many_bytes)
slb_check "a packet a CPU in each: they say $((bytes / many)) bytes" slb_between $bytes \
	$((many * cpus * 10000)) $((many * cpus * bare))
slb_check 'which are charged' slb_wait 60 slb_kernel_within many $((base + bytes * 8 / 10)) \
	$((base + bytes * 13 / 10 + 65536))
slb_note "charged $((($(slb_kernel many) - base) / many)) bytes a namespace"
slb_done
