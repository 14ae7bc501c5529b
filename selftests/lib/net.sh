# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# A network for tests: a client, a director and three real servers, each in a network
# namespace of its own, joined by veth pairs. Sourced in a guest, after stat.sh.
#
#    slb-client            slb-dir                    slb-rs1
#   +-----------+       +-----------+                +-----------------+
#   |           |       |       dr1 |----------------| d0              |
#   |       c0  |-------| dc        |  10.2.1.0/24   |    nginx :80    |
#   |           |10.1.0 | IPVS  dr2 |-- slb-rs2      |    :8080        |
#   |           |  .0/24|       dr3 |-- slb-rs3      |    echo :7 :7777|
#   |           |       +-----------+                |                 |
#   |       s1  |------------------------------------| c0              |
#   |   s2, s3  |  10.3.1.0/24  (10.3.2, 10.3.3)     +-----------------+
#   +-----------+
#
# The director is .1 on each of its networks; the client is 10.1.0.2; real server N is
# 10.2.N.2. Both virtual addresses are the director's:
#
#   10.1.0.100 NAT: real servers listen on 10.2.N.2; their default route is the director
#   10.1.0.200 DR:  it is also on the real servers' lo, where nobody asks for it by ARP;
#                   what they send from it goes straight to the client, by c0 and sN
#
# All neighbours are permanent: every packet on a wire is one of the traffic's.
#
# With SLB_WIRES=virtio the director's wires are between network cards of the guest, and not
# veth pairs: slb_cards, every two of them joined (stock.sh).

SLB_VIP_NAT=10.1.0.100
SLB_VIP_DR=10.1.0.200
SLB_SERVERS="1 2 3"
SLB_NETNS="client dir rs1 rs2 rs3"
slb_pids=()

# slb_in NAME COMMAND...: in the namespace slb-NAME.
slb_in() {
	local ns=$1

	shift
	nsenter --net="/run/netns/slb-$ns" -- "$@"
}

# slb_spawn NAME COMMAND...: in the background; its process is $! and ends with the test.
slb_spawn() {
	local ns=$1

	shift
	nsenter --net="/run/netns/slb-$ns" -- "$@" &
	slb_pids+=($!)
}

# slb_stop PID: ends a slb_spawn, quietly.
slb_stop() {
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

slb_net_down() {
	local pid ns

	for pid in "${slb_pids[@]}"; do
		slb_stop "$pid"
	done
	slb_pids=()
	for pid in "$SLB_TMP"/*/nginx.pid; do
		[ ! -s "$pid" ] || kill "$(<"$pid")"
	done
	# else the cards come back with the names that they had
	[ "${SLB_WIRES:-}" != virtio ] || modprobe -r virtio_net
	for ns in $SLB_NETNS; do
		[ ! -e "/run/netns/slb-$ns" ] || printf 'netns delete slb-%s\n' "$ns"
	done | ip -batch -
}

# slb_mac ADDRESS: the MAC of the device that has it.
slb_mac() { printf '02:00:%02x:%02x:%02x:%02x' ${1//./ }; }

# Every program costs an emulated CPU dear, so each namespace is set up by one batch,
# in the array slb_batch. slb_end NS DEVICE ADDRESS PEER: one end of a wire.
slb_end() {
	slb_batch[$1]+="address add $3/24 dev $2
		link set $2 up
		neighbour add $4 lladdr $(slb_mac "$4") dev $2 nud permanent
	"
}

# slb_card NS DEVICE ADDRESS: one end of a wire becomes the next of slb_cards.
slb_card() {
	[ ${#slb_cards[@]} -gt 0 ] || slb_bail 'the guest has too few network cards'
	slb_batch[root]+="link set ${slb_cards[0]} netns slb-$1 name $2"$'\n'
	slb_batch[$1]+="link set $2 address $(slb_mac "$3")"$'\n'
	slb_cards=("${slb_cards[@]:1}")
}

# slb_link NS DEVICE ADDRESS NS DEVICE ADDRESS: a wire.
slb_link() {
	if [ "${SLB_WIRES:-}" = virtio ] && [[ " $1 $4 " == *' dir '* ]]; then
		slb_card "$1" "$2" "$3"
		slb_card "$4" "$5" "$6"
	else
		slb_batch[root]+="link add $2 netns slb-$1 address $(slb_mac "$3") type veth \
			peer name $5 netns slb-$4 address $(slb_mac "$6")
		"
	fi
	slb_end "$1" "$2" "$3" "$6"
	slb_end "$4" "$5" "$6" "$3"
}

slb_net_server() {
	local i=$1

	slb_link dir "dr$i" "10.2.$i.1" "rs$i" d0 "10.2.$i.2"
	slb_link client "s$i" "10.3.$i.1" "rs$i" c0 "10.3.$i.2"
	slb_batch[rs$i]+="address add $SLB_VIP_DR/32 dev lo
		route add default via 10.2.$i.1
		route add default via 10.3.$i.1 table 100
		rule add from $SLB_VIP_DR table 100
	"
}

# The guest's virtio network cards, by their place.
slb_find_cards() {
	local dev

	modprobe virtio_net || return 1
	for dev in /sys/class/net/*; do
		[ "$(basename "$(readlink -f "$dev/device/driver")")" != virtio_net ] ||
			printf '%s %s\n' "$(readlink -f "$dev/device")" "${dev##*/}"
	done | sort | cut -d ' ' -f 2
}

