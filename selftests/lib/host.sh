# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What every host-side script needs: messages, the cache directory, a lock, and
# the tools. Sourced, never run. Nothing here touches a kernel.

# shellcheck disable=SC2034
SLB_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SLB_CACHE=${SHADOWLB_CACHE:-$HOME/.cache/shadowlb}

# program|package: the program is what the harness runs, the package brings it.
# A path with a slash is a file that must exist.
SLB_TOOLS="
gcc|build-essential
gcc-12|gcc-12
make|build-essential
bc|bc
flex|flex
bison|bison
/usr/include/gelf.h|libelf-dev
pahole|pahole
clang|clang
/usr/include/bpf/bpf_helpers.h|libbpf-dev
xdp-loader|xdp-tools
sparse|sparse
shellcheck|shellcheck
perl|perl
cpio|cpio
xz|xz-utils
rsync|rsync
file|file
git|git
python3|python3
/usr/lib/python3/dist-packages/scapy/all.py|python3-scapy
modprobe|kmod
dkms|dkms
qemu-system-x86_64|qemu-system-x86
setpriv|util-linux
ps|procps
ip|iproute2
ethtool|ethtool
ping|iputils-ping
ipvsadm|ipvsadm
keepalived|keepalived
ldirectord|ldirectord
collectd|collectd-core
prometheus-node-exporter|prometheus-node-exporter
conntrack|conntrack
nft|nftables
tcpdump|tcpdump
nginx|nginx-light
curl|curl
wrk|wrk
iperf3|iperf3
socat|socat
"

SLB_T0=${SLB_T0:-$(date +%s)}
export SLB_T0

slb_elapsed() {
	local s=$(($(date +%s) - SLB_T0))

	printf '%d:%02d' $((s / 60)) $((s % 60))
}

# Progress goes to stderr, so that stdout stays KTAP.
slb_msg() {
	printf '[%s] %s\n' "$(slb_elapsed)" "$*" >&2
}

slb_die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

slb_have_tool() {
	case $1 in
	/*) [ -e "$1" ] ;;
	*) PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null ;;
	esac
}

# Prints the packages whose program is missing, each once.
slb_missing_packages() {
	local line

	for line in $SLB_TOOLS; do
		slb_have_tool "${line%%|*}" || printf '%s\n' "${line##*|}"
	done | sort -u
}

# Lists that were never fetched, or were removed to keep an image small.
slb_apt_lists_empty() {
	! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null
}

# A package that brings a service would start it on this machine. policy-rc.d is
# how Debian lets an administrator refuse that; put one there if there is none.
slb_apt_install() (
	policy=/usr/sbin/policy-rc.d
	export DEBIAN_FRONTEND=noninteractive

	if [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	if slb_apt_lists_empty; then
		apt-get -q update
	fi
	# Old lists name packages that the mirror has replaced since.
	apt-get -q -y --no-install-recommends install "$@" || {
		apt-get -q update
		apt-get -q -y --no-install-recommends install "$@"
	}
)

# Makes sure that every tool in SLB_TOOLS is there: installs what is missing when
# it may, otherwise says what to type. Quiet and quick when nothing is missing.
slb_need_tools() {
	local pkgs tools log

	pkgs=$(slb_missing_packages | tr '\n' ' ')
	[ -n "${pkgs// /}" ] || return 0

	if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
		tools=$(for t in $SLB_TOOLS; do
			slb_have_tool "${t%%|*}" || printf '%s ' "${t%%|*}"
		done)
		slb_die "this needs a Debian machine, or these on it: $tools" \
			"(they come from Debian's $pkgs)"
	fi
	if [ "$(id -u)" != 0 ]; then
		slb_die "missing tools; as root run:" \
			"apt-get install --no-install-recommends $pkgs"
	fi
	slb_msg "installing $pkgs"
	mkdir -p "$SLB_CACHE"
	log=$SLB_CACHE/apt-install.log
	# shellcheck disable=SC2086
	if ! slb_apt_install $pkgs </dev/null >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		slb_die "could not install $pkgs"
	fi
}

# slb_locked NAME COMMAND...: one at a time on this cache, whoever calls. In the
# background, because bash ignores set -e in a command whose status is tested. The
# lock is not inherited: a daemon left behind would hold it.
slb_locked() {
	local name=$1 fd rc=0

	shift
	mkdir -p "$SLB_CACHE"
	exec {fd}>"$SLB_CACHE/.$name.lock"
	if ! flock -n "$fd"; then
		slb_msg "waiting for another run that prepares $name"
		flock "$fd"
	fi
	"$@" {fd}>&- &
	wait $! || rc=$?
	exec {fd}>&-
	return "$rc"
}

# slb_kill_children PID: ends what it started, the leaves first.
slb_kill_children() {
	local p

	for p in $(ps -o pid= --ppid "$1"); do
		slb_kill_children "$p"
		kill -TERM "$p" 2>/dev/null || :
	done
}
