# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# An edge of several directors: routers spread connections, directors agree. Sourced after net.sh.
# The configuration files are those of docs/edge.
#
#   slb-client --- slb-router ---+--- slb-d1 ... slb-d4    10.5.0.1 ...   directors, one arm each
#    10.1.0.2       10.5.0.254   +--- slb-r1 ... slb-r9    10.5.0.11 ...  real servers
#
# On the same wires are 2001:db8:1::2, and 2001:db8:5:: with the last number of the address above.
# The virtual addresses are 10.9.0.1 and 2001:db8:9::1. Directors announce them by BGP, d1 and d2 with
# bird, d3 and d4 with FRR. Real servers get packets by IPIP, or IPv6 in IPv6, and answer through the
# router.

EDGE_VIP=10.9.0.1
EDGE_VIP6=${EDGE_VIP6-2001:db8:9::1}		# empty: no service over IPv6
EDGE_DIRECTORS='1 2 3 4'
EDGE_SERVERS=${EDGE_SERVERS:-1 2 3 4 5 6 7 8 9}
EDGE_LIST=${EDGE_LIST:-1 2 3 4 5 6 7 8}		# real servers of a director that boots first
EDGE_PORTS=${EDGE_PORTS:-80}			# of edge_hold: one, or FIRST-LAST
EDGE_SERVICES=${EDGE_SERVICES:-80 81}		# ports of IPv4; IPv6 has port 80 alone
EDGE_CHECKS=${EDGE_CHECKS-y}			# keepalived looks at real servers
EDGE_MORE=${EDGE_MORE:-edge_serve_more}		# what a real server does for further services
# shellcheck disable=SC2086 # words
SLB_NETNS="client router lan $(printf 'd%d ' $EDGE_DIRECTORS)$(printf 'r%d ' $EDGE_SERVERS)"
declare -A edge_pid=()

# edge_plug NS ADDRESS: on the network of directors and real servers, with the IPv6 address of the
# same last number
edge_plug() {
	ip link add e0 netns "slb-$1" type veth peer name "p-$1" netns slb-lan
	ip -n slb-lan link set "p-$1" master lan up
	ip -n "slb-$1" link set e0 up
	ip -n "slb-$1" address add "$2/24" dev e0
	ip -n "slb-$1" address add "2001:db8:5::${2##*.}/64" dev e0 nodad
}

edge_netns() {
	ip netns add "slb-$1"
	ip -n "slb-$1" link set lo up
	slb_in "$1" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
		net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0
}

# The router's hash of addresses and ports is of the packet's own: veth would hand on the hash of
# the sender's socket, which changes with each retransmission.
edge_wires() {
	local ns

	for ns in $SLB_NETNS; do
		[[ $ns == d[1-9] ]] || edge_netns "$ns"
	done
	ip -n slb-lan link add lan type bridge mcast_snooping 0
	ip -n slb-lan link set lan up
	edge_plug router 10.5.0.254
	ip link add c0 netns slb-client type veth peer name c0 netns slb-router
	ip -n slb-client address add 10.1.0.2/24 dev c0
	ip -n slb-client address add 2001:db8:1::2/64 dev c0 nodad
	ip -n slb-client link set c0 up
	ip -n slb-client route add default via 10.1.0.1
	ip -n slb-client route add default via 2001:db8:1::1
	ip -n slb-router address add 10.1.0.1/24 dev c0
	ip -n slb-router address add 2001:db8:1::1/64 dev c0 nodad
	ip -n slb-router link set c0 up
	slb_in router sysctl -qw net.ipv4.ip_forward=1 net.ipv4.fib_multipath_hash_policy=3 \
		net.ipv4.fib_multipath_hash_fields=0x37 net.ipv6.conf.all.forwarding=1 \
		net.ipv6.fib_multipath_hash_policy=3 net.ipv6.fib_multipath_hash_fields=0x37
}

edge_servers() {
	local i

	for i in $EDGE_SERVERS; do
		edge_plug "r$i" "10.5.0.1$i"
		ip -n "slb-r$i" route add default via 10.5.0.254 advmss 1440
		ip -n "slb-r$i" address add $EDGE_VIP/32 dev tunl0
		ip -n "slb-r$i" link set tunl0 up
		[ -z "$EDGE_VIP6" ] || edge_server_six "$i"
		slb_in "r$i" sysctl -qw net.ipv4.conf.tunl0.rp_filter=0 \
			net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
		edge_serve "$i"
	done
}

edge_server_six() {
	ip -n "slb-r$1" route add default via 2001:db8:5::254 advmss 1400
	ip -n "slb-r$1" address add "$EDGE_VIP6/128" dev ip6tnl0
	ip -n "slb-r$1" link set ip6tnl0 up
}

# edge_serve I: real server I listens
edge_serve() {
	slb_spawn "r$1" /usr/bin/python3 -B traffic/many.py serve '[::]:80' "r$1"
	edge_pid[r$1]=$!
	"$EDGE_MORE" "$1"
}

# ... to the second service, too
edge_serve_more() {
	slb_spawn "r$1" /usr/bin/python3 -B traffic/many.py serve 0.0.0.0:81 "r$1"
	edge_pid[more$1]=$!
}

