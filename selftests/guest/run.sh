#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs INSIDE a guest, or in namespaces on the running kernel (here.sh), as root: run.sh TEST...
#
# Installs the modules for the kernel that runs, then runs each test by itself:
# with its own timeout, judged by its exit code, its KTAP lines and the kernel's log
# since it began, and with everything it left behind removed. Prints KTAP; a test's
# own output is indented by four, so the results stand alone at the line's start. Fails if
# a test failed.
#
# From the driver: SLB_SRC (the checkout), SLB_KERNEL (6.1, 6.12, uml, smp or here), SLB_KO
# (shadowlb.ko, with ip_vs_shadow.ko beside it), SLB_DEPMOD (a directory with the modules.* that depmod made for it on the
# host; without, depmod runs here, for 15 s under emulation).
# For the tests: all of these, and SLB_TMP, a tmpfs that is empty at each start.

set -u
export SLB_SRC SLB_KERNEL SLB_KO
export SLB_TMP=/run/slb-tmp
SLB_KMEMLEAK=/sys/kernel/debug/kmemleak

# What a healthy kernel never says. Possible SYN flooding is no such thing.
SLB_LOG_BAD='\<BUG\>|WARNING:|Oops|KASAN|UBSAN|KCSAN|KFENCE|DEBUG_LOCKS_WARN_ON
INFO: (possible|task|trying to register|rcu)|INFO: lockdep
(possible|Possible) (circular|recursive|unsafe|irq|deadlock|interrupt)
inconsistent (lock|usage)|suspicious RCU usage|bad unlock balance|held lock freed
lock held (when|at)|sleeping function called|scheduling while atomic
refcount_t:|rcu.*(stall|self-detected)|soft lockup|hard LOCKUP|hung task
kmemleak: [1-9]|ODEBUG|general protection|Call Trace:|Unable to handle|unable to handle
double free|list_(add|del) corruption|Poison overwritten|Redzone|Objects remaining
unregister_netdevice: waiting|Kernel panic|huh, entered|page allocation failure
shadowlb: (Unknown symbol|disagrees about version)'
SLB_LOG_BAD=${SLB_LOG_BAD//$'\n'/|}

# With make test HERE=1 the machine has the modules already.
slb_install_module() {
	local dir

	[ "$SLB_KERNEL" != here ] || return 0
	dir=/lib/modules/$(uname -r)
	install -D -m 644 -t "$dir/updates" "$SLB_KO" "${SLB_KO%/*}/ip_vs_shadow.ko" || return 1
	if [ -n "${SLB_DEPMOD:-}" ]; then
		cp "$SLB_DEPMOD"/modules.* "$dir/"
	else
		depmod
	fi
}

# slb_header FILE NAME DEFAULT: the value of "# slb-NAME: value" near its top. Of a timeout,
# which is what a test may take on a machine with nothing else to do, three times that.
slb_header() {
	local value

	value=$(sed -n "2,7s/^# slb-$2: *//p" "$1")
	[ "$2" != timeout ] || value=${SLB_TIMEOUT:-$((${value:-$3} * 3))}
	printf '%s\n' "${value:-$3}"
}

# The log since the marker; all that is left of it when it was pushed out.
slb_log_since() {
	dmesg >"$SLB_TMP.dmesg"
	if grep -qF "$1" "$SLB_TMP.dmesg"; then
		sed "1,/$1/d" "$SLB_TMP.dmesg"
	else
		cat "$SLB_TMP.dmesg"
	fi
}

# Ends every process but this script and its ancestors: nothing else belongs here.
# Kernel threads have no program.
slb_kill_strays() {
	local keep=" 1 " p=$BASHPID pid stat

	while [ "$p" -gt 1 ]; do
		keep+="$p "
		read -r stat <"/proc/$p/stat"
		read -r _ p _ <<<"${stat##*)}"
	done
	for pid in /proc/[0-9]*; do
		pid=${pid#/proc/}
		if [[ $keep != *" $pid "* ]] && [ -e "/proc/$pid/exe" ]; then
			kill -KILL "$pid" 2>/dev/null
		fi
	done
}

# slb_unload MODULE: a namespace goes some time after its last user, and its service with it.
slb_unload() {
	local i

	for ((i = 0; i < 100; i++)); do
		[ -d "/sys/module/$1" ] || return 0
		rmmod "$1" 2>"$SLB_TMP.rmmod" && return 0
		sleep 0.1
	done
	cat "$SLB_TMP.rmmod"
	echo "$1 cannot be unloaded after the test"
}

# Back to the state before the test. Says what cannot be undone.
slb_clean_up() {
	slb_kill_strays
	ip -all netns delete 2>/dev/null
	if [ -e /proc/net/ip_vs ]; then
		ipvsadm -C
	fi
	if [ -n "${SLB_KO:-}" ]; then
		cmp -s "$SLB_KO" "/lib/modules/$(uname -r)/updates/shadowlb.ko" ||
			slb_install_module
	fi
	slb_unload shadowlb
	slb_unload ip_vs_shadow
}

# The kernel's clock, by which kmemleak dates an object.
slb_jiffies() {
	awk '$1 == "jiffies:" { print $2; exit }' /proc/timer_list
}

# Only the debug kernel looks for leaks. slb_leaks_begin prints the time from which on
# an object is the test's.
slb_leaks_begin() {
	[ -w $SLB_KMEMLEAK ] || return 0
	echo clear >$SLB_KMEMLEAK
	slb_jiffies
}

# slb_leaks_since JIFFIES: the leaks among the objects allocated since. Older objects may
# lose their last reference during the test, but the test did not allocate them. A scan
# says nothing of an object that it sees for the first time, and an object that one scan
# finds may still be on some CPU's way.
slb_leaks_since() {
	[ -w $SLB_KMEMLEAK ] || return 0
	echo scan >$SLB_KMEMLEAK
	sleep 0.2
	echo scan >$SLB_KMEMLEAK
	[ -n "$(head -c 1 $SLB_KMEMLEAK)" ] || return 0
	sleep 0.2
	echo scan >$SLB_KMEMLEAK
	awk -v since="$1" '
		function flush() { if (date == "" || date >= since) printf "%s", object }
		/^unreferenced object/ { flush(); object = date = "" }
		{ object = object $0 "\n" }
		match($0, /, jiffies [0-9]+/) { date = substr($0, RSTART + 10, RLENGTH - 10) + 0 }
		END { flush() }' $SLB_KMEMLEAK
}

# Why the output does not mean success although the exit code says so.
slb_judge_output() {
	awk '/^ *not ok / && !/# (SKIP|TODO)/ { bad = 1 }
	     /^ok / { n++ }
	     /^1\.\.[0-9]+/ { plan = substr($1, 4) + 0; planned = 1 }
	     END {
		if (bad) print "it printed a line that is not ok"
		else if (!n) print "it printed no result"
		else if (planned && n != plan) print "it printed " n " results, planned " plan
	     }' "$1"
}

# slb_run_test NUMBER NAME
slb_run_test() {
	local number=$1 name=$2 file=tests/$2.sh timeout rc=0 pid why='' log left leaks begin
	local mark="slb-test $name begins $RANDOM$RANDOM" start=$SECONDS out=$SLB_TMP.out

	mkdir -p "$SLB_TMP"
	mount -t tmpfs -o mode=1777 slb "$SLB_TMP"
	echo "$mark" >/dev/kmsg
	begin=$(slb_leaks_begin)
	timeout=$(slb_header "$file" timeout 60)
	: >"$out"
	timeout -k 5 "$timeout" bash "$file" </dev/null >"$out" 2>&1 &
	pid=$!
	tail -n +1 -f -s 0.2 --pid=$pid "$out" | sed -u 's/^/    /'
	wait $pid || rc=$?

	case $rc in
	0) why=$(slb_judge_output "$out") ;;
	4) ;;
	124 | 137) why="no end after $timeout s" ;;
	*) why="exit code $rc" ;;
	esac
	left=$(slb_clean_up 2>&1)
	leaks=$(slb_leaks_since "$begin")
	log=$(slb_log_since "$mark")
	umount -l "$SLB_TMP"

	if [ -n "$left" ]; then
		why=${why:-$left}
		printf '# %s\n' "$left"
	fi
	if [ -n "$leaks" ]; then
		why=${why:-memory leaked}
		sed 's/^/# /' <<<"$leaks"
	fi
	if grep -qE "$SLB_LOG_BAD" <<<"$log"; then
		why=${why:-the kernel complained: $(grep -m 1 -E "$SLB_LOG_BAD" <<<"$log")}
	fi
	if [ -n "$why" ]; then
		if [ -n "$log" ]; then
			echo '# kernel log of the test:'
			tail -n 100 <<<"$log" | sed 's/^/# /'
		fi
		echo "# $name on $SLB_KERNEL: ${why//$'\n'/, }"
		echo "not ok $number $name # time=$((SECONDS - start))s"
		return 1
	elif [ $rc = 4 ]; then
		echo "ok $number $name # SKIP $(tail -n 1 "$out" | tr -d '#')"
	else
		echo "ok $number $name # time=$((SECONDS - start))s"
	fi
}

