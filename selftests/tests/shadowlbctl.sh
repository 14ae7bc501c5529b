#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: 6.12
# slb-timeout: 1200
#
# shadowlbctl: each command, as text and as JSON, agrees with the files of the kernel; wrong uses end
# with a sentence and an exit code.

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
. lib/xdp.sh
trap 'slb_net_down; make -s -C "$SLB_SRC" tool-uninstall' EXIT

slb_ctl() { slb_in dir shadowlbctl "$@"; }

# from the guest's own namespace
slb_ctl_of_dir() { shadowlbctl --netns slb-dir "$@"; }

# slb_ctl_json EXPRESSION COMMAND...: a Python expression of the JSON in d.
slb_ctl_json() {
	local expression=$1

	shift
	slb_ctl "$@" --json | /usr/bin/python3 -c \
		'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$expression"
}

# slb_ctl_fails TEXT CODE PATTERN COMMAND...: it ends with the code, one line and no trace.
slb_ctl_fails() {
	local text=$1 code=$2 pattern=$3 rc=0

	shift 3
	"$@" >"$SLB_TMP/out" 2>"$SLB_TMP/err" || rc=$?
	slb_is "$text: exit code" $rc eq "$code"
	slb_check "$text: says '$pattern'" grep -q -- "$pattern" "$SLB_TMP/out" "$SLB_TMP/err"
	slb_is "$text: lines of errors" "$(wc -l <"$SLB_TMP/err")" le 1
	sed 's/^/# /' "$SLB_TMP/out" "$SLB_TMP/err"
}

# slb_ctl_works TEXT COMMAND...: it succeeds; the output is shown.
slb_ctl_works() {
	local text=$1

	shift
	slb_check "$text" slb_ctl_quiet "$@"
	sed 's/^/# /' "$SLB_TMP/out" "$SLB_TMP/err"
}
slb_ctl_quiet() { slb_ctl "$@" >"$SLB_TMP/out" 2>"$SLB_TMP/err"; }

# Datagrams from one port until slb_stop.
slb_ctl_traffic() {
	slb_spawn client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:7 1 1000000 slow from=40000 \
		>/dev/null
}

slb_ctl_errors() {
	slb_ctl_fails 'no module' 1 'not loaded: modprobe' slb_ctl status
	slb_ctl_fails 'serve, no module' 1 'not loaded: modprobe' slb_ctl serve on tcp:10.1.0.9:1
	slb_ctl_fails 'reload, no module' 1 'not loaded: modprobe' slb_ctl reload
	slb_ctl_fails 'no command' 2 'COMMAND' \
		eval 'slb_ctl 2>&1 | tail -n 1 >&2; (exit ${PIPESTATUS[0]})'
}

slb_ctl_uses() {
	local user=(setpriv --reuid=65534 --regid=65534 --clear-groups shadowlbctl)

	slb_ctl_fails 'no rights' 1 'run this as root' "${user[@]}" status
	slb_ctl_fails 'no such namespace' 1 'ip netns list' slb_ctl --netns nowhere status
	slb_ctl_fails 'no such service' 1 'no such service' slb_ctl services 10.9.9.9:80
	slb_ctl_fails 'no port' 1 'has no port' slb_ctl why 10.1.0.2 10.1.0.100
	slb_ctl_fails 'no address' 1 'is no address' slb_ctl flows --address client
	slb_ctl_fails 'an address with a device' 1 'is no address' slb_ctl flows --address fe80::1%dc
	slb_ctl_fails 'no such port' 1 'at most 65535' slb_ctl flows --port 70000
	slb_ctl_fails 'JSON into a file' 1 'without --json' slb_ctl metrics --json --output "$SLB_TMP/no"
	slb_ctl_fails 'a command that sets, again and again' 1 'changes something' \
		slb_ctl lease 5 --watch
	slb_ctl_fails 'no such device' 1 'no such device' slb_ctl xdp attach nowhere
	slb_ctl_fails 'no device' 1 'no device given' slb_ctl xdp attach
	slb_ctl_fails 'the program is not there' 1 'does not have the program' slb_ctl xdp detach dc
	slb_ctl_fails 'scope out of range' 1 'cannot be 3: Invalid argument' slb_ctl scope 3
	slb_same 'scope is as before' "$(slb_ctl scope)" 1
	slb_ctl_fails 'no more room for output' 1 'No space left' eval 'slb_ctl status >/dev/full'
	slb_check 'a reader that stops' eval \
		'slb_ctl scope --watch 0.1 2>"$SLB_TMP/err" | head -n 1 >/dev/null; ! [ -s "$SLB_TMP/err" ]'
	slb_is 'again and again: looks' "$(slb_in dir timeout 60 shadowlbctl scope \
		--watch 0.1 | head -n 3 | grep -c '^1$')" eq 3
	slb_same 'another namespace' "$(slb_ctl_of_dir scope)" 1
}

