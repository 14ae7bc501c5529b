#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# sparse finds nothing in the module's sources, byte order included. It has its
# own opinion of the kernel's headers: only lines that name our files count, and
# not column 1 of trace.h, which stands for what TRACE_EVENT() makes of a __be32.

set -euo pipefail
. "$(dirname "$0")/../host/static.sh"
. "$slb_host/host.sh"
. "$SLB_SRC/selftests/host/apt.sh"
. "$slb_host/kernels.sh"
. "$slb_host/build.sh"
cd "$SLB_SRC"

if ! command -v sparse >/dev/null; then
	echo 'sparse is missing: apt-get install sparse'
	exit 4
fi
slb_kernels_fetch 6.1
# in the directory of this run, whose path is always the same, for ccache
dir=$SLB_WORK/sparse
mkdir -p "$dir"
trap 'rm -rf "${dir:?}"' EXIT
SLB_TOP=$SLB_SRC slb_copy_source "$dir/src"
# __has_include is unknown to it, and 6.1 has none of the newer headers.
if ! make -C "$dir/src" KDIR="$(slb_kernel_kdir 6.1)" C=2 CHECK=sparse \
	CF="-D__CHECK_ENDIAN__ '-D__has_include(header)=0'" all >"$dir/log" 2>&1; then
	tail -n 40 "$dir/log"
	exit 1
fi
# Silence must mean that it looked.
if ! grep -q '^ *CHECK .*/module/' "$dir/log"; then
	echo 'sparse was not run'
	exit 1
fi
! sed -n "s|^$dir/src/||p" "$dir/log" | sed 's|/\./|/|' |
	grep -E '^(module|include)/[^ ]*: (warning|error):' |
	grep -vE '^module/flow/trace\.h:[0-9]+:1: warning: (cast to restricted|restricted .* degrades)'
