#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp
# slb-rows: stock
# slb-timeout: 480
#
# What IPVS does and flows do not: FTP with ip_vs_ftp, SIP persistence, one-packet
# scheduling, a real server on the director, ESP that goes with ISAKMP, IPsec on the way to
# the client. Each works with flows as without.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

SLB_KEY=0x$(printf '%040x' 4711)


# slb_skipped SERVICE REASON: of how many packets it is told that they were not served for it
slb_skipped() {
	slb_in dir cat /proc/net/shadowlb_services |
		awk -v s="$1" -v r="$2" '$1 " " $2 == s { for (i = 5; i <= NF; i++)
			if (sub("^" r "=", "", $i)) n += $i } END { print n + 0 }'
}

# slb_not_served SERVICE REASON MORE-THAN
slb_not_served() {
	[ "$scope" = 0 ] || slb_is "$text: not served, $2" "$(slb_skipped "$1" "$2")" gt "$3"
}

# slb_only: the services on standard input, as ipvsadm -R has them, and no others
slb_only() {
	slb_in dir ipvsadm -C
	slb_in dir ipvsadm -R
}

slb_ping_all() {
	slb_in client /usr/bin/python3 traffic/udp.py ping "$1:$2" "$3" "$4" >"$SLB_TMP/ping"
	slb_same "$text: $4 datagrams come back" "$(<"$SLB_TMP/ping")" "good=$4 bad=0 lost=0"
}

slb_ftp() {
	local way want
	want=$(sha256sum <"$SLB_TMP/file")
	slb_only <<-EOF
		-A -t $SLB_VIP_NAT:21 -s rr
		-a -t $SLB_VIP_NAT:21 -r 10.2.1.2:21 -m
	EOF
	for way in '--disable-epsv' '' '--ftp-port -'; do
		before=$(slb_stat_get dir)
		# shellcheck disable=SC2086
		slb_same "$text: a file of 3 MB, curl $way" "$(slb_in client curl -sS -m 60 $way \
			ftp://$SLB_VIP_NAT/file | sha256sum)" "$want"
		slb_note "hits: $(slb_stat_grew dir hits "$before")"
	done
	slb_not_served "TCP $SLB_VIP_NAT:21" skip_kind 10
}

# Sockets of one call end at one real server, whatever the scheduler says.
slb_sip() {
	slb_only <<-EOF
		-A -u $SLB_VIP_NAT:5060 -s rr -p 60 --pe sip
		-a -u $SLB_VIP_NAT:5060 -r 10.2.1.2:7777 -m
		-a -u $SLB_VIP_NAT:5060 -r 10.2.2.2:7777 -m
		-a -u $SLB_VIP_NAT:5060 -r 10.2.3.2:7777 -m
	EOF
	before=$(slb_stat_get dir)
	slb_check "$text: 200 messages of one call are answered" \
		slb_in client /usr/bin/python3 - "$SLB_VIP_NAT" <<-'EOF'
			import socket, sys
			text = b"INVITE sip:a@b SIP/2.0\r\nCall-ID: 4711@there\r\nCSeq: 1 INVITE\r\n\r\n"
			for _ in range(10):
			    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
			    s.settimeout(5)
			    s.connect((sys.argv[1], 5060))
			    for _ in range(20):
			        s.send(text)
			        assert s.recv(2048) == text
		EOF
	slb_is "$text: real servers that have it" \
		"$(slb_in dir ipvsadm -Ln | awk '/->.*:7777/ && $5 + $6 > 0' | wc -l)" eq 1
	slb_note "hits: $(slb_stat_grew dir hits "$before")"
}

slb_ops() {
	slb_only <<-EOF
		-A -u $SLB_VIP_DR:7 -s rr -o
		-a -u $SLB_VIP_DR:7 -r 10.2.1.2:7 -g
		-a -u $SLB_VIP_DR:7 -r 10.2.2.2:7 -g
	EOF
	before=$(slb_stat_get dir)
	slb_ping_all $SLB_VIP_DR 7 1 200
	slb_is "$text: hits" "$(slb_stat_grew dir hits "$before")" eq 0
	slb_check "$text: both real servers have had some" slb_wait 5 slb_spread
}

slb_spread() { [ "$(slb_vs_stats | awk '$3 != "all" && $5 > 50' | wc -l)" = 2 ]; }

slb_local() {
	slb_only <<-EOF
		-A -u $SLB_VIP_NAT:11 -s rr
		-a -u $SLB_VIP_NAT:11 -r 10.1.0.1:11 -m
	EOF
	before=$(slb_stat_get dir)
	slb_ping_all $SLB_VIP_NAT 11 1 100
	slb_is "$text: hits" "$(slb_stat_grew dir hits "$before")" eq 0
}

