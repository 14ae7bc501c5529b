#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp
# slb-long: uml
# slb-rows: stock
# slb-timeout: 120
#
# A proof costs more than a packet of IPVS's. Packets of a connection that take turns with others, or
# that no flow can serve, prove the flow a few times, and then once a second: a type of service that
# changes from packet to packet, and datagrams longer than the path that a tunnel may fragment.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

PROOFS_PACKETS=2000

# proofs_send PORT TO:PORT TOS... : datagrams with these types of service by turns, a millisecond apart
proofs_send() {
	slb_in client /usr/bin/python3 - "$@" <<-PYTHON
		import socket, sys, time
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(("", int(sys.argv[1])))
		host, port = sys.argv[2].split(":")
		tos = [int(word) for word in sys.argv[3:]]
		for i in range($PROOFS_PACKETS):
		    s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos[i % len(tos)])
		    s.sendto(b"x", (host, int(port)))
		    time.sleep(.001)
	PYTHON
}

proofs_renewed() { slb_stat dir renewed; }

modprobe shadowlb
slb_net_up
slb_spawn rs1 /usr/bin/python3 traffic/ask.py serve 10.2.1.2:7
slb_wait 60 eval '[ "$(slb_in rs1 ss -Hlnu | wc -l)" -ge 1 ]' || slb_bail 'no UDP server'
slb_in dir sysctl -qw net.shadowlb.lease=600 net.shadowlb.scope=2
slb_in dir ipvsadm -A -u $SLB_VIP_NAT:7 -s rr
slb_in dir ipvsadm -a -u $SLB_VIP_NAT:7 -r 10.2.1.2:7 -m

slb_ms start
before=$(proofs_renewed)
proofs_send 40000 $SLB_VIP_NAT:7 0 32
slb_ms end
renewed=$(($(proofs_renewed) - before))
slb_note "$renewed proofs in $((end - start)) ms"
slb_is "two types of service by turns: proofs of $PROOFS_PACKETS packets" $renewed le \
	$((20 + 4 * (end - start) / 1000))
before=$(slb_stat dir hits)
proofs_send 40000 $SLB_VIP_NAT:7 32
slb_is 'then one type of service: served' $(($(slb_stat dir hits) - before)) ge $((PROOFS_PACKETS / 4))
before=$(slb_stat dir hits)
proofs_send 40001 $SLB_VIP_NAT:7 32 32 32 32 32 32 32 32 32 0
slb_is 'one packet in ten has another: served' $(($(slb_stat dir hits) - before)) ge $PROOFS_PACKETS
slb_done
