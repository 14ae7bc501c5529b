#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-also: all
# slb-timeout: 1800
#
# The first days of an operator: Debian 13 with keepalived, booted in an emulator with systemd. The
# packages are installed; modprobe, scope, top, why, doctor while there is load; a new kernel; a
# reboot; purge. guest/installed.sh does the steps inside. Packages are installed here, in the
# system's directory: an emulated CPU would take an hour for what DKMS compiles.

set -u
. "$(dirname "$0")/../host/static.sh"
. "$slb_host/debian-test.sh"

RELEASES=trixie
slb_debian_begin 'deb boot' "$@"

# The kernel of backports, as "apt upgrade" would install it
new_kernel() {
	in_root sh -c 'apt-get -q -y --no-download --no-install-recommends install \
		/var/cache/apt/archives/*.deb' || {
		cat "$root"/var/lib/dkms/shadowlb/*/build/make.log
		return 1
	}
}

# README's commands for the next boot, and a timer
next_boot() {
	sed -n 's,^    \(echo .*>/etc/.*\),\1,p' "$SLB_SRC/README.md" >"$root/root/commands"
	[ "$(wc -l <"$root/root/commands")" = 3 ] || return 1
	in_root sh -ex /root/commands && in_root systemctl -q enable shadowlb-metrics.timer
}

# newest: the release of the newest kernel that is installed
newest() { basename "$(find "$root/lib/modules" -mindepth 1 -maxdepth 1 | sort -V | tail -n 1)"; }

# disk: an ext4 image of the system, with its newest kernel and an initramfs beside
disk() {
	local release kernel

	release=$(newest)
	kernel=$root/boot/vmlinuz-$release
	[ -e "$kernel" ] || kernel=$root/lib/modules/$release/vmlinuz
	in_root mkinitramfs -o /root/initrd "$release" || return 1
	cp "$kernel" "$image.vmlinuz" && mv "$root/root/initrd" "$image.initrd" || return 1
	rm -f "$image"
	mkdir -p "$dir/plain" && mount --bind "$root" "$dir/plain" || return 1
	mke2fs -q -F -t ext4 -d "$dir/plain" "$image" 3G || return 1
	umount "$dir/plain"
}

# emulate STEP SECONDS: boots the disk, which does that step and powers off
emulate() {
	# in the background: else a signal would wait for the end
	timeout -k 10 "$2" qemu-system-x86_64 -accel tcg,thread=multi -m 2G -smp 2 -nographic \
		-no-reboot -kernel "$image.vmlinuz" -initrd "$image.initrd" \
		-append "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 mitigations=off tsc=reliable panic=-1 slb_step=$1" \
		-drive "file=$image,if=virtio,format=raw,cache=unsafe" -nic none \
		</dev/null >"$dir/console" 2>&1 &
	wait $!
	tr -d '\r' <"$dir/console" | sed -n 's/^.*slb: //p' >"$dir/said"
	grep -q '^end$' "$dir/said"
}

# Results of the guest's step as results of this test; its console if there is no end.
step() {
	local line rc=0 start=$SECONDS

	emulate "$@" || rc=1
	while IFS= read -r line; do
		case $line in
		'ok - '* | 'not ok - '*)
			n=$((n + 1))
			[[ $line = ok* ]] || failed=1
			echo "${line%% - *} $n - $release: $1: ${line#* - }"
			;;
		*) echo "# $line" ;;
		esac
	done <"$dir/said"
	n=$((n + 1))
	if [ $rc = 0 ]; then
		echo "ok $n - $release: $1: to the end # time=$((SECONDS - start))s"
	else
		failed=1
		tail -n 60 "$dir/console" | tr -d '\r' | sed 's/^/# /'
		echo "not ok $n - $release: $1: to the end"
	fi
}

# The disk is too large for memory.
image=$(mktemp "${TMPDIR:-/tmp}/shadowlb-disk.XXXXXX")
trap 'rm -f "$image" "$image".*; exit' EXIT TERM INT
for release in $RELEASES; do
	slb_debian_mount deb "build-$release" || exit 1
	check 'make deb' slb_debian_make "$version"
	slb_debian_mount boot "boot-$release" || exit 1
	check 'installation' slb_debian_install "$version"
	cp "$SLB_SRC/selftests/guest/installed.sh" "$SLB_SRC/debian/tests/smoke" "$root/root/"
	cp "$SLB_SRC/selftests/guest/installed.service" "$root/etc/systemd/system/"
	# a login on the console would hang up the test's output
	in_root sh -c 'systemctl -q mask serial-getty@ttyS0.service && systemctl -q enable installed.service'
	check 'a disk' disk
	step first 2400
	check 'the kernel of backports' new_kernel
	check 'commands for the next boot' next_boot
	check 'a disk with that kernel' disk
	step again 2400
done
slb_debian_end
