#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-also: all
# slb-timeout: 1800
#
# DKMS of Debian 12 and 13, each in a root of its release, without booting: installation, new
# kernels by apt, a new version of the module, kernels that BUILD_EXCLUSIVE excludes, removal.
#
#   root = overlay of $SLB_CACHE/dkms/RELEASE-HASH (read-only) and a tmpfs, in namespaces of its own;
#   what compilers made is kept in $SLB_CACHE/dkms/RELEASE.ccache
#
# apt and dpkg run the hooks of the real header packages. Excluded kernels come as packages of
# headers made here, with the postinst of a real one; their Makefile "builds" by copying.

set -u
. "$(dirname "$0")/../host/static.sh"
. "$slb_host/debian-test.sh"

RELEASES=${SLB_DKMS_RELEASES:-bookworm trixie}
slb_debian_begin dkms "$@"

modules='shadowlb ip_vs_shadow'
options=$(sed -n 's/^BUILD_EXCLUSIVE_CONFIG="\(.*\)"/\1/p' "$SLB_SRC/dkms.conf")

# mount_root: sets root, and old and new: the releases of the two kernels
mount_root() {
	local deb

	slb_debian_mount dkms "$release" || return 1
	old=$(basename "$(dirname "$(echo "$root"/lib/modules/*/build)")")
	deb=$(echo "$root"/var/cache/apt/archives/linux-headers-[0-9]*-amd64_*.deb)
	new=$(dpkg-deb -f "$deb" Package)
	new=${new#linux-headers-}
}

# dkms_install VERSION KERNEL [VARIABLE=VALUE]
dkms_install() {
	in_root make -C "/root/$1" dkms-install "KDIR=/lib/modules/$2/build" "${@:3}" || {
		cat "$root/var/lib/dkms/shadowlb/$1/build/make.log"
		return 1
	}
}

dkms_remove() {
	in_root make -C "/root/$1" dkms-remove
}

# status LINE...: dkms status says this and no more, LINE being "VERSION KERNEL STATE"
status() {
	local v k s

	printf '%s\n' "$@" | while read -r v k s; do
		echo "shadowlb/$v, $k, x86_64: $s"
	done | sort >"$dir/wanted"
	in_root dkms status >"$dir/status" 2>/dev/null
	sort "$dir/status" | diff "$dir/wanted" -
}

# refused WORDS VERSION KERNEL: make dkms-install fails with such an error
refused() {
	! in_root make -C "/root/$2" dkms-install "KDIR=/lib/modules/$3/build" >"$dir/make" 2>&1 ||
		return 1
	cat "$dir/make"
	grep -q "^error: .*$1" "$dir/make"
}

# field KERNEL MODULE NAME: what modinfo finds by way of depmod's index
field() {
	in_root modinfo -k "$1" -F "$3" "$2"
}

# module KERNEL VERSION: depmod knows modules of dkms that were built for the kernel
module() {
	local m file magic

	for m in $modules; do
		file=$(field "$1" $m filename)
		magic=$(field "$1" $m vermagic)
		echo "$file $magic $(field "$1" $m version)"
		[[ $file == /lib/modules/$1/updates/dkms/$m.ko* ]] && [ "${magic%% *}" = "$1" ] &&
			[ "$(field "$1" $m version)" = "$2" ] || return 1
	done
}

no_module() {
	local m

	for m in $modules; do
		! in_root modprobe -S "$1" -R $m || return 1
	done
}

# installs COMMAND...: it succeeds, and no package is left half installed
installs() {
	in_root "$@" >"$dir/apt" 2>&1 || {
		echo "exit code $?"
		cat "$dir/apt" "$root"/var/lib/dkms/shadowlb/*/build/make.log
		return 1
	}
	[ -z "$(in_root dpkg --audit)" ] || {
		in_root dpkg --audit
		return 1
	}
}

# skipped COMMAND...: it installs, and says that dkms skips the module
skipped() {
	installs "$@" || return 1
	cat "$dir/apt"
	grep -qE 'shadowlb/[0-9.]*: skipped for kernel|skipped for module\(s\) shadowlb' "$dir/apt"
}

# dkms 3.2 requires modules.dep, which the image package would bring.
new_headers() {
	mkdir -p "$root/lib/modules/$new"
	touch "$root/lib/modules/$new/modules.dep"
	installs sh -c 'apt-get -q -y --no-download --no-install-recommends install \
		/var/cache/apt/archives/*.deb'
}

# headers RELEASE [-OPTION|+OPTION]...: makes /root/RELEASE.deb, the headers of such a kernel,
# configured without or with these options
headers() {
	local pkg=$dir/pkg kdir=$dir/pkg/usr/src/linux-headers-$1 o

	rm -rf "$pkg"
	mkdir -p "$pkg/DEBIAN" "$pkg/usr/lib/modules/$1" "$kdir/include/generated"
	printf 'Package: linux-headers-%s\nVersion: 1\nArchitecture: amd64\nMaintainer: none\n' \
		"$1" >"$pkg/DEBIAN/control"
	echo 'Description: headers of a kernel for a test' >>"$pkg/DEBIAN/control"
	sed "s/$old/$1/g" "$root/var/lib/dpkg/info/linux-headers-$old.postinst" \
		>"$pkg/DEBIAN/postinst"
	chmod 755 "$pkg/DEBIAN/postinst"
	ln -s "/usr/src/linux-headers-$1" "$pkg/usr/lib/modules/$1/build"
	printf '#define UTS_RELEASE "%s"\n' "$1" >"$kdir/include/generated/utsrelease.h"
	printf 'modules:\n\tcp /root/*.ko $(M)\n' >"$kdir/Makefile"
	for o in $options; do
		[[ " $* " == *" -$o "* ]] || echo "$o=y"
	done >"$kdir/.config"
	for o in "${@:2}"; do
		[[ $o == -* ]] || echo "${o#+}=y"
	done >>"$kdir/.config"
	dpkg-deb --root-owner-group -b "$pkg" "$root/root/$1.deb"
}

# Two outside of the tested range, one that lacks an option, and two with PREEMPT_RT
make_headers() {
	headers 7.4.0-amd64 && headers 9.9.9-amd64 &&
		headers 6.12.0-few-amd64 -CONFIG_IP_VS &&
		headers 7.2.0-rt-amd64 +CONFIG_PREEMPT_RT &&
		headers 6.12.0-rt-amd64 +CONFIG_PREEMPT_RT
}

# names: every path of dkms and of the module. dkms makes its signing key once a machine.
names() {
	(cd "$root" && find usr/src var/lib/dkms etc/dkms lib/modules/ |
		grep -E '^var/lib/dkms|shadowlb|/updates' | grep -v '^var/lib/dkms/mok\.' | sort)
}

nothing_left() {
	names >"$dir/after"
	diff "$dir/before" "$dir/after" && ! grep -rE 'shadowlb|ip_vs_shadow' "$root/lib/modules/"
}

# What a made kernel "builds": copies of the modules that dkms built for the old kernel.
keep_modules() {
	local m ko

	for m in $modules; do
		ko=$(field "$old" $m filename)
		case $ko in
		*.xz) xz -dc "$root$ko" >"$root/root/$m.ko" ;;
		*) cp "$root$ko" "$root/root/$m.ko" ;;
		esac
	done
}

