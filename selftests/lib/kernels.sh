# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Debian's stock kernels in the cache: image, modules and headers of 6.1 and 6.12,
# and virtme-ng to boot them. Downloaded with an apt of our own (private sources,
# lists and status), unpacked, never installed: nothing lands in this machine's
# /boot, /lib/modules or /usr/src. Sourced, after host.sh.
#
#   $SLB_CACHE/kernels/<6.1|6.12>/root/{boot,usr/src,usr/lib/{modules,linux-kbuild-*}}
#   $SLB_CACHE/virtme-ng/{usr/lib/python3/dist-packages,busybox}
#
# root/ can be laid over another root file system (stock.sh does): lib is a symlink
# to usr/lib as in Debian itself. A directory appears by rename when it is complete.

SLB_STOCK_KERNELS="6.1 6.12"

# Which modules are kept, below kernel/. The rest is drivers and protocols that no
# guest has, and depmod inside an emulated guest reads every module there is.
SLB_MODULES_KEPT='arch/x86/(crypto|events|kernel)/|crypto/|lib/|fs/(9p|fscache|fuse|netfs|nls|overlayfs)/
drivers/(virtio|char/hw_random)/|drivers/block/(loop|virtio_blk)|drivers/net/[^/]*$
drivers/net/(bonding|ipvlan|macvlan|team|vxlan|wireguard)/
net/(802|8021q|9p|bridge|core|ife|ipv4|ipv6|key|l2tp|llc|mpls|netfilter|netlink|nsh)/
net/(openvswitch|packet|psample|sched|sctp|tls|unix|vmw_vsock|xdp|xfrm)/'
SLB_MODULES_KEPT=${SLB_MODULES_KEPT//$'\n'/|}

slb_kernel_root() { printf '%s\n' "$SLB_CACHE/kernels/$1/root"; }
slb_kernel_release() { cat "$SLB_CACHE/kernels/$1/release"; }
slb_kernel_image() { printf '%s/boot/vmlinuz-%s\n' "$(slb_kernel_root "$1")" "$(slb_kernel_release "$1")"; }
slb_kernel_kdir() { printf '%s/usr/src/linux-headers-%s\n' "$(slb_kernel_root "$1")" "$(slb_kernel_release "$1")"; }

# "<archive URI> <security URI>" of the mirror this machine is configured for. apt
# itself knows, whatever the format of the sources; it tells the Debian archive from
# others by the Release files it has fetched.
slb_debian_mirrors() {
	local list

	command -v apt-get >/dev/null ||
		slb_die "no apt-get: Debian's kernels can only be fetched on a Debian machine"
	list=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages')
	if ! grep -q '^Debian ' <<<"$list" && [ "$(id -u)" = 0 ]; then
		slb_msg "updating this machine's package lists, to learn its mirror"
		apt-get -q update >/dev/null
		list=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' \
			'Created-By: Packages')
	fi
	awk '$1 == "Debian" && !a { a = $2 }
	     $1 == "Debian-Security" && !s { s = $2 }
	     END { if (!a) exit 1; print a, s }' <<<"$list" ||
		slb_die "no Debian mirror among this machine's apt sources" \
			"(see /etc/apt/sources.list*; then run apt-get update)"
}

# slb_apt DIR COMMAND...: apt-get or apt-cache with DIR as its world.
slb_apt() {
	local dir=$1 cmd=$2

	shift 2
	"$cmd" -q -o Dir::Etc::sourcelist="$dir/sources.list" \
		-o Dir::Etc::sourceparts=- -o Dir::State="$dir/state" \
		-o Dir::State::status=/dev/null -o Dir::Cache="$dir/cache" \
		-o APT::Architecture=amd64 -o APT::Architectures=amd64 \
		-o APT::Sandbox::User= -o APT::Default-Release= "$@"
}

# slb_apt_init DIR SUITE...: sources for the suites, and their package lists.
slb_apt_init() {
	local dir=$1 key=/usr/share/keyrings/debian-archive-keyring.gpg suite uri mirrors

	shift
	mirrors=$(slb_debian_mirrors)
	mkdir -p "$dir"/{state/lists/partial,cache/archives/partial}
	for suite; do
		case $suite in
		*-security) uri=${mirrors##* } ;;
		*) uri=${mirrors%% *} ;;
		esac
		[ -n "$uri" ] || continue
		printf 'deb [signed-by=%s] %s %s main\n' $key "$uri" "$suite"
	done >"$dir/sources.list"
	slb_apt "$dir" apt-get update >"$dir/update.log" 2>&1 || {
		tail -n 20 "$dir/update.log" >&2
		slb_die "cannot fetch the package lists of $*"
	}
}

