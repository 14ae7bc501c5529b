#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make bench: what a packet costs the director, with flows and without. Every figure is
# one of several taken by turns in one run: compare within a run, by ratios.
#
#   BENCH=quick          three ways on one kernel (default: all)
#   BENCH=native         cycles of this machine's own CPU, by the number of connections:
#                        BENCH_FLOWS='100 10000' (default 100 to 1000000), BENCH_BITS of
#                        IPVS's table (default '12 20': Debian's, and one for the load)
#   BENCH=hits           share of packets that flows serve, with a table of BENCH_TABLE places
#                        at most (default 65536): more connections than that, used unevenly,
#                        and a flood of UDP flows of two packets each
#   BENCH=scale          one CPU and two at once, in time, on the first of BENCH_KERNELS
#   BENCH=close          requests without keep-alive, in time, on the first of BENCH_KERNELS
#   BENCH=curves         cost and share by the time between packets, and by the length of a
#                        connection, on the first of BENCH_KERNELS (default 6.12)
#   BENCH=profile        the functions that a packet runs through, with their instructions:
#                        WAY=nat4 WHAT=flow on the first of BENCH_KERNELS (default 6.12)
#   BENCH_OUT=file       the figures, tab-separated (default $SHADOWLB_CACHE/bench/DATE.tsv)
#   BENCH_KERNELS=6.12   stock kernels for the exact part
#
# The exact part counts instructions: a stock kernel in QEMU's software emulation, where
# a nanosecond of the guest's time is one instruction (-icount). It does not mind what
# else this machine does, and repeats to the instruction. It does not see a cache miss.
#
# The native part does: user-mode Linux runs the kernel's code as a program does. Keep the
# machine quiet meanwhile; it builds that kernel first, once.

set -euo pipefail
cd "$(dirname "$0")/.."
. selftests/host/host.sh
. selftests/host/apt.sh
. selftests/host/root.sh
if [ -n "${BENCH_OUT:-}" ]; then
	mkdir -p "$(dirname "$BENCH_OUT")"
	BENCH_OUT=$(realpath "$BENCH_OUT")
	SLB_MOUNTS=$(dirname "$BENCH_OUT")
fi
slb_enter 'demo test' "$0" "$@"
. selftests/host/kernels.sh
. selftests/host/stock.sh
. selftests/host/uml.sh
. selftests/host/build.sh

kernels=${BENCH_KERNELS:-6.1 6.12 newest}
if [ "${BENCH:-}" = quick ]; then
	kernels=${BENCH_KERNELS:-6.12}
	export SLB_BENCH_WAYS=${SLB_BENCH_WAYS:-nat4 dr4 other4} SLB_BENCH_PACKETS=${SLB_BENCH_PACKETS:-5000}
fi
if [ "${BENCH:-}" = curves ]; then
	kernels=${BENCH_KERNELS:-6.12}
	kernels=${kernels%% *}
	ways=$(echo gap_{0.1,0.3,1,2,3,4,5,8,20,60} udp{2,4,6,8,12,16,32,64,256,1000} \
		conn{8,10,12,16,24,32,64,256,1000})
	export SLB_BENCH_BITS=20 SLB_BENCH_WAYS=${SLB_BENCH_WAYS:-$ways}
fi
for kernel in $kernels; do
	[[ " $SLB_STOCK_KERNELS " == *" $kernel "* ]] || slb_die "BENCH_KERNELS are of: $SLB_STOCK_KERNELS"
done
out=${BENCH_OUT:-$SLB_CACHE/bench/$(date +%Y%m%d-%H%M%S).tsv}
slb_work_make
work=$SLB_WORK
trap 'slb_kill_children $$; if [ -d "$work/mem" ]; then umount "$work/mem" || :; fi; slb_work_remove' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# build KERNEL: shadowlb and the load, for it, in $SLB_SRC.
build() {
	local args

	export SLB_KERNEL=$1 SLB_SRC=$work/$1 SLB_KO=$work/$1/shadowlb.ko
	slb_msg "building for $1"
	slb_build_module "$1" "$SLB_SRC" || slb_die 'it does not build, see above'
	slb_build_bpf "$1" "$SLB_SRC" || slb_die 'the program for XDP does not build, see above'
	mapfile -t args < <(slb_build_kdir "$1")
	slb_build_make "$SLB_SRC/build.log" -C "${args[0]#KDIR=}" "${args[@]:1}" \
		M="$SLB_SRC/selftests/bench" modules || slb_die 'the load does not build, see above'
	[ "$1" = uml ] || slb_build_make "$SLB_SRC/build.log" -C "$SLB_SRC" selftests/bench/programs.o ||
		slb_die 'the programs for XDP do not build, see above'
	SLB_DEPMOD=$(slb_build_depmod_dir "$1" "$SLB_SRC")
	export SLB_DEPMOD
}

