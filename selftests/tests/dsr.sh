#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp here
# slb-long: uml
# slb-rows: stock
# slb-timeout: 180
#
# Direct routing and tunnels with net.ipv4.vs.conntrack=1: conntrack sees requests alone.
# Flows serve them, and its entries are counted and live as without flows.

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
trap slb_net_down EXIT

# send_steps PORT STEP...: from port 4000 of the client. A step is N, datagrams, or await=FILE.
send_steps() {
	slb_in client /usr/bin/python3 - "$SLB_VIP_NAT" "$@" <<-'EOF'
		import os, socket, sys, time
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(("10.1.0.2", 4000))
		to = sys.argv[1], int(sys.argv[2])
		for step in sys.argv[3:]:
		    if step.startswith("await="):
		        while not os.path.exists(step[6:]):
		            time.sleep(.1)
		        continue
		    for i in range(int(step)):
		        s.sendto(b"x" * 32, to)
		        time.sleep(.05)
	EOF
}

# entry PORT: of the connection, with id and counters
entry() { slb_in dir conntrack -L -o id -p udp --sport 4000 --dport "$1" 2>/dev/null; }

# Packets of an entry, as "conntrack -L" prints it, and its id.
packets() { sed -n 's/.*sport=4000[^=]*=[0-9]* packets=\([0-9]*\).*/\1/p' <<<"$1"; }
id() { sed -n 's/.* id=\([0-9]*\).*/\1/p' <<<"$1"; }

# dsr_test TEXT PORT: an entry lives for 6 s, packets come for longer.
dsr_test() {
	local hits first last

	hits=$(slb_stat dir hits)
	rm -f "$SLB_TMP/go"
	send_steps "$2" 10 "await=$SLB_TMP/go" 180 &
	slb_wait 60 eval '[ "$(packets "$(entry '"$2"')")" = 10 ]' || slb_fail "$1: no entry with 10 packets"
	first=$(entry "$2")
	touch "$SLB_TMP/go"
	wait $!
	slb_wait 3 eval '[ "$(packets "$(entry '"$2"')")" = 190 ]'
	last=$(entry "$2")
	slb_note "$last"
	slb_same "$1: the entry is the same" "$(id "$last")" "$(id "$first")"
	slb_is "$1: its packets" "$(packets "$last")" eq 190
	slb_is "$1: of 190, served by flows" $(($(slb_stat dir hits) - hits)) ge 120
	slb_check "$1: an entry that nothing refreshes ends" slb_wait 60 ended "$2"
}

ended() { [ -z "$(entry "$1")" ]; }

modprobe -a shadowlb nf_conntrack nf_conntrack_netlink
slb_one_cpu
slb_net_up
slb_scope 2
slb_in dir nft -f - <<-'EOF' || slb_bail 'no rules'
	table ip t { chain c { type filter hook input priority 0; ct state new counter; }; }
EOF
slb_in dir sysctl -qw net.ipv4.vs.conntrack=1 net.netfilter.nf_conntrack_acct=1 \
	net.netfilter.nf_conntrack_udp_timeout=6 \
	net.shadowlb.lease=1
slb_in dir ipvsadm -R <<-EOF
	-A -u $SLB_VIP_NAT:8 -s rr
	-a -u $SLB_VIP_NAT:8 -r 10.2.1.2:8 -g
	-A -u $SLB_VIP_NAT:9 -s rr
	-a -u $SLB_VIP_NAT:9 -r 10.2.1.2:9 -i
	-A -u $SLB_VIP_NAT:10 -s rr
	-a -u $SLB_VIP_NAT:10 -r 10.2.1.2:10 -i --tun-type gre --tun-nocsum
	-A -t $SLB_VIP_DR:80 -s rr
	-a -t $SLB_VIP_DR:80 -r 10.2.1.2:80 -g
EOF
slb_in dir sysctl -qw net.shadowlb.verify=7
dsr_test 'direct routing' 8
dsr_test 'IPIP' 9
dsr_test 'GRE' 10
slb_is 'flows that differ from the slow path' "$(slb_stat dir differs)" eq 0
slb_is 'packets compared' "$(slb_stat dir verified)" ge 20
slb_in dir sysctl -qw net.shadowlb.verify=0

# "notrack" holds at once, and the entry ends
rm -f "$SLB_TMP/go"
send_steps 9 10 "await=$SLB_TMP/go" 100 &
sender=$!
slb_wait 60 eval '[ "$(packets "$(entry 9)")" = 10 ]' || slb_fail 'notrack: no entry'
slb_in dir nft -f - <<-'EOF'
	table ip n { chain r { type filter hook prerouting priority raw; udp dport 9 notrack; }; }
EOF
hits=$(slb_stat dir hits)
touch "$SLB_TMP/go"
wait $sender
slb_is 'notrack: packets of the entry' "$(packets "$(entry 9)" | grep -v '^10$' | wc -l)" eq 0
slb_is 'notrack: of 100, served by flows' $(($(slb_stat dir hits) - hits)) ge 50
slb_in dir nft delete table ip n

# an entry that begins in the middle of a connection
slb_http_up
slb_wrk_start 2 "http://$SLB_VIP_DR/4k" 20
slb_wait 60 slb_stat_above dir hits $(($(slb_stat dir hits) + 50)) || slb_fail 'flows serve TCP'
slb_in dir conntrack -D -p tcp >/dev/null 2>&1
slb_check 'TCP: an entry that begins in the middle' slb_wait 30 eval \
	'slb_in dir conntrack -L -p tcp 2>/dev/null | grep -q ESTABLISHED'
hits=$(slb_stat dir hits)
slb_check 'TCP: flows serve with it' slb_wait 30 slb_stat_above dir hits $((hits + 200))
left=$(slb_in dir conntrack -L -p tcp 2>/dev/null | awk '/ESTABLISHED/ { print $3; exit }')
slb_is 'TCP: without answers it has five minutes' "$left" le 300
slb_wrk_end
slb_in dir conntrack -F >/dev/null 2>&1
slb_in dir sysctl -qw net.shadowlb.scope=0
slb_check 'no entry is held for ever' slb_wait 60 eval \
	'[ "$(slb_in dir sysctl -n net.netfilter.nf_conntrack_count)" -le 2 ]'
slb_done
