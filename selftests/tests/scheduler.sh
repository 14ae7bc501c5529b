#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp
# slb-long: uml
# slb-rows: stock
# slb-timeout: 600
#
# The scheduler "shadow" chooses what its twin chooses (traffic/maglev.py), which knows only the
# real servers and weights of /proc/net/ip_vs: for each family, protocol and kind of service, in
# whatever order real servers came, went and changed.

set -u
. lib/stat.sh
. lib/net.sh
SLB_NETNS='dir'
trap slb_net_down EXIT

SCHED_COUNT=200
sched_table=()

# sched_ask SERVICE [OPTION...]: begins connections; none differs, and the twin knows most.
sched_ask() {
	local service=$1

	shift
	sched_said=$(slb_in dir /usr/bin/python3 -B traffic/maglev.py "$service" $SCHED_COUNT "${sched_table[@]}" "$@")
	[[ $sched_said =~ ^agree=([0-9]+)\ differ=0\  ]] && [ "${BASH_REMATCH[1]}" -gt $((SCHED_COUNT * 9 / 10)) ]
}

# sched_agrees TEXT SERVICE [OPTION...]: IPVS chooses as the twin, as soon as the table is there.
sched_agrees() {
	local what=$1

	shift
	slb_wait 30 sched_ask "$@"
	sched_stays "$what" "$@"
}

# sched_stays TEXT SERVICE [OPTION...]: it does so for many connections.
sched_stays() {
	local what=$1 SCHED_COUNT=2000

	shift
	slb_check "$what: as the twin" sched_ask "$@"
	slb_note "$sched_said"
}

# sched_servers OPTION FIRST LAST WEIGHTS...: adds real servers to that service, in that order
sched_servers() {
	local option=$1 i weights=("${@:4}")

	for i in $(seq "$2" $(($2 < $3 ? 1 : -1)) "$3"); do
		printf -- '-a %s -r %s%s -m -w %d\n' "$option" "${sched_net:-10.2.0.}" \
			"$i:80" "${weights[i % ${#weights[@]}]}"
	done | sed 's/ -r \(fd[^ ]*\):80 / -r [\1]:80 /' | slb_in dir ipvsadm -R
}

sched_set() { slb_in dir ipvsadm "$@"; }

sched_order() {
	sched_set -A -u 10.9.0.1:1 -s shadow
	sched_servers '-u 10.9.0.1:1' 1 20 1
	sched_agrees 'twenty real servers' udp:10.9.0.1:1
	sched_set -A -u 10.9.0.1:2 -s shadow
	sched_servers '-u 10.9.0.1:2' 25 1 1
	for i in 25 24 23 22 21; do
		sched_set -d -u 10.9.0.1:2 -r 10.2.0.$i:80
	done
	sched_agrees 'in another order, with others that came and went' udp:10.9.0.1:2
	sched_set -e -u 10.9.0.1:2 -r 10.2.0.7:80 -m -w 0
	sched_set -e -u 10.9.0.1:2 -r 10.2.0.9:80 -m -w 0
	sched_agrees 'two of weight 0' udp:10.9.0.1:2
	sched_set -e -u 10.9.0.1:2 -r 10.2.0.7:80 -m -w 5
	sched_set -d -u 10.9.0.1:2 -r 10.2.0.11:80
	sched_agrees 'one that is back, heavier, and one that is gone' udp:10.9.0.1:2
	sched_set -E -u 10.9.0.1:2 -s rr
	sched_set -E -u 10.9.0.1:2 -s shadow
	sched_agrees 'another scheduler meanwhile' udp:10.9.0.1:2
	for i in {1..18}; do
		[ $i = 11 ] || sched_set -e -u 10.9.0.1:2 -r 10.2.0.$i:80 -m -w 0
	done
	sched_set -e -u 10.9.0.1:2 -r 10.2.0.20:80 -m -w 3
	sched_servers '-u 10.9.0.1:2' 26 66 0
	sched_agrees 'two of 60 have a weight' udp:10.9.0.1:2
}