# slb_net_up: all of it, with the devices' offloads as they come.
slb_net_up() {
	local -A slb_batch=()
	local slb_cards=()
	local ns vip all=net.ipv4.conf.all new=net.ipv4.conf.default

	for ns in $SLB_NETNS; do
		slb_batch[root]+="netns add slb-$ns"$'\n'
		slb_batch[$ns]+="link set lo up"$'\n'
	done
	[ "${SLB_WIRES:-}" != virtio ] || mapfile -t slb_cards < <(slb_find_cards)
	slb_link client c0 10.1.0.2 dir dc 10.1.0.1
	for ns in $SLB_SERVERS; do
		slb_net_server "$ns"
	done
	for vip in $SLB_VIP_NAT $SLB_VIP_DR; do
		slb_batch[dir]+="address add $vip/32 dev dc"$'\n'
		slb_batch[client]+="neighbour add $vip lladdr $(slb_mac 10.1.0.1) dev c0 nud permanent
		"
	done
	ip -batch - <<<"${slb_batch[root]}" || slb_bail 'cannot make the network'
	for ns in $SLB_NETNS; do
		slb_in $ns sysctl -qw $all.rp_filter=0 $new.rp_filter=0 $all.arp_ignore=1 \
			$all.arp_announce=2 $all.send_redirects=0 $new.send_redirects=0 \
			net.ipv4.ip_forward="$([ $ns != dir ]; echo $?)" \
			net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
		ip -n slb-$ns -batch - <<<"${slb_batch[$ns]}" || slb_bail "cannot set up $ns"
	done
	# make test VERIFY=n
	[ -z "${SLB_VERIFY:-}" ] || slb_in dir sysctl -qw net.shadowlb.verify="$SLB_VERIFY"
}

# From here on no packet is larger than the wire's, and each carries its checksum.
slb_offload_off() {
	local off='tx off rx off sg off tso off gso off gro off' i

	slb_in client ethtool -K c0 $off >/dev/null
	slb_in dir ethtool -K dc $off >/dev/null
	for i in $SLB_SERVERS; do
		slb_in client ethtool -K "s$i" $off >/dev/null
		slb_in dir ethtool -K "dr$i" $off >/dev/null
		slb_in "rs$i" ethtool -K d0 $off >/dev/null
		slb_in "rs$i" ethtool -K c0 $off >/dev/null
	done
}

# slb_http_up: nginx in each real server, on 80 (all addresses) and 8080. "/" says which
# one it is, "/big" is 3 MB that all have in common, "/4k" is what the load asks for.
slb_http_up() {
	local i dir www=$SLB_TMP/www

	mkdir -p "$www"
	head -c 3000001 /dev/urandom >"$www/big"
	head -c 4096 /dev/urandom >"$www/4k"
	for i in $SLB_SERVERS; do
		dir=$SLB_TMP/rs$i
		mkdir -p "$dir/www"
		echo "rs$i" >"$dir/www/index.html"
		ln -f "$www/big" "$www/4k" "$dir/www/"
		cat >"$dir/nginx.conf" <<-EOF
			worker_processes 1;
			user root;
			pid $dir/nginx.pid;
			error_log $dir/error.log;
			events { worker_connections 512; }
			http {
				access_log off;
				default_type application/octet-stream;
				sendfile on;
				tcp_nopush on;
				keepalive_timeout 600s;
				keepalive_requests 1000000000;
				client_body_temp_path $dir/body;
				proxy_temp_path $dir/proxy;
				fastcgi_temp_path $dir/fastcgi;
				uwsgi_temp_path $dir/uwsgi;
				scgi_temp_path $dir/scgi;
				server {
					listen 80;
					listen 8080;
					root $dir/www;
				}
			}
		EOF
		slb_in "rs$i" nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/error.log" ||
			slb_bail "nginx does not start in rs$i"
	done
}

