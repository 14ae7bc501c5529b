#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# shadowlbctl: the table of reasons is that of the docs, the version that of dkms.conf, the man page
# has every command and option, completion works, the sources pass pyflakes, and the rules of
# alerts pass their tests.

set -euo pipefail
. "$(dirname "$0")/../host/static.sh"
cd "$SLB_SRC/tool"
export PYTHONDONTWRITEBYTECODE=1

rc=0
if ! ./make_reasons.py | diff slbctl/reasons.py -; then
	echo 'tool/slbctl/reasons.py: run tool/make_reasons.py >tool/slbctl/reasons.py'
	rc=1
fi
/usr/bin/python3 -m pyflakes shadowlbctl ./*.py slbctl || rc=1

completed=$(_ARGCOMPLETE=1 COMP_TYPE=9 COMP_LINE='shadowlbctl st' COMP_POINT=14 \
	./shadowlbctl 8>&1 9>&2 | tr '\013' ' ')
[ "${completed% }" = status ] || { echo "completion of st: '$completed'"; rc=1; }
promtool test rules prometheus/rules_test.yml || rc=1
normal=$(/usr/bin/python3 -c 'from slbctl import doctor; print("|".join(doctor.NORMAL))')
grep -qF "reason!~\"$normal\"" prometheus/shadowlb.rules.yml ||
	{ echo "tool/prometheus/shadowlb.rules.yml: the reasons without a cure are $normal"; rc=1; }

version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' ../dkms.conf)
[ "$(./shadowlbctl --version)" = "shadowlbctl $version" ] ||
	{ echo "tool/slbctl/__init__.py: VERSION is not $version, as in dkms.conf"; rc=1; }

words=$(/usr/bin/python3 - <<-'PYTHON'
	import argparse
	from slbctl import cli

	def words(parser):
	    for action in parser._actions:
	        yield from (option for option in action.option_strings if option.startswith("--"))
	        if isinstance(action, argparse._SubParsersAction):
	            for name, sub in action.choices.items():
	                yield name
	                yield from words(sub)

	print(*sorted(set(words(cli.parser())) - {"--help", "--version"}), sep="\n")
PYTHON
)
[ "$(wc -l <<<"$words")" -gt 20 ] || { echo 'shadowlbctl: no commands found'; exit 1; }
for word in $words; do
	grep -qE "^\.(B|BR|BI).*\b${word//-/\\\\-}\b|^\.(B|BR|BI) .*${word//-/\\\\-}" ../docs/shadowlbctl.8 ||
		{ echo "docs/shadowlbctl.8: $word is missing"; rc=1; }
done
exit $rc
