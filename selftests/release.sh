#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make release: what must hold before a version is published, the quick things first, and the
# archive of its sources: shadowlb-VERSION.tar.xz and its checksum in release/.
#
#   CHECKS="version archive"   only these (default: tree version archive test fresh)

set -euo pipefail
cd "$(dirname "$0")/.."
. selftests/host/host.sh

CHECKS=${CHECKS:-tree version archive test fresh}
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
name=shadowlb-$version
out=release/$name.tar.xz

# All that is published is committed, and nobody published it before.
release_tree() {
	[ -z "$(git status --porcelain)" ] ||
		slb_die 'the tree has changes that are not committed: git status'
	! git rev-parse -q --verify "refs/tags/v$version" >/dev/null ||
		slb_die "the tag v$version is there: dkms.conf needs a new version"
}

release_version() {
	SLB_RELEASE=1 bash selftests/static/release.sh ||
		slb_die "the files above do not agree that $version is released"
}

# The archive depends on the commit alone. It holds what the commit holds, and builds.
release_archive() {
	mkdir -p release
	git -c core.abbrev=40 archive --format=tar --prefix="$name/" HEAD | xz -9 -T 1 >"$out"
	(cd release && sha256sum "$name.tar.xz" >"$name.tar.xz.sha256")
	dir=$(mktemp -d)
	trap 'rm -rf --one-file-system "$dir"' EXIT
	tar -C "$dir" -xf "$out"
	diff <(cd "$dir/$name" && find . -type f -printf '%P\n' | sort) \
		<(git ls-tree -r --name-only HEAD | sort) ||
		slb_die "$out lacks files of the commit, or has others"
	make -s -C "$dir/$name" test TESTS='build spdx layout'
}

release_test() { make -s test-all; }
release_fresh() { make -s test-fresh; }

for check in $CHECKS; do
	case $check in
	tree | version | archive | test | fresh) ;;
	*) slb_die "no check is called $check; there are: tree version archive test fresh" ;;
	esac
done
for check in $CHECKS; do
	slb_msg "release: $check"
	"release_$check"
done
[[ " $CHECKS " != *' archive '* ]] || cat "$out.sha256"
[[ " $CHECKS " == *' tree '*version*archive*test*fresh* ]] || exit 0
echo "to publish: git tag -s v$version, and release/"
