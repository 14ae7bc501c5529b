#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC1091,SC2154
#
# Process 1 of a stock guest: builds the root described in stock.sh, runs the job,
# powers off. busybox, because the file system that the kernel starts with is
# served without a cache: each page of bash read through it costs milliseconds.
# slb_run comes from the kernel's command line.

b=/bin/busybox
opt=trans=virtio,version=9p2000.L,msize=512000
new=/run/new

if [ "$1" != --inside ]; then
	$b mount -t proc proc /proc
	$b mount -t tmpfs -o mode=755 run /run
	$b mkdir /run/host /run/kern /run/upper /run/work $new
	$b mount -t 9p -o ro,cache=loose,$opt slbhost /run/host
	$b mount -t 9p -o ro,cache=loose,$opt slbkern /run/kern
	$b mount -t overlay -o xino=off,lowerdir=/run/kern:/run/host,upperdir=/run/upper,workdir=/run/work \
		root $new
	$b mount -t proc proc $new/proc
	$b mount -t sysfs sysfs $new/sys
	$b mount -t devtmpfs dev $new/dev
	$b mount -t tmpfs -o mode=755 run $new/run
	$b mkdir -p "$new$slb_run"
	$b mount -t 9p -o "rw,$opt" slbrun "$new$slb_run"
	exec $b chroot $new /bin/bash "$0" --inside
fi

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root TERM=dumb LC_ALL=C
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
mkdir -p /run/lock /dev/shm /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t devpts devpts /dev/pts
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
ip link set lo up
echo 'shadowlb: the boot ends here' >/dev/kmsg

. "$slb_run/job"
cd "$PWD" || exit
rc=0
"${slb_cmd[@]}" </dev/null >"$slb_run/output" 2>&1 || rc=$?
echo $rc >"$slb_run/rc.new"
mv "$slb_run/rc.new" "$slb_run/rc"
sync
echo o >/proc/sysrq-trigger
# The power goes off a moment later; process 1 must not end before, and the root
# may be gone already: builtins only.
while :; do :; done
