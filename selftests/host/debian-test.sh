# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For tests in roots of Debian (debian-root.sh): namespaces, overlays, results. Sourced, after
# static.sh, with the script's own arguments.
#
#   slb_debian_begin "KIND..." "$@"   in namespaces of its own, with all roots of $RELEASES
#   $dir                              a directory in memory, gone afterwards
#   $version, $next                   of dkms.conf, and a later one
#
# A test begins with RELEASES=... and ends with slb_debian_end.

. "$slb_host/host.sh"
. "$slb_host/apt.sh"
. "$slb_host/debian-root.sh"
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL ANY_KERNEL

n=0
failed=0
root=
release=
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$SLB_SRC/dkms.conf")
next=${version%.*}.$((${version##*.} + 1))

slb_debian_begin() {
	local kind

	# Process 1 of a namespace ignores signals that it does not ask for.
	trap 'exit 143' TERM INT
	dir=${3:-}
	if [ "${2:-}" = inside ]; then
		mount -t tmpfs -o size=3G debian "$dir" || exit 1
		return
	fi
	if [ "$(id -u)" != 0 ] || ! unshare -m true; then
		echo 'this needs root, and namespaces of mounts'
		exit 4
	fi
	for release in $RELEASES; do
		for kind in $1; do
			slb_debian_root "$kind" "$release" || exit 1
		done
	done
	dir=$(mktemp -d)
	trap 'rmdir "$dir"' EXIT
	# All mounts and processes end with the namespaces. There is no network.
	unshare -m -p -n -f --kill-child bash "$0" inside "$dir"
	exit
}

slb_debian_end() {
	echo "1..$n"
	exit $failed
}

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
		tail -n 60 "$dir/out" | sed 's/^/# /'
		echo "not ok $n - $text"
	fi
}

# slb_debian_mount KIND NAME: sets root, an overlay of $release's root. All overlays of a release
# share the cache of their compilers.
slb_debian_mount() {
	local cache=$SLB_CACHE/dkms/$release.ccache

	root=$dir/$2/root
	mkdir -p "$dir/$2"/{upper,work,root} "$cache"
	mount -t overlay -o "lowerdir=$(slb_debian_root_dir "$1" "$release"),upperdir=$dir/$2/upper,workdir=$dir/$2/work" \
		debian "$root" && mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" &&
		mkdir -p "$root/var/cache/ccache" && mount --bind "$cache" "$root/var/cache/ccache"
}

# INITRD: no time is spent on an initramfs for a kernel that nobody boots.
in_root() {
	nice chroot "$root" env -i PATH=/usr/lib/ccache:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		LC_ALL=C CCACHE_DIR=/var/cache/ccache DEBIAN_FRONTEND=noninteractive INITRD=No \
		"$@" </dev/null
}

# slb_debian_copy VERSION FILE...: these files of the tree as that version, in /root/VERSION
slb_debian_copy() {
	mkdir "$root/root/$1"
	tar -C "$SLB_SRC" -c --exclude='*.o' --exclude='*.ko' --exclude='*.mod*' \
		--exclude='*.cmd' --exclude=include/generated \
		Kbuild Makefile dkms.conf COPYING module include "${@:2}" | tar -C "$root/root/$1" -x
	sed -i "s/^PACKAGE_VERSION=.*/PACKAGE_VERSION=\"$1\"/" "$root/root/$1/dkms.conf"
}

# slb_debian_make VERSION: make deb in this root, with results in $dir/debs/VERSION, too
slb_debian_make() {
	slb_debian_copy "$1" README.md bpf debian docs tool
	sed -i "1s/(.*)/($1)/" "$root/root/$1/debian/changelog"
	in_root make -C "/root/$1" deb || return 1
	mkdir -p "$dir/debs/$1"
	cp "$root/root/$1"/deb/*.deb "$root/root/$1"/deb/*.changes "$dir/debs/$1/"
}

# slb_debian_install VERSION: both packages, upgrading others
slb_debian_install() {
	rm -rf "$root/root/debs"
	cp -r "$dir/debs/$1" "$root/root/debs"
	in_root sh -c 'dpkg -i /root/debs/*.deb' || {
		cat "$root"/var/lib/dkms/shadowlb/*/build/make.log
		return 1
	}
	[ -z "$(in_root dpkg --audit)" ]
}
