#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: uml
# slb-also: smp here
# slb-rows: stock
# slb-timeout: 180
#
# A client closes its half and waits for a late answer, while nothing comes from the
# server: the connection is IPVS's, in CLOSE_WAIT with its 60 s, and what is left of its
# flows must not end it. (60 s is also what IPVS leaves on a connection that it failed to
# end because it was held.)

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

cat >"$SLB_TMP/server.py" <<'PY'
import socket, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", 8080))
s.listen(5)
while True:
    c, _ = s.accept()
    while data := c.recv(65536):
        c.sendall(data)
    time.sleep(3)
    c.sendall(b"late answer")
    c.close()
PY
cat >"$SLB_TMP/client.py" <<'PY'
import os, socket, sys, time
s = socket.create_connection((sys.argv[1], 80), 20)
while not os.path.exists(sys.argv[2] + ".served"):
    s.sendall(b"x" * 100)
    n = 0
    while n < 100:
        n += len(s.recv(100 - n))
open(sys.argv[2] + ".ready", "w").close()
while not os.path.exists(sys.argv[2] + ".go"):
    time.sleep(0.05)
s.shutdown(socket.SHUT_WR)
print(s.recv(100).decode())
PY

slb_tcp_state() { slb_in dir ipvsadm -Lnc | awk '$1 == "TCP" { print $3 }'; }
slb_conn_is() { [ "$(slb_tcp_state)" = "$1" ]; }
slb_server_listens() { [ -n "$(slb_in rs1 ss -Hlnt 'sport = 8080')" ]; }
slb_ended_above() { [ "$(slb_stat dir ended)" -gt "$1" ]; }

modprobe shadowlb
slb_net_up
slb_spawn rs1 /usr/bin/python3 "$SLB_TMP/server.py"
slb_in dir ipvsadm -R <<-RULES
	-A -t $SLB_VIP_NAT:80 -s shadow
	-a -t $SLB_VIP_NAT:80 -r 10.2.1.2:8080 -m
RULES
slb_wait 60 slb_server_listens || slb_bail 'no server'

slb_spawn client /usr/bin/python3 "$SLB_TMP/client.py" $SLB_VIP_NAT "$SLB_TMP/client" \
	>"$SLB_TMP/answer"
client=$!
slb_check 'flows serve packets' slb_wait 30 slb_stat_above dir hits 100
touch "$SLB_TMP/client.served"
slb_wait 30 test -e "$SLB_TMP/client.ready" || slb_bail 'no connection'
slb_same 'the connection is established' "$(slb_tcp_state)" ESTABLISHED

# what the server's kernel sends by itself is lost from here: acknowledgements
slb_in rs1 nft -f - <<-RULES
	table ip lost {
		chain output {
			type filter hook output priority 0
			tcp sport 8080 ip length < 60 drop
		}
	}
RULES
learned=$(slb_stat dir learned)
: >"$SLB_TMP/client.go"
slb_wait 5 slb_conn_is CLOSE_WAIT || slb_fail "the client's FIN leads to $(slb_tcp_state)"
slb_check 'the flows of both directions end, by the FIN and by the sweep' \
	slb_wait 5 slb_ended_above $((learned - 1))
slb_same 'the connection lives on in CLOSE_WAIT' "$(slb_tcp_state)" CLOSE_WAIT
slb_in rs1 nft delete table ip lost
slb_check 'the client ends well' wait $client
slb_same 'the late answer arrives' "$(<"$SLB_TMP/answer")" 'late answer'
slb_done
