#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# One version everywhere: that of dkms.conf in the changelogs, the man pages and shadowlbctl. The
# kernels that the module may be built for are those that docs/kernels.md says were tested. make
# release sets SLB_RELEASE: then the changelogs have a date, too.

set -euo pipefail
. "$(dirname "$0")/../host/static.sh"
cd "$SLB_SRC"

rc=0
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
tested=$(sed -n 's/^KERNELS_TESTED="\(.*\)"/\1/p' dkms.conf)
if [ -n "${SLB_RELEASE:-}" ]; then
	date='20[0-9]{2}-[0-9]{2}-[0-9]{2}' suite='(unstable|experimental)'
else
	date='(not released|20[0-9-]{8})' suite='[A-Za-z]+'
fi

# expect FILE REGEX LINE: the first line of FILE that LINE matches is as REGEX says
expect() {
	local line

	line=$(grep -m 1 -E "$3" "$1" || :)
	[[ $line =~ ^$2 ]] || {
		printf "%s: '%s' where %s was expected\n" "$1" "$line" "$2"
		rc=1
	}
}

expect CHANGELOG.md "## $version \\($date\\)$" '^## '
expect debian/changelog "shadowlb \\($version\\) $suite; " '^[a-z]'
for page in docs/*.[78]; do
	expect "$page" ".TH [A-Z]+ [78] 20[0-9-]{8} \"shadowlb $version\" \"shadowlb\"" '^\.TH'
done
expect tool/slbctl/__init__.py "VERSION = \"$version\"" '^VERSION'
expect docs/kernels.md "The range in which shadowlb is tested is Linux $tested," '^The range'
exit $rc
