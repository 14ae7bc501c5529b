# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The harness's own Debian: a root of one release in the cache, made by mmdebstrap, which
# has the compilers, the emulator and the programs of tests and demo. The scripts of the
# harness move into it before they do anything else. So this machine's release, its
# programs and their versions do not matter, and nothing is installed on it but mmdebstrap.
# Sourced, after host.sh and apt.sh.
#
#   slb_enter SETS "$0" "$@"    continue this script inside the root
#
# Inside, the checkout, the cache and $TMPDIR are at their places, and the network and
# the processes are this machine's. The mounts are of a mount namespace that ends with
# the script.

SLB_ROOT_RELEASE=trixie
SLB_ROOT=$SLB_CACHE/roots/$SLB_ROOT_RELEASE

# slb_root_packages SET: the packages of this set.
slb_root_packages() {
	case $1 in
	demo)
		echo ca-certificates make gcc libc6-dev pahole rsync xz-utils kmod procps python3 bc \
			qemu-system-x86 virtme-ng busybox-static iproute2 iputils-ping \
			ipvsadm nginx-light wrk nftables
		;;
	test)
		echo ccache gcc-12 clang llvm libbpf-dev sparse shellcheck perl git file patch \
			flex bison libelf-dev libssl-dev cpio dpkg-dev apt-utils mmdebstrap \
			debian-archive-keyring e2fsprogs python3-scapy python3-pyflakes python3-argcomplete \
			linux-perf bpftrace bird2 frr \
			ethtool xdp-tools keepalived ldirectord collectd-core \
			prometheus prometheus-node-exporter conntrack tcpdump curl iperf3 socat iptables
		;;
	esac
}

# slb_root_space SET: disk space that the cache needs for it, in MB.
slb_root_space() {
	case $1 in
	demo) echo 1500 ;;
	*) echo 9000 ;;
	esac
}

slb_root_stamp() {
	slb_root_packages "$1" | sha256sum | cut -c 1-16
}

slb_root_has() {
	[ -e "$SLB_ROOT/var/lib/shadowlb/$1-$(slb_root_stamp "$1")" ]
}

slb_need_mmdebstrap() {
	if command -v mmdebstrap >/dev/null && [ -e $SLB_KEYRING ]; then
		return
	fi
	command -v apt-get >/dev/null || slb_die "this machine has no mmdebstrap:" \
		"install it and Debian's keyring ($SLB_KEYRING)"
	slb_msg 'installing mmdebstrap, the one program that is needed of this machine'
	{
		apt-get -q update &&
			DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
				install mmdebstrap debian-archive-keyring
	} </dev/null >"$SLB_CACHE/apt-install.log" 2>&1 || {
		slb_show_errors "$SLB_CACHE/apt-install.log"
		slb_die 'apt-get could not install mmdebstrap: no network, or no such package here'
	}
}

# Say what this machine lacks before anything is begun.
slb_root_check_machine() {
	local need=0 free set probe

	[ "$(uname -m)" = x86_64 ] ||
		slb_die "this machine is $(uname -m): the kernels of tests and demo are for x86_64 only"
	[ "$(id -u)" = 0 ] || slb_die 'not root: mounts and chroot want it, so run this as root'
	mkdir -p "$SLB_CACHE" 2>/dev/null && probe=$(mktemp "$SLB_CACHE/.probe.XXXXXX" 2>/dev/null) ||
		slb_die "cannot write to $SLB_CACHE: set SHADOWLB_CACHE to a directory that can be written"
	rm -f "$probe"
	[[ $SLB_TOP$SLB_CACHE${TMPDIR:-} != *[[:space:]]* && ${TMPDIR:-/tmp} != / ]] ||
		slb_die "kernels cannot be built in paths with spaces, nor TMPDIR be /:" \
			"use others than $SLB_TOP, $SLB_CACHE and ${TMPDIR:-/tmp}"
	unshare --mount sh -c 'mount --bind "$1" "$1"' sh "$SLB_CACHE" 2>/dev/null ||
		slb_die 'root may make no mount namespace here (a container without CAP_SYS_ADMIN?):' \
			'use a machine of its own, or a privileged container'
	for set; do
		slb_root_has "$set" || need=$(slb_root_space "$set")
	done
	free=$(df --output=avail -m "$SLB_CACHE" | tail -n 1)
	[ "$free" -ge "$need" ] ||
		slb_die "$SLB_CACHE has $((free)) MB free of the $need that are needed:" \
			'free some, or set SHADOWLB_CACHE to a directory with more'
}

# slb_root_make PACKAGE...: the root from nothing. It appears by rename, when complete.
slb_root_make() {
	local new=$SLB_CACHE/roots/.new.$$ log=$SLB_CACHE/roots/mmdebstrap.log opts=() line

	rm -rf --one-file-system "$SLB_CACHE"/roots/.new.*
	mkdir -p "$new"
	slb_sources $SLB_ROOT_RELEASE >"$new.list" || { rm -rf "$new" "$new.list"; exit 1; }
	while IFS= read -r line; do
		opts+=("--aptopt=$line")
	done < <(slb_apt_proxies)
	slb_msg "making a root of Debian $SLB_ROOT_RELEASE in $SLB_CACHE"
	mmdebstrap --quiet --variant=minbase --aptopt='APT::Install-Recommends "false"' \
		"${opts[@]}" --include="$(tr ' ' , <<<"$*")" \
		$SLB_ROOT_RELEASE "$new" "$new.list" </dev/null >"$log" 2>&1 || {
		slb_show_errors "$log"
		rm -rf --one-file-system "$new" "$new.list"
		slb_die "mmdebstrap failed, see $log: no network, no space, or the mirror lacks a package"
	}
	printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d"
	chmod 755 "$new/usr/sbin/policy-rc.d"
	mkdir -p "$new/var/lib/shadowlb"
	[ -n "${SHADOWLB_SOURCES:-}" ] || slb_mirrors >"$new/var/lib/shadowlb/mirrors"
	rm -f "$new.list"
	mv -T "$new" "$SLB_ROOT"
}

