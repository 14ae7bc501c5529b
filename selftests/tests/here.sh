#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: 6.12 smp
# slb-timeout: 300
#
# make test HERE=1 on the kernel of this guest, as on a machine that has other things to do: these
# are left alone. The same from a copy of the folder alone, and ended by a signal.

set -u
. lib/stat.sh
trap 'kill $pid; ip netns delete slb-dir; ipvsadm -C' EXIT

copy=/var/tmp/shadowlb                  # tests have a /run of their own
slb_here() { make -s -C .. test HERE=1 TESTS="$1" >"$SLB_TMP/here.out" 2>&1; }
slb_here_copy() { make -s -C $copy run_tests TESTS="$1" >"$SLB_TMP/here.out" 2>&1; }

# slb_machine: what tests must leave as it was
slb_machine() {
	ip netns
	ip -br link
	cat /proc/net/ip_vs /sys/devices/system/cpu/online /proc/mounts
	lsmod | awk '{ print $1 }' | sort
	sysctl -a 2>/dev/null | grep -E '^(net|kernel|vm)\.' |
		grep -vE 'random|nr_|state|count|dentry|inode|ns_last_pid|pty|loadavg|entropy|usermodehelper'
}

# slb_same_machine TEXT
slb_same_machine() { slb_same "$1: the machine is as before" "$(slb_machine)" "$machine"; }

modprobe -a dummy ip_vs_rr
ip netns add slb-dir                    # a name that the tests have, too
ip -n slb-dir link add here type dummy
ipvsadm -A -t 192.0.2.1:80 -s rr
sleep 1000 &
pid=$!

modprobe shadowlb
slb_check 'with shadowlb loaded it does not begin' eval '! slb_here udp_echo'
slb_check 'and names the cure' grep -q 'rmmod shadowlb' "$SLB_TMP/here.out"
rmmod shadowlb ip_vs_shadow
machine=$(slb_machine)
slb_check 'a test that needs a guest does not begin' eval '! slb_here boot'

mount --bind /bin/false /usr/bin/wrk
slb_check 'a test that fails, fails' eval '! slb_here nat_http'
umount /usr/bin/wrk
slb_check 'and says so' grep -q '^not ok 1 nat_http' "$SLB_TMP/here.out"
slb_same_machine 'a test that failed'

cp -r . $copy
slb_check 'a test passes, from a copy' slb_here_copy udp_echo
slb_check 'and says so' grep -q '^ok 1 udp_echo' "$SLB_TMP/here.out"
sed 's/^/# /' "$SLB_TMP/here.out"
slb_same_machine 'a test that passed'

./here.sh udp_echo >"$SLB_TMP/here.out" 2>&1 &
slb_wait 60 grep -q 'datagrams come back' "$SLB_TMP/here.out"
kill -TERM $!
wait $!
slb_is 'ended by a signal: exit code' $? eq 143
slb_same_machine 'ended by a signal'
slb_check 'the namespace has its device' ip -n slb-dir link show here
slb_check 'the process is still there' kill -0 $pid
slb_done
