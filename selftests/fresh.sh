#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make test-fresh: both commands of the README on machines that have nothing: a minimal
# root of Debian 12 and one of Debian 13, in which README's first line is run, the
# repository cloned, and "make demo" and "make test" started with an empty cache. Says how
# long each took. An hour or more; not part of make test.
#
#   RELEASES=trixie       only this one (default: bookworm trixie)
#   COMMANDS="make demo"  only this, one command a line

set -euo pipefail
cd "$(dirname "$0")/.."
. selftests/host/host.sh
. selftests/host/apt.sh
. selftests/host/root.sh
slb_enter 'demo test' "$0" "$@"

RELEASES=${RELEASES:-bookworm trixie}
COMMANDS=${COMMANDS:-$'make demo\nmake test'}
work=$(mktemp -d "$SLB_CACHE/fresh.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rc=0

# What README says to install, its first command.
first=$(sed -n 's/^    \(apt-get install .*\)/\1/p;' README.md | head -n 1)
[ -n "$first" ] || slb_die 'README.md has no "apt-get install" line'

# fresh_root RELEASE: a minimal root of it, in $work.
fresh_root() {
	slb_sources "$1" >"$work/$1.list"
	mmdebstrap --quiet --variant=minbase --include=debian-archive-keyring \
		"$1" "$work/$1" "$work/$1.list" >"$work/$1.log" 2>&1 || {
		tail -n 5 "$work/$1.log" >&2
		slb_die "mmdebstrap failed for $1"
	}
}

# fresh_run RELEASE COMMAND: run a shell command there, with nothing of this machine but
# its network and a view of the repository.
fresh_run() {
	unshare --mount env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C.UTF-8 \
		sh selftests/host/in-root.sh "$work/$1" / "$work/repository" -- \
		bash -euo pipefail -c "$2" </dev/null
}

# timed RELEASE COMMAND: run it, and keep its time and its last line.
timed() {
	local start=$SECONDS log=$work/log verdict=passed

	slb_msg "$1: $2"
	fresh_run "$1" "$2" 2>&1 | tee "$log" | sed -u 's/^/    /' || { verdict=FAILED; rc=1; }
	printf '%-10s %-40s %-7s %2d min %02d s  %s\n' "$1" "$2" $verdict \
		$(((SECONDS - start) / 60)) $(((SECONDS - start) % 60)) "$(tail -n 1 "$log")" \
		>>"$work/times"
}

git clone -q --no-hardlinks . "$work/repository"
for release in $RELEASES; do
	slb_msg "$release: a minimal root"
	fresh_root "$release"
	timed "$release" "apt-get -q update && ${first/install/install -q -y}"
	timed "$release" "git clone -q $work/repository /root/shadowlb"
	while IFS= read -r command; do
		timed "$release" "cd /root/shadowlb && $command"
	done <<<"$COMMANDS"
	rm -rf --one-file-system "${work:?}/$release"
done
echo
cat "$work/times"
exit $rc