# slb_udp_up: a UDP echo in each real server, on port 7 and 7777, of both addresses.
slb_udp_up() {
	local i

	for i in $SLB_SERVERS; do
		slb_spawn "rs$i" /usr/bin/python3 traffic/udp.py serve "10.2.$i.2:7" "10.2.$i.2:7777" \
			"$SLB_VIP_DR:7"
	done
	for i in $SLB_SERVERS; do
		slb_wait 120 slb_udp_bound "rs$i" || slb_bail "no UDP echo in rs$i"
	done
}

# slb_ping DEST SOCKETS PACKETS [OPTION...]: datagrams of the client's. The test fails if one is
# lost.
slb_ping() {
	slb_in client /usr/bin/python3 traffic/udp.py ping "$@" >"$SLB_TMP/ping" ||
		slb_fail "datagrams are lost: $(<"$SLB_TMP/ping")"
}

# slb_link_gone NAME: for slb_wait.
slb_link_gone() { ! ip link show "$1" >/dev/null 2>&1; }

slb_udp_bound() { [ "$(slb_in "$1" ss -Hlnu | wc -l)" -ge 3 ]; }

# slb_service PROTOCOL METHOD PORT SCHEDULER [REALPORT]: t or u, m or g; with all three
# real servers. shadow hashes, so of few connections a real server may get none; with flag-3, the
# least connection, each gets some.
slb_service() {
	local proto=$1 method=$2 port=$3 sched=$4 real=${5:-$3} vip=$SLB_VIP_NAT i

	[ "$method" = m ] || vip=$SLB_VIP_DR
	{
		echo "-A -$proto $vip:$port -s $sched"
		for i in $SLB_SERVERS; do
			echo "-a -$proto $vip:$port -r 10.2.$i.2:$real -$method -w 1"
		done
	} | slb_in dir ipvsadm -R
}

# slb_order_stays: of two connections that one packet fits, IPVS takes the newer. In recent kernels its
# table grows by itself, which turns their order round: not within a test of that order.
slb_order_stays() { slb_in dir sysctl -qew net.ipv4.vs.conn_lfactor=8; }

# slb_scope SCOPE: and wait for the first second of the epoch that new hooks begin. Packets of its
# first eighth of a second prove nothing: on a fast machine those can be all that a test has.
slb_scope() {
	slb_in dir sysctl -qw "net.shadowlb.scope=$1"
	[ "$1" = 0 ] || slb_pause 1.5
}

# slb_wrk REQUESTS CONNECTIONS URL: prints "name=value..." (wrk.lua); eval it. As much
# traffic on a slow machine as on a fast one.
slb_wrk() {
	slb_in client wrk -t1 "-c$2" -d600s --timeout 60s -s traffic/wrk.lua "$3" -- '' "$1" |
		sed -n 's/^SLB //p'
}

# slb_wrk_for SECONDS CONNECTIONS URL: as much traffic as the machine can.
slb_wrk_for() {
	slb_in client wrk -t1 "-c$2" "-d${1}s" --timeout 20s -s traffic/wrk.lua "$3" |
		sed -n 's/^SLB //p'
}

# slb_wrk_start CONNECTIONS URL [PAUSE]: until slb_wrk_end, which sets requests, failed and the
# other names of wrk.lua. PAUSE in ms before each request leaves the CPU to others.
slb_wrk_start() {
	slb_spawn client wrk -t1 "-c$1" -d600s --timeout 20s -s traffic/wrk.lua "$2" -- \
		"${3:-}" >"$SLB_TMP/wrk.out"
	slb_wrk_pid=$!
}

# On SIGINT wrk sums up. Not for a subshell: it waits for a child.
slb_wrk_end() {
	requests=0 failed=1
	kill -INT "$slb_wrk_pid"
	wait "$slb_wrk_pid"
	eval "$(sed -n 's/^SLB //p' "$SLB_TMP/wrk.out")"
}