slb_ctl_counts() {
	slb_same 'served packets' "$(slb_ctl_json 'd["served"]' status)" "$(slb_stat dir hits)"
	slb_check 'served packets of all services' slb_wait 60 slb_ctl_services_agree
	slb_same 'reasons add up' \
		"$(slb_ctl_json 'all(sum(r["packets"] for r in s["reasons"]) == s["slow"] for s in d["services"])' services)" True
}

# Flows may end between two looks.
slb_ctl_used() {
	[ "$(slb_ctl_json 'd["flows"]' status)" = "$(slb_show | awk '$1 == "all" { print $3 + $5 }')" ]
}
slb_ctl_listed() {
	[ "$(slb_ctl_json 'len(d["flows"])' flows)" = \
		"$(slb_in dir tail -n +2 /proc/net/shadowlb_flows | wc -l)" ]
}
slb_ctl_filtered() {
	[ "$(slb_ctl_json 'len(d["flows"])' flows -r 10.2.1.2 -m masq -d dr1)" = \
		"$(slb_in dir grep -c ' masq 10\.2\.1\.2:' /proc/net/shadowlb_flows)" ]
}

# While there is traffic: flows that are idle end.
slb_ctl_flows() {
	slb_check 'flows in use' slb_wait 60 slb_ctl_used
	slb_check 'flows listed' slb_wait 60 slb_ctl_listed
	slb_same 'flows of a service, both ways' \
		"$(slb_ctl_json 'sorted(f["way"] for f in d["flows"])' flows -s $SLB_VIP_NAT:7 -p 40000)" \
		"['reply', 'request']"
	slb_same 'flows of another service' "$(slb_ctl_json 'd["flows"]' flows -s $SLB_VIP_NAT:80)" '[]'
	slb_check 'flows by real server, method and device' slb_wait 60 slb_ctl_filtered
	slb_same 'flows by address' "$(slb_ctl_json 'len(d["flows"])' flows -a 10.9.9.9)" 0
	slb_same 'at most so many flows' "$(slb_ctl_json 'len(d["flows"])' flows -n 1)" 1
	slb_same 'lease is set' "$(slb_ctl lease 20)" 20
	slb_same 'lease is the sysctl' "$(slb_in dir sysctl -n net.shadowlb.lease)" 20
	for command in status services flows; do
		slb_ctl_works "$command as text" $command
	done
}

slb_ctl_services_agree() {
	[ "$(slb_ctl_json 'sum(s["served"] for s in d["services"])' services)" = "$(slb_stat dir hits)" ]
}

