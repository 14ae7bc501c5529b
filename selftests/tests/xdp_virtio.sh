#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: newest
# slb-timeout: 300
#
# XDP in a driver of network cards: virtio-net, whose frames never were an skb. The wires at
# the director are between cards of the guest.

set -u
. lib/stat.sh
SLB_WIRES=virtio
. lib/net.sh
SLB_SERVERS="1 2"
SLB_NETNS="client dir rs1 rs2"
. lib/methods.sh
. lib/xdp.sh
trap slb_net_down EXIT

slb_xdp_need
slb_xdp_up
slb_must 'the program is attached' slb_xdp_set native dc dr1 dr2
slb_is 'drivers that run it' "$(slb_in dir ip link show | grep -c ' xdp qdisc ')" eq 3
slb_traffic 'virtio'
slb_verify_test 'virtio'
slb_xdp_set off dc dr1 dr2
slb_xdp_echo 'virtio: without the program again'
slb_done
