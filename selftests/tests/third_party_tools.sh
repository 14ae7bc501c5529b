#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp
# slb-timeout: 900
#
# Programs that drive IPVS, or watch it, cannot tell whether flows serve: the same is done
# twice, without flows (scope 0) and with (scope 2), and what they say is compared.
# ipvsadm-save and -restore, ldirectord (keepalived has a test of its own), and of monitors
# collectd, which asks by socket options, and Prometheus's node exporter, which reads /proc.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_programs_down EXIT

# sockets, and datagrams of each
sockets=10
each=120

slb_programs_down() {
	[ -z "${director:-}" ] || slb_stop "$director"
	slb_net_down
}

slb_collectd_up() {
	mkdir -p "$SLB_TMP/collectd"
	cat >"$SLB_TMP/collectd.conf" <<-CONF
		Hostname "dir"
		FQDNLookup false
		BaseDir "$SLB_TMP/collectd"
		PIDFile "$SLB_TMP/collectd.pid"
		Interval 1
		LoadPlugin ipvs
		LoadPlugin csv
		<Plugin csv>
			DataDir "$SLB_TMP/collectd"
			StoreRates false
		</Plugin>
	CONF
	slb_spawn dir collectd -f -C "$SLB_TMP/collectd.conf" >"$SLB_TMP/collectd.log" 2>&1
}