# IPVS sends ESP where the peer's ISAKMP went.
slb_esp() {
	slb_only <<-EOF
		-A -u $SLB_VIP_NAT:500 -s rr
		-a -u $SLB_VIP_NAT:500 -r 10.2.1.2:500 -m
	EOF
	before=$(slb_stat_get dir)
	slb_in client /usr/bin/python3 - "$SLB_VIP_NAT" <<-'EOF'
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(("", 500))
		s.settimeout(5)
		s.connect((sys.argv[1], 500))
		for _ in range(10):
		    s.send(b"isakmp")
		    s.recv(99)
		raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50)
		for n in range(50):
		    raw.sendto(n.to_bytes(4, "big") * 10, (sys.argv[1], 0))
	EOF
	slb_wait 5 slb_counted_above rs1 netdev arrived 49
	slb_is "$text: ESP packets at the real server" "$(slb_counted rs1 netdev arrived)" eq 50
	if [ "$scope" = 0 ]; then
		slb_is "$text: hits of 20 packets of ISAKMP" "$(slb_stat_grew dir hits "$before")" eq 0
	else
		slb_is "$text: hits of 20 packets of ISAKMP" "$(slb_stat_grew dir hits "$before")" gt 0
	fi
}

# slb_xfrm NS in|out LEVEL: a tunnel for whatever the director sends to the client, who takes
# what comes without it, too. IPVS asks no policy about the way to a real server over IPv4.
slb_xfrm() {
	ip -n "slb-$1" -batch - <<-EOF
		xfrm state add src 10.1.0.1 dst 10.1.0.2 proto esp spi 0x100 mode tunnel \
			aead rfc4106(gcm(aes)) $SLB_KEY 128
		xfrm policy add src 0.0.0.0/0 dst 10.1.0.2/32 dir $2 \
			tmpl src 10.1.0.1 dst 10.1.0.2 proto esp mode tunnel level $3
	EOF
}

# A policy that comes while flows serve: answers are encrypted from the next one on.
slb_ipsec() {
	local before ns pid

	slb_only <<-EOF
		-A -u $SLB_VIP_NAT:7 -s rr
		-a -u $SLB_VIP_NAT:7 -r 10.2.1.2:7 -m
	EOF
	slb_in dir nft delete table netdev slb 2>/dev/null
	slb_in dir nft -f - <<-EOF
		table netdev slb {
			chain encrypted {
				type filter hook egress device dc priority 0
				ip protocol esp counter
			}
			chain plain {
				type filter hook egress device dc priority 0
				udp sport 7 counter
			}
		}
	EOF
	slb_spawn client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:7 1 100000 slow \
		>"$SLB_TMP/ping"
	pid=$!
	slb_wait 60 slb_counted_above dir netdev plain 100 || slb_fail "$text: a real server answers"
	slb_xfrm client in use
	slb_xfrm dir out required
	before=$(slb_counted dir netdev plain)
	slb_wait 60 slb_counted_above dir netdev encrypted 100 || slb_fail "$text: answers are encrypted"
	slb_is "$text: answers that were not encrypted, behind the policy" \
		$(($(slb_counted dir netdev plain) - before)) eq 0
	kill -INT $pid
	wait $pid
	slb_note "$(<"$SLB_TMP/ping")"
	slb_same "$text: answers that differ or are lost" \
		"$(grep -o 'bad=.*' "$SLB_TMP/ping")" "bad=0 lost=0"
	slb_not_served "UDP $SLB_VIP_NAT:7" skip_egress 50
	for ns in dir client; do
		slb_in $ns ip xfrm policy flush
		slb_in $ns ip xfrm state flush
	done
	before=$(slb_stat_get dir)
	slb_ping_all $SLB_VIP_NAT 7 1 100
	[ "$scope" = 0 ] || slb_is "$text: hits when the policy is gone" "$(slb_stat_grew dir hits "$before")" gt 150
}


slb_each() {
	local kind scope text

	for scope in 0 2; do
		for kind in "$@"; do
			text="$kind, scope $scope"
			slb_scope $scope
			slb_in rs1 nft delete table netdev slb 2>/dev/null
			slb_count_at rs1 d0 arrived 'ip protocol esp'
			"slb_$kind"
		done
	done
}

modprobe shadowlb
modprobe -a ip_vs_ftp ip_vs_pe_sip esp4 || slb_bail 'this kernel lacks what the test needs'
slb_net_up
slb_udp_up
head -c 3000001 /dev/urandom >"$SLB_TMP/file"
slb_spawn rs1 /usr/bin/python3 traffic/ftp.py 10.2.1.2 "$SLB_TMP/file"
slb_spawn rs1 /usr/bin/python3 traffic/udp.py serve 10.2.1.2:500
slb_spawn dir /usr/bin/python3 traffic/udp.py serve 10.1.0.1:11
slb_each sip ops local esp ipsec
# ip_vs_ftp needs conntrack
slb_in dir sysctl -qw net.ipv4.vs.conntrack=1
slb_in dir nft 'table ip t { chain c { type filter hook prerouting priority 0; ct state invalid counter; }; }'
slb_each ftp
slb_done
