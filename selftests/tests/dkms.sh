#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: 6.1
# slb-timeout: 2700
#
# make dkms-install on a kernel as Debian ships it, modprobe what dkms built, and
# make dkms-remove leaves nothing behind. The compiler is emulated: minutes.

set -u

kernel=$(uname -r)
n=0
failed=0

# check TEXT COMMAND...: one KTAP line, ok if the command succeeds
check() {
	local text=$1 rc=0

	shift
	n=$((n + 1))
	"$@" >"$SLB_TMP/out" 2>&1 || rc=$?
	if [ $rc = 0 ]; then
		echo "ok $n - $text"
	else
		failed=1
		sed 's/^/# /' "$SLB_TMP/out"
		echo "not ok $n - $text"
	fi
}

# Every name where dkms may leave something. Its own signing key stays: it is made
# once a machine and belongs to dkms.
names() {
	find /usr/src /var/lib/dkms "/lib/modules/$kernel" 2>/dev/null |
		grep -v '^/var/lib/dkms/mok\.' | sort
}

dkms_install() {
	make -C "$SLB_SRC" dkms-install || {
		cat /var/lib/dkms/shadowlb/*/build/make.log
		return 1
	}
}

status() {
	dkms status | tee "$SLB_TMP/status"
	grep -q "^shadowlb/$version, $kernel, x86_64: installed$" "$SLB_TMP/status"
}

nothing_left() {
	names >"$SLB_TMP/after"
	diff "$SLB_TMP/before" "$SLB_TMP/after"
}

version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$SLB_SRC/dkms.conf")
# The module that the other tests use must not be mistaken for the one of dkms.
rm -r "/lib/modules/$kernel/updates"
names >"$SLB_TMP/before"

check 'no module before' bash -c '! modprobe shadowlb'
SECONDS=0
check 'make dkms-install' dkms_install
echo "# dkms-install took $SECONDS s"
check 'dkms status says installed' status
check 'modprobe' modprobe shadowlb
check 'it is the one that dkms built' \
	[ "$(modinfo -F filename shadowlb)" = "/lib/modules/$kernel/updates/dkms/shadowlb.ko" ]
check 'ipvsadm takes the scheduler' ipvsadm -A -t 10.9.9.9:80 -s shadow
check 'and lets it go' ipvsadm -C
check 'rmmod' rmmod shadowlb
check 'a second dkms-install is refused' bash -c '! make -C "$SLB_SRC" dkms-install'
check 'make dkms-remove' make -C "$SLB_SRC" dkms-remove
check 'no module after' bash -c '! modprobe -n -q shadowlb'
check 'nothing left behind' nothing_left
echo "1..$n"
exit $failed
