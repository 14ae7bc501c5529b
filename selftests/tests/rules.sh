#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: 6.12 newest uml smp
# slb-timeout: 120
#
# /proc/net/shadowlb marks the hooks whose rules tell apart packets of one connection, and
# no others: rules of nftables, matches of x_tables in them, and tables of x_tables.

set -u
. lib/stat.sh
. lib/net.sh
trap slb_net_down EXIT

# marked: "ipv4 TABLE/CHAIN MARKS" of each chain that is listed; without marks, "-"
marked() {
	slb_in dir awk '/^skipped/ { on = 1 }
		on { for (i = 1; i < NF; i++) if ($i == "chain")
			print $1, $(i + 1), sub(/^per-packet=/, "", $NF) ? $NF : "-" }' /proc/net/shadowlb
}

# marks FAMILY TABLE/CHAIN MARKS: of the marks in $all
marks() {
	slb_same "$1 $2: marked with $3" "$(awk -v f="$1" -v c="$2" '$1 == f && $2 == c { print $3 }' <<<"$all")" "$3"
}

# chains FAMILY TABLE: a base chain in_NAME each for lines "NAME MARKS RULE" of stdin; then their marks.
# Fails where the kernel has not all of the rules.
chains() {
	local family=$1 table=$2 line name want rule text='' wants=()

	while read -r name want rule; do
		text+="chain in_$name { type filter hook input priority 8; $rule; }"$'\n'
		wants+=("in_$name $want")
	done
	slb_in dir nft -f - <<<"table $family $table { $text }" || return 1
	all=$(marked)
	[ "$family" = ip6 ] && family=ipv6 || family=ipv4
	for line in "${wants[@]}"; do
		marks $family "$table/${line% *}" "${line#* }"
	done
}

# Rules that every kernel of the tests has.
basic() {
	chains ip core <<-'END' || slb_bail 'nft: no rules'
		plain		-	ip saddr 10.0.0.0/8 tcp dport 80 accept
		pair		-	ip saddr 10.0.0.1 ip daddr 10.0.0.2 udp sport 5 accept
		state		-	ct state established accept
		dscp		-	ip dscp 46 counter
		protocol	-	ip protocol { tcp, udp } counter
		set		-	ip daddr . tcp dport { 10.0.0.1 . 80, 10.0.0.2 . 81 } counter
		mark		-	meta mark 5 meta mark set 7
		icmp		-	icmp type echo-request accept
		device		-	iifname "eth0" accept
		mac		mac	ether saddr 02:00:00:00:00:01 meta mark set 1
		metalen		length	meta length > 1000 counter
		iplen		length	ip length > 1000 counter
		ttl		ttl	ip ttl < 3 drop
		id		header	ip id 7 counter
		frag		header	ip frag-off & 0x1fff != 0 counter
		flags		transport	tcp flags & (syn | ack) == syn counter
		seq		transport	tcp sequence 7 counter
		raw		transport	udp dport 7 @th,64,32 0x41424344 counter
		option		options	tcp option sack-permitted exists counter
		hour		time	meta hour "10:00"-"12:00" counter
		day		time	meta day "Monday" counter
		random		random	meta random < 1000 counter
		several		mac,length,ttl	ip ttl 3 ether saddr 02:00:00:00:00:01 ip length 9 counter
	END
	chains ip6 core6 <<-'END' || slb_bail 'nft: no rules of IPv6'
		plain		-	ip6 saddr fd00::/8 ip6 daddr fd01::1 tcp dport 80 ip6 dscp 46 counter
		hops		ttl	ip6 hoplimit 3 counter
		label		header	ip6 flowlabel 7 counter
		length		length	ip6 length 7 counter
		ext		-	exthdr hbh exists counter
	END
}

