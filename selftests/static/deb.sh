#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-also: all
# slb-timeout: 1800
#
# The Debian packages, on Debian 12 and 13, each in roots of its release, without booting: make deb,
# lintian, installation on a machine with dkms and kernel headers, a new version, the test of DKMS
# by autopkgtest, removal.
#
#   $SLB_CACHE/deb/RELEASE-HASH     a root to build in (read-only), below an overlay
#   the packages are installed in the roots of dkms.sh

set -u
. "$(dirname "$0")/../host/static.sh"
. "$slb_host/debian-test.sh"

RELEASES=${SLB_DKMS_RELEASES:-bookworm trixie}
slb_debian_begin 'deb dkms' "$@"

# linted VERSION: without an error or a warning
linted() { in_root sh -c "lintian --allow-root --fail-on error,warning /root/$1/deb/*.changes"; }

# module VERSION: modprobe would load the modules of that version
module() {
	local m kernel

	kernel=$(basename "$(dirname "$(echo "$root"/lib/modules/*/build)")")
	for m in shadowlb ip_vs_shadow; do
		in_root modinfo -k "$kernel" -F filename $m
		[ "$(in_root modinfo -k "$kernel" -F version $m)" = "$1" ] || return 1
	done
}

# files VERSION: what the packages should bring besides
files() {
	[ -s "$root/usr/lib/bpf/shadowlb_xdp.o" ] && [ -s "$root/usr/share/man/man7/shadowlb.7.gz" ] &&
		[ -s "$root/usr/share/man/man8/shadowlbctl.8.gz" ] &&
		grep -q '^## Undo' "$root/usr/share/doc/shadowlb/README.md" &&
		[ -s "$root/usr/share/doc/shadowlb/docs/troubleshoot.md" ] &&
		[ -s "$root/usr/share/doc/shadowlb/docs/edge/keepalived.conf" ] &&
		[ -s "$root/usr/lib/systemd/system/shadowlb-xdp@.service" ] &&
		[ "$(in_root shadowlbctl --version)" = "shadowlbctl $1" ] &&
		in_root shadowlbctl status 2>&1 | grep -q 'not loaded: modprobe' &&
		[ "$(find "$root/usr/src" -maxdepth 1 -name 'shadowlb-*' | wc -l)" = 1 ]
}

# archive: the packages in /root/debs as an archive that apt knows
archive() {
	local deb list=/etc/apt/sources.list.d/local.list

	cp -r "$root/root/debs" "$root/srv/debs"
	chmod -R a+rX "$root/srv/debs"
	for deb in "$root"/srv/debs/*.deb; do
		dpkg-deb -f "$deb"
		printf 'Filename: ./%s\nSize: %d\nSHA256: %s\n\n' "${deb##*/}" "$(stat -c %s "$deb")" \
			"$(sha256sum "$deb" | cut -d ' ' -f 1)"
	done >"$root/srv/debs/Packages"
	echo 'deb [trusted=yes] file:/srv/debs ./' >"$root$list"
	in_root apt-get -q -o Dir::Etc::SourceList=$list -o Dir::Etc::SourceParts=- \
		-o APT::Get::List-Cleanup=0 update
}

# autopkgtest: the first test of debian/tests/control
autopkgtest() {
	archive || return 1
	in_root /usr/lib/dkms/dkms-autopkgtest shadowlb-dkms | tee "$dir/said"
	[ "${PIPESTATUS[0]}" = 0 ] && grep -q 'I: PASS ' "$dir/said"
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
	if ! slb_debian_mount deb "build-$release"; then
		echo "no overlay of the root of $release"
		exit 1
	fi
	rm -rf "$dir/debs"
	check 'the changelog names the version of dkms.conf' \
		grep -q "^shadowlb ($version) " "$SLB_SRC/debian/changelog"
	check 'make deb' slb_debian_make "$version"
	check 'lintian' linted "$version"
	check 'make deb, a later version' slb_debian_make "$next"
	slb_debian_mount dkms "install-$release" || exit 1
	check 'installation' slb_debian_install "$version"
	check 'installation: modules' module "$version"
	check 'installation: program for XDP, shadowlbctl, man pages, sources' files "$version"
	check 'upgrade' slb_debian_install "$next"
	check 'upgrade: modules' module "$next"
	check 'upgrade: program for XDP, shadowlbctl, man pages, sources' files "$next"
	check 'the test of dkms' autopkgtest
	check 'purge' gone
done
slb_debian_end