# Services on any port, by firewall mark, of IPv6; persistence.
slb_ctl_kinds() {
	slb_in dir ipvsadm -R <<-IPVS
		-A -u 10.1.0.200:0 -s shadow -p 300
		-a -u 10.1.0.200:0 -r 10.2.1.2 -g
		-A -f 3 -s rr
		-A -t [fd00::1]:80 -s rr
	IPVS
	slb_ctl_fails 'why: on any port, no connection' 3 'no connection of this client' \
		slb_ctl why 10.1.0.2 10.1.0.200:7
	slb_ping 10.1.0.200:7 1 20 from=41000
	slb_ctl_quiet why 10.1.0.2 10.1.0.200:7 -i 0
	slb_check 'why: on any port, IPVS has the connection' \
		grep -q '^IPVS: UDP 10.1.0.2:41000 to 10.1.0.200:7 by 10.2.1.2:7' "$SLB_TMP/out"
	slb_ctl_fails 'why: IPv6' 3 'has the scheduler rr' slb_ctl why FD00::2 '[FD00::1]:80'
	slb_ctl_fails 'services: IPv6' 1 'has had no packet yet' slb_ctl services '[FD00::1]:80'
	slb_ctl_fails 'services: a mark' 1 'has had no packet yet' slb_ctl services 3
	slb_ctl_fails 'serve: no service of IPVS' 1 'IPVS has no service 10.1.0.9:1' \
		slb_ctl serve on 10.1.0.9:1
	slb_ctl_fails 'serve: no port' 1 'at most 65535' \
		slb_ctl serve on tcp:10.1.0.9:1 'sctp:[::1]:70000'
	slb_ctl_fails 'serve: none given' 1 'no service' slb_ctl serve on
	slb_ctl serve on 3 '[FD00::1]:80' UDP:10.1.0.9:1 >/dev/null
	slb_ctl serve off 'tcp:[fd00:0::1]:80' 10.1.0.200:0 >/dev/null
	slb_same 'serve: what is listed' "$(slb_ctl_json 'sorted(d["on"]), sorted(d["off"])' serve)" \
		"(['fwm6:3', 'fwm:3', 'udp:10.1.0.9:1'], ['tcp:[fd00::1]:80', 'udp:10.1.0.200:0'])"
	slb_same 'status: how many' "$(slb_ctl_json 'd["services_on"], d["services_off"]' status)" '(3, 2)'
	slb_ctl_works 'serve as text' serve
	slb_ctl_fails 'why: in services_off' 3 'in net.shadowlb.services_off' \
		slb_ctl why FD00::2 '[FD00::1]:80'
	slb_ctl serve default 3 '[FD00::1]:80' 10.1.0.200:0 udp:10.1.0.9:1 >/dev/null
	slb_same 'serve: nothing is listed' "$(slb_ctl serve)" \
		'no service is listed: the scope holds for all'
	slb_in dir ipvsadm -D -f 3
}

slb_ctl_why() {
	slb_check 'why: served' slb_wait 60 slb_ctl_quiet why 10.1.0.2:40000 $SLB_VIP_NAT:7
	sed 's/^/# /' "$SLB_TMP/out" "$SLB_TMP/err"
	slb_check 'why: by the hook' grep -q 'by the hook$' "$SLB_TMP/out"
	slb_same 'why: the packets of the interval' \
		"$(slb_ctl_json 'sum(d["packets"].values()) == sum(f["packets_meanwhile"] for f in d["flows"])' why 10.1.0.2 $SLB_VIP_NAT:7 -i 3)" True
	slb_same 'top: rates' \
		"$(slb_ctl_json 'd["services"][0]["service"], d["services"][0]["served"] > 0, d["counters"]["hits"] > 0' top -i 2)" \
		"('$SLB_VIP_NAT:7', True, True)"
	slb_ctl_works 'top as text' top
	slb_ctl_fails 'why: another client' 3 'no connection of this client' \
		slb_ctl why 10.1.0.9 $SLB_VIP_NAT:7
	slb_ctl_fails 'why: no service' 3 'IPVS has no service' slb_ctl why 10.1.0.2 $SLB_VIP_NAT:9
	slb_in client curl -s -o /dev/null "http://$SLB_VIP_NAT/"
	slb_ctl_fails 'why: another scheduler' 3 'has the scheduler rr' \
		slb_ctl why 10.1.0.2 $SLB_VIP_NAT:80
	slb_ctl scope 0 >/dev/null
	slb_ctl_fails 'why: scope 0' 3 'scope is 0' slb_ctl why 10.1.0.2 $SLB_VIP_NAT:7
	slb_ctl_fails 'doctor: scope 0' 3 'scope is 0' slb_ctl doctor
	slb_ctl scope 1 >/dev/null
}