# edge_real I[=WEIGHT]...: the real servers of each service of director $edge_at, and keepalived's
# configuration with them, from that of docs/edge
edge_real() {
	local dir=$SLB_TMP/$edge_at docs=$SLB_SRC/docs/edge

	edge_list real-servers.conf 10.5.0.1 "$@" >"$dir/real-servers.conf"
	{
		sed '/^virtual_server/,/^}/d' "$docs/keepalived.conf"
		edge_block $EDGE_VIP | edge_each_service
		if [ "$EDGE_VIP6" ]; then
			edge_list real-servers6.conf 2001:db8:5::1 "$@" >"$dir/real-servers6.conf"
			edge_block "$EDGE_VIP6"
		fi
	} | sed "s,/etc/shadowlb,$dir," >"$dir/keepalived.conf"
	chmod 600 "$dir/keepalived.conf"
}

# edge_list FILE PREFIX I[=WEIGHT]...: the first real server of FILE, PREFIX with 1 behind it, once
# for each I
edge_list() {
	local i file=$SLB_SRC/docs/edge/$1 prefix=$2

	shift 2
	for i; do
		[[ $i = *=* ]] || i="$i=1"
		sed -n "/^real_server ${prefix}1 /,/^}/p" "$file" |
			sed "s/${prefix}1 /$prefix${i%=*} /; s/weight 1/weight ${i#*=}/" |
			if [ "$EDGE_CHECKS" ]; then cat; else sed '/TCP_CHECK/,/}/d'; fi
	done
}

# edge_block ADDRESS: the service of that address, with the real servers in it
edge_block() {
	local line

	sed -n "/^virtual_server $1 /,/^}/p" "$docs/keepalived.conf" | while read -r line; do
		if [[ $line = include* ]]; then cat "$dir/${line#* }"; else echo "$line"; fi
	done
}

