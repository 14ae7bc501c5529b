#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: 6.12
# slb-timeout: 120
#
# A module whose BTF does not fit the kernel, which Debian's kernels load all the same: there
# is no XDP, and /proc/net/shadowlb says why. Packets are served by the hook.

set -u
. lib/stat.sh
. lib/net.sh
. lib/xdp.sh
trap slb_net_down EXIT

slb_xdp_line() { grep '^xdp ' /proc/net/shadowlb; }

slb_xdp_need
slb_same 'the module as it was built' "$(slb_xdp_line)" 'xdp    1'
rmmod shadowlb

objcopy --dump-section .BTF="$SLB_TMP/btf" "$SLB_KO" "$SLB_TMP/shadowlb.ko" ||
	slb_bail 'shadowlb.ko has no BTF'
# behind a header of 24 bytes and a name: the first type is of a kind that there is not
printf '\xff\xff\xff\x7f' | dd of="$SLB_TMP/btf" bs=1 seek=28 conv=notrunc status=none
objcopy --update-section .BTF="$SLB_TMP/btf" "$SLB_KO" "$SLB_TMP/shadowlb.ko" ||
	slb_bail 'objcopy cannot replace the BTF'

mark="btf.sh $RANDOM$RANDOM"
echo "$mark" >/dev/kmsg
modprobe ip_vs_shadow
if ! insmod "$SLB_TMP/shadowlb.ko"; then
	slb_note 'this kernel refuses the module (CONFIG_MODULE_ALLOW_BTF_MISMATCH)'
	exit 4
fi
slb_same 'BTF that does not fit: no XDP, and why' "$(slb_xdp_line)" \
	"xdp    0 the module's BTF does not fit this kernel: see docs/xdp.md"
slb_is 'lines in the log that say so' \
	"$(dmesg | sed "1,/$mark/d" | grep -c 'shadowlb: no XDP: ')" eq 1

slb_net_up
slb_udp_up
slb_service u m 7 shadow 7777
slb_must 'datagrams come back' slb_in client /usr/bin/python3 traffic/udp.py ping "$SLB_VIP_NAT:7" 2 50
slb_is 'packets that the hook serves' "$(slb_stat dir hits)" gt 100
slb_check 'the program for XDP does not load' \
	bash -c '! nsenter --net=/run/netns/slb-dir ip link set dev dc xdp obj "$0" sec xdp 2>/dev/null' "$SLB_XDP_OBJ"
slb_in dir ipvsadm -C
slb_check 'the module goes' rmmod shadowlb
slb_check 'and comes back as it was built' modprobe shadowlb
slb_same 'with XDP' "$(slb_xdp_line)" 'xdp    1'
slb_done
