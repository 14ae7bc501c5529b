#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own kernel-doc has no complaint, and every function that another
# file can call is documented where it is defined.

set -euo pipefail
. "$(dirname "$0")/../host/static.sh"
. "$slb_host/host.sh"
. "$SLB_SRC/selftests/host/apt.sh"
. "$slb_host/kernels.sh"
. "$slb_host/uml.sh"
cd "$SLB_SRC"

scripts=$(slb_uml_scripts)
mapfile -t files < <(slb_static_files 'module/*.[ch]' 'include/*.h')
if [ ${#files[@]} -eq 0 ]; then
	echo 'no sources found'
	exit 1
fi
rc=0
# -none prints problems alone; in this version they do not change its exit code.
# A file without any comment of its kind is no problem of kernel-doc's.
found=$(perl "$scripts/kernel-doc" -none "${files[@]}" 2>&1 |
	grep -v 'no structured comments found' || [ $? -eq 1 ])
if [ -n "$found" ]; then
	printf '%s\n' "$found"
	rc=1
fi

# A function's definition starts in column 1 with its type, and its body's brace
# stands alone in column 1: the style checkpatch asks for.
# shellcheck disable=SC2016
undocumented='
	if (m{^/\*\*$}) { $doc = ""; $in = 1; next }
	if ($in) { $doc = $1 if $doc eq "" && /^ \* (\w+)\(\)/; $in = 0 if m{\*/}; next }
	if (/^[a-z][\w\s*]*?\b(\w+)\(/ && !/;\s*$/) { $name = $1; $head = $_; $line = $.; }
	if (/;\s*$/ && !/^\s/) { $name = "" }
	if (/^\{/ && $name ne "") {
		if ($head !~ /^static\b/ && $head !~ /\b__(init|exit)\b/ && $doc ne $name) {
			print "$ARGV:$line: $name() has no kernel-doc comment\n"; $bad = 1;
		}
		$name = ""; $doc = "";
	}
	close ARGV if eof;
	END { exit($bad ? 1 : 0) }'
mapfile -t sources < <(slb_static_files 'module/*.c')
perl -ne "$undocumented" "${sources[@]}" || rc=1
exit $rc
