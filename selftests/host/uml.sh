# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# User-mode Linux, in three flavours. $SLB_UML names the flavour; the default is debug.
# Sourced by the driver, after host.sh and kernels.sh.
#
#   flavour  source  fragments of .config         patches
#   debug    6.1     uml-debug.config uml.config  uml.patch
#   fast     6.1     uml-fast.config uml.config   uml.patch uml-fast.patch
#   smp      7.3     uml-smp.config uml.config
#
# debug has KASAN, lockdep and kmemleak. fast is built as distributions build their
# kernels, for native timings. smp runs two CPUs at the same time.
#
#   slb_uml_prepare             build it into the cache, once
#   slb_uml_kdir                the directory for make -C, ARCH=um
#   slb_uml_scripts             the kernel's scripts/ (checkpatch, kernel-doc)
#   slb_uml_run SECONDS CMD...  boot it, run CMD in it, return its exit code

slb_uml_host=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

slb_uml_flavour() {
	case ${SLB_UML:-debug} in
	debug | fast | smp) echo "${SLB_UML:-debug}" ;;
	*) slb_die "no flavour of user-mode Linux is called $SLB_UML" ;;
	esac
}

# Debian's source package of a flavour.
slb_uml_package() {
	if [ "$1" = smp ]; then
		echo linux-source-7.3
	else
		echo linux-source-6.1
	fi
}

# The release of Debian that has this package.
slb_uml_release() {
	case $1 in
	linux-source-6.1) echo bookworm ;;
	*) echo trixie ;;
	esac
}

# slb_uml_fetch_locked PACKAGE RELEASE: the newest of that name into the cache.
slb_uml_fetch_locked() (
	set -e
	# The lock is ours: a directory that is there was left by a run that was killed.
	rm -rf "$SLB_CACHE"/apt.*
	apt=$(mktemp -d "$SLB_CACHE/apt.XXXXXX")
	trap 'rm -rf "$apt"' EXIT
	slb_apt_init "$apt" "$2"
	slb_msg "fetching $1"
	slb_apt_download "$apt" "$apt/debs" "$1"
	mkdir -p "$SLB_CACHE/debs"
	mv "$apt/debs/$1"_*_all.deb "$SLB_CACHE/debs/"
)

# slb_uml_deb PACKAGE: its file in the cache, fetched if it is not there.
slb_uml_deb() {
	local debs=$SLB_CACHE/debs found

	mkdir -p "$debs"
	found=$(find "$debs" -name "$1_*_all.deb" | sort -V | tail -1)
	if [ -z "$found" ]; then
		slb_locked source slb_uml_fetch_locked "$1" "$(slb_uml_release "$1")" || return 1
		found=$(find "$debs" -name "$1_*_all.deb" | sort -V | tail -1)
	fi
	printf '%s\n' "$found"
}

# The lines that a flavour's .config must hold.
slb_uml_config() {
	cat "$slb_uml_host/uml-$1.config" "$slb_uml_host/uml.config"
}

# The patches of a flavour's source.
slb_uml_patch() {
	case $1 in
	debug) cat "$slb_uml_host/uml.patch" ;;
	fast) cat "$slb_uml_host/uml.patch" "$slb_uml_host/uml-fast.patch" ;;
	esac
}

# One directory for each source package, configuration, patch and compiler: a module
# is built by the compiler that built its kernel.
slb_uml_dir() {
	local flavour deb version hash

	flavour=$(slb_uml_flavour) || return 1
	deb=$(slb_uml_deb "$(slb_uml_package "$flavour")") || return 1
	version=${deb##*/linux-source-}
	version=${version#*_}
	version=${version%_all.deb}
	hash=$({
		gcc -dumpfullversion
		slb_uml_config "$flavour"
		slb_uml_patch "$flavour"
	} | sha256sum)
	printf '%s/uml-%s-%s-%s\n' "$SLB_CACHE" "$flavour" "$version" "${hash:0:10}"
}

# Version of the source package, with Debian's revision.
slb_uml_version() {
	local dir

	dir=$(slb_uml_dir) || return 1
	dir=${dir##*/uml-}
	dir=${dir#*-}
	printf '%s\n' "${dir%-*}"
}

slb_uml_make() {
	make -s -C "$1/src" ARCH=um O="$1/obj" "${@:2}"
}

slb_uml_unpack() {
	local dir=$1 tmp=$1/src.tmp flavour package

	[ ! -d "$dir/src" ] || return 0
	flavour=$(slb_uml_flavour)
	package=$(slb_uml_package "$flavour")
	rm -rf "$tmp"
	mkdir -p "$tmp"
	dpkg-deb --fsys-tarfile "$(slb_uml_deb "$package")" |
		tar -xO "./usr/src/$package.tar.xz" |
		tar -xJ --strip-components=1 -C "$tmp" || return 1
	slb_uml_patch "$flavour" >"$dir/patch" || return 1
	patch -s -p1 -d "$tmp" <"$dir/patch" || return 1
	mv "$tmp" "$dir/src"
}

# slb_uml_check_config .CONFIG FRAGMENT: each line of the fragment must hold. Lines in
# a section "may be missing" are reported only.
slb_uml_check_config() {
	local config=$1 line symbol optional='' failed=0

	while read -r line; do
		case $line in
		'# --- may be missing ---') optional=y; continue ;;
		'# --- '*) optional=''; continue ;;
		'# CONFIG_'*' is not set')
			symbol=${line#\# }
			grep -q "^${symbol%% *}=" "$config" || continue ;;
		CONFIG_*)
			grep -qxF -e "$line" "$config" && continue ;;
		*) continue ;;
		esac
		if [ "$optional" ]; then
			printf 'uml: this kernel has no %s\n' "$line" >&2
		else
			printf 'uml: the configuration did not take: %s\n' "$line" >&2
			failed=1
		fi
	done <"$2"
	return $failed
}

