#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-also: all
# slb-timeout: 1800
#
# The Debian packages, on Debian 12 and 13, each in roots of its release, without booting: make deb,
# lintian, installation on a machine with dkms and kernel headers, a new version, removal.
#
#   $SLB_CACHE/deb/<bookworm|trixie>    a root to build in (read-only), below an overlay
#   the packages are installed in the roots of dkms.sh

set -u
. "$(dirname "$0")/../host/static.sh"
. "$slb_host/host.sh"
. "$SLB_SRC/selftests/host/apt.sh"
. "$SLB_SRC/selftests/host/dkms-root.sh"

RELEASES=${SLB_DKMS_RELEASES:-bookworm trixie}
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL

if [ "${1:-}" != inside ]; then
	if [ "$(id -u)" != 0 ] || ! unshare -m true; then
		echo 'this needs root, and namespaces of mounts'
		exit 4
	fi
	for release in $RELEASES; do
		slb_deb_root "$release" || exit 1
		slb_dkms_root "$release" || exit 1
	done
	dir=$(mktemp -d)
	trap 'rmdir "$dir"' EXIT
	# All mounts and processes end with the namespaces. There is no network.
	unshare -m -p -n -f --kill-child bash "$0" inside "$dir"
	exit
fi

# Process 1 of a namespace ignores signals that it does not ask for.
trap 'exit 143' TERM INT
dir=$2
n=0
failed=0
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$SLB_SRC/dkms.conf")
next=${version%.*}.$((${version##*.} + 1))

# check TEXT COMMAND...: one line of TAP, ok if the command succeeds
check() {
	local text="$release: $1" rc=0 start=$SECONDS

	shift
	n=$((n + 1))
	"$@" >"$dir/out" 2>&1 || rc=$?
	if [ $rc = 0 ]; then
		echo "ok $n - $text # time=$((SECONDS - start))s"
	else
		failed=1
		tail -n 40 "$dir/out" | sed 's/^/# /'
		echo "not ok $n - $text"
	fi
}

# mount_root DIRECTORY NAME: an overlay of it, in $root
mount_root() {
	root=$dir/$2/root
	mkdir -p "$dir/$2"/{upper,work,root}
	mount -t overlay -o "lowerdir=$1,upperdir=$dir/$2/upper,workdir=$dir/$2/work" deb "$root" &&
		mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev"
}

in_root() {
	nice chroot "$root" env -i PATH=/usr/lib/ccache:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		LC_ALL=C DEBIAN_FRONTEND=noninteractive INITRD=No "$@" </dev/null
}

# built VERSION: the packages of that version, in $dir/debs/VERSION
built() {
	local from=$root/root/$1

	mkdir "$from"
	tar -C "$SLB_SRC" -c --exclude='*.o' --exclude='*.ko' --exclude='*.mod*' --exclude='*.cmd' \
		--exclude=include/generated \
		Kbuild Makefile README.md dkms.conf COPYING module include bpf debian docs |
		tar -C "$from" -x
	sed -i "s/^PACKAGE_VERSION=.*/PACKAGE_VERSION=\"$1\"/" "$from/dkms.conf"
	sed -i "1s/(.*)/($1)/" "$from/debian/changelog"
	in_root make -C "/root/$1" deb || return 1
	mkdir -p "$dir/debs/$1"
	cp "$from"/deb/*.deb "$from"/deb/*.changes "$dir/debs/$1/"
}

# linted VERSION: without an error or a warning
linted() { in_root sh -c "lintian --allow-root --fail-on error,warning /root/$1/deb/*.changes"; }

# installs VERSION: both packages, upgrading others
installs() {
	rm -rf "$root/root/debs"
	cp -r "$dir/debs/$1" "$root/root/debs"
	in_root sh -c 'dpkg -i /root/debs/*.deb' || {
		cat "$root"/var/lib/dkms/shadowlb/*/build/make.log
		return 1
	}
	[ -z "$(in_root dpkg --audit)" ]
}

# module VERSION: modprobe would load the modules of that version
module() {
	local m kernel

	kernel=$(basename "$(dirname "$(echo "$root"/lib/modules/*/build)")")
	for m in shadowlb ip_vs_shadow; do
		in_root modinfo -k "$kernel" -F filename $m
		[ "$(in_root modinfo -k "$kernel" -F version $m)" = "$1" ] || return 1
	done
}

# files: what the packages should bring besides
files() {
	[ -s "$root/usr/lib/bpf/shadowlb_xdp.o" ] && [ -s "$root/usr/share/man/man7/shadowlb.7.gz" ] &&
		[ "$(find "$root/usr/src" -maxdepth 1 -name 'shadowlb-*' | wc -l)" = 1 ]
}

# gone: nothing of them is left
gone() {
	local left

	in_root dpkg --purge shadowlb shadowlb-dkms || return 1
	left=$(find "$root"/usr/src "$root"/usr/lib/bpf "$root"/usr/share "$root"/var/lib/dkms \
		"$root"/lib/modules "$root"/etc \( -name '*shadowlb*' -o -name '*ip_vs_shadow*' \) 2>/dev/null)
	echo "$left"
	[ -z "$left" ]
}

for release in $RELEASES; do
	if ! mount_root "$(slb_deb_root_dir "$release")" "build-$release"; then
		echo "no overlay of the root of $release"
		exit 1
	fi
	rm -rf "$dir/debs"
	check 'the changelog names the version of dkms.conf' \
		grep -q "^shadowlb ($version) " "$SLB_SRC/debian/changelog"
	check 'make deb' built "$version"
	check 'lintian' linted "$version"
	check 'make deb, a later version' built "$next"
	mount_root "$(slb_dkms_root_dir "$release")" "install-$release" || exit 1
	check 'installation' installs "$version"
	check 'installation: modules' module "$version"
	check 'installation: program for XDP, man page, sources' files
	check 'upgrade' installs "$next"
	check 'upgrade: modules' module "$next"
	check 'upgrade: program for XDP, man page, sources' files
	check 'purge' gone
done
echo "1..$n"
exit $failed
