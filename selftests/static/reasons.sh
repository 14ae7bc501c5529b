#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Man page and docs know the reasons and counters of module/flow/reason.h: no more, no
# fewer, and in the same words.

set -euo pipefail
. "$(dirname "$0")/../host/static.sh"
cd "$SLB_SRC"

rc=0
# A line "NAME<tab>TEXT" for each entry of the list.
# shellcheck disable=SC2016
list=$(perl -ne '
	%prefix = (EVENT => "", MISS => "miss_", TEACH => "miss_", SKIP => "skip_", XDP => "xdp_");
	print "$prefix{$1}$2\t$3\n" if /^\t(\w+)\(\w+, (\w+), "([^"]+)"\)/;
	' module/flow/reason.h)
[ "$(wc -l <<<"$list")" -gt 40 ] || { echo 'module/flow/reason.h: no list found'; exit 1; }

# shellcheck disable=SC2016
manual=$(perl -ne '
	$in = 1 if m{^\.I /proc/net/stat/shadowlb}; $in = 0 if m{^\.RE};
	if ($in && $name) { s/\.?\n//; print "$name\t$_\n"; $name = ""; next }
	$name = $1 if $in && $tp && /^\.B (\w+)$/;
	$tp = /^\.TP$/;
	' docs/shadowlb.7)
if ! diff <(sort <<<"$list") <(sort <<<"$manual"); then
	echo 'docs/shadowlb.7 (>) differs from module/flow/reason.h (<)'
	rc=1
fi

while read -r name; do
	if ! grep -q "^|.*\`$name\`.*|" docs/xdp.md; then
		echo "docs/xdp.md: $name is not in the table"
		rc=1
	fi
done < <(cut -f1 <<<"$list" | grep '^xdp_' | grep -v '^xdp_hits$')

while read -r name; do
	if ! grep -q "^| \`$name\` |" docs/troubleshoot.md; then
		echo "docs/troubleshoot.md: $name has no row"
		rc=1
	fi
done < <(cut -f1 <<<"$list" | grep -E '^(miss|skip)_')

while IFS=: read -r file name; do
	if ! grep -q "^$name	" <<<"$list"; then
		echo "$file: there is no counter $name"
		rc=1
	fi
done < <(slb_static_files 'docs/*.md' README.md 'selftests/tests/*' 'selftests/lib/*' |
	xargs grep -oHw -E '(miss|skip)_[a-z0-9]+' /dev/null | sort -u)
exit $rc
