# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# One test for longer than in make test: make soak, make coherence. Sourced on the host.

. selftests/host/host.sh
. selftests/host/apt.sh
. selftests/host/root.sh
slb_enter 'demo test' "$0" "$@"
. selftests/host/kernels.sh
. selftests/host/stock.sh
. selftests/host/uml.sh
. selftests/host/build.sh

unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL

slb_single_end() {
	slb_kill_children $$
	slb_work_remove
}

# slb_single_prepare KERNEL: tools, the kernel, and the module built in $SLB_SRC.
slb_single_prepare() {
	slb_work_make
	trap slb_single_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	export TMPDIR=$SLB_WORK SLB_KERNEL=$1 SLB_SRC=$SLB_WORK/src SLB_KO=$SLB_WORK/src/shadowlb.ko

	if slb_is_uml "$1"; then
		SLB_UML=$(slb_uml_of "$1") slb_uml_prepare >&2
	else
		slb_kernels_fetch "$1"
	fi
	slb_msg "building the module for $1"
	slb_build_module "$1" "$SLB_SRC" >&2
	slb_build_bpf "$1" "$SLB_SRC" >&2
	SLB_DEPMOD=$(slb_build_depmod_dir "$1" "$SLB_SRC" || :)
	export SLB_DEPMOD
}

# slb_single_run SECONDS TEST OUT: runs it in a guest; its output, in OUT too. Succeeds
# as the test does.
slb_single_run() {
	local run=(slb_stock_run "$SLB_KERNEL")

	if slb_is_uml "$SLB_KERNEL"; then
		run=(slb_uml_run)
		export SLB_UML
		SLB_UML=$(slb_uml_of "$SLB_KERNEL")
	fi
	sed -i "s/^# slb-timeout:.*/# slb-timeout: $1/" "$SLB_SRC/selftests/tests/$2.sh"
	"${run[@]}" $(($1 + 120)) bash "$SLB_SRC/selftests/guest/run.sh" "$2" | tee "$3" || :
	! grep -q '^not ok' "$3" && grep -q '^ok' "$3"
}
