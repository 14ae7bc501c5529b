# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Boots one of Debian's stock kernels from the cache and runs a command in it, with
# virtme-ng's virtme-run and QEMU's software emulation: no KVM, no root file system
# image, no udev. Sourced on the host, after host.sh and kernels.sh.
#
#   slb_stock_run KERNEL SECONDS CMD...
#
# The guest's root is an overlay: a tmpfs to write to, the kernel's own files from
# the cache, and below them this machine's file system, read-only. So the guest has
# the host's programs and the checkout at its place, and /boot, /lib/modules and
# /usr/src of the kernel it runs. Nothing it writes outlives it.

SLB_GUEST_CPUS=${SLB_GUEST_CPUS:-2}
SLB_GUEST_MEM=${SLB_GUEST_MEM:-2G}

# A directory for the guest, as QEMU options, one a line. A comma would end one.
slb_stock_share() {
	printf -- '-fsdev\nlocal,id=%s,path=%s,security_model=none,multidevs=remap%s\n' \
		"$1" "${2//,/,,}" "${3:-}"
	printf -- '-device\nvirtio-9p-pci,fsdev=%s,mount_tag=%s\n' "$1" "$1"
}

# slb_stock_wires N: QEMU options for N wires, each between two of the guest's own virtio
# network cards. The guest sees nothing of the host's network.
slb_stock_wires() {
	local i end

	for ((i = 1; i <= $1; i++)); do
		for end in a b; do
			printf -- '-netdev hubport,id=wire%d%s,hubid=%d ' "$i" $end "$i"
			printf -- '-device virtio-net-pci,netdev=wire%d%s,romfile= ' "$i" $end
		done
	done
}

# Runs CMD as root in a fresh guest, in this directory, with this shell's SLB_*
# variables. Its output goes to stdout while it runs. Returns CMD's exit code; 124
# when time ran out, 125 when the guest died: then the last lines of its console
# are shown on stderr. $SLB_STOCK_LOG, if set, keeps the console; $SLB_NICE is how nice
# the guest is to others; $SLB_QEMU has more options for QEMU.
slb_stock_run() {
	local kernel=$1 seconds=$2 run log image pid reader shares rc=0 busybox=/bin/busybox

	shift 2
	image=$(slb_kernel_image "$kernel") || return 1
	run=$(mktemp -d "${TMPDIR:-/tmp}/slb-stock.XXXXXX") || return 1
	log=${SLB_STOCK_LOG:-$run/console}
	{
		declare -px | grep -E '^declare -x SLB_'
		declare -p PWD
		declare -a slb_cmd=("$@")
		declare -p slb_cmd
	} >"$run/job"
	: >"$run/output"
	cp "$SLB_TOP/selftests/guest/stock-init.sh" "$run/init"
	chmod +x "$run/init"
	mapfile -t shares < <(slb_stock_share slbhost / ,readonly=on
		slb_stock_share slbkern "$(slb_kernel_root "$kernel")" ,readonly=on
		slb_stock_share slbrun "$run")

	# virtme-run reopens its three descriptors: files and pipes will do, a socket
	# will not. Its initramfs obeys the first init= on the command line, which is
	# ours. Of the clocks, the TSC alone costs an emulated CPU little. timeout's
	# process group is what ends QEMU too, and it goes when this shell goes.
	PYTHONDONTWRITEBYTECODE=1 setpriv --pdeathsig TERM \
		nice -n "${SLB_NICE:-0}" \
		timeout -k 10 "$seconds" /usr/bin/python3 -m virtme.commands.run \
		--kimg "$image" --busybox "$busybox" --mods auto --disable-kvm --force-9p \
		--cpus "$SLB_GUEST_CPUS" --memory "$SLB_GUEST_MEM" \
		--overlay-rwdir /run --show-boot-console --script-sh true \
		-a "init=$run/init" -a "slb_run=$run" \
		-a ignore_loglevel -a tsc=reliable -a mitigations=off \
		-a oops=panic -a panic=-1 \
		--qemu-opts "${shares[@]}" ${SLB_QEMU:-} \
		</dev/null 2> >(exec cat >"$log") >"$run/virtme.log" &
	pid=$!
	tail -n +1 -f -s 0.2 --pid=$pid "$run/output" &
	reader=$!
	wait $pid || rc=$?
	wait $reader
	if [ -s "$run/rc" ]; then
		rc=$(<"$run/rc")
	else
		if [ $rc = 124 ] || [ $rc = 137 ]; then
			slb_msg "$kernel: no end after $seconds s; the guest's last words:"
			rc=124
		else
			slb_msg "$kernel: the guest died; its last words:"
			rc=125
		fi
		tail -n 100 "$log" | tr -d '\r' >&2
		cat "$run/virtme.log" >&2
	fi
	rm -rf "$run"
	return "$rc"
}
