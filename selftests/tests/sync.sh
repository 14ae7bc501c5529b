#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: smp here
# slb-long: uml
# slb-timeout: 900
#
# Two directors, of which the master sends connection sync messages while flows serve: the
# backup gets what it would get without flows (scope 0), message for message, and when it
# becomes the active one, the connections go on there.

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
. lib/pair.sh
. lib/obey.sh
trap slb_net_down EXIT

# By count, a connection is to be sent with its third packet, the fiftieth after it, and so
# on; by time, when what the backup knows of its end is two seconds old. Then the services
# of DR are persistent as well: by count that would be a message with each packet.
udp=4
requests=203
expected=5

slb_rules() {
	local ns i threshold='3 50' refresh=0 persistent=

	if [ "$by" = time ]; then
		threshold='0 0' refresh=2 persistent='-p 300'
	fi
	for ns in dir dir2; do
		slb_in $ns sysctl -qw net.shadowlb.scope="$1" net.ipv4.vs.sync_retries=0 \
			net.ipv4.vs.sync_threshold="$threshold" \
			net.ipv4.vs.sync_refresh_period=$refresh
		{
			echo "-A -t $SLB_VIP_NAT:80 -s rr"
			echo "-A -t $SLB_VIP_DR:80 -s rr $persistent"
			echo "-A -t [$SLB_VIP_NAT6]:80 -s rr"
			echo "-A -u $SLB_VIP_NAT:7 -s rr"
			for i in $SLB_SERVERS; do
				echo "-a -t $SLB_VIP_NAT:80 -r 10.2.$i.2:8080 -m"
				echo "-a -t $SLB_VIP_DR:80 -r 10.2.$i.2:80 -g"
				echo "-a -t [$SLB_VIP_NAT6]:80 -r [fd02:$i::2]:8080 -m"
				echo "-a -u $SLB_VIP_NAT:7 -r 10.2.$i.2:7777 -m"
			done
		} | slb_in $ns ipvsadm -R || slb_bail "ipvsadm does not take the services in $ns"
	done
}

# slb_daemon NS master|backup
slb_daemon() {
	slb_in "$1" ipvsadm --start-daemon "$2" --mcast-interface b0 --syncid 1 \
		--mcast-group "$group" || slb_bail "$1: no $2 daemon"
}

# slb_conns NS: the connections of this run, without their times
slb_conns() {
	slb_in "$1" ipvsadm -Lnc | awk -v ports="${ports[*]}" '
		BEGIN { n = split(ports, p, " "); for (i = 1; i <= n; i++) mine[p[i]] }
		{ port = $4; sub(/.*:/, "", port) }
		port in mine { print $1, $3, $4, $5, $6 }' | sort
}
slb_conns_same() { [ "$(slb_conns dir)" = "$(slb_conns dir2)" ]; }

slb_template() {
	slb_in "$1" ipvsadm -Lnc | grep -q "^TCP .* 10.1.0.2:0 *$SLB_VIP_DR:80 "
}

# slb_left NS PROTOCOL: the least that is left to any that is not closing, in seconds
slb_left() {
	slb_in "$1" ipvsadm -Lnc | awk -v proto="$2" -v ports="${ports[*]}" '
		BEGIN { n = split(ports, p, " "); for (i = 1; i <= n; i++) mine[p[i]] }
		{ port = $4; sub(/.*:/, "", port) }
		$1 == proto && port in mine && ($3 == "ESTABLISHED" || $3 == "UDP") {
			split($2, t, ":"); s = t[1] * 60 + t[2]
			if (min == "" || s < min) min = s
		}
		END { print min + 0 }'
}

slb_traffic_start() {
	local dests=("udp=$SLB_VIP_NAT:7" "tcp=$SLB_VIP_NAT:80" "tcp=$SLB_VIP_DR:80"
		"tcp=[$SLB_VIP_NAT6]:80")

	# four of UDP, six of TCP, of which three are closed later
	dests=("${dests[0]}" "${dests[0]}" "${dests[0]}" "${dests[@]}" "${dests[@]:1}")
	slb_obey /usr/bin/python3 traffic/steady.py "$SLB_TMP/tell" $((base += 100)) "${dests[@]}"
	read -ra ports <<<"$slb_answer"
}

# What the backup heard, a line for each connection of UDP.
slb_messages() {
	local file=$1 count

	: >"$file.stop"
	wait "$listener"
	slb_note "$text: protocol, port and messages: $(paste -sd, "$file")"
	slb_is "$text: UDP connections with messages" "$(grep -c '^17 ' "$file")" eq $udp
	[ "$by" = count ] || return
	while read -r _ _ count; do
		slb_check "$text: $count messages for $requests datagrams (want $expected or more)" \
			test "$count" -ge $expected -a "$count" -le $((expected * 2))
	done < <(grep '^17 ' "$file")
}

