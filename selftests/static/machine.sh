#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make demo and make test say in one sentence why a machine will not do, and what to do
# about that, before they begin; and what they had begun is gone. The machines are this
# one, with programs in PATH that answer as those of another machine would.

set -euo pipefail
. "$(dirname "$0")/../host/static.sh"

dir=$(mktemp -d "${TMPDIR:-/tmp}/slb-machine.XXXXXX")
trap 'rm -rf "$dir"' EXIT
n=0
failed=0

# program NAME LINE...: a shell script of that name, found before all others.
program() {
	mkdir -p "$dir/bin"
	printf '%s\n' '#!/bin/sh' "${@:2}" >"$dir/bin/$1"
	chmod +x "$dir/bin/$1"
}

result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		failed=1
		sed 's/^/# /' "$dir/out"
		find "$dir/cache" | sed 's/^/# /'
		echo "not ok $n - $2"
	fi
}

# refused TEXT WORDS [VARIABLE=VALUE...]: "make demo" on that machine ends with one error
# that has the words; all that is left in its cache are locks and logs.
refused() {
	local rc=0

	rm -rf "$dir/cache"
	mkdir "$dir/cache"
	[ -e "$dir/bin/df" ] || program df 'echo Avail; echo 99999'
	! env -u SLB_INSIDE -u SLB_USE -u SLB_T0 -u SHADOWLB_MIRROR SHADOWLB_CACHE="$dir/cache" \
		SHADOWLB_SOURCES= PATH="$dir/bin:$PATH" "${@:3}" timeout 120 \
		bash "$SLB_SRC/selftests/demo.sh" </dev/null >"$dir/out" 2>&1 || rc=1
	[ "$(grep -c '^error: ' "$dir/out")" = 1 ] && grep -q "^error: .*$2" "$dir/out" || rc=1
	[ -z "$(find "$dir/cache" -type f -not -name '*.lock' -not -name '*.log')" ] || rc=1
	rm -rf "${dir:?}/bin"
	result $rc "$1"
}

program uname 'echo riscv64'
refused 'another architecture' 'this machine is riscv64'
program id 'echo 1000'
refused 'not root' 'run this as root'
refused 'a cache that cannot be written' 'set SHADOWLB_CACHE' SHADOWLB_CACHE=/proc/shadowlb
program unshare 'exit 1'
refused 'no mount namespaces' 'a privileged container'
program df 'echo Avail; echo 7'
refused 'no space' 'has 7 MB free of the 1500'
program apt-get 'exit 0'
refused 'another distribution' 'set SHADOWLB_MIRROR'
program mmdebstrap 'exit 127'
refused 'mmdebstrap fails' 'mmdebstrap failed' SHADOWLB_MIRROR=http://127.0.0.1:1/debian
refused 'no network' 'no network' SHADOWLB_MIRROR=http://127.0.0.1:1/debian

# A cache that another run has locked is waited for, and the message names the lock. With
# the lock free, mmdebstrap ends that run.
mkdir -p "$dir/cache"
: >"$dir/out"
exec {lock}>"$dir/cache/.root.lock"
flock "$lock"
program df 'echo Avail; echo 99999'
program mmdebstrap 'exit 1'
env -u SLB_INSIDE -u SLB_USE SHADOWLB_CACHE="$dir/cache" PATH="$dir/bin:$PATH" \
	SHADOWLB_MIRROR=http://127.0.0.1:1/debian \
	bash "$SLB_SRC/selftests/demo.sh" </dev/null >"$dir/out" 2>&1 {lock}>&- &
waiting="waiting for another run that prepares root (it holds $dir/cache/.root.lock"
until grep -qF "$waiting" "$dir/out" || ! kill -0 $! 2>/dev/null; do sleep 0.1; done
exec {lock}>&-
wait $! || :
grep -qF "$waiting" "$dir/out"
result $? 'a cache that another run has locked'

# A step that fails is a failure, however the result is asked for.
(
	set +e
	. "$SLB_SRC/selftests/host/host.sh"
	SLB_CACHE=$dir/cache
	broken() (set -e; false; touch "$dir/cache/complete")
	if slb_locked broken broken; then exit 1; fi
	slb_locked broken broken || [ ! -e "$dir/cache/complete" ]
) >"$dir/out" 2>&1
result $? 'a failed step of a preparation ends it'
echo "1..$n"
exit $failed