sched_kinds() {
	sched_set -A -t 10.9.0.1:3 -s shadow
	sched_servers '-t 10.9.0.1:3' 1 30 1 2 50
	sched_agrees 'TCP, weights 1, 2 and 50' tcp:10.9.0.1:3
	sched_set -A --sctp-service 10.9.0.1:3 -s shadow
	sched_servers '--sctp-service 10.9.0.1:3' 1 3 1
	sched_agrees 'SCTP' sctp:10.9.0.1:3
	sched_net=fd02:: sched_set -A -t '[fd09::1]:4' -s shadow
	sched_net=fd02:: sched_servers '-t [fd09::1]:4' 1 9 3 4
	sched_agrees 'IPv6' 'tcp:[fd09::1]:4'
	slb_in dir nft 'add table ip slb; add chain ip slb pre { type filter hook prerouting priority -300; };
		add rule ip slb pre ip daddr 10.9.0.1 udp dport 5-6 meta mark set 7'
	sched_set -A -f 7 -s shadow
	sched_servers '-f 7' 1 9 1
	sched_agrees 'a mark' mark:7:udp:10.9.0.1:5
	sched_set -E -f 7 -s shadow -p 100 -M 255.255.0.0
	sched_stays 'a persistent mark' mark:7:udp:10.9.0.1:6 --persistent 16
}

# Templates of a time without a table would stay: services become persistent when it is there.
sched_persistent() {
	sched_set -A -u 10.9.0.1:7 -s shadow
	sched_servers '-u 10.9.0.1:7' 1 9 1
	sched_agrees 'not persistent yet' udp:10.9.0.1:7
	sched_set -E -u 10.9.0.1:7 -s shadow -p 100 -M 255.255.0.0
	sched_stays 'persistence' udp:10.9.0.1:7 --persistent 16
	sched_set -A -t '[fd09::1]:8' -s shadow
	sched_net=fd02:: sched_servers '-t [fd09::1]:8' 1 9 1
	sched_agrees 'IPv6, not persistent yet' 'tcp:[fd09::1]:8'
	sched_set -E -t '[fd09::1]:8' -s shadow -p 100 -M 40
	sched_stays 'persistence with IPv6' 'tcp:[fd09::1]:8' --persistent 40
	sched_set -A -u 10.9.0.1:8 -s shadow -b flag-1
	sched_servers '-u 10.9.0.1:8' 1 9 1
	sched_agrees 'flag-1: the client alone' udp:10.9.0.1:8 --client --clients 10.128.0.0/23
}

# Real servers that are full, none with a weight, and a build that a removal meets.
sched_limits() {
	local i

	sched_set -A -u 10.9.0.1:13 -s shadow
	sched_set -a -u 10.9.0.1:13 -r 10.2.0.1:80 -m -x 1
	sched_set -a -u 10.9.0.1:13 -r 10.2.0.2:80 -m
	sched_ask udp:10.9.0.1:13
	slb_same 'a real server that is full gets no more than one' \
		"$(slb_in dir grep -c 0A090001\ 000D\ 0A020001 /proc/net/ip_vs_conn)" 1
	sched_set -e -u 10.9.0.1:13 -r 10.2.0.1:80 -m -w 0
	sched_set -e -u 10.9.0.1:13 -r 10.2.0.2:80 -m -w 0
	sched_ask udp:10.9.0.1:13
	slb_check 'no real server has a weight: no connection' grep -q 'begun=0' <<<"$sched_said"
	sched_set -e -u 10.9.0.1:13 -r 10.2.0.2:80 -m -w 1
	sched_ask udp:10.9.0.1:13
	slb_check 'one has a weight again: it gets all' sched_ask udp:10.9.0.1:13
	for i in 1 2 3 4 5 6 7 8; do
		sched_set -A -u 10.9.0.1:14 -s shadow
		sched_servers '-u 10.9.0.1:14' 1 5 1
		sched_set -D -u 10.9.0.1:14
	done
	slb_ok 'services that go while their table is on the way'
}

# sched_fair UDP|TCP PORT: the largest load of a real server in percent of its fair share, by the
# weights of those that have one.
sched_fair() {
	slb_in dir awk -v service="$1 0A090001:$(printf %04X "$2")" '
		$1 ~ /^(TCP|UDP|SCTP|FWM)$/ { mine = $1 " " $2 == service }
		$1 == "->" && mine && $4 > 0 {
			load = $5 * 256 + $6; sum += load; weights += $4
			if (load / $4 > most) most = load / $4
		}
		END { printf "%d", sum ? 100 * most * weights / sum : 0 }' /proc/net/ip_vs
}