# A table of both families: the rule says whose header it looks at.
both() {
	slb_in dir nft -f - <<-'END' || slb_bail 'nft: no table of both families'
		table inet both {
			chain in_plain { type filter hook input priority 8; ip saddr 10.0.0.0/8 counter; ip6 saddr fd00::/8 counter; }
			chain in_ttl { type filter hook input priority 8; ip ttl 3 counter; }
			chain in_hops { type filter hook input priority 8; ip6 hoplimit 3 counter; }
			chain in_mac { type filter hook input priority 8; ether saddr 02:00:00:00:00:01 counter; }
		}
		table ip calls {
			chain in_one { type filter hook input priority 8; tcp dport 80 jump two; }
			chain two { goto three; }
			chain three { ip ttl 3 drop; }
		}
		table ip apart {
			chain in_one { type filter hook input priority 8; tcp dport 80 jump two; }
			chain two { ip saddr 10.0.0.1 drop; }
			chain on_way { type filter hook forward priority 8; ip ttl 3 drop; }
		}
	END
	all=$(marked)
	marks ipv4 both/in_plain -
	marks ipv6 both/in_plain -
	marks ipv4 both/in_ttl ttl
	marks ipv6 both/in_ttl -
	marks ipv4 both/in_hops -
	marks ipv6 both/in_hops ttl
	marks ipv4 both/in_mac mac
	marks ipv6 both/in_mac mac
	marks ipv4 calls/in_one ttl
	marks ipv4 apart/in_one -
	marks ipv4 apart/on_way ttl
	slb_in dir nft flush chain ip calls three
	all=$(marked)
	marks ipv4 calls/in_one -
}

# Rules that the small kernels of the tests lack, in tables of their own: what is in a set
# counts for all of a table.
counting() {
	chains ip counting <<-'END' || return
		limit		limit	limit rate 10/second accept
		quota		quota	quota over 10 mbytes drop
		numgen		random	meta mark set numgen inc mod 2
		queue		queue	udp dport 7 queue num 1
	END
	slb_in dir nft -f - <<-'END' || slb_bail 'nft: no limits in sets'
		table ip by_rule {
			set s { type ipv4_addr; size 100; flags dynamic; }
			chain in_c { type filter hook input priority 8; update @s { ip saddr limit rate 10/second } drop; }
		}
		table ip by_set {
			set s { type ipv4_addr; size 100; limit rate 5/second; elements = { 10.0.0.1 }; }
			chain in_c { type filter hook input priority 8; ip saddr @s accept; }
		}
		table ip by_name {
			limit l { rate 400/minute; }
			quota q { over 1 mbytes; }
			chain in_l { type filter hook input priority 8; limit name "l" accept; }
			chain in_q { type filter hook input priority 8; quota name "q" drop; }
		}
	END
	all=$(marked)
	marks ipv4 by_rule/in_c limit
	marks ipv4 by_set/in_c limit
	marks ipv4 by_name/in_l limit
	marks ipv4 by_name/in_q quota
}

# A chain with one match: its name, revision, contents and protocol.
xtables() {
	local name want match all

	while read -r name want match; do
		slb_in dir nft -f - <<<"table ip xtab { chain in_$name { type filter hook input priority 8; }; }"
		# shellcheck disable=SC2086 # words
		slb_check "a rule with the match: $name" \
			slb_in dir /usr/bin/python3 traffic/xtmatch.py nft xtab in_$name $match
		all=$(marked)
		marks ipv4 "xtab/in_$name" "$want"
	done <<-'END'
		mac		mac		mac 0 020000000001000000000000
		length		length		length 0 0a00ffff0000
		ttl		ttl		ttl 0 0203
		limit		limit		limit 0 e8030000050000000000000000000000000000000000000000000000000000000000000000000000
		statistic	random		statistic 0 0000000000000040000000000000000000000000
		tcpports	-		tcp 0 0000ffff5000500000000000 6
		tcpflags	transport	tcp 0 0000ffff0000ffff00120200 6
		mark		-		mark 1 0500000000ffffffff000000
	END
}

modprobe shadowlb
ip netns add slb-dir
slb_in dir ipvsadm -A -u 10.9.9.9:9 -s shadow
basic
both
case $SLB_KERNEL in
uml | smp)
	counting || slb_note 'this kernel has no such rules'
	;;
*)
	slb_check 'limits, quotas, chance and queues' counting
	xtables
	if modprobe -q iptable_filter; then
		slb_check 'a table of iptables-legacy' slb_in dir /usr/bin/python3 traffic/xtmatch.py legacy
		slb_check 'its rules cannot be seen, and it is marked so' \
			slb_in dir grep -qE '^ipv4 +input +0 ipt_do_table .*per-packet=\?$' /proc/net/shadowlb
	else
		slb_note 'this kernel has no iptables-legacy'
	fi
	;;
esac
slb_same 'no mark but at chains and tables' \
	"$(slb_in dir grep per-packet= /proc/net/shadowlb | grep -vE ' chain | ipt_do_table')" ''
slb_in dir ipvsadm -C
slb_done