slb_uml_configure() {
	local dir=$1

	mkdir -p "$dir/obj"
	slb_uml_config "$(slb_uml_flavour)" >"$dir/config"
	slb_uml_make "$dir" defconfig >"$dir/config.log" 2>&1 &&
		(cd "$dir/obj" && ../src/scripts/kconfig/merge_config.sh -m -O . .config \
			../config) >>"$dir/config.log" 2>&1 &&
		slb_uml_make "$dir" olddefconfig >>"$dir/config.log" 2>&1 || {
		cat "$dir/config.log" >&2
		return 1
	}
	slb_uml_check_config "$dir/obj/.config" "$dir/config"
}

# Keep what a module's build reads, and the program itself: 1.5 GB less.
slb_uml_prune() {
	local dir=$1

	find "$dir/obj" \( -name '*.o' -o -name '*.ko' -o -name '*.a' -o -name '*.mod.c' \
		-o -name '.*.cmd' -o -name '.tmp_vmlinux*' -o -name 'vmlinux' \
		-o -name 'vmlinux.unstripped' \) \
		-not -path '*/scripts/*' -delete
	find "$dir/src" -mindepth 1 -maxdepth 1 -not -name Makefile -not -name Kbuild \
		-not -name scripts -not -name include -not -name arch -exec rm -rf {} +
	find "$dir/src/arch" -mindepth 1 -maxdepth 1 -not -name um -not -name x86 \
		-exec rm -rf {} +
}

slb_uml_build() {
	local dir=$1 pid start=$SECONDS count flavour

	flavour=$(slb_uml_flavour)
	slb_msg "building the $flavour kernel, log in $dir/build.log"
	slb_uml_make "$dir" -j"$(nproc)" linux modules >"$dir/build.log" 2>&1 &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		if (((SECONDS - start) % 30 == 29)); then
			count=$(find "$dir/obj" -name '*.o' 2>/dev/null | wc -l) || :
			slb_msg "$flavour kernel: $count objects of about 1200"
		fi
		sleep 1
	done
	if ! wait $pid; then
		tail -30 "$dir/build.log" >&2
		slb_msg "the $flavour kernel does not build"
		return 1
	fi
	rm -rf "$dir/mods"
	slb_uml_make "$dir" INSTALL_MOD_PATH="$dir/mods" modules_install >>"$dir/build.log" 2>&1
}

# An interrupted build goes on where it was: make knows what is missing. Only
# "built" (may be pruned) and "ready" (may be used) are promises.
slb_uml_prepare_locked() (
	set -e
	dir=$1
	[ ! -e "$dir/ready" ] || exit 0
	if [ ! -e "$dir/built" ]; then
		slb_locked unpack slb_uml_unpack "$dir"
		slb_uml_configure "$dir"
		slb_uml_build "$dir"
		touch "$dir/built"
	fi
	slb_uml_prune "$dir"
	touch "$dir/ready"
)

slb_uml_prepare() {
	local dir

	dir=$(slb_uml_dir) || return 1
	[ ! -e "$dir/ready" ] || return 0
	slb_locked "uml-$(slb_uml_flavour)" slb_uml_prepare_locked "$dir"
}

slb_uml_kdir() {
	local dir

	dir=$(slb_uml_dir) && printf '%s/obj\n' "$dir"
}