slb_ctl_rules() {
	slb_ctl_works 'doctor: nothing to cure' doctor
	slb_in dir ipvsadm -A -u $SLB_VIP_NAT:5 -s rr
	slb_in dir ipvsadm -a -u $SLB_VIP_NAT:5 -r 10.2.1.2:7777 -m
	slb_spawn client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:5 1 1000000 slow >/dev/null
	slb_ctl_works 'doctor: a busy service out of scope' doctor -i 3
	slb_stop $!
	slb_in dir nft -f - <<-NFT
		table inet shop {
			chain input {
				type filter hook input priority 0
				udp dport 7 limit rate 10000/second accept
				tcp dport 80 accept
			}
		}
	NFT
	slb_ctl_fails 'doctor: a rule of nft' 3 'inet shop input handle 2' slb_ctl doctor
	slb_check 'doctor: only that rule' eval '! grep -q "handle 3" "$SLB_TMP/out"'
	slb_in dir nft delete table inet shop
	slb_in dir iptables-legacy -A INPUT -p icmp -m limit --limit 8/s -j ACCEPT
	slb_in dir iptables-legacy -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS \
		--clamp-mss-to-pmtu
	slb_ctl_works 'doctor: iptables-legacy, packets that have no flow' doctor
	slb_in dir iptables-legacy -A INPUT -m statistic --mode nth --every 9 --packet 0 -j ACCEPT
	slb_ctl_fails 'doctor: a rule of iptables-legacy' 3 'statistic --mode nth' slb_ctl doctor
	slb_in dir iptables-legacy -F
	slb_in dir iptables-legacy -t mangle -F
	slb_in dir iptables-nft -A INPUT -p icmp -m limit --limit 8/s -j ACCEPT
	slb_in dir iptables-nft -A INPUT -p tcp --syn -m limit --limit 8/s -j ACCEPT
	slb_in dir iptables-nft -A INPUT -m conntrack --ctstate NEW -m limit --limit 8/s -j ACCEPT
	slb_ctl_works 'doctor: limits for packets that have no flow' doctor
	slb_in dir iptables-nft -A INPUT -p udp -m limit --limit 9/s -j ACCEPT
	slb_in dir iptables-nft -A INPUT -p tcp -m comment --comment x -j ACCEPT
	slb_in dir iptables-nft -A INPUT -p icmp -m limit --limit 9/s -j ACCEPT
	slb_ctl_fails 'doctor: a rule of iptables-nft' 3 'iptables-nft -t filter -A INPUT -p udp' slb_ctl doctor
	slb_is 'doctor: only that rule' "$(grep -o 'iptables-nft -t' "$SLB_TMP/out" | wc -l)" eq 1
	slb_in dir nft -f - <<-NFT
		table inet filter {
			chain INPUT {
				type filter hook input priority 0
				meta length 100-200 accept
			}
		}
	NFT
	slb_ctl_fails 'doctor: tables of one name' 3 'inet filter INPUT handle 2' slb_ctl doctor
	slb_is 'doctor: a rule of each table' "$(grep -o 'iptables-nft -t' "$SLB_TMP/out" | wc -l)" eq 1
	slb_in dir nft delete table inet filter
	slb_in dir iptables-nft -F
	slb_in dir iptables-nft -A INPUT -m statistic --mode nth --every 9 --packet 0 -j ACCEPT
	slb_in dir nft add rule ip filter INPUT ct state established limit rate 10000/second accept
	slb_ctl_fails 'doctor: rules of nft that iptables cannot show' 3 'ip filter INPUT handle' \
		slb_ctl doctor
	slb_in dir iptables-nft -F || slb_in dir nft flush table ip filter
	slb_in dir nft delete table ip filter
	slb_ctl_works 'doctor: no such rule is left' doctor
}

slb_ctl_xdp() {
	local dev

	slb_xdp_wires
	slb_check 'another program is attached' slb_in dir xdp-filter load dc -m native
	for dev in dc dr1 dr2 dr3; do
		slb_ctl_works "xdp attach $dev" xdp attach $dev
	done
	slb_ctl_fails 'xdp attach: again' 1 'has the program already' slb_ctl xdp attach dc
	slb_same 'xdp show: ours and the other' \
		"$(slb_ctl_json 'len(d["devices"][0]["programs"]), d["devices"][0]["attached"]' xdp show dc)" \
		"(2, ['native'])"
	slb_same 'xdp show: from another namespace' \
		"$(slb_ctl_of_dir xdp show dr1 | head -n 1)" 'dr1: shadowlb, native'
	slb_check 'why: by XDP' slb_wait 60 slb_ctl_by_xdp
	sed 's/^/# /' "$SLB_TMP/out"
	slb_ctl_works 'doctor: XDP' doctor
	slb_in dir ip link add link dc name dc.9 type vlan id 9
	slb_in dir ethtool -K dc rxvlan on >/dev/null
	slb_ctl_fails 'doctor: VLAN offload' 3 'txvlan off' slb_ctl doctor
	slb_in dir ip link delete dc.9
	slb_in dir nft -f - <<-NFT
		table netdev shop {
			chain in {
				type filter hook ingress device dc priority 0
				limit rate 10000/second accept
			}
		}
	NFT
	slb_ctl_fails 'doctor: a rule at ingress, with XDP' 3 'netdev shop in handle' slb_ctl doctor
	slb_in dir nft delete table netdev shop
	slb_ctl_works 'xdp detach' xdp detach dc dr1 dr2 dr3
	slb_same 'xdp detach: the other stays' \
		"$(slb_ctl_json 'len(d["devices"][0]["programs"]), d["devices"][0]["attached"]' xdp show dc)" \
		'(1, [])'
	slb_xdp_set native dr1
	slb_same 'the program of ip link is seen' "$(slb_ctl_json 'd["xdp_devices"]' status)" "['dr1']"
	slb_same 'xdp detach: of ip link, from another namespace' \
		"$(slb_ctl_of_dir xdp detach dr1)" 'dr1: no program of shadowlb'
	slb_ctl_works 'xdp attach: generic' xdp attach dr1 --mode generic --object "$SLB_XDP_OBJ"
	slb_ctl_works 'xdp detach: generic' xdp detach dr1
}

