# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Roots for the test of DKMS: a release of Debian with dkms, a compiler, ccache and the headers of
# its stock kernel. The headers of the kernel in backports lie beside, as packages to install.
# Sourced, after host.sh and apt.sh.
#
#   $SLB_CACHE/dkms/<bookworm|trixie>               the root
#   $SLB_CACHE/dkms/<...>/var/cache/apt/archives    linux-headers-amd64 of backports, and
#                                                   all packages that it needs there
#
# A root appears by rename when it is complete. Nobody writes to it afterwards.

slb_dkms_root_dir() { printf '%s\n' "$SLB_CACHE/dkms/$1"; }
slb_dkms_root_ready() { [ -x "$(slb_dkms_root_dir "$1")/usr/bin/ccache" ]; }

slb_dkms_root_locked() (
	set -e
	release=$1
	out=$(slb_dkms_root_dir "$release")
	! slb_dkms_root_ready "$release" || exit 0
	slb_msg "building a root of $release with dkms"
	mkdir -p "$SLB_CACHE/dkms"
	# The lock is held: a directory of this name is left over from a run that was killed.
	rm -rf --one-file-system "$SLB_CACHE/dkms/$release".new.* "$out"
	new=$(mktemp -d "$SLB_CACHE/dkms/$release.new.XXXXXX")
	trap 'rm -rf --one-file-system "$new" "$new.list"' EXIT
	chmod 755 "$new"
	slb_sources "$release" >"$new.list"
	proxies=()
	while IFS= read -r line; do
		proxies+=("--aptopt=$line")
	done < <(slb_apt_proxies)
	# dkms signs modules where it finds openssl, as on most machines. Without the option
	# mmdebstrap would remove the packages that the second hook has fetched.
	mmdebstrap --quiet --mode=root --variant=minbase --skip=cleanup/apt/cache "${proxies[@]}" \
		--include=ca-certificates,dkms,make,gcc,ccache,openssl,linux-headers-amd64 \
		--customize-hook='chroot "$1" apt-get -q clean' \
		--customize-hook='chroot "$1" apt-get -q -y --no-install-recommends --download-only \
			install -t '"$release"'-backports linux-headers-amd64' \
		"$release" "$new" "$new.list" >"$SLB_CACHE/dkms/$release.log" 2>&1 || {
		tail -n 30 "$SLB_CACHE/dkms/$release.log" >&2
		slb_die "cannot build a root of $release"
	}
	compgen -G "$new/var/cache/apt/archives/linux-headers-*-common_*.deb" >/dev/null ||
		slb_die "$release-backports has no newer headers than $release"
	mv "$new" "$out"
)

# slb_dkms_root RELEASE: builds the root of a release unless it is there.
slb_dkms_root() {
	slb_dkms_root_ready "$1" || slb_locked "dkms-$1" slb_dkms_root_locked "$1"
}

slb_deb_root_dir() { printf '%s\n' "$SLB_CACHE/deb/$1"; }
slb_deb_root_ready() { [ -x "$(slb_deb_root_dir "$1")/usr/bin/lintian" ]; }

slb_deb_root_locked() (
	set -e
	release=$1
	out=$(slb_deb_root_dir "$release")
	! slb_deb_root_ready "$release" || exit 0
	slb_msg "building a root of $release that makes packages"
	mkdir -p "$SLB_CACHE/deb"
	rm -rf --one-file-system "$SLB_CACHE/deb/$release".new.* "$out"
	new=$(mktemp -d "$SLB_CACHE/deb/$release.new.XXXXXX")
	trap 'rm -rf --one-file-system "$new" "$new.list"' EXIT
	chmod 755 "$new"
	slb_sources "$release" >"$new.list"
	proxies=()
	while IFS= read -r line; do
		proxies+=("--aptopt=$line")
	done < <(slb_apt_proxies)
	mmdebstrap --quiet --mode=root --variant=minbase "${proxies[@]}" \
		--include=ca-certificates,build-essential,debhelper,dh-dkms,clang,libbpf-dev,lintian \
		"$release" "$new" "$new.list" >"$SLB_CACHE/deb/$release.log" 2>&1 || {
		tail -n 30 "$SLB_CACHE/deb/$release.log" >&2
		slb_die "cannot build a root of $release"
	}
	mv "$new" "$out"
)

# slb_deb_root RELEASE: builds a root in which packages are made, unless it is there.
slb_deb_root() {
	slb_deb_root_ready "$1" || slb_locked "deb-$1" slb_deb_root_locked "$1"
}
