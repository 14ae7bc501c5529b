# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Roots of a release of Debian for the tests dkms and deb. Sourced, after host.sh and apt.sh.
#
#   $SLB_CACHE/dkms/RELEASE-HASH    with dkms, a compiler, ccache, the headers of the stock
#                                   kernel, and all that the package shadowlb depends on
#   $SLB_CACHE/dkms/RELEASE-HASH/var/cache/apt/archives   linux-headers-amd64 of backports, and
#                                                         all packages that it needs there
#   $SLB_CACHE/deb/RELEASE-HASH     with all that makes and checks packages
#   $SLB_CACHE/boot/RELEASE-HASH    like dkms, and a system that boots, with IPVS's programs; the
#                                   kernel of backports, too
#
# The hash is of the list of packages. A root appears by rename when it is complete, and nobody
# writes to it afterwards.

# slb_debian_packages KIND
slb_debian_packages() {
	case $1 in
	dkms) echo ca-certificates,dkms,make,gcc,ccache,openssl,linux-headers-amd64,python3,iproute2 ;;
	boot) echo ca-certificates,dkms,make,gcc,ccache,linux-image-amd64,linux-headers-amd64,initramfs-tools,zstd,systemd-sysv,udev,python3,iproute2,ethtool,libxdp1,ipvsadm,keepalived,nginx-light,curl,procps,nftables,prometheus-node-exporter ;;
	deb) echo ca-certificates,build-essential,debhelper,dh-dkms,dh-python,python3,clang,libbpf-dev,lintian ;;
	esac
}

# slb_debian_backports KIND: packages of backports to fetch
slb_debian_backports() {
	[ "$1" != boot ] || printf 'linux-image-amd64 '
	echo linux-headers-amd64
}

slb_debian_root_dir() {
	printf '%s/%s/%s-%s\n' "$SLB_CACHE" "$1" "$2" \
		"$(slb_debian_packages "$1" | sha256sum | cut -c 1-8)"
}
slb_debian_root_ready() { [ -d "$(slb_debian_root_dir "$1" "$2")" ]; }

# slb_debian_root_make KIND RELEASE DIRECTORY: dkms signs modules where it finds openssl, as on most
# machines. Without the option --skip, mmdebstrap would remove the packages that the second hook
# has fetched.
slb_debian_root_make() {
	local kind=$1 release=$2 new=$3 opts=() line log=$SLB_CACHE/$1/$2.log

	while IFS= read -r line; do
		opts+=("--aptopt=$line")
	done < <(slb_apt_proxies)
	# shellcheck disable=SC2016
	[ "$kind" = deb ] || opts+=(--skip=cleanup/apt/cache
		--customize-hook='chroot "$1" apt-get -q clean'
		--customize-hook='chroot "$1" apt-get -q -y --no-install-recommends --download-only \
			install -t '"$release"'-backports '"$(slb_debian_backports "$kind")")
	mmdebstrap --quiet --mode=root --variant=minbase \
		--include="$(slb_debian_packages "$kind")" "${opts[@]}" \
		"$release" "$new" "$new.list" >"$log" 2>&1 || {
		tail -n 30 "$log" >&2
		slb_die "cannot build a root of $release for the test $kind"
	}
	[ "$kind" = deb ] ||
		compgen -G "$new/var/cache/apt/archives/linux-headers-*-common_*.deb" >/dev/null ||
		slb_die "$release-backports has no newer headers than $release"
}

# slb_debian_root_forget KIND RELEASE: removes roots of other lists, if no other run uses the cache.
slb_debian_root_forget() {
	local old

	[ -n "${SLB_USE:-}" ] || return 0
	if flock -n -x "$SLB_USE"; then
		for old in "$SLB_CACHE/$1/$2" "$SLB_CACHE/$1/$2"-*; do
			[ ! -d "$old" ] || rm -rf --one-file-system "$old"
		done
	fi
	flock -s "$SLB_USE"
}

slb_debian_root_locked() (
	set -e
	kind=$1 release=$2
	out=$(slb_debian_root_dir "$kind" "$release")
	! slb_debian_root_ready "$kind" "$release" || exit 0
	slb_msg "building a root of $release for the test $kind"
	mkdir -p "$SLB_CACHE/$kind"
	# The lock is held: a directory of this name is left over from a run that was killed.
	rm -rf --one-file-system "$SLB_CACHE/$kind/$release".new.*
	slb_debian_root_forget "$kind" "$release"
	new=$(mktemp -d "$SLB_CACHE/$kind/$release.new.XXXXXX")
	trap 'rm -rf --one-file-system "$new" "$new.list"' EXIT
	chmod 755 "$new"
	slb_sources "$release" >"$new.list"
	slb_debian_root_make "$kind" "$release" "$new"
	mv "$new" "$out"
)

# slb_debian_root KIND RELEASE: builds the root unless it is there. KIND is dkms, deb or boot.
slb_debian_root() {
	slb_debian_root_ready "$@" || slb_locked "$1-$2" slb_debian_root_locked "$@"
}