# rows PART KERNEL: of a guest's output the figures to the file, and some of it to look at.
rows() {
	tee -a "$work/log" | while IFS=$'\t' read -r mark line; do
		[ "$mark" != '# table' ] || printf '# table\t%s\t%s\n' "$2" "$line" >>"$work/tables"
		[ "$mark" = '# row' ] || { printf '  %s\n' "$mark${line:+ $line}"; continue; }
		printf '%s\t%s\t%s\n' "$1" "$2" "$line" >>"$work/rows"
		awk -F'\t' '{ printf "  %-8s %-8s %8s flows: p50 %6d, p99 %6d, p99.9 %7d %s\n",
			$1, $2, $3, $7, $8 == "" ? 0 : $9, $10, $5 }' <<<"$line"
	done
}

exact() {
	slb_msg "instructions a packet, Linux $(slb_kernel_release "$1")"
	SLB_GUEST_CPUS=1 SLB_QEMU='-icount shift=0,sleep=off' SLB_BENCH_ICOUNT=1 \
		SLB_STOCK_LOG=$work/console slb_stock_run "$1" 3000 \
		bash selftests/bench/guest.sh | rows exact "$1"
}

# Memory of large pages for user-mode Linux, as a kernel's is on a machine of its own.
huge_memory() {
	mkdir "$work/mem"
	if mount -t tmpfs -o huge=always shadowlb-bench "$work/mem" 2>/dev/null; then
		export SLB_UML_MEMDIR=$work/mem
		return
	fi
	rmdir "$work/mem"
	slb_msg 'no memory of large pages (mount -t tmpfs -o huge=always, as root): all cycles are more'
}

# native BITS: with IPVS's table of that size. Flows of a connection are learned again for
# each measurement, by packets that walk IPVS's table.
native() {
	slb_msg "cycles a packet, IPVS's table of 2^$1"
	SLB_BENCH_TSC=1 SLB_BENCH_BITS=$1 SLB_BENCH_PROTO=t SLB_BENCH_WARM=2 \
		SLB_BENCH_WAYS=${SLB_BENCH_WAYS:-nat4} \
		SLB_BENCH_WHATS=${SLB_BENCH_WHATS:-ipvs flow drop forward} SLB_BENCH_ROUNDS=${SLB_BENCH_ROUNDS:-9} \
		SLB_BENCH_FLOWS="${BENCH_FLOWS:-100 10000 100000 1000000}" \
		SLB_BENCH_PACKETS=${SLB_BENCH_PACKETS:-100000} \
		SLB_BENCH_TABLE=${SLB_BENCH_TABLE:-33554432} SLB_UML_MEM=${SLB_UML_MEM:-4G} \
		SLB_UML_LOG=$work/console slb_uml_run 7200 bash selftests/bench/guest.sh | rows native "2^$1"
}

# hit_rate: no times, but on the fast kernel because of the numbers.
hit_rate() {
	slb_msg "what flows serve, of ${BENCH_TABLE:-65536} places"
	SLB_BENCH_TSC=1 SLB_BENCH_BITS=20 SLB_BENCH_WAYS=${SLB_BENCH_WAYS:-skew4 flood4} \
		SLB_BENCH_FLOWS="${BENCH_FLOWS:-10000 30000 100000 300000}" \
		SLB_BENCH_TABLE=${BENCH_TABLE:-65536} SLB_UML_MEM=${SLB_UML_MEM:-4G} \
		SLB_UML_LOG=$work/console slb_uml_run 3600 bash selftests/bench/guest.sh | rows hits "${BENCH_TABLE:-65536}"
}

