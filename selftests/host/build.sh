# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the module for one of the kernels of the tests, from a copy of the sources:
# no object ever lands in the checkout. Sourced, after host.sh, apt.sh and kernels.sh, and
# uml.sh for a user-mode kernel.

# slb_copy_source DEST: what a build or a guest needs of the checkout.
slb_copy_source() {
	mkdir -p "$1"
	rsync -a --delete --exclude=/.git --exclude='*.o' --exclude='*.ko' \
		--exclude='*.mod' --exclude='*.mod.c' --exclude='*.cmd' \
		--exclude=/include/generated "$SLB_TOP/" "$1/"
}

# slb_is_uml KERNEL: is it a user-mode kernel?
slb_is_uml() { [ "$1" = uml ] || [ "$1" = smp ]; }

# slb_uml_of KERNEL: its flavour, which for uml may have been chosen already.
slb_uml_of() {
	if [ "$1" = smp ]; then echo smp; else echo "${SLB_UML:-debug}"; fi
}

# slb_build_kdir KERNEL: what make needs to know of it.
slb_build_kdir() {
	if slb_is_uml "$1"; then
		printf 'KDIR=%s\nARCH=um\n' "$(SLB_UML=$(slb_uml_of "$1") slb_uml_kdir)"
	else
		printf 'KDIR=%s\n' "$(slb_kernel_kdir "$1")"
	fi
}

# depmod reads every module, which takes a guest 15 s and the host half a second. So
# it is run here over a tree of hard links to the kernel's modules and ours.
slb_build_depmod() {
	local release modules tree=$2/depmod

	release=$(slb_kernel_release "$1")
	modules=$(slb_kernel_root "$1")/lib/modules/$release
	rm -rf "$tree"
	mkdir -p "$tree/lib/modules/$release/updates"
	cp -r --preserve=timestamps "$modules"/modules.{order,builtin*} \
		"$tree/lib/modules/$release"
	ln -s "$modules/kernel" "$tree/lib/modules/$release/kernel"
	cp "$2"/{shadowlb,ip_vs_shadow}.ko "$tree/lib/modules/$release/updates"
	depmod -b "$tree" "$release"
	rm "$tree/lib/modules/$release/kernel"
	rm -r "$tree/lib/modules/$release/updates"
}

# slb_build_make LOG MAKE-ARGUMENT...: adds to LOG; its end is shown on failure.
slb_build_make() {
	local log=$1

	shift
	make -j"$(nproc)" "$@" >>"$log" 2>&1 || {
		tail -n 60 "$log"
		return 1
	}
}

# slb_build_astray DEST KDIR-ARGUMENT...: DEST/astray/shadowlb.ko, whose sweeps are bound to
# no CPU, for the test of that name.
slb_build_astray() {
	local dest=$1/astray sweep=$1/astray/module/state/sweep.c log=$1/build.log

	shift
	slb_copy_source "$dest" || return 1
	sed -i 's/WQ_CPU_INTENSIVE | WQ_PERCPU/WQ_UNBOUND/' "$sweep"
	grep -q 'alloc_workqueue(.*WQ_UNBOUND' "$sweep" || return 1
	slb_build_make "$log" -C "$dest" "$@" all
}

# slb_build_module KERNEL DEST [MAKE-ARGUMENT...]: copies the sources to DEST and builds
# them there: DEST/shadowlb.ko, DEST/build.log; for uml DEST/kunit/*.ko, for smp
# DEST/astray/shadowlb.ko; for a stock kernel the index of its modules with ours, for
# SLB_DEPMOD of guest/run.sh. A warning about our code is a
# failure, but one that leaves the module to be tested.
slb_build_module() {
	local kernel=$1 dest=$2 args log=$2/build.log rc=0

	shift 2
	slb_copy_source "$dest" || return 1
	: >"$log"
	mapfile -t args < <(slb_build_kdir "$kernel")
	slb_build_make "$log" -C "$dest" "${args[@]}" "$@" all || return 1
	if ! slb_is_uml "$kernel"; then
		slb_build_depmod "$kernel" "$dest" || return 1
	elif [ "$kernel" = smp ]; then
		slb_build_astray "$dest" "${args[@]}" "$@" || rc=1
	elif [ "$kernel" = uml ] && [ -e "$dest/kunit/Kbuild" ]; then
		slb_build_make "$log" -C "${args[0]#KDIR=}" ARCH=um M="$dest/kunit" "$@" modules || rc=1
	fi
	if grep -E '(module|include|kunit)/[^ ]*: warning:|WARNING: modpost' "$log"; then
		rc=1
	fi
	return $rc
}

# slb_build_bpf KERNEL DEST: DEST/bpf/shadowlb_xdp.o, for a stock kernel.
slb_build_bpf() {
	slb_is_uml "$1" || slb_build_make "$2/build.log" -C "$2" bpf
}

# slb_build_depmod_dir KERNEL DEST: for SLB_DEPMOD; nothing for a user-mode kernel.
slb_build_depmod_dir() {
	slb_is_uml "$1" ||
		printf '%s/depmod/lib/modules/%s\n' "$2" "$(slb_kernel_release "$1")"
}