# What it has written last: a line "service/what value,value" for each of its files.
slb_collectd() {
	local file

	for file in "$SLB_TMP"/collectd/dir/ipvs-*/*; do
		printf '%s %s\n' "$(sed 's/.*ipvs-//; s/-[0-9]*-[0-9]*-[0-9]*$//' <<<"$file")" \
			"$(tail -n 1 "$file" | cut -d , -f 2-)"
	done
}

# Has it seen so many packets of the service, both ways?
slb_collectd_done() { slb_collectd | grep -q "if_packets.* $1,$1$"; }

slb_exporter_up() {
	slb_spawn dir prometheus-node-exporter --collector.disable-defaults --collector.ipvs \
		--web.disable-exporter-metrics --web.listen-address=127.0.0.1:9100 \
		>"$SLB_TMP/exporter.log" 2>&1
	slb_wait 180 slb_exporter_ready || slb_bail 'no node exporter'
}
slb_exporter() { slb_in dir curl -sS http://127.0.0.1:9100/metrics; }
slb_exporter_ready() { slb_exporter 2>/dev/null | grep -q node_ipvs; }

# What they watch: so many datagrams, there and back.
slb_watched() {
	local text=$1 said

	slb_service u m 7 rr 7777
	slb_exporter_up
	slb_collectd_up
	slb_check "$text: datagrams come back" slb_in client \
		/usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:7 $sockets $each from=30000
	slb_check "$text: collectd has seen them" slb_wait 180 slb_collectd_done $((sockets * each))
	said=$(slb_exporter | grep '^node_ipvs')
	slb_check "$text: the node exporter has seen them" grep -q \
		"^node_ipvs_incoming_packets_total $((sockets * each))$" <<<"$said"
	slb_record 'node exporter' "$said"
	# it writes the service first: by then it has written the rest too
	slb_pause 2
	slb_record collectd "$(slb_collectd)"
	slb_in dir ipvsadm -C
}

slb_saved() {
	local text=$1 before

	slb_service t g 80 shadow
	slb_service u m 7 wrr 7777
	slb_in dir ipvsadm -A -f 7 -s sh -p 300 -M 255.255.255.0
	slb_in dir ipvsadm -a -f 7 -r 10.2.1.2 -i --tun-type gue --tun-port 6080 -x 100 -y 50
	before=$(slb_in dir ipvsadm-save -n)
	slb_in dir ipvsadm -C
	slb_in dir ipvsadm-restore <<<"$before"
	slb_same "$text: ipvsadm-restore brings back what ipvsadm-save has said" \
		"$(slb_in dir ipvsadm-save -n | sort)" "$(sort <<<"$before")"
	slb_record ipvsadm-save "$(sort <<<"$before")"
	slb_in dir ipvsadm -C
}

# What belongs to a service is indented. A dead real server of the first one is left without
# weight, of the other one removed.
slb_ldirectord_conf() {
	cat <<-CONF
		checktimeout=3
		checkinterval=1
		autoreload=no
		logfile="$SLB_TMP/ldirectord.log"
		virtual=$SLB_VIP_NAT:80
	CONF
	printf '\treal=10.2.%d.2:8080 masq 1\n' $SLB_SERVERS
	printf '\t%s\n' scheduler=rr protocol=tcp quiescent=yes service=http checktype=negotiate \
		'request="/"' 'receive="rs"'
	echo "virtual=$SLB_VIP_DR:80"
	printf '\treal=10.2.%d.2:80 gate 1\n' $SLB_SERVERS
	printf '\t%s\n' scheduler=wlc protocol=tcp quiescent=no checktype=connect checkport=80
}

# Services, and each one's real servers with their weights, without what they have to do.
# IPVS lists services in the order of a hash that differs from namespace to namespace.
slb_service_list() {
	slb_in dir ipvsadm -Ln | awk 'NR < 4 { next }
		$1 != "->" { service = $1 " " $2; print service, $3; next }
		{ print service, $1, $2, $3, $4 }' | sort
}
slb_weights() { slb_service_list | grep -c -- "-> .* $1\$"; }
slb_has() { [ "$(slb_weights 1)" = "$1" ] && [ "$(slb_weights 0)" = "$2" ]; }

# slb_ldirectord TEXT: a real server dies, and comes back
slb_ldirectord() {
	local text="$1, ldirectord" file=$SLB_TMP/callers load hits failed

	rm -f "$file"*
	slb_ldirectord_conf >"$SLB_TMP/ldirectord.cf"
	slb_spawn dir ldirectord -d "$SLB_TMP/ldirectord.cf" start >"$SLB_TMP/ldirectord.out" 2>&1
	director=$!
	if ! slb_wait 180 slb_has 6 0; then
		tail -n 20 "$SLB_TMP/ldirectord.out" "$SLB_TMP/ldirectord.log" | sed 's/^/# /'
		slb_bail "$text: it finds all real servers"
	fi
	slb_record "ldirectord" "$(slb_service_list)"
	hits=$(slb_stat dir hits)
	slb_spawn client /usr/bin/python3 traffic/callers.py "$file" $SLB_VIP_NAT:80=3 \
		$SLB_VIP_DR:80=3 >"$file.answered"
	load=$!
	: >"$file.look"
	slb_check "$text: each connection is answered" slb_wait 180 test ! -e "$file.look"

	slb_in rs1 nft 'table ip dead { chain c { type filter hook input priority -300; drop; }; }'
	slb_check "$text: a dead real server is found" slb_wait 180 slb_has 4 1
	slb_record "ldirectord, one is dead" "$(slb_service_list)"
	slb_in rs1 nft delete table ip dead
	slb_check "$text: it is found again" slb_wait 180 slb_has 6 0
	slb_record "ldirectord, it is back" "$(slb_service_list)"
	: >"$file.look"
	slb_check "$text: each connection is answered again" slb_wait 180 test ! -e "$file.look"
	: >"$file.stop"
	wait $load
	failed=$(wc -l <"$file")
	hits=$(($(slb_stat dir hits) - hits))
	slb_note "$text: $(<"$file.answered") requests answered, $failed failed, $hits hits"
	slb_is "$text: requests answered" "$(<"$file.answered")" gt 100
	slb_stop $director
	director=
	slb_same "$text: when it ends, no service is left" "$(slb_service_list)" ''
	if [ "$scope" = 0 ]; then
		slb_is "$text: hits" $hits eq 0
	else
		slb_is "$text: hits" $hits gt 200
	fi
}

# slb_record TEXT WHAT: what a program said, to be the same in both runs
slb_record() {
	if [ "$scope" = 0 ]; then
		record[$1]=$2
	else
		slb_same "$1: the same with flows as without" "$2" "${record[$1]}"
	fi
}

modprobe shadowlb
declare -A record=()
for scope in 0 2; do
	slb_net_up
	slb_http_up
	slb_udp_up
	slb_scope $scope
	before=$(slb_stat_get dir)
	slb_watched "scope $scope"
	if [ $scope = 2 ]; then
		share=$(slb_share "$(slb_stat_diff "$before" "$(slb_stat_get dir)")")
		slb_check "what is watched: $share % served by flows (want > 90)" \
			slb_share_above 90 "$share"
	fi
	slb_saved "scope $scope"
	slb_ldirectord "scope $scope"
	slb_programs_down
	rm -rf "$SLB_TMP/collectd"
done
slb_note "done after $SECONDS s"
slb_done