# Weighted least connection.
sched_flags() {
	sched_set -A -u 10.9.0.1:9 -s shadow -b flag-3
	sched_servers '-u 10.9.0.1:9' 1 9 1
	SCHED_COUNT=900 sched_ask udp:10.9.0.1:9
	slb_is 'flag-3: the largest load, percent of the mean' "$(sched_fair UDP 9)" le 101
	sched_set -E -u 10.9.0.1:9 -s shadow
	sched_stays 'without flag-3' udp:10.9.0.1:9
	slb_check 'flag-3 and flag-1: refused' \
		eval '! sched_set -A -u 10.9.0.1:12 -s shadow -b flag-3,flag-1 2>/dev/null'
	slb_check '... and there is no such service' \
		eval '! slb_in dir ipvsadm -Ln -u 10.9.0.1:12 2>/dev/null'
}

sched_bound() { echo "$1" 2>/dev/null >/sys/module/ip_vs_shadow/parameters/bound; }

# sched_few N: so many connections of six clients to port 10, where the client alone chooses
sched_few() {
	SCHED_COUNT=$1 sched_ask udp:10.9.0.1:10 --client --clients 10.128.0.0/29
	slb_note "$sched_said"
}

sched_bounds() {
	local i

	sched_set -A -u 10.9.0.1:10 -s shadow -b flag-1,flag-2
	sched_servers '-u 10.9.0.1:10' 1 20 1 3
	slb_pause 1
	sched_few 4000
	slb_is 'flag-2: six clients: the largest load, percent of the fair share' \
		"$(sched_fair UDP 10)" le 127
	slb_is '... and the hash still chooses' "$(sched_fair UDP 10)" ge 120
	for i in $(seq 1 2 19); do
		sched_set -e -u 10.9.0.1:10 -r 10.2.0.$i:80 -m -w 0
	done
	slb_pause 1
	sched_few 2000
	slb_is 'flag-2: half of them drained: the largest load' "$(sched_fair UDP 10)" le 127
	sched_bound 110
	sched_set -A -t 10.9.0.1:11 -s shadow -b flag-2
	sched_servers '-t 10.9.0.1:11' 1 20 1 3
	slb_pause 1
	SCHED_COUNT=4000 sched_ask tcp:10.9.0.1:11
	slb_note "$sched_said"
	slb_is 'flag-2: many clients: the largest load, percent of the fair share' \
		"$(sched_fair TCP 11)" le 112
	slb_check '... and most have the real server of the hash' \
		eval '[[ $sched_said =~ agree=([0-9]+) && ${BASH_REMATCH[1]} -gt 3200 ]]'
	sched_bound 1000
	sched_stays 'flag-2 with a bound that nobody meets' tcp:10.9.0.1:11
	slb_check 'no bound below the fair share' eval '! sched_bound 100'
	sched_bound 125
}

sched_parameters() {
	slb_check 'a size that is no prime: refused' eval '! modprobe ip_vs_shadow table_size=4095 2>/dev/null'
	slb_must 'a small table' modprobe ip_vs_shadow table_size=61
	sched_up
	sched_set -A -u 10.9.0.1:1 -s shadow
	sched_servers '-u 10.9.0.1:1' 80 1 1
	sched_agrees 'more real servers than slots' udp:10.9.0.1:1 --size 61
	sched_down
	slb_must 'another size and seed' modprobe ip_vs_shadow table_size=4093 seed=12345678901234567890
	sched_up
	sched_set -A -u 10.9.0.1:1 -s shadow
	sched_servers '-u 10.9.0.1:1' 1 20 1 7
	sched_agrees 'another size and seed' udp:10.9.0.1:1 --size 4093 --seed 12345678901234567890
}

# sched_each FUNCTION: with a service of each family and protocol that tells what is in the middle
# of a connection. $option is for ipvsadm, $name for the twin.
sched_each() {
	local option name sched_net

	while read -r name sched_net option; do
		"$1"
	done <<-EOF
		tcp:10.9.0.1:1 10.2.0. -t 10.9.0.1:1
		sctp:10.9.0.1:1 10.2.0. --sctp-service 10.9.0.1:1
		tcp:[fd09::1]:1 fd02:: -t [fd09::1]:1
	EOF
}

