#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp
# slb-long: 6.12
# slb-timeout: 600
#
# Two directors run by keepalived: VRRP, health checks, connection sync messages. Under
# constant load a real server dies and comes back, then the active director, then the
# other one. The same twice, without flows (scope 0) and with (scope 2): what fails is one
# request of each connection to the dead real server, and nothing else.

set -u
. lib/stat.sh
. lib/net.sh
. lib/pair.sh
trap slb_keepalived_down EXIT

# connections for each of the three services
conns=4

# slb_config NS PRIORITY: on standard output
slb_config() {
	local port=80 sched i

	cat <<-CONF
		global_defs {
			router_id $1
			lvs_flush
			lvs_sync_daemon b0 vip id 1
			vrrp_garp_master_refresh 2
			vrrp_min_garp true
			script_user root
		}
		vrrp_instance vip {
			state BACKUP
			nopreempt
			interface f0
			track_interface {
				b0
			}
			virtual_router_id 51
			priority $2
			advert_int 1
			virtual_ipaddress {
				$SLB_VIP_NAT/32 dev f0
				10.2.0.1/32 dev b0
			}
		}
	CONF
	for sched in rr wlc mh; do
		cat <<-CONF
			virtual_server $SLB_VIP_NAT $port {
				delay_loop 1
				lvs_sched $sched
				$([ $sched != mh ] || echo mh-port)
				lvs_method NAT
				protocol TCP
		CONF
		for i in $SLB_SERVERS; do
			cat <<-CONF
				real_server 10.2.$i.2 8080 {
					weight 1
					$(slb_checker $sched)
				}
			CONF
		done
		echo '}'
		port=$((port + 1))
	done
}

slb_checker() {
	if [ "$1" = rr ]; then
		echo 'HTTP_GET {
			url {
				path /
				status_code 200
			}
			connect_timeout 2
			retry 0
		}'
	else
		echo 'TCP_CHECK {
			connect_timeout 2
			retry 0
		}'
	fi
}

slb_keepalived_up() {
	local ns priority=101

	for ns in dir dir2; do
		slb_config $ns $priority >"$SLB_TMP/$ns.conf"
		chmod 600 "$SLB_TMP/$ns.conf"
		slb_spawn $ns keepalived -n -l -D -f "$SLB_TMP/$ns.conf" -p "$SLB_TMP/$ns.pid" \
			-r "$SLB_TMP/$ns.vrrp" -c "$SLB_TMP/$ns.check" >"$SLB_TMP/$ns.log" 2>&1
		keepalived[$ns]=$!
		priority=$((priority - 1))
	done
}

slb_keepalived_down() {
	local ns

	for ns in "${!keepalived[@]}"; do
		slb_stop "${keepalived[$ns]}"
		unset "keepalived[$ns]"
	done
	slb_net_down
}

slb_has_vip() { ip -n "slb-$1" -o address show dev f0 | grep -qF " $SLB_VIP_NAT/32 "; }

# slb_servers NS NUMBER: has each service so many real servers there?
slb_servers() {
	[ "$(slb_in "$1" ipvsadm -Ln | grep -c -- '->.*:8080 ')" = $((3 * $2)) ]
}

slb_failures() { wc -l <"$file"; }

# slb_answered TEXT: each connection is answered from now on.
slb_answered() {
	: >"$file.look"
	slb_check "$text: $1: each connection is answered" slb_wait 60 test ! -e "$file.look"
}

# slb_dead: connections to the first real server, of all three services
slb_dead() {
	slb_in dir ipvsadm -Ln | awk '$2 == "10.2.1.2:8080" { n += $5 } END { print n + 0 }'
}

# slb_cable NS up|down: the cables of a director, or a real server
slb_cable() {
	ip -n slb-lan -batch - <<-IP
		link set front-$1 $2
		link set back-$1 $2
	IP
}

