#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Comments in C and documents name things: see english.py for the words that are counted.

set -euo pipefail
. "$(dirname "$0")/../host/static.sh"
cd "$SLB_SRC"

mapfile -t files < <(slb_static_files 'module/*.[ch]' 'include/*.[ch]' 'kunit/*.[ch]' \
	README.md CONTRIBUTING.md CHANGELOG.md 'docs/*.md' docs/shadowlb.7 docs/shadowlbctl.8)
/usr/bin/python3 -B selftests/static/english.py "${files[@]}"
