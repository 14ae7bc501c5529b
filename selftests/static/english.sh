#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Comments in C name things: see english.py for the words that it counts.

set -euo pipefail
. "$(dirname "$0")/../host/static.sh"
cd "$SLB_SRC"

mapfile -t files < <(slb_static_files 'module/*.[ch]' 'include/*.[ch]' 'kunit/*.[ch]')
/usr/bin/python3 -B selftests/static/english.py "${files[@]}"
