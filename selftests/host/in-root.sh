#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# in-root.sh ROOT DIR PATH... -- COMMAND...: runs COMMAND in ROOT, in the directory DIR,
# with each PATH of this machine at its place. To be started in a mount namespace of its
# own (unshare --mount), with which the mounts end. See root.sh.

set -eu
root=$1 dir=$2
shift 2

# unshare --mount inside the root needs / to be a mount point.
mount --bind "$root" "$root"
while [ "$1" != -- ]; do
	mkdir -p "$root$1"
	mount --bind "$1" "$root$1"
	shift
done
shift
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
if [ -e /etc/resolv.conf ]; then
	cp -L /etc/resolv.conf "$root/etc/resolv.conf.$$"
	mv "$root/etc/resolv.conf.$$" "$root/etc/resolv.conf"
fi
cd "$root"
# shellcheck disable=SC2016
exec chroot . /bin/sh -c 'cd "$0" && exec "$@"' "$dir" "$@"