# A block for port 80 comes out once for each service.
edge_each_service() {
	awk -v ports="$EDGE_SERVICES" '
		{ text = text $0 "\n" }
		END {
			n = split(ports, port, " ")
			for (i = 1; i <= n; i++) {
				one = text
				gsub(/ 80 [{]/, " " port[i] " {", one)
				gsub(/:80"/, ":" port[i] "\"", one)
				printf "%s", one
			}
		}'
}

# edge_keepalived I: director I begins to look for real servers, and announces itself. When
# keepalived ends, the address goes, as systemd has it (keepalived.service.conf).
edge_keepalived() {
	local dir=$SLB_TMP/d$1

	slb_spawn "d$1" bash -c '
		"$0/announce" down
		keepalived -n -l -D -C -R -f "$0/keepalived.conf" -p "$0/pid" -c "$0/check.pid" &
		trap "kill $!" TERM
		wait; wait
		"$0/announce" down' "$dir" >"$dir/keepalived.log" 2>&1
	edge_pid[keepalived$1]=$!
}

# edge_director I: director I boots.
edge_director() {
	local edge_at=d$1 dir=$SLB_TMP/d$1

	mkdir -p "$dir"
	sed "s,^state=.*,state=$dir/state," "$SLB_SRC/docs/edge/announce" >"$dir/announce"
	chmod 700 "$dir/announce"
	# shellcheck disable=SC2086 # words
	[ -e "$dir/keepalived.conf" ] || edge_real $EDGE_LIST
	edge_netns "d$1"
	edge_plug "d$1" "10.5.0.$1"
	ip -n "slb-d$1" link add virtual type dummy
	ip -n "slb-d$1" link set virtual up
	ip -n "slb-d$1" route add default via 10.5.0.254
	ip -n "slb-d$1" route add default via 2001:db8:5::254
	slb_in "d$1" sysctl -qp "$SLB_SRC/docs/edge/director.sysctl.conf"
	slb_in "d$1" nft -f "$SLB_SRC/docs/edge/director.nft" || slb_bail "no rules at d$1"
	if [ "$1" -le 2 ]; then
		sed "s/10\.5\.0\.1\b/10.5.0.$1/; s/2001:db8:5::1\b/2001:db8:5::$1/" \
			"$SLB_SRC/docs/edge/director.bird.conf" >"$dir/bird.conf"
		slb_spawn "d$1" bird -f -c "$dir/bird.conf" -s "$dir/bird.ctl" -P "$dir/bird.pid" \
			>"$dir/bird.log" 2>&1
		edge_pid[bird$1]=$!
	else
		edge_frr "$1"
	fi
	edge_keepalived "$1"
}

# edge_off I: director I, with bird, loses its power.
edge_off() {
	ip -n slb-lan link del "p-d$1"
	slb_stop "${edge_pid[keepalived$1]}"
	slb_stop "${edge_pid[bird$1]}"
	ip netns delete "slb-d$1"
}

edge_frr() {
	local dir=$SLB_TMP/d$1 daemon

	mkdir -p "/run/frr/slb-d$1" /var/tmp/frr
	chown frr:frr /run/frr "/run/frr/slb-d$1" /var/tmp/frr
	chmod 755 "$SLB_TMP" "$dir"
	sed "s/10\.5\.0\.3\b/10.5.0.$1/" "$SLB_SRC/docs/edge/director.frr.conf" >"$dir/frr.conf"
	for daemon in zebra bgpd; do
		slb_spawn "d$1" "/usr/lib/frr/$daemon" -N "slb-d$1" -f "$dir/frr.conf" \
			-i "/run/frr/slb-d$1/$daemon.pid" >"$dir/$daemon.log" 2>&1
		slb_wait 60 test -S "/run/frr/slb-d$1/zserv.api" || slb_bail "no zebra at d$1"
	done
}

edge_up() {
	local i

	edge_wires || slb_bail 'cannot make the network'
	edge_servers
	mkdir -p "$SLB_TMP/router"
	slb_spawn router bird -f -c "$SLB_SRC/docs/edge/router.bird.conf" -s "$SLB_TMP/router/bird.ctl" \
		-P "$SLB_TMP/router/bird.pid" >"$SLB_TMP/router/bird.log" 2>&1
	for i in $EDGE_DIRECTORS; do
		edge_director "$i"
	done
}

# edge_paths ADDRESS: directors to which the router sends packets for that virtual address
edge_paths() {
	local family=-4

	[[ $1 != *:* ]] || family=-6
	ip "$family" -n slb-router route show "$1" | grep -oE 'via [0-9a-f.:]+' | sort -u | wc -l
}

edge_paths_are() {
	[ "$(edge_paths $EDGE_VIP)" = "$1" ] &&
		{ [ -z "$EDGE_VIP6" ] || [ "$(edge_paths "$EDGE_VIP6")" = "$1" ]; }
}

# Print the state of routing and health checks.
edge_show() {
	local i

	{
		slb_in router birdc -s "$SLB_TMP/router/bird.ctl" show protocols
		ip -n slb-router route
		ip -6 -n slb-router route
		for i in $EDGE_DIRECTORS; do
			echo "director $i"
			slb_in "d$i" ipvsadm -Ln
			ip -n "slb-d$i" -brief address
			tail -n 5 "$SLB_TMP/d$i"/*.log
		done
	} 2>&1 | sed 's/^/# /'
}

# edge_spread TEXT N: the router has the routes of N directors, to each virtual address.
edge_spread() {
	slb_wait 60 edge_paths_are "$2" || edge_show
	slb_must "$1: the router has $2 paths to each address" edge_paths_are "$2"
}

# edge_cable I up|down: of director I
edge_cable() { ip -n slb-lan link set "p-d$1" "$2"; }

# edge_group I/I...: the router spreads over these directors by a resilient group of next hops,
# before all that bird says.
edge_group() {
	local i

	for i in $EDGE_DIRECTORS; do
		ip -n slb-router nexthop replace id "$i" via "10.5.0.$i" dev e0 || return
	done
	ip -n slb-router nexthop replace id 10 group "$1" type resilient buckets 1024 \
		idle_timer 600 || return
	ip -n slb-router route replace $EDGE_VIP nhid 10 metric 10
}

# edge_hold NAME COUNT [ADDRESS]: connections that stay, in the background. From ports that no
# connection before had: directors remember those for 15 minutes, and where a real server lost its
# network, its end of them is still open, and would take packets of a new one without an answer.
edge_hold() {
	slb_must "$1: ports of their own" slb_in client sysctl -qw \
		net.ipv4.ip_local_port_range="$edge_port $((edge_port + 4999))"
	edge_port=$((edge_port + 5000))
	slb_spawn client /usr/bin/python3 -B traffic/many.py hold "${3:-$EDGE_VIP}:$EDGE_PORTS" "$2" \
		"$SLB_TMP/$1"
	edge_pid[$1]=$!
	edge_mark[$1]=0
	slb_must "$1: $2 connections have answers" slb_wait 120 edge_held "$1" 'waiting=0'
}

edge_held() { [ -e "$SLB_TMP/$1" ] && grep -qw "mark=${edge_mark[$1]}" "$SLB_TMP/$1" && grep -qw "$2" "$SLB_TMP/$1"; }
edge_said() { sed -n "s/.*\<$2=\([0-9]*\).*/\1/p" "$SLB_TMP/$1"; }

# edge_broken NAME: waits until each connection is broken, or has an answer from now on; then
# edge_lost is how many broke since the last call.
edge_broken() {
	local all

	kill -USR1 "${edge_pid[$1]}"
	edge_mark[$1]=$((edge_mark[$1] + 1))
	slb_check "$1: each connection is answered, or broken" slb_wait 120 edge_held "$1" 'waiting=0'
	all=$(edge_said "$1" broken)
	edge_lost=$((all - ${edge_seen[$1]:-0}))
	edge_seen[$1]=$all
	slb_note "$1: $(<"$SLB_TMP/$1")"
}

# edge_none NAME TEXT: of the connections with that name none broke.
edge_none() {
	edge_broken "$1"
	slb_is "$1, $2: broken connections" "$edge_lost" eq 0
}

declare -A edge_mark=() edge_seen=()
edge_port=20000
