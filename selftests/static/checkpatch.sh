#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own checkpatch.pl --strict finds nothing in any C file. Ignored:
#   FILE_PATH_CHANGES     speaks of the kernel's MAINTAINERS
#   UNNECESSARY_PARENTHESES  gcc asks for those in a != (b == c)
#   LINUX_VERSION_CODE    only in include/compat, which is there for that
#   in module/flow/trace.h     what it says of every tracepoint in the kernel, too
#   in module/flow/reason.[ch] what it says of every list of macros, as dropreason-core.h

set -euo pipefail
. "$(dirname "$0")/../host/static.sh"
. "$slb_host/host.sh"
. "$SLB_SRC/selftests/host/apt.sh"
. "$slb_host/kernels.sh"
. "$slb_host/uml.sh"
cd "$SLB_SRC"
scripts=$(slb_uml_scripts)
# In a git checkout it would leave a file of its own behind: it sees a copy.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mapfile -t all < <(slb_static_sources)
cp --parents "${all[@]}" "$copy"

run() {
	local ignore=$1

	shift
	[ $# -eq 0 ] || (cd "$copy" && perl "$scripts/checkpatch.pl" --strict --no-tree --terse \
		--no-summary --show-types --color=never --ignore "$ignore" -f "$@")
}

mapfile -t compat < <(slb_static_files 'include/compat/*.[ch]')
mapfile -t other < <(slb_static_sources | grep -vE '^(include/compat/|module/flow/(trace\.h|reason\.[ch])$)')
rc=0
run FILE_PATH_CHANGES,UNNECESSARY_PARENTHESES,LINUX_VERSION_CODE "${compat[@]}" || rc=1
run FILE_PATH_CHANGES,UNNECESSARY_PARENTHESES "${other[@]}" || rc=1
tracepoints=COMPLEX_MACRO,MULTISTATEMENT_MACRO_USE_DO_WHILE,MACRO_ARG_REUSE
tracepoints+=,PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE,TRAILING_SEMICOLON
run FILE_PATH_CHANGES,UNNECESSARY_PARENTHESES,$tracepoints module/flow/trace.h || rc=1
run FILE_PATH_CHANGES,COMPLEX_MACRO,MACRO_ARG_REUSE module/flow/reason.[ch] || rc=1
[ ${#other[@]} -gt 0 ] || { echo 'no sources found'; rc=1; }
exit $rc
