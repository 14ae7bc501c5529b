#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The promises of the tree to a reader: few names at the top, short functions, names that say
# whose they are, and folders that include in one direction.

set -euo pipefail
. "$(dirname "$0")/../host/static.sh"
cd "$SLB_SRC"

rc=0
complain() {
	printf '%s\n' "$*"
	rc=1
}

# The top level.
allowed=' .ci .editorconfig .gitignore Kbuild Makefile README.md COPYING CHANGELOG.md MAINTAINERS CONTRIBUTING.md'
allowed+=' module include bpf kunit selftests dkms.conf debian docs tool '
while read -r entry; do
	[[ $allowed == *" $entry "* ]] || complain "$entry: not a name for the top level"
done < <(slb_static_files '*' | cut -d/ -f1 | sort -u)

# At most 60 lines a function: its body's braces stand in column 1.
# shellcheck disable=SC2016
lines='
	if (/^\{/) { $begin = $. } elsif (/^\}/ && $begin) {
		$n = $. - $begin - 1;
		if ($n > 60) { print "$ARGV:$begin: a function of $n lines, more than 60\n"; $bad = 1; }
		$begin = 0;
	}
	close ARGV if eof;
	END { exit($bad ? 1 : 0) }'
mapfile -t files < <(slb_static_files 'module/*.[ch]' 'include/*.h' 'kunit/*.[ch]')
perl -ne "$lines" "${files[@]}" || rc=1

# Kernels differ in include/compat alone.
while read -r file; do
	if found=$(grep -nE '^[[:space:]]*#[[:space:]]*(if|ifdef|ifndef|elif|else)\b' "$file"); then
		complain "$file: conditional compilation belongs into include/compat:" "$found"
	fi
done < <(slb_static_files 'module/*.c')

# Whose a function is stands in its name: slb_STEM_ of its file, or the name of a structure that
# the file or its header defines. conntrack, nf and xdp have the kernel's short names. A
# definition starts in column 1; a name in capitals is a macro of the kernel's.
# shellcheck disable=SC2016
names='
	BEGIN {
		%stem = (conntrack => "ct", hook_nf => "nf", hook_xdp => "xdp", hook_xdp_none => "xdp");
		local $/;
		for (@ARGV) {
			open my $f, "<", $_ or die; my $text = <$f>; (my $unit = $_) =~ s/\.[ch]$//;
			$types{$unit} .= " $1 " while $text =~ /^(?:struct|union|enum) (slb_\w+) \{/mg;
		}
	}
	if ($. == 1) { ($unit = $ARGV) =~ s/\.[ch]$//; ($stem = $unit) =~ s{.*/}{}; $stem = $stem{$stem} // $stem; }
	if (/^(?:static\s+)?(?:const\s+)?(?:struct|union|enum)\s+(\w+)\s*\{/ && $1 !~ /^slb_/) {
		print "$ARGV:$.: $1 does not start with slb_\n"; $bad = 1;
	}
	if (/^(?:[a-z]|\s*\*?slb_\w+\()[\w\s*]*?\b(\w+)\(/ && !/^(?:return|if|for|while|switch|else|module_\w+)\b/ && !/^\s+\w+\(.*;/) {
		($n, $at) = ($1, $.); $mine = $n =~ /^slb_\Q$stem\E(?:_|$)/ || $n =~ /^[A-Z0-9_]+$/ ||
			grep { $n =~ /^\Q$_\E(?:_|$)/ } split " ", $types{$unit} // "";
	}
	if (/^\{/ && $n) {
		if (!$mine) { print "$ARGV:$at: $n() starts with neither slb_${stem}_ nor a structure of this file\n"; $bad = 1; }
		$n = "";
	}
	$n = "" if /;\s*$/;
	close ARGV if eof;
	END { exit($bad ? 1 : 0) }'
mapfile -t files < <(slb_static_files 'module/*.[ch]')
if [ ${#files[@]} -eq 0 ]; then
	complain 'no sources found'
else
	perl -ne "$names" "${files[@]}" || rc=1
fi

# Folders of module/ in the order of docs/architecture.md: each includes itself and those before it.
folders='flow sched ipvs state learn serve show control'
rank() { # FOLDER: its place in that order
	local n=0 folder

	for folder in $folders; do
		n=$((n + 1))
		[ "$folder" != "$1" ] || { echo $n; return; }
	done
	[ "$1" = . ] && echo 99 || echo 0
}
edges=
while IFS=: read -r file line; do
	folder=$(basename "$(dirname "$file")")
	[ "$folder" != module ] || folder=.
	header=${line#*\"}
	header=${header%\"*}
	[ -f "module/$header" ] || { complain "$file: \"$header\" is not a path below module/"; continue; }
	[ "$(rank "$folder")" -gt 0 ] || complain "$file: not a folder of module/"
	[ "$(rank "$folder")" -ge "$(rank "${header%/*}")" ] ||
		complain "$file: $folder/ must not include $header"
	file=${file#module/}
	[ "${file%.*}" = "${header%.*}" ] || edges+="${file%.*} ${header%.*}"$'\n'
done < <(slb_static_files 'module/*.[ch]' | xargs grep -H '^#include "')
[ -n "$edges" ] || complain 'no includes found'
if ! found=$(tsort <<<"$edges" 2>&1 >/dev/null) || [ -n "$found" ]; then
	complain 'module/: these include each other:' "$found"
fi

# flow/ knows packets' bytes and flows, nothing of IPVS, netfilter or XDP.
while read -r file; do
	if found=$(grep -nE '#include.*(ip_vs|netfilter|bpf|xdp)' "$file"); then
		complain "$file: must know nothing of IPVS, netfilter or XDP:" "$found"
	fi
done < <(slb_static_files 'module/flow/*.[ch]')

# A helper of tests has a name of its own.
twice=$(slb_static_files 'selftests/tests/*.sh' 'selftests/lib/*.sh' |
	xargs grep -hoE '^[a-z][a-z0-9_]*\(\)' | sort | uniq -d)
[ -z "$twice" ] || complain 'selftests/: functions defined twice:' $twice

# Links between documents lead somewhere.
while IFS=: read -r file link; do
	link=${link#*(}
	[ -e "$(dirname "$file")/${link%%[#)]*}" ] || complain "$file: $link leads nowhere"
done < <(slb_static_files '*.md' | xargs grep -HoE '\]\([^):#]+[#)]')
exit $rc