# A hang of this script itself ends with the guest's timeout, which is the driver's.
# Some hook in every place, for as long as the guest runs. With the first hook anywhere
# the kernel patches its own receive path, by int3 while other CPUs run it, and with the
# last hook back. QEMU's software emulation may execute an int3 that is gone already,
# which is an oops ("int3", in ip_rcv() or __ip_local_out()). Tests that load and unload
# shadowlb a hundred times under traffic met that.
slb_keep_hooks() {
	local hook

	{
		echo 'table ip slb-keep {'
		for hook in prerouting input forward output postrouting; do
			echo "chain $hook { type filter hook $hook priority 0; }"
		done
		echo '}'
	} | nft -f -
}

main() {
	local i=0 name rc=0

	cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
	if [ -n "${SLB_KO:-}" ] && ! slb_install_module; then
		echo "Bail out! cannot install $SLB_KO"
		exit 1
	fi
	if [[ ! $SLB_KERNEL =~ ^(uml|smp|here)$ ]] && ! slb_keep_hooks; then
		echo 'Bail out! nft does not work here'
		exit 1
	fi
	echo 'KTAP version 1'
	echo "1..$#"
	for name; do
		i=$((i + 1))
		echo "# begin $name"
		slb_run_test $i "$name" || rc=1
	done
	return $rc
}

main "$@"