# scale KERNEL: emulated CPUs, each a thread of QEMU's: keep two CPUs quiet.
scale() {
	slb_msg "one CPU and two, Linux $(slb_kernel_release "$1")"
	SLB_GUEST_CPUS=2 SLB_BENCH_WAYS='scale_1 scale_2' SLB_BENCH_ROUNDS=${SLB_BENCH_ROUNDS:-9} \
		SLB_STOCK_LOG=$work/console slb_stock_run "$1" 3000 bash selftests/bench/guest.sh | rows scale "$1"
}

# Requests without keep-alive. Keep the machine quiet meanwhile.
close_each() {
	slb_msg "requests without keep-alive, Linux $(slb_kernel_release "$1")"
	SLB_GUEST_CPUS=2 SLB_STOCK_LOG=$work/console \
		slb_stock_run "$1" 3000 bash selftests/bench/close.sh | rows close "$1"
}

# One packet, instruction by instruction: QEMU logs what the guest executes for a moment.
profile() {
	local pid

	SLB_GUEST_CPUS=1 SLB_BENCH_PROFILE=y SLB_BENCH_FLOWS=100 SLB_BENCH_PACKETS=200000 \
		SLB_BENCH_WAYS=${WAY:-nat4} SLB_BENCH_WHATS=${WHAT:-flow} SLB_STOCK_LOG=$work/console \
		SLB_QEMU="-icount shift=0,sleep=off -D $work/trace -monitor unix:$work/monitor,server=on,wait=off" \
		slb_stock_run "$1" 600 bash selftests/bench/guest.sh >"$work/out" 2>/dev/null &
	pid=$!
	until grep -q '^# running' "$work/out"; do
		kill -0 $pid 2>/dev/null || { grep '^error' "$work/out" >&2; slb_die 'the guest ended early'; }
		sleep 1
	done
	(
		# one instruction a block: QEMU 8.1 has renamed the command
		printf 'singlestep on\none-insn-per-tb on\nlog exec,nochain\n'
		sleep 6
		printf 'log none\nquit\n'
		sleep 1
	) | socat - "UNIX-CONNECT:$work/monitor" >/dev/null
	wait $pid || :
	/usr/bin/python3 selftests/bench/profile.py "$work/out" "$work/trace"
}

case ${BENCH:-} in
native | hits)
	export SLB_UML=fast
	slb_uml_prepare
	huge_memory
	;;
*) read -r -a names <<<"$kernels" && slb_kernels_fetch "${names[@]}" ;;
esac
if [ "${BENCH:-}" = profile ]; then
	kernel=${BENCH_KERNELS:-6.12}
	kernel=${kernel%% *}
	build "$kernel"
	slb_msg "one packet, ${WAY:-nat4}, ${WHAT:-flow}, Linux $(slb_kernel_release "$kernel")"
	profile "$kernel"
	exit
fi
: >"$work/rows"
: >"$work/tables"
rc=0
case ${BENCH:-} in
native)
	kernels=uml
	build uml
	for bits in ${BENCH_BITS:-12 20}; do
		native "$bits" || rc=1
	done
	;;
hits)
	kernels=uml
	build uml
	hit_rate || rc=1
	;;
scale)
	kernels=${BENCH_KERNELS:-6.12}
	kernels=${kernels%% *}
	build "$kernels"
	scale "$kernels" || rc=1
	;;
close)
	kernels=${BENCH_KERNELS:-6.12}
	kernels=${kernels%% *}
	build "$kernels"
	close_each "$kernels" || rc=1
	;;
*)
	for kernel in $kernels; do
		build "$kernel"
		exact "$kernel" || rc=1
	done
	;;
esac
mkdir -p "$(dirname "$out")"
{
	printf '# date\t%s\n# machine\t%s\n' "$(date +%Y-%m-%d)" \
		"$(sed -n 's/^model name.*: //p; T; q' /proc/cpuinfo), $(nproc) CPUs"
	for kernel in $kernels; do
		printf '# kernel\t%s\t%s\n' "$kernel" "$(modinfo -F vermagic "$work/$kernel/shadowlb.ko" | cut -d ' ' -f 1)"
	done
	cat "$work/tables"
	printf 'part\tkernel\tway\twhat\tflows\tround\tunit\tserved\tp50\tp90\tp99\tp999\tp9999\tmean\n'
	cat "$work/rows"
} >"$out"
slb_msg "figures in $out"
[ $rc = 0 ] || slb_die 'flows did not serve what they should, see above'