# While connections are busy the backup's time for them is that of their last message: as
# old as fifty packets and 3 s, which is as long as IPVS may keep messages. In each of
# "behind" by protocol, how far it was behind the master, in seconds.
slb_behind_measure() {
	local proto start now backup master

	slb_ms start
	behind[TCP]=0 behind[UDP]=0
	slb_wait 30 slb_ms_since "$start" 8000
	until slb_ms_since "$start" 14000; do
		for proto in TCP UDP; do
			backup=$(slb_left dir2 $proto)
			master=$(slb_left dir $proto)
			now=$((master - backup))
			[ $now -le "${behind[$proto]}" ] || behind[$proto]=$now
		done
	done
	slb_note "$text: the backup is behind by ${behind[TCP]} s (TCP), ${behind[UDP]} s (UDP)"
}

# A machine that stands still for some seconds makes for old messages in any case: what is
# too much must be so twice.
slb_behind() {
	slb_behind_measure
	[ "$scope" != 0 ] || return 0
	[ "${behind[TCP]}" -gt $((behind0[TCP] + 3)) ] ||
		[ "${behind[UDP]}" -gt $((behind0[UDP] + 3)) ] || return 0
	slb_behind_measure
}

# slb_failover FROM TO: the connections go on, by flows, with the same real servers.
slb_failover() {
	local conns before after hits

	conns=$(slb_conns "$2" | grep -E 'ESTABLISHED|UDP')
	slb_in "$1" ipvsadm --stop-daemon master
	slb_in "$2" ipvsadm --stop-daemon backup
	slb_daemon "$1" backup
	slb_daemon "$2" master
	before=$(slb_stat "$2" hits)
	slb_active delete "$1"
	slb_active add "$2"
	slb_tell each 60
	hits=$(($(slb_stat "$2" hits) - before))
	slb_is "$text: $2 serves by flows, of $((60 * 7)) requests" $hits gt 420
	after=$(slb_conns "$2" | grep -E 'ESTABLISHED|UDP')
	slb_same "$text: $2 has taken over all connections as they were" "$after" "$conns"
}

# slb_sync_run GROUP count|time SCOPE
slb_sync_run() {
	local group=$1 by=$2 scope=$3 before file=$SLB_TMP/sync ports listener proto
	local text="$1, by $2, scope $3"

	rm -f "$file"*
	slb_rules "$scope"
	slb_daemon dir2 backup
	slb_daemon dir master
	slb_active add dir
	slb_spawn dir2 /usr/bin/python3 traffic/syncd.py "$group" b0 "$file"
	listener=$!
	slb_wait 60 test -e "$file.ready" || slb_bail "$text: nobody listens"
	slb_traffic_start
	before=$(slb_stat_get dir)
	slb_tell each $requests
	before=$(slb_since "$before")
	slb_tell close 3
	slb_check "$text: the backup has the same connections and states" \
		slb_wait 10 slb_conns_same
	slb_same "$text: they are" "$(slb_conns dir2)" "$(slb_conns dir)"
	slb_is "$text: established, and of UDP" "$(slb_conns dir2 | grep -cE 'ESTABLISHED|UDP')" eq 7
	slb_messages "$file"

	slb_say keep 5
	slb_behind
	# the first line ends the keeping
	slb_tell each 1
	slb_hear || slb_bail "$text: each 1: $slb_answer"
	if [ "$by" = time ]; then
		slb_check "$text: the backup has the template of persistence" slb_template dir2
	fi
	if [ "$scope" = 0 ]; then
		slb_is "$text: hits" "$(awk '$1 == "hits" { print $2 }' <<<"$before")" eq 0
		behind0[TCP]=${behind[TCP]} behind0[UDP]=${behind[UDP]}
	else
		slb_served "$text" "$before" 85
		for proto in TCP UDP; do
			slb_is "$text: $proto, the backup is behind by s" "${behind[$proto]}" \
				le $((behind0[$proto] + 3))
		done
		if [ "$by" = count ]; then
			slb_failover dir dir2
			slb_failover dir2 dir
		fi
	fi
	slb_dismiss
	exec 8>&- 9>&-
	slb_active delete dir
	slb_in dir ipvsadm --stop-daemon master
	slb_in dir2 ipvsadm --stop-daemon backup
	slb_in dir ipvsadm -C
	slb_in dir2 ipvsadm -C
}

modprobe shadowlb
slb_pair_up
slb_http6_up
slb_udp_up
declare -A behind behind0
# IPVS remembers the ports of the run before
base=20000
for by in count time; do
	slb_sync_run 224.0.0.81 $by 0
	slb_sync_run 224.0.0.81 $by 2
done
slb_sync_run ff02::1:81 count 2
slb_note "done after $SECONDS s"
slb_done