# made_has KERNEL VERSION: the modules in the directory of a made kernel are of that version
made_has() {
	local m ko

	for m in $modules; do
		ko=$(cd "$root" && find "usr/lib/modules/$1/updates" -name "$m.ko*")
		[ "$(in_root modinfo -F version "/$ko")" = "$2" ] || return 1
	done
}

# set_version VERSION: of the copies, in the section where modinfo reads it. Two versions have
# the same length, or nothing would be where the section headers say.
set_version() {
	sed -i "s/version=[0-9.]*\x00/version=$1\x00/" "$root"/root/*.ko
}

# upgrade KERNEL: installs the next version for a made kernel
upgrade() {
	set_version "$next" && dkms_install "$next" "$1"
}

test_release() {
	check 'a root' mount_root || return
	echo "# dkms $(in_root dpkg-query -f '${Version}' -W dkms), kernels $old and $new"
	slb_debian_copy "$version"
	slb_debian_copy "$next"
	check 'headers of made kernels' make_headers

	check 'no module before' no_module "$old"
	names >"$dir/before"
	check "make dkms-install for $old" dkms_install "$version" "$old"
	check 'dkms says installed' status "$version $old installed"
	check "depmod knows a module for $old" module "$old" "$version"
	check 'a second dkms-install is refused' refused 'make dkms-remove first' "$version" "$old"
	keep_modules

	check "apt installs the headers of $new" new_headers
	check "dkms built for $new by itself" \
		status "$version $old installed" "$version $new installed"
	check "depmod knows a module for $new" module "$new" "$version"

	check 'dpkg installs the headers of 7.4.0, dkms skips it' skipped dpkg -i /root/7.4.0-amd64.deb
	check 'dpkg installs the headers of a 6.12.0 without CONFIG_IP_VS, dkms skips it' \
		skipped dpkg -i /root/6.12.0-few-amd64.deb
	check 'dpkg installs the headers of a 7.2.0 with PREEMPT_RT alone, dkms skips it' \
		skipped dpkg -i /root/7.2.0-rt-amd64.deb
	check 'none of them has a module' \
		status "$version $old installed" "$version $new installed"
	check 'dpkg installs the headers of a 6.12.0 with PREEMPT_RT' \
		installs dpkg -i /root/6.12.0-rt-amd64.deb
	check 'dkms built for it' status "$version $old installed" "$version $new installed" \
		"$version 6.12.0-rt-amd64 installed"
	check 'make dkms-install for 7.4.0 is refused' \
		refused 'is 7.4.0-amd64: ANY_KERNEL=1' "$next" 7.4.0-amd64

	check "make dkms-install of $next for a 6.12.0 with PREEMPT_RT" \
		upgrade 6.12.0-rt-amd64
	check "dkms uses $next for it" status \
		"$version $old installed" "$version $new installed" \
		"$version 6.12.0-rt-amd64 built" "$next 6.12.0-rt-amd64 installed"
	check "the module is of $next" made_has 6.12.0-rt-amd64 "$next"
	check "make dkms-remove of $version" dkms_remove "$version"
	check "$next stays" status "$next 6.12.0-rt-amd64 installed"
	check "the module is of $next" made_has 6.12.0-rt-amd64 "$next"
	check "and $old has no module" no_module "$old"
	check "and $new has no module" no_module "$new"
	check 'make dkms-remove' dkms_remove "$next"
	check 'no module after' no_module 6.12.0-rt-amd64
	set_version "$version"

	check 'make dkms-install ANY_KERNEL=1 for 7.4.0' \
		dkms_install "$version" 7.4.0-amd64 ANY_KERNEL=1
	check 'dpkg installs the headers of 9.9.9' installs dpkg -i /root/9.9.9-amd64.deb
	check 'dkms built for both' \
		status "$version 7.4.0-amd64 installed" "$version 9.9.9-amd64 installed"
	check 'make dkms-remove' dkms_remove "$version"

	check 'dpkg removes the headers of made kernels' \
		installs dpkg -P linux-headers-{7.4.0,9.9.9,6.12.0-few,7.2.0-rt,6.12.0-rt}-amd64
	check 'nothing is left behind' nothing_left
}

for release in $RELEASES; do
	SECONDS=0
	test_release
	echo "# $release took $SECONDS s"
done
slb_debian_end