# slb_root_add PACKAGE...: install them in the root that is there.
slb_root_add() {
	local log=$SLB_CACHE/roots/apt-get.log command

	slb_use_alone
	slb_msg "adding to the root in $SLB_CACHE: $*"
	mapfile -t command < <(slb_root_command)
	"${command[@]}" sh -c 'export DEBIAN_FRONTEND=noninteractive
		dpkg --configure -a && apt-get -q update && apt-get -q -y -f install &&
			apt-get -q -y install "$@" && apt-get clean' sh "$@" \
		</dev/null >"$log" 2>&1 || {
		slb_show_errors "$log"
		slb_die "apt-get failed, see $log: no network, no space, or the mirror lacks a package"
	}
}

slb_root_prepare_locked() (
	set -e
	packages='' sets=''
	for set; do
		slb_root_has "$set" || { sets+=" $set"; packages+=" $(slb_root_packages "$set")"; }
	done
	[ -n "$sets" ] || exit 0
	slb_sources $SLB_ROOT_RELEASE >/dev/null
	slb_need_mmdebstrap
	# shellcheck disable=SC2086
	if [ -d "$SLB_ROOT" ]; then
		slb_root_add $packages
	else
		slb_root_make $packages
	fi
	for set in $sets; do
		touch "$SLB_ROOT/var/lib/shadowlb/$set-$(slb_root_stamp "$set")"
	done
)

# The command line that runs a command in the root, in this directory. Besides the three
# directories that it always sees: the one of a worktree's repository, and $SLB_MOUNTS.
slb_root_command() {
	local git=''

	! command -v git >/dev/null || git=$(cd "$SLB_TOP" &&
		git rev-parse --path-format=absolute --git-common-dir 2>/dev/null) || git=''
	[[ $git != "$SLB_TOP"/* ]] || git=''
	printf '%s\n' unshare --mount sh "$SLB_TOP/selftests/host/in-root.sh" "$SLB_ROOT" "$PWD" \
		"${TMPDIR:-/tmp}" "$SLB_CACHE" "$SLB_TOP" ${git:+"$git"} ${SLB_MOUNTS:-} \
		${SHADOWLB_SOURCES:+"$SHADOWLB_SOURCES"} --
}

# Every run holds this lock, shared: the cache is in use. A run that changes parts that
# others use holds it alone.
slb_use() {
	exec {SLB_USE}>"$SLB_CACHE/.use.lock"
	export SLB_USE
	flock -s "$SLB_USE"
}

slb_use_alone() {
	[ -n "${SLB_USE:-}" ] || slb_use
	if ! flock -x -n "$SLB_USE"; then
		slb_msg "waiting for the other runs that use $SLB_CACHE (fuser .use.lock names them)"
		flock -x "$SLB_USE"
	fi
}

# slb_enter "SET..." SCRIPT ARGUMENT...: return if this is the root. Elsewhere, prepare
# the root for these sets of packages and continue there with the script.
slb_enter() {
	local sets=$1 command

	shift
	[ -z "${SLB_INSIDE:-}" ] || return 0
	[ -z "${SHADOWLB_SOURCES:-}" ] || SHADOWLB_SOURCES=$(realpath "$SHADOWLB_SOURCES")
	# shellcheck disable=SC2086
	slb_root_check_machine $sets
	# Else the work goes on without its lock.
	trap 'slb_kill_children $$; exit 143' TERM INT HUP
	# shellcheck disable=SC2086
	slb_locked root slb_root_prepare_locked $sets || exit 1
	trap - TERM INT HUP
	slb_use
	# Nothing of the caller's build environment, and any owner's checkout.
	unset CC CFLAGS CPPFLAGS LDFLAGS KCFLAGS BASH_ENV ENV PYTHONPATH PYTHONHOME
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
	export SLB_INSIDE=1 SHADOWLB_CACHE=$SLB_CACHE HOME=/root LC_ALL=C.UTF-8
	export PATH=/usr/lib/ccache:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	export CCACHE_DIR=$SLB_CACHE/ccache CCACHE_MAXSIZE=2G
	mapfile -t command < <(slb_root_command)
	exec "${command[@]}" bash "$SLB_TOP/selftests/$(basename "$1")" "${@:2}"
}

# Make $SLB_WORK an empty directory of this run, inside the root. Its path is the same in
# each run, because the mount namespace is the run's own: ccache compares paths.
slb_work_make() {
	SLB_WORK=/var/lib/shadowlb/work
	slb_work_real=$(mktemp -d "${TMPDIR:-/tmp}/shadowlb.XXXXXX")
	mkdir -p $SLB_WORK
	mount --bind "$slb_work_real" $SLB_WORK
}

slb_work_remove() {
	rm -rf --one-file-system "${slb_work_real:?}"
}
