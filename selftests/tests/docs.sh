#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: 6.12
# slb-timeout: 240
#
# Commands of the documents, each as it stands there, in this guest's own network namespace:
# the code blocks of README.md from "modprobe shadowlb" on, of docs/xdp.md, docs/operate.md and
# docs/troubleshoot.md, and examples of the man page. Commands of make are left out: dkms, machine
# and others run them. boot follows the steps of a boot, tracing runs docs/tracing.md, installed the
# transcript with prompts.

set -u
. lib/stat.sh
. lib/xdp.sh
trap 'ip netns delete blue 2>/dev/null; ip link delete eth0; nft delete table ip slb-commands; rm -f /etc/modprobe.d/shadowlb*; make -s -C "$SLB_SRC" tool-uninstall' EXIT

# slb_code FILE: the commands of indented blocks, a line each, without comments.
slb_code() {
	awk '/^\.EX/ { last = ""; next }
	/^    / && (code || last == "") {
		line = substr($0, 5)
		if (FILENAME ~ /8$/) gsub(/\\-/, "-", line)
		if (line ~ /^ /) sub(/^ */, "", line); else if (n) printf "\n"
		if (line !~ /^perl|^END/) sub(/ +# .*/, "", line)
		printf "%s ", line; n++; code = 1; last = $0; next
	}
	{ code = 0; last = $0 } END { printf "\n" }' "$SLB_SRC/$1" |
		sed -n '/^modprobe\|^shadowlbctl\|^sysctl\|^ip \|^ipvsadm\|^cat\|^grep\|^perl\|^echo\|^rmmod/p'
}

# slb_run_code FILE: runs each. shadowlbctl answers no by 3.
slb_run_code() {
	local line rc

	while IFS= read -r line; do
		rc=0
		bash -c "$line" >"$SLB_TMP/said" 2>&1 </dev/null || rc=$?
		if [ $rc = 0 ] || [[ $rc = 3 && $line = shadowlbctl* ]]; then
			slb_ok "$1: $line"
		else
			slb_fail "$1: $line"
			sed 's/^/# /' "$SLB_TMP/said"
		fi
	done < <(slb_code "$1")
}

slb_xdp_need
rmmod shadowlb ip_vs_shadow 2>/dev/null
install -D -m 644 "$SLB_XDP_OBJ" /usr/lib/bpf/shadowlb_xdp.o
make -s -C "$SLB_SRC" tool-install
mkdir -p /etc/modules-load.d /etc/modprobe.d /etc/sysctl.d
ip link add eth0 type veth peer name eth1
ip link set eth0 up
ip link set eth1 up
# a rule that /proc/net/shadowlb marks
nft -f - <<-NFT
	table ip slb-commands {
		chain input {
			type filter hook input priority 0
			limit rate 10/second accept
		}
	}
NFT

slb_run_code README.md
slb_check 'README.md: then no module is left' \
	eval '! [ -e /sys/module/shadowlb ] && ! [ -e /sys/module/ip_vs_shadow ]'
slb_check 'README.md: the service is still there' grep -q C0000201:0050 /proc/net/ip_vs
modprobe shadowlb
slb_run_code docs/xdp.md
slb_run_code docs/shadowlbctl.8
mkdir -p /var/lib/prometheus/node-exporter
ip netns add blue
slb_run_code docs/operate.md
ip netns delete blue
slb_check 'the program is attached' shadowlbctl xdp attach eth0
slb_run_code docs/troubleshoot.md
slb_check 'docs/troubleshoot.md: then the module cannot be loaded' \
	eval '! modprobe shadowlb 2>/dev/null'
slb_done