# slb_apt_depends DIR PACKAGE VERSION: the names it depends on, alternatives dropped.
slb_apt_depends() {
	slb_apt "$1" apt-cache show "$2=$3" | awk -F': ' '
		$1 == "Depends" { n = split($2, d, /, */)
			for (i = 1; i <= n; i++) { sub(/ .*/, "", d[i]); print d[i] }
			exit }'
}

# slb_apt_newest DIR PACKAGE PREFIX: its newest version that starts with PREFIX.
slb_apt_newest() {
	slb_apt "$1" apt-cache madison "$2" | awk -F' *[|] *' -v p="$3" \
		'index($2, p) == 1 { print $2 }' | sort -Vru | head -n 1
}

# slb_apt_download DIR NAME=VERSION...: the .debs land in DIR/debs.
slb_apt_download() (
	dir=$1
	shift
	mkdir -p "$dir/debs"
	cd "$dir/debs" || exit 1
	slb_apt "$dir" apt-get download "$@" >"$dir/download.log" 2>&1 || {
		tail -n 20 "$dir/download.log" >&2
		slb_die "cannot download $*"
	}
)

# slb_kernel_unpack DIR KERNEL OUT: the debs of DIR become OUT/root and OUT/release.
slb_kernel_unpack() {
	local deb release d debs=$1/debs root=$3/root

	mkdir -p "$root/usr/lib"
	ln -s usr/lib "$root/lib"
	for deb in "$debs"/linux-image-"$2"*.deb; do
		release=$(dpkg-deb -f "$deb" Package)
		release=${release#linux-image-}
		dpkg-deb --fsys-tarfile "$deb" |
			tar -x -C "$root" --keep-directory-symlink ./boot ./lib/modules
	done
	(
		cd "$root/lib/modules/$release/kernel"
		find . -type f -printf '%P\n' | grep -vE "^($SLB_MODULES_KEPT)" |
			xargs -r -d '\n' rm
		find . -type d -empty -delete
	)
	for deb in "$debs"/linux-{headers-"$2"*,kbuild-"$2"*}.deb; do
		dpkg-deb --fsys-tarfile "$deb" |
			tar -x -C "$root" --keep-directory-symlink --exclude='./usr/share'
	done
	[ -e "$root/boot/vmlinuz-$release" ] || slb_die "no kernel image in $debs"
	# Compressed modules cost an emulated CPU dear.
	find "$root/lib/modules" -name '*.ko.xz' -print0 | xargs -0 -r -n 64 xz -d
	# The headers include each other by absolute path; relative, they work here
	# and in a guest that sees them in /usr/src.
	sed -i 's|^include /usr/src/|include $(dir $(realpath $(lastword $(MAKEFILE_LIST))))../|' \
		"$root/usr/src/linux-headers-$release/Makefile"
	for d in build:"$release" source:"${release%-amd64}-common"; do
		ln -sfn "../../../src/linux-headers-${d#*:}" \
			"$root/lib/modules/$release/${d%%:*}"
	done
	depmod -b "$root" "$release"
	printf '%s\n' "$release" >"$3/release"
}

# slb_kernel_fetch_one APT KERNEL: the newest stock kernel of that line into the cache.
slb_kernel_fetch_one() {
	local apt=$1 kernel=$2 out image headers kbuild version common

	out=$SLB_CACHE/kernels/$kernel
	version=$(slb_apt_newest "$apt" linux-image-amd64 "$kernel.")
	# Of 6.12 the build for this release of Debian, whose gcc it needs.
	if [ "$kernel" = 6.12 ]; then
		version=$(slb_apt "$apt" apt-cache madison linux-image-amd64 |
			awk -F' *[|] *' '$2 ~ /^6\.12\..*bpo12/ { print $2 }' |
			sort -Vru | head -n 1)
	fi
	[ -n "$version" ] || slb_die "the mirror has no linux-image-amd64 $kernel"
	image=$(slb_apt_depends "$apt" linux-image-amd64 "$version" |
		grep '^linux-image-' | head -n 1)
	headers=linux-headers-${image#linux-image-}
	version=$(slb_apt "$apt" apt-cache madison "$image" |
		awk -F' *[|] *' '{ print $2 }' | sort -Vru | head -n 1)
	common=$(slb_apt_depends "$apt" "$headers" "$version" | grep -- '-common$')
	kbuild=$(slb_apt_depends "$apt" "$headers" "$version" | grep '^linux-kbuild-')

	slb_msg "fetching $image and its headers"
	rm -rf "$out.new"
	mkdir -p "$out.new"
	rm -rf "$apt/debs"
	slb_apt_download "$apt" "$image=$version" "$headers=$version" \
		"$common=$version" "$kbuild=$version"
	slb_kernel_unpack "$apt" "$kernel" "$out.new"
	rm -rf "$out" "$apt/debs"
	mv "$out.new" "$out"
}

# The initramfs needs a static busybox, which would push out an installed one.
slb_virtme_fetch() {
	local apt=$1 out=$SLB_CACHE/virtme-ng virtme busybox deb

	virtme=$(slb_apt_newest "$apt" virtme-ng '')
	busybox=$(slb_apt_newest "$apt" busybox-static '')
	[ -n "$virtme" ] && [ -n "$busybox" ] ||
		slb_die "the mirror has no virtme-ng or no busybox-static"
	slb_msg "fetching virtme-ng $virtme"
	rm -rf "$out.new" "$apt/debs"
	slb_apt_download "$apt" "virtme-ng=$virtme" "busybox-static=$busybox"
	for deb in "$apt"/debs/*.deb; do
		dpkg-deb -x "$deb" "$out.new"
	done
	find "$out.new" -path '*bin/busybox' -type f -exec mv {} "$out.new/busybox" \;
	[ -x "$out.new/busybox" ] || slb_die "no busybox in busybox-static"
	rm -rf "$out" "$apt/debs"
	mv "$out.new" "$out"
}

# What is to be fetched: what is not there, or with FRESH all of it.
slb_kernels_missing() {
	local k

	[ -z "${FRESH:-}" ] &&
		[ -x "$SLB_CACHE/virtme-ng/busybox" ] ||
		echo virtme-ng
	for k in $SLB_STOCK_KERNELS; do
		[ -z "${FRESH:-}" ] && [ -s "$SLB_CACHE/kernels/$k/release" ] || echo "$k"
	done
}

slb_kernels_fetch_locked() (
	set -e
	missing=$(slb_kernels_missing)
	[ -n "$missing" ] || exit 0
	[ "$(uname -m)" = x86_64 ] || slb_die "the stock kernels are for x86_64 only"
	# The lock is ours: one that is there was left by a run that was killed.
	rm -rf "$SLB_CACHE"/kernels-apt.*
	apt=$(mktemp -d "$SLB_CACHE/kernels-apt.XXXXXX")
	trap 'rm -rf "$apt"' EXIT
	slb_msg "fetching package lists"
	slb_apt_init "$apt" bookworm bookworm-updates bookworm-security \
		bookworm-backports trixie
	for k in $missing; do
		case $k in
		virtme-ng) slb_virtme_fetch "$apt" ;;
		*) slb_kernel_fetch_one "$apt" "$k" ;;
		esac
	done
)

# Brings everything into the cache. Does not touch the network when it is there;
# FRESH=1 replaces it by the newest.
slb_kernels_fetch() {
	[ -n "$(slb_kernels_missing)" ] || return 0
	slb_locked kernels slb_kernels_fetch_locked
}
