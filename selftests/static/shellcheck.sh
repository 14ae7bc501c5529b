#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# No script makes shellcheck speak from severity "warning" upward. Left out are
# the two that see one file at a time, where ours share variables across files:
#   SC2034 appears unused, SC2154 referenced but not assigned

set -euo pipefail
. "$(dirname "$0")/../host/static.sh"
cd "$SLB_SRC"

if ! command -v shellcheck >/dev/null; then
	echo 'shellcheck is missing: apt-get install shellcheck'
	exit 4
fi
scripts=()
while read -r file; do
	case $file in
	*.sh) scripts+=("$file") ;;
	*) ! head -1 "$file" | grep -qE '^#!.*\b(ba)?sh\b' || scripts+=("$file") ;;
	esac
done < <(slb_static_files '*')
shellcheck --severity=warning --exclude=SC2034,SC2154 "${scripts[@]}"