# sched_edit -e|-d I [OPTION...]: a real server of that service
sched_edit() {
	local real=$sched_net$2:80

	[[ $sched_net != *::* ]] || real=[$sched_net$2]:80
	sched_set "$1" $option -r "$real" "${@:3}"
}

# sched_in_time TEXT OPTION...: packets in mid-connection go as the twin says. No verdict if the
# minute since $began is over.
sched_in_time() {
	local what="$name, midway: $1"

	shift
	if sched_ask "$name" --midway "$@"; then
		slb_ok "$what"
	elif slb_ms_since "$began" 60000; then
		slb_note "$what: this machine is too slow to see it"
	else
		slb_fail "$what: $sched_said"
	fi
}

sched_midway_young() {
	local began

	slb_ms began
	sched_set -A $option -s shadow
	sched_servers "$option" 1 20 1
	slb_wait 30 sched_ask "$name"
	sched_in_time 'by the first table'
	sched_servers "$option" 24 21 1
	slb_wait 30 sched_ask "$name"
	sched_in_time 'by the second, as the first is young'
}

sched_midway_before() {
	local began

	slb_ms began
	sched_servers "$option" 26 25 1
	sched_edit -e 3 -m -w 0
	sched_in_time 'by the table before, also to one that is drained' \
		--without "${sched_net}25" "${sched_net}26" --awake "${sched_net}3"
	sched_agrees "$name: connections that begin go by the new table" "$name"
	sched_in_time 'by the new one, once enough have begun'
}

sched_midway_drain() {
	local began

	slb_check "$name, midway: the minute is over" slb_wait 120 sched_ask "$name" --midway
	slb_ms began
	sched_edit -e 4 -m -w 0
	sched_in_time 'one is drained and keeps its own; one that drained before gets none' \
		--awake "${sched_net}4"
	sched_edit -d 4
	sched_in_time 'it goes' --gone "${sched_net}4"
	[ "$name" = tcp:10.9.0.1:1 ] || return 0
	sched_set -E $option -s shadow -p 100 -M 255.255.255.255
	sched_edit -e 5 -m -w 0
	sched_in_time 'a persistent service: none to one that is drained' --persistent 32 \
		--gone "${sched_net}4" --awake "${sched_net}5"
}

# A director that takes over: packets in the middle of connections that it never saw. To fill this
# table takes a few ticks.
sched_midway() {
	local sched_table=(--size 655373)

	slb_must 'a large table, and a minute' modprobe ip_vs_shadow table_size=655373 grace=60
	sched_up
	slb_in dir sysctl -qw net.ipv4.vs.sloppy_tcp=1 net.ipv4.vs.sloppy_sctp=1
	sched_each sched_midway_young
	slb_pause 62
	sched_each sched_midway_before
	slb_pause 62
	sched_each sched_midway_drain
	sched_down
}

sched_gone() {
	rmmod shadowlb ip_vs_shadow 2>/dev/null
	! [ -e /sys/module/ip_vs_shadow ]
}

sched_down() {
	ip netns delete slb-dir
	slb_check 'the scheduler can be unloaded' slb_wait 30 sched_gone
}

sched_up() {
	ip netns add slb-dir
	slb_in dir sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
		net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	slb_in dir ip -batch - <<-'EOF'
		link set lo up
		link add d0 type dummy
		link set d0 up
		address add 10.2.255.1/16 dev d0
		address add fd02::ffff/64 dev d0 nodad
		address add 10.9.0.1/32 dev lo
		address add fd09::1/128 dev lo nodad
		route add default dev d0
	EOF
	slb_in dir ip -6 route add default dev d0
}

rmmod shadowlb ip_vs_shadow 2>/dev/null
modprobe -a tun dummy ip_vs_shadow || slb_bail 'this kernel lacks what the test needs'
sched_up
sched_order
sched_kinds
sched_persistent
sched_limits
sched_flags
sched_bounds
sched_down
sched_midway
sched_parameters
slb_done
