#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Inside the system that the static test installed.sh boots: a client, a director (the system itself,
# with keepalived) and two real servers in network namespaces, and an operator's commands.
# Lines that begin with "slb: " are for the test.

set -u
say() { printf 'slb: %s\n' "$*"; }
check() {
	local text=$1

	shift
	if "$@"; then say "ok - $text"; else say "not ok - $text"; fi
}
# wait_for SECONDS COMMAND...
wait_for() {
	local end=$(($(date +%s) + $1))

	shift
	until "$@"; do
		[ "$(date +%s)" -lt $end ] || return 1
		sleep 0.2
	done
}
# shown COMMAND...: for the transcript
shown() {
	say "\$ $*"
	"$@" >/run/shown 2>&1 </dev/null
	shown_rc=$?
	while IFS= read -r shown_line; do
		say "  $shown_line"
	done </run/shown
	return $shown_rc
}
# json EXPRESSION COMMAND...: a Python expression of d, what shadowlbctl COMMAND --json prints
json() {
	local expression=$1

	shift
	shadowlbctl "$@" --json | python3 -c \
		'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$expression"
}

network() {
	local i

	sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0
	for i in client rs1 rs2; do
		ip netns add $i
		ip -n $i link set lo up
		ip link add $i type veth peer name eth0 netns $i
		ip link set $i up
		ip -n $i link set eth0 up
	done
	ip address add 10.1.0.1/24 dev client
	ip address add 10.1.0.100/32 dev client
	ip -n client address add 10.1.0.2/24 dev eth0
	for i in 1 2; do
		ip address add 10.2.$i.1/24 dev rs$i
		ip -n rs$i address add 10.2.$i.2/24 dev eth0
		ip -n rs$i route add default via 10.2.$i.1
		mkdir -p /run/rs$i
		head -c 4096 /dev/urandom >/run/rs$i/4k
		cat >/run/rs$i/nginx.conf <<-NGINX
			user root; pid /run/rs$i/pid; error_log /run/rs$i/log;
			events { }
			http { access_log off; keepalive_requests 100000000;
				server { listen 80; root /run/rs$i; } }
		NGINX
		ip netns exec rs$i nginx -c /run/rs$i/nginx.conf
	done
	cat >/etc/keepalived/keepalived.conf <<-KEEPALIVED
		virtual_server 10.1.0.100 80 {
			lb_algo wlc
			lb_kind NAT
			protocol TCP
			real_server 10.2.1.2 80 { weight 1
				TCP_CHECK { connect_timeout 9 } }
			real_server 10.2.2.2 80 { weight 1
				TCP_CHECK { connect_timeout 9 } }
		}
	KEEPALIVED
	systemctl restart keepalived
}

servers() { [ "$(ipvsadm -Ln | grep -c Masq)" = 2 ]; }
load() {
	while ip netns exec client curl -s -o /dev/null 'http://10.1.0.100/4k?[1-3000]'; do :; done
}
# Do flows serve nine of ten packets of the last second?
served() { [ "$(json 'd["services"][0]["share"] is not None and d["services"][0]["share"] > 90' top)" = True ]; }
loaded() { [ -e /sys/module/shadowlb ]; }
answers() { ip netns exec client curl -sf -o /dev/null --max-time 30 http://10.1.0.100/4k; }
lease_is() { [ "$(sysctl -n net.shadowlb.lease)" = "$1" ]; }
metrics() { grep -q "^shadowlb_up $1" /var/lib/prometheus/node-exporter/shadowlb.prom; }

# The first ten minutes: keepalived runs under load, then shadowlb comes.
step_first() {
	local begun

	check 'no module is loaded' eval '! loaded'
	shown shadowlbctl status
	check 'which shadowlbctl says' grep -q 'not loaded: modprobe shadowlb' /run/shown
	begun=$(date +%s)
	check 'modprobe shadowlb' shown modprobe shadowlb
	check 'scope 2' shown shadowlbctl scope 2
	check 'flows serve nine of ten packets' wait_for 120 served
	say "served $(($(date +%s) - begun)) s after modprobe"
	check 'status' shown shadowlbctl status
	check 'services' shown shadowlbctl services 10.1.0.100:80
	check 'top' shown shadowlbctl top
	check 'why' shown shadowlbctl why 10.1.0.2 10.1.0.100:80
	check 'flows' shown shadowlbctl flows -n 4
	check 'doctor' shown shadowlbctl doctor
	check 'ipvsadm' shown ipvsadm -Ln --stats
	check 'xdp attach' shown shadowlbctl xdp attach client rs1 rs2
	check 'xdp detach' shown shadowlbctl xdp detach client rs1 rs2
	check 'scope 0, at once' shown shadowlbctl scope 0
	check 'answers' answers
}

# After a new kernel and a reboot, with README's commands for the next boot.
step_again() {
	check 'the kernel is the new one' eval '[ "$(uname -r)" = "$(ls -v /lib/modules | tail -n 1)" ]'
	check 'the module was loaded' loaded
	check 'scope is 2' [ "$(shadowlbctl scope)" = 2 ]
	check 'lease is 5' lease_is 5
	check 'flows serve nine of ten packets' wait_for 120 served
	check 'doctor' shown shadowlbctl doctor
	check 'metrics are written' wait_for 60 metrics 1
	check 'rmmod' wait_for 20 rmmod shadowlb
	check 'metrics tell that the module is gone' wait_for 60 metrics 0
	check 'modprobe, again' modprobe shadowlb
	check 'the rule of udev sets lease' wait_for 60 lease_is 5
	check 'answers' answers
	check 'rmmod, again' wait_for 20 rmmod shadowlb
	mkdir -p /run/smoke
	check 'the smoke test of the package' shown env AUTOPKGTEST_TMP=/run/smoke /root/smoke
	check 'purge' shown dpkg --purge shadowlb shadowlb-dkms
	check 'answers without shadowlb' answers
	check 'no module is left' eval '! modprobe shadowlb 2>/dev/null'
}

step=$(sed -n 's/.*slb_step=\([a-z]*\).*/\1/p' /proc/cmdline)
say "$step: $(uname -r)"
network
check 'keepalived has set up the service' wait_for 120 servers
check 'answers' wait_for 60 answers
load &
"step_$step"
kill %1
say end
systemctl poweroff