# slb_ctl_reloaded TEXT: knobs and program are as before. Another namespace is the guest's own.
slb_ctl_reloaded() {
	slb_same "$1: the knobs are as before" \
		"$(slb_ctl scope) $(slb_ctl lease) $(slb_ctl serve | tr -s '\n ' ' ')" \
		'2 7 off fwm:3 off udp:10.1.0.9:1 '
	slb_same "$1: those of another namespace, too" "$(sysctl -n net.shadowlb.verify)" 5
	slb_same "$1: the program is attached" "$(slb_ctl_json 'd["xdp_devices"]' status)" "['dr1']"
	slb_check "$1: flows serve" slb_wait 60 slb_ctl_quiet why 10.1.0.2:40000 $SLB_VIP_NAT:7
}

slb_ctl_reload() {
	local saved=/run/shadowlb-knobs.json

	slb_ctl scope 2 >/dev/null
	slb_ctl lease 7 >/dev/null
	slb_ctl serve off udp:10.1.0.9:1 fwm:3 >/dev/null
	sysctl -qw net.shadowlb.verify=5
	slb_ctl_works 'xdp attach dr1' xdp attach dr1
	slb_ctl_fails 'reload without the program' 1 'cannot be read' slb_ctl reload --object /nowhere
	slb_ctl_works 'reload' reload
	slb_ctl_reloaded 'reload'
	slb_check 'reload: nothing is left over' [ ! -e $saved ]
	mkdir "$SLB_TMP/stub"
	printf '#!/bin/sh\necho "modprobe: no such module" >&2\nexit 1\n' >"$SLB_TMP/stub/modprobe"
	chmod 755 "$SLB_TMP/stub/modprobe"
	PATH=$SLB_TMP/stub:$PATH \
		slb_ctl_fails 'reload of a module that does not load' 1 'next shadowlbctl reload' slb_ctl reload
	slb_check '... the knobs are kept' [ -s $saved ]
	slb_check '... IPVS has no flows' [ ! -e /sys/module/shadowlb ]
	slb_ctl_works 'reload, once the module loads' reload
	slb_ctl_reloaded 'reload, once the module loads'
	slb_check '... and the file is gone' [ ! -e $saved ]
	slb_ctl_works 'xdp detach dr1' xdp detach dr1
	sysctl -qw net.shadowlb.verify=0
}

slb_ctl_by_xdp() { slb_ctl_quiet why 10.1.0.2 $SLB_VIP_NAT:7 && grep -q 'by XDP$' "$SLB_TMP/out"; }

unset SLB_VERIFY
make -s -C "$SLB_SRC" tool-install
ip netns add slb-dir
slb_ctl_errors
ip netns delete slb-dir
slb_xdp_need
install -D -m 644 "$SLB_XDP_OBJ" /usr/lib/bpf/shadowlb_xdp.o
slb_net_up
slb_http_up
slb_one_cpu
slb_udp_up
slb_in dir sysctl -qw net.shadowlb.lease=600
slb_service u m 7 shadow 7777
slb_service t m 80 rr 8080
slb_wait 60 slb_serving "$SLB_VIP_NAT:7" || slb_bail 'flows do not serve'
slb_ctl_uses
slb_ping $SLB_VIP_NAT:7 1 50 from=40000
slb_ctl_counts
slb_ctl_kinds
slb_ctl_traffic
traffic=$!
slb_wait 60 slb_ctl_quiet why 10.1.0.2:40000 $SLB_VIP_NAT:7 || slb_bail 'no traffic'
slb_ctl_flows
slb_ctl_why
slb_ctl_rules
slb_ctl_xdp
slb_ctl_reload
slb_stop $traffic
slb_done