# Always those of debug. Only the sources are needed for these, not the build: their lock
# is not its lock, which is held for minutes.
slb_uml_scripts() {
	local dir SLB_UML=debug

	dir=$(slb_uml_dir) || return 1
	[ -d "$dir/src" ] || slb_locked unpack slb_uml_unpack "$dir" || return 1
	printf '%s/src/scripts\n' "$dir"
}

# Where its memory lives: a file, fast only in a tmpfs with room for it. $SLB_UML_MEMDIR
# is another one.
slb_uml_memdir() {
	local free

	[ -z "${SLB_UML_MEMDIR:-}" ] || { echo "$SLB_UML_MEMDIR"; return; }
	free=$(df --output=avail -k /dev/shm 2>/dev/null | tail -1)
	if [ "${free:-0}" -gt $((2560 * 1024)) ] && [ -w /dev/shm ]; then
		echo /dev/shm
	else
		echo "${TMPDIR:-/tmp}"
	fi
}

# The CPUs for a flavour's kernel. A kernel with one CPU takes turns with its processes,
# which are processes of this machine: on one CPU that is three times as fast as on two.
slb_uml_cpu() {
	local cpus

	cpus=$(taskset -cp $$)
	cpus=${cpus##*: }
	if [ "$1" = smp ]; then
		echo "$cpus"
	elif ((RANDOM % 2)); then
		echo "${cpus%%[-,]*}"
	else
		echo "${cpus##*[-,]}"
	fi
}

# The arguments that only some flavour's kernel takes. SMP needs processes that are
# stopped by seccomp, not by ptrace.
slb_uml_args() {
	[ "$1" != smp ] || echo "seccomp=on ncpus=${SLB_UML_CPUS:-2}"
}

# The end of a log, without what the kernel says while it boots.
slb_uml_last_words() {
	if grep -q 'the boot ends here' "$1"; then
		sed '1,/the boot ends here/d' "$1"
	else
		cat "$1"
	fi | tail -n 100 >&2
}

# slb_uml_run SECONDS CMD ARG...: run CMD as root in a fresh kernel, in
# this directory, with this shell's SLB_* variables. Its output goes to stdout.
# Returns CMD's exit code; 124 when time ran out, 125 when the kernel died.
# $SLB_UML_LOG (default: removed at the end) keeps the kernel's log.
#
# timeout makes a process group of its own, so that neither it nor the dying
# kernel, which signals its whole group, reaches anybody else; and it goes when
# this shell goes.
slb_uml_run() {
	local seconds=$1 flavour dir run log rc pid reader
	shift

	slb_uml_prepare || return 1
	flavour=$(slb_uml_flavour)
	dir=$(slb_uml_dir) || return 1
	run=$(mktemp -d "${TMPDIR:-/tmp}/slb-uml.XXXXXX") || return 1
	log=${SLB_UML_LOG:-$run/console}
	{
		declare -px | grep -E '^declare -x SLB_'
		declare -p PWD
		declare -a slb_cmd=("$@")
		declare -p slb_cmd
	} >"$run/job"
	: >"$run/output"
	cp "$slb_uml_host/../guest/uml-init.sh" "$run/init"
	chmod +x "$run/init"

	# shellcheck disable=SC2046
	TMPDIR=$(slb_uml_memdir) setpriv --pdeathsig TERM \
		timeout -k 10 -s KILL "$seconds" taskset -c "$(slb_uml_cpu "$flavour")" \
		"$dir/obj/linux" mem="${SLB_UML_MEM:-2G}" $(slb_uml_args "$flavour") \
		root=none rootfstype=hostfs rootflags=/ rw init="$run/init" slb_run="$run" \
		slb_mods="$dir/mods/lib/modules" uml_dir="$run/uml/" \
		con=null con0=null,fd:1 ignore_loglevel panic=-1 \
		</dev/null >"$log" 2>&1 &
	pid=$!
	tail -n +1 -f -s 0.2 --pid=$pid "$run/output" &
	reader=$!
	rc=0
	{ wait $pid; } 2>/dev/null || rc=$?
	wait $reader
	# the processes of a kernel that was killed outlive it; no other has this directory
	pkill -KILL -f -- "uml_dir=$run/uml/" || :
	if [ -s "$run/rc" ]; then
		rc=$(<"$run/rc")
	elif [ "$rc" = 124 ] || [ "$rc" = 137 ]; then
		slb_msg "uml: no end after $seconds s; the kernel's last words:"
		rc=124
		slb_uml_last_words "$log"
	else
		slb_msg 'uml: the kernel died; its last words:'
		rc=125
		slb_uml_last_words "$log"
	fi
	rm -rf "$run"
	return "$rc"
}
