# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Debian's stock kernels in the cache: image, modules and headers, unpacked and never
# installed. Which packages those are is apt's own solution of "install linux-image-X and
# linux-headers-X". Sourced, after host.sh and apt.sh.
#
#   $SLB_CACHE/kernels/NAME/{release,package}
#   $SLB_CACHE/kernels/NAME/root/{boot,usr/src,usr/lib/{modules,linux-kbuild-*}}
#
# root/ can be laid over another root file system (stock.sh does): lib is a symlink
# to usr/lib as in Debian itself. A directory appears by rename when it is complete.

# name|release of Debian|suite, if not the release's own|flavour
SLB_STOCK_TABLE="
6.1|bookworm||amd64
6.12|trixie||amd64
6.12-deb12|bookworm|bookworm-backports|amd64
newest|trixie|trixie-backports|amd64
6.1-rt|bookworm||rt-amd64
6.12-rt|trixie||rt-amd64
"
SLB_STOCK_KERNELS=$(sed -n 's/^\([^|]*\)|.*/\1/p' <<<"$SLB_STOCK_TABLE" | tr '\n' ' ')
SLB_STOCK_KERNELS=${SLB_STOCK_KERNELS% }

# Which modules are kept, below kernel/. The rest is drivers and protocols that no
# guest has, and depmod inside an emulated guest reads every module there is.
SLB_MODULES_KEPT='arch/x86/(crypto|events|kernel)/|crypto/|lib/|fs/(9p|fscache|fuse|netfs|nls|overlayfs)/
drivers/(virtio|char/hw_random)/|drivers/block/(loop|virtio_blk)|drivers/net/[^/]*$
drivers/net/(bonding|ipvlan|macvlan|team|vxlan|wireguard)/
net/(802|8021q|9p|bridge|core|ife|ipv4|ipv6|key|l2tp|llc|mpls|netfilter|netlink|nsh)/
net/(openvswitch|packet|psample|sched|sctp|tls|unix|vmw_vsock|xdp|xfrm)/'
SLB_MODULES_KEPT=${SLB_MODULES_KEPT//$'\n'/|}

slb_kernel_root() { printf '%s\n' "$SLB_CACHE/kernels/$1/root"; }
slb_kernel_package() { cat "$SLB_CACHE/kernels/$1/package"; }
slb_kernel_release() { cat "$SLB_CACHE/kernels/$1/release"; }
slb_kernel_kdir() { printf '%s/usr/src/linux-headers-%s\n' "$(slb_kernel_root "$1")" "$(slb_kernel_release "$1")"; }

# The image lies in /boot or, since 7.x, beside its modules.
slb_kernel_image() {
	local root release image

	root=$(slb_kernel_root "$1")
	release=$(slb_kernel_release "$1") || return 1
	for image in "$root/boot/vmlinuz-$release" "$root/usr/lib/modules/$release/vmlinuz"; do
		[ ! -e "$image" ] || { printf '%s\n' "$image"; return; }
	done
	return 1
}

# slb_kernel_row NAME: its row of the table.
slb_kernel_row() {
	grep "^$1|" <<<"$SLB_STOCK_TABLE" || slb_die "no kernel is called $1; there are: $SLB_STOCK_KERNELS"
}

# slb_kernel_trim MODULES: leave out what no guest has (SLB_MODULES_KEPT), and compression,
# which costs an emulated CPU dear.
slb_kernel_trim() (
	cd "$1/kernel"
	find . -type f -printf '%P\n' | { grep -vE "^($SLB_MODULES_KEPT)" || :; } |
		xargs -r -d '\n' rm
	find . -type d -empty -delete
	find . -name '*.ko.xz' -print0 | xargs -0 -r -n 64 xz -d
)

# slb_kernel_unpack DEBS OUT: the packages in DEBS become OUT/root and OUT/release.
slb_kernel_unpack() {
	local deb link release root=$2/root

	mkdir -p "$root/usr/lib"
	ln -s usr/lib "$root/lib"
	for deb in "$1"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --keep-directory-symlink \
			--exclude=./usr/share --exclude=./usr/bin --exclude=./etc
	done
	release=$(cd "$root/usr/lib/modules" && find . -mindepth 2 -maxdepth 2 -name kernel)
	release=${release#./}
	release=${release%/kernel}
	printf '%s\n' "$release" >"$2/release"
	dpkg-deb -W --showformat='${Package} ${Version}\n' "$1"/linux-image-[0-9]*.deb >"$2/package"
	if [ -z "$release" ] || [ ! -e "$root/usr/src/linux-headers-$release/Makefile" ]; then
		slb_die "no modules or no headers among $(cd "$1" && echo *.deb)"
	fi
	slb_kernel_trim "$root/usr/lib/modules/$release"
	# The headers name each other by absolute path; relative, they work in the cache.
	sed -i -e 's|^KBUILD_OUTPUT=|KBUILD_OUTPUT:=|' \
		-e 's|/usr/src/|$(dir $(realpath $(lastword $(MAKEFILE_LIST))))../|' \
		"$root/usr/src/linux-headers-$release/Makefile"
	for link in build source; do
		ln -sfn "../../../src/$(basename "$(readlink "$root/usr/lib/modules/$release/$link")")" \
			"$root/usr/lib/modules/$release/$link"
	done
	depmod -b "$root" "$release"
}

# slb_kernel_fetch_one APT NAME: the kernel into the cache; APT has the apt worlds.
slb_kernel_fetch_one() {
	local apt=$1 name=$2 out=$SLB_CACHE/kernels/$2 release suite flavour

	IFS='|' read -r _ release suite flavour <<<"$(slb_kernel_row "$name")"
	slb_apt_init "$apt/$release" "$release"
	slb_msg "fetching linux-image-$flavour and linux-headers-$flavour of ${suite:-$release}"
	rm -rf "$out.new"
	slb_apt_solve "$apt/$release" "$out.new/debs" 'linux-.*' "$suite" \
		"linux-image-$flavour" "linux-headers-$flavour"
	slb_kernel_unpack "$out.new/debs" "$out.new"
	slb_kernel_image "$name.new" >/dev/null || slb_die "no kernel image in $out.new/debs"
	rm -rf "$out.new/debs" "$out.old"
	[ ! -e "$out" ] || mv "$out" "$out.old"
	mv "$out.new" "$out"
	rm -rf "$out.old"
}

# slb_kernels_missing NAME...: print the kernels missing from the cache; with FRESH, all.
slb_kernels_missing() {
	local name

	for name; do
		[ -z "${FRESH:-}" ] && [ -s "$SLB_CACHE/kernels/$name/package" ] || echo "$name"
	done
}

slb_kernels_fetch_locked() (
	set -e
	missing=$(slb_kernels_missing "$@")
	[ -n "$missing" ] || exit 0
	# The lock is ours: a directory that is there was left by a run that was killed.
	rm -rf "$SLB_CACHE"/kernels-apt.* "$SLB_CACHE"/kernels/*.new
	apt=$(mktemp -d "$SLB_CACHE/kernels-apt.XXXXXX")
	trap 'rm -rf "$apt" "$SLB_CACHE"/kernels/*.new' EXIT
	for name in $missing; do
		slb_kernel_fetch_one "$apt" "$name"
	done
)

# slb_kernels_fetch NAME...: bring these kernels into the cache. Does not touch the network
# when they are there; FRESH=1 replaces them by the mirror's newest.
slb_kernels_fetch() {
	[ -n "$(slb_kernels_missing "$@")" ] || return 0
	slb_locked kernels slb_kernels_fetch_locked "$@"
}
