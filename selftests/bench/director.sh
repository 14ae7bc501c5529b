# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The director alone, without wires (load.c): devices, services, rules of netfilter. Sourced by
# guest.sh, after job.sh.
#
#      clients                 director                     real server
#   10.8.0.1+ ------ in0  VIP 10.9.0.1:port  out0 ------ 10.9.1.2:port
#   fd08::1+              VIP [fd09::1]:port             fd09:1::2
#
# in0 and out0 are dummy devices; all neighbours are permanent.

setup() {
	local modules

	modules=/lib/modules/$(uname -r)
	install -D -m 644 -t "$modules/updates" "$SLB_KO" "${SLB_KO%/*}/ip_vs_shadow.ko"
	if [ -n "${SLB_DEPMOD:-}" ]; then cp "$SLB_DEPMOD"/modules.* "$modules/"; else depmod; fi
	modprobe ip_vs ${SLB_BENCH_BITS:+conn_tab_bits=$SLB_BENCH_BITS}
	modprobe -a ip_vs ip_vs_rr dummy ${SLB_BENCH_MODULES:-} ||
		die 'this kernel lacks what the benchmark needs'
	insmod "$SLB_SRC/selftests/bench/slb_bench.ko" || die 'slb_bench does not load'
	# shellcheck disable=SC2086
	modprobe shadowlb ${SLB_BENCH_TABLE:+flows=$SLB_BENCH_TABLE} || die 'shadowlb does not load'
	sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv6.conf.default.accept_dad=0 net.ipv4.conf.all.rp_filter=0 \
		net.ipv4.conf.default.rp_filter=0 net.shadowlb.lease=600 \
		net.ipv4.vs.sloppy_tcp=1
	ip -batch - <<-IP
		link add in0 address 02:00:0a:09:00:01 type dummy
		link add out0 address 02:00:0a:09:01:01 type dummy
		link set in0 up
		link set out0 up
		address add 10.9.0.1/24 dev in0
		address add 10.9.1.1/24 dev out0
		address add fd09::1/64 dev in0 nodad
		address add fd09:1::1/64 dev out0 nodad
		neighbour add 10.9.0.2 lladdr 02:00:0a:09:00:02 dev in0 nud permanent
		neighbour add 10.9.1.2 lladdr 02:00:0a:09:01:02 dev out0 nud permanent
		neighbour add fd09::2 lladdr 02:00:0a:09:00:02 dev in0 nud permanent
		neighbour add fd09:1::2 lladdr 02:00:0a:09:01:02 dev out0 nud permanent
		route add 10.8.0.0/16 via 10.9.0.2
		route add fd08::/64 via fd09::2
	IP
}

# A namespace's tables are allocated a sweep after its first packets.
prime() {
	choose nat4
	sysctl -qw net.shadowlb.scope=2
	# shellcheck disable=SC2086
	job $request len=100 flows=10 packets=100 tsc=$tsc via=$via
	slb_pause 3
}

# rules WAY: connection tracking or rules of nftables, if the way has them
rules() {
	local i

	sysctl -qw net.ipv4.vs.conntrack=0
	[ -z "${ruled:-}" ] || nft flush ruleset
	ruled=
	case $1 in
	*_ct) sysctl -qw net.ipv4.vs.conntrack=1 && nft -f - <<<'table ip slb {
			chain input { type filter hook input priority 0; ct state invalid drop; }
		}' ;;
	*_nft)
		{
			echo 'table ip slb {'
			echo 'chain input { type filter hook input priority 0;'
			for i in {1..100}; do echo "ip saddr 192.0.2.$i counter drop;"; done
			printf '}\n}\n'
		} | nft -f - ;;
	*) return ;;
	esac || die 'no rules: nft, or nf_tables'
	ruled=y
}

# choose WAY: service, and the packets of the way: $request, $reply or nothing, $via. Each service
# has a port of its own: connections outlive their service, and would serve the next service.
choose() {
	local options

	rules "$1"
	set -- "${1%_*}"
	ipvsadm -C
	port=$((port + 1))
	reply=
	case $1 in
	*4) vip=10.9.0.1 rs=10.9.1.2 client=10.8.0.1 via=$rs bvip=$vip brs=$rs ;;
	*6) vip=fd09::1 rs=fd09:1::2 client=fd08::1 via=$rs bvip=[$vip] brs=[$rs] ;;
	esac
	case $1 in
	nat*) options=-m ;;
	reply*) options=-m; reply=y ;;
	dr*) options=-g ;;
	ipip*) options=-i ;;
	gre*) options='-i --tun-type gre' ;;
	gue*) options='-i --tun-type gue --tun-port 6080' ;;
	other*) options= ;;
	*) die "no such way: $1" ;;
	esac
	request="dev=in0 src=$client dst=$vip sport=1024 dport=$port vary_src=1"
	if [ "$reply" ]; then
		reply="dev=out0 src=$rs dst=$client sport=$port dport=1024 vary_src=0"
		via=${vip%1}2
	elif [ -z "$options" ]; then
		# forwarded by the kernel, unrelated to IPVS; shadowlb remembers for ten seconds
		# the addresses that IPVS had to do with
		slb_pause 11
		request="dev=in0 src=$client dst=$rs sport=1024 dport=9 vary_src=1"
	fi
	ipvsadm -A "-$proto" "$bvip:$port" -s rr
	# shellcheck disable=SC2086
	ipvsadm -a "-$proto" "$bvip:$port" -r "$brs:$port" ${options:--m}
}
