#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Process 1 of user-mode Linux. The root it starts with is the host's own and
# writable: put a copy-on-write overlay over it before anything else, so that
# nothing but the directory of this run is ever written.

set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root TERM=dumb LC_ALL=C

if [ "${1:-}" != --inside ]; then
	mount -t tmpfs -o mode=755 slb /mnt
	mkdir /mnt/upper /mnt/work /mnt/root
	mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work root /mnt/root
	cd /mnt/root
	mount --bind "$slb_run" "./$slb_run"
	mount --move /dev dev
	mount -t proc proc proc
	mount -t sysfs sysfs sys
	pivot_root . mnt
	exec chroot . "$slb_run/init" --inside
fi

umount -l /mnt
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
! grep -qw bpf /proc/filesystems || mount -t bpf bpf /sys/fs/bpf
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/lock /dev/shm /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t devpts devpts /dev/pts
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
mkdir -p /lib/modules
ln -s "$slb_mods/$(uname -r)" "/lib/modules/$(uname -r)"
ip link set lo up

# From here on a warning is fatal. This architecture has one of its own while
# it boots, so not before; the log is judged from this line on.
echo 'shadowlb: the boot ends here' >/dev/kmsg
sysctl -q kernel.panic_on_warn=1

# shellcheck disable=SC1091
. "$slb_run/job"
cd "$PWD"
rc=0
"${slb_cmd[@]}" </dev/null >"$slb_run/output" 2>&1 || rc=$?
echo "$rc" >"$slb_run/rc"
sync
# Not poweroff: a minimal Debian has none.
echo o >/proc/sysrq-trigger
sleep 60
