# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the static checks share. Each is a script in selftests/static/ that runs
# on the host: it prints what it finds and exits 0 (clean), 1 or 4 (skipped).
# SLB_SRC names another tree to look at.

slb_host=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SLB_SRC=${SLB_SRC:-$(cd "$slb_host/../.." && pwd)}
export SLB_SRC

# slb_static_files PATTERN...: the project's files that match, one a line.
slb_static_files() {
	if git -C "$SLB_SRC" rev-parse --git-dir >/dev/null 2>&1; then
		git -C "$SLB_SRC" ls-files --cached --others --exclude-standard -- "$@"
	else
		(cd "$SLB_SRC" && find . -name .git -prune -o -type f -printf '%P\n') |
			while read -r file; do
				for pattern in "$@"; do
					# git's patterns match across directories, as these do
					# shellcheck disable=SC2254
					case $file in $pattern | $pattern/*) echo "$file" ;; esac
				done
			done
	fi | sort -u | while read -r file; do
		[ -f "$SLB_SRC/$file" ] && [ ! -L "$SLB_SRC/$file" ] && printf '%s\n' "$file"
	done
	return 0
}

# slb_static_sources: every C file of the module, its headers, its suites and the benchmark.
slb_static_sources() {
	slb_static_files 'module/*.[ch]' 'include/*.[ch]' 'kunit/*.[ch]' 'selftests/bench/*.[ch]'
}
