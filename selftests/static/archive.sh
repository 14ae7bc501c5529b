#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Kernels come from an archive as its apt resolves them: a dependency with a newer revision
# than the package that needs it, a kernel split into several packages. An archive that is
# incomplete or away gives one error, and leaves nothing in the cache. The archives are
# small ones, made here.

set -euo pipefail
. "$(dirname "$0")/../host/static.sh"
. "$slb_host/host.sh"
. "$SLB_SRC/selftests/host/apt.sh"
. "$slb_host/kernels.sh"

dir=$(mktemp -d "${TMPDIR:-/tmp}/slb-archive.XXXXXX")
trap 'rm -rf "$dir"' EXIT
SLB_CACHE=$dir/cache
SHADOWLB_SOURCES=$dir/sources
unset FRESH
mkdir "$SHADOWLB_SOURCES"
n=0
failed=0

# package NAME VERSION DEPENDS [FILE...]: a package of $dir/archive with these files; a
# module is an object file, all else is text.
package() {
	local tree=$dir/tree file

	rm -rf "$tree"
	mkdir -p "$tree/DEBIAN" "$dir/archive"
	printf '%s\n' "Package: $1" "Version: $2" 'Architecture: amd64' \
		'Maintainer: nobody <nobody@example.org>' "Description: $1" >"$tree/DEBIAN/control"
	[ -z "$3" ] || printf 'Depends: %s\n' "$3" >>"$tree/DEBIAN/control"
	for file in "${@:4}"; do
		mkdir -p "$tree/$(dirname "$file")"
		case $file in
		*.ko) gcc -c -x c -o "$tree/$file" - <<<'int slb_archive;' ;;
		*) echo "include /usr/src/$1" >"$tree/$file" ;;
		esac
	done
	dpkg-deb --root-owner-group -Znone -b "$tree" "$dir/archive" >/dev/null
}

# What an unsplit kernel of release $1 needs, but for its headers: image at version 1-1.
old_image() {
	package linux-image-amd64 1 "linux-image-$1"
	package "linux-image-$1" 1-1 initramfs "boot/vmlinuz-$1" \
		"lib/modules/$1/kernel/net/netfilter/kept.ko" "lib/modules/$1/kernel/sound/left.ko" \
		"lib/modules/$1/modules.order" "lib/modules/$1/modules.builtin"
	package initramfs 1 '' usr/bin/mkinitramfs etc/foreign
}

# headers RELEASE REVISION: headers at version 1-1, kbuild at 1-REVISION.
headers() {
	package linux-headers-amd64 1 "linux-headers-$1"
	package "linux-headers-$1" 1-1 "linux-headers-$1-common (= 1-1), linux-kbuild-$1 (>= 1-1)" \
		"usr/src/linux-headers-$1/Makefile"
	mkdir -p "$dir/tree/lib/modules/$1"
	ln -s "/usr/src/linux-headers-$1" "$dir/tree/lib/modules/$1/build"
	ln -s "/usr/src/linux-headers-$1-common" "$dir/tree/lib/modules/$1/source"
	dpkg-deb --root-owner-group -Znone -b "$dir/tree" "$dir/archive" >/dev/null
	package "linux-headers-$1-common" 1-1 '' "usr/src/linux-headers-$1-common/Makefile"
	package "linux-kbuild-$1" "1-$2" '' "usr/lib/linux-kbuild-$1/modpost"
}

split_image() {
	local modules=usr/lib/modules/$1

	package linux-image-amd64 1 "linux-image-$1"
	package "linux-image-$1" 1-1 "linux-binary-$1 (= 1-1), linux-modules-$1 (= 1-1)"
	package "linux-base-$1" 1-1 '' "$modules/modules.order" "$modules/modules.builtin"
	package "linux-binary-$1" 1-1 "linux-base-$1 (= 1-1)" "$modules/vmlinuz"
	package "linux-modules-$1" 1-1 "linux-base-$1 (= 1-1)" "$modules/kernel/net/netfilter/kept.ko"
}

# archive: $dir/archive becomes what the kernel 6.12 is fetched from.
archive() {
	(cd "$dir/archive" && apt-ftparchive packages . >Packages 2>/dev/null)
	echo "deb [trusted=yes] file:$dir/archive ./" >"$SHADOWLB_SOURCES/trixie.list"
	rm -rf "$SLB_CACHE"
}

result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		failed=1
		sed 's/^/# /' "$dir/out"
		(cd "$dir" && find cache) | sed 's/^/# /'
		echo "not ok $n - $2"
	fi
}

# fetched RELEASE IMAGE: the kernel is in the cache, all of it and nothing else.
fetched() {
	local root=$SLB_CACHE/kernels/6.12/root rc=0

	(slb_kernels_fetch 6.12) >"$dir/out" 2>&1 || rc=1
	[ "$(slb_kernel_release 6.12)" = "$1" ] || rc=1
	[ "$(slb_kernel_image 6.12)" = "$root/$2" ] || rc=1
	[ -e "$root/lib/modules/$1/kernel/net/netfilter/kept.ko" ] || rc=1
	[ -e "$(slb_kernel_kdir 6.12)/Makefile" ] || rc=1
	[ -e "$root/usr/lib/linux-kbuild-$1/modpost" ] || rc=1
	[ -e "$root/lib/modules/$1/build/Makefile" ] || rc=1
	[ ! -e "$root/etc" ] && [ ! -e "$root/lib/modules/$1/kernel/sound" ] || rc=1
	result $rc "$3"
}

# refused WORDS TEXT: one error that has the words, and no kernel or remains of one.
refused() {
	local rc=0

	! (slb_kernels_fetch 6.12) >"$dir/out" 2>&1 || rc=1
	grep -q "^error: .*$1" "$dir/out" || rc=1
	[ "$(grep -c '^error: ' "$dir/out")" = 1 ] || rc=1
	[ -z "$(find "$SLB_CACHE" -mindepth 1 -not -name '.*.lock' -not -name kernels)" ] || rc=1
	result $rc "$2"
}

old_image 9.1-amd64
headers 9.1-amd64 3
archive
fetched 9.1-amd64 boot/vmlinuz-9.1-amd64 'a dependency has a newer revision than the package that needs it'
rm "$dir"/archive/linux-kbuild-*
archive
refused 'no installable .*linux-headers-amd64' 'a dependency is missing'
rm -r "$dir/archive"
split_image 9.2-amd64
headers 9.2-amd64 1
archive
fetched 9.2-amd64 usr/lib/modules/9.2-amd64/vmlinuz 'the image is split into packages'
rm "$dir"/archive/linux-binary-*.deb
archive
echo 'Package: broken' >>"$dir/archive/Packages"
refused '' 'the image is missing'
rm -r "$dir/archive"
mkdir "$dir/archive"
archive
refused 'no installable' 'an empty archive'
echo "deb [trusted=yes] http://127.0.0.1:1/ ./" >"$SHADOWLB_SOURCES/trixie.list"
rm -rf "$SLB_CACHE"
refused 'no network, or the mirror lacks them' 'no mirror answers'
rm "$SHADOWLB_SOURCES/trixie.list"
refused 'a directory without trixie.list' 'no sources for this release'
echo "1..$n"
exit $failed
