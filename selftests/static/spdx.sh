#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every source, script and makefile names its licence in its first line, or in
# its second below an interpreter's.

set -euo pipefail
. "$(dirname "$0")/../host/static.sh"
cd "$SLB_SRC"

rc=0
while read -r file; do
	case $file in
	*.c | *.h | *.sh | *.py | *.config | *Kbuild* | *Makefile* | *.conf | *.yml) ;;
	*) head -c 2 "$file" | grep -q '#!' || continue ;;
	esac
	line=1
	head -c 2 "$file" | grep -q '#!' && line=2
	# A sourced script names its shell first, for shellcheck.
	head -1 "$file" | grep -q '^# shellcheck' && line=2
	if ! sed -n "${line}p" "$file" |
		grep -qE '^(// |/\* |# )SPDX-License-Identifier: GPL-2\.0( \*/)?$'; then
		echo "$file:$line: no SPDX-License-Identifier: GPL-2.0"
		rc=1
	fi
done < <(slb_static_files '*')
exit $rc
