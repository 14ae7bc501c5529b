#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Ask the compiler what this kernel offers, and write the answers as macros.
#
# usage: probe.sh OUTPUT PROBEDIR COMPILER FLAGS...
#
# One file a question, named as the macro it decides. A probe that compiles
# defines its macro. One that does not must fail for the reason it lists in
# its "expect:" line (an extended regular expression): any other failure
# (a missing header, a compiler that does not run) stops the build instead of
# silently choosing the wrong branch. control_yes must compile and control_no
# must not, or the compiler line itself is broken.
set -eu
# the reasons listed are in the compiler's own language
export LC_ALL=C

out=$1 dir=$2
shift 2
err=$(mktemp)
trap 'rm -f "$err" "$out.tmp" "$out.o"' EXIT

compiles() {
	"$@" 2>"$err"
}

printf '/* SPDX-License-Identifier: GPL-2.0 */\n/* Generated. */\n' >"$out.tmp"
for probe in "$dir"/*.c; do
	name=$(basename "$probe" .c)
	# a real file: ccache keeps no output to /dev/null
	if compiles "$@" -Werror -c -o "$out.o" "$probe"; then
		if [ "$name" = control_no ]; then
			echo "shadowlb: probe control_no compiled: the probes prove nothing" >&2
			exit 1
		fi
		[ "$name" = control_yes ] || echo "#define $name 1" >>"$out.tmp"
		continue
	fi
	expect=$(sed -n 's,^ \* expect: *\(.*[^ ]\) *$,\1,p' "$probe")
	if [ -z "$expect" ] || ! grep -Eq "$expect" "$err"; then
		echo "shadowlb: probe $name failed for a reason it does not list:" >&2
		cat "$err" >&2
		exit 1
	fi
	[ "$name" = control_no ] || echo "/* #undef $name */" >>"$out.tmp"
done
mv "$out.tmp" "$out"