# slb_no_failures TEXT [SECONDS]: nothing fails in that time
slb_no_failures() {
	local start before

	slb_ms start
	before=$(slb_failures)
	slb_wait 30 slb_ms_since "$start" $((${2:-3} * 1000))
	slb_is "$text: $1: requests that fail" $(($(slb_failures) - before)) eq 0
}

# slb_takes_over FROM TO: the cables of the active director are pulled
slb_takes_over() {
	local before hits

	before=$(slb_failures)
	hits=$(slb_stat "$2" hits)
	slb_cable "$1" down
	slb_check "$text: $2 takes over" slb_wait 60 slb_has_vip "$2"
	slb_answered "$1 is dead"
	slb_no_failures "$1 is dead"
	slb_is "$text: $1 dies: requests that fail" $(($(slb_failures) - before)) eq 0
	[ "$scope" = 0 ] || slb_is "$text: hits at $2" $(($(slb_stat "$2" hits) - hits)) gt 100
	slb_cable "$1" up
	slb_check "$text: $1 comes back, with all servers" slb_wait 60 slb_servers "$1" 3
	slb_no_failures "$1 is back"
	slb_check "$text: $2 is still the active one" slb_has_vip "$2"
}

slb_keepalived_run() {
	local scope=$1 text="scope $1" ns file=$SLB_TMP/callers.$1 load dead
	local -A keepalived=()

	slb_pair_up
	slb_http_up
	for ns in dir dir2; do
		slb_in $ns sysctl -qw net.shadowlb.scope="$scope" net.ipv4.vs.expire_nodest_conn=1
	done
	slb_keepalived_up
	slb_wait 30 slb_has_vip dir || slb_bail "$text: no active director"
	slb_must "$text: the checkers find all real servers" slb_wait 60 slb_servers dir 3
	slb_wait 60 slb_servers dir2 3
	slb_spawn client /usr/bin/python3 traffic/callers.py "$file" "$SLB_VIP_NAT:80=$conns" \
		"$SLB_VIP_NAT:81=$conns" "$SLB_VIP_NAT:82=$conns" >"$file.answered"
	load=$!
	slb_answered 'all is well'
	slb_no_failures 'all is well'

	slb_note 'a real server dies, and comes back'
	dead=$(slb_dead)
	slb_is "$text: connections to a real server that dies" "$dead" gt 0
	slb_cable rs1 down
	slb_check "$text: a dead real server is found" slb_wait 60 slb_servers dir 2
	slb_wait 60 slb_servers dir2 2
	slb_answered 'a real server is gone'
	slb_no_failures 'a real server is gone'
	slb_is "$text: a real server dies: requests that fail" "$(slb_failures)" eq "$dead"
	slb_cable rs1 up
	slb_check "$text: it is found again" slb_wait 60 slb_servers dir 3
	slb_wait 60 slb_servers dir2 3
	# it gets connections, as soon as chance has it, which IPVS is given the time to send
	: >"$file.churn"
	slb_no_failures 'connections come and go'
	slb_check "$text: it has connections of each service" slb_wait 180 slb_shared
	rm "$file.churn"
	slb_no_failures 'connections stay' 4

	slb_takes_over dir dir2
	slb_takes_over dir2 dir

	: >"$file.stop"
	wait $load
	slb_note "$text: $(<"$file.answered") requests answered, failed: $(slb_failures)"
	sed 's/^/# /' "$file" | head -n 20
	slb_is "$text: requests answered" "$(<"$file.answered")" gt 500
	[ "$scope" = 0 ] || slb_is "$text: hits" "$(slb_stat dir hits)" gt 500
	slb_keepalived_down
}

# Has the first real server connections of all three services?
slb_shared() {
	[ "$(slb_in dir ipvsadm -Ln | awk '$2 == "10.2.1.2:8080" && $5 > 0' | wc -l)" = 3 ]
}

modprobe shadowlb
declare -A keepalived=()
slb_keepalived_run 0
slb_keepalived_run 2
slb_note "done after $SECONDS s"
slb_done
