#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-timeout: 600
#
# docs/edge/announce: services get the scheduler "shadow", and addresses come and go with them,
# whatever the order in which keepalived calls the script. selftests/host/announce.sh has the
# programs that stand for ipvsadm and ip.
# shellcheck disable=SC2046,SC2086 # a service is two words

set -euo pipefail
export LC_ALL=C
. "$(dirname "$0")/../host/static.sh"
. "$slb_host/announce.sh"

one_test() {
	local edit='-E -t 10.9.0.1:80 -s shadow -p 300 -M 255.255.255.0 -b flag-1'

	fresh
	service -t 10.9.0.1:80 -s rr -p 300 -M 255.255.255.0 -b flag-1
	service -t 10.9.0.1:8080 -s rr
	service -t 10.9.0.11:80 -s wlc
	begin sleep up -t 10.9.0.1:80
	at 'a service comes up' $pid 'sleep 3'
	is 'a service comes up: addresses in the calm time' "$(device)" ''
	ends 'a service comes up' $pid
	is '... addresses after it' "$(device)" 10.9.0.1/32
	is '... scheduler and options' "$(scheduler -t 10.9.0.1:80)" "${edit#*-s }"
	is '... the scheduler before the address' "$(calls '^i')" \
		"ipvsadm $edit"$'\n''ip address replace 10.9.0.1/32 dev virtual'
	is '... scheduler of another port' "$(scheduler -t 10.9.0.1:8080)" rr
	is '... scheduler at another address' "$(scheduler -t 10.9.0.11:80)" wlc
	run up -t 10.9.0.1:80
	is '... edits when it comes up once more' "$(calls ipvsadm)" ''
	run down -t 10.9.0.1:80
	is '... addresses when it goes down' "$(device)" ''
	quiet
}

# Options that keepalived may give a service, and the options that "shadow" can have
options_test() {
	local given kept i=0

	fresh
	while IFS='|' read -r given kept; do
		i=$((i + 1))
		service -u "10.9.0.$i:53" -s "$given"
		run up -u "10.9.0.$i:53"
		is "options: $given" "$(scheduler -u "10.9.0.$i:53")" "$kept"
	done <<-'OPTIONS'
		rr|shadow
		wlc -o|shadow -o
		rr -p 50|shadow -p 50
		rr -b flag-1,flag-2|shadow -b flag-1,flag-2
		rr -p 50 --pe sip -o -b flag-1|shadow -p 50 --pe sip -o -b flag-1
		wrr -p 50 -M 255.255.255.0 -b flag-1|shadow -p 50 -M 255.255.255.0 -b flag-1
		mh -b mh-fallback|shadow
		mh -b mh-fallback,mh-port|shadow
		sh -p 50 -b sh-port|shadow -p 50
		rr -b flag-3|shadow -b flag-3
	OPTIONS
	run down
	set_back -u 10.9.0.1:53 -s mh -b mh-port
	set_back -u 10.9.0.2:53 -s rr
	begin sleep up -u 10.9.0.1:53
	at 'flags of mh' $pid 'sleep 3'
	run up -u 10.9.0.2:53
	ends 'flags of mh' $pid
	is 'a service with flags of mh, and one behind it' "$(device)" '10.9.0.1/32 10.9.0.2/32'
	quiet
}

# together TEXT: two services come up in the same calm time, by the processes $first and $last.
together() {
	fresh
	service -t 10.9.0.1:80 -s rr
	service -t 10.9.0.2:80 -s rr
	service -t 10.9.0.3:80 -s rr
	begin sleep up -t 10.9.0.1:80
	first=$pid
	at "$1" $first 'sleep 3'
	begin sleep up -t 10.9.0.2:80
	last=$pid
	at "$1" $last 'sleep 3'
}

together_test() {
	local first last

	together 'two services'
	let_go $first
	at 'two services: the first' $first 'sleep 27'
	is 'two services: addresses while the last one waits' "$(device)" ''
	ends 'two services: the last' $last
	is '... when it has waited' "$(device)" '10.9.0.1/32 10.9.0.2/32'
	begin sleep up -t 10.9.0.3:80
	at 'two services: a third' $pid 'sleep 3'
	ends 'two services: the first' $first
	is '... in the calm time of a third one' "$(device)" '10.9.0.1/32 10.9.0.2/32'
	ends 'two services: a third' $pid
	is '... after it' "$(device)" '10.9.0.1/32 10.9.0.2/32 10.9.0.3/32'
	quiet

	together 'half a minute'
	let_go $first
	at 'half a minute' $first 'sleep 27'
	ends 'half a minute' $first
	is 'others still come up after half a minute: addresses' "$(device)" \
		'10.9.0.1/32 10.9.0.2/32'
	forget
	ends 'half a minute: the last' $last
	is '... calls by the last one' "$(calls '^i')" ''
	quiet
}

# keepalived takes processes with it when it dies.
killed_test() {
	local first last

	together 'the first process is killed'
	kill $first || :
	ends 'the first process is killed' $first $last
	is 'the first process is killed: addresses' "$(device)" '10.9.0.1/32 10.9.0.2/32'

	together 'the last process is killed'
	kill $last || :
	ends 'the last process is killed' $last
	let_go $first
	at 'the last process is killed' $first 'sleep 27'
	ends 'the last process is killed' $first
	is 'the last process is killed: addresses' "$(device)" '10.9.0.1/32 10.9.0.2/32'

	together 'both are killed'
	kill $first $last || :
	ends 'both are killed' $first $last
	begin sleep up -t 10.9.0.3:80
	first=$pid
	at 'both are killed' $first 'sleep 3'
	begin sleep up -t 10.9.0.1:80
	at 'both are killed' $pid 'sleep 3'
	let_go $first
	at 'both are killed: the next one is the first' $first 'sleep 27'
	ends 'both are killed' $first $pid
	is 'both are killed: addresses' "$(device)" '10.9.0.1/32 10.9.0.2/32 10.9.0.3/32'

	: >"$dir/state/up-t10.9.0.3:81"
	run down
	forget
	run up -t 10.9.0.3:80
	is 'a process is killed while it writes: calm times after down' "$(calls sleep)" 'sleep 3'
	quiet
}

# "down" in the calm time
calm_test() {
	local first last

	together 'down of the last one'
	run down -t 10.9.0.2:80
	ends 'down of the last one' $last
	is 'in the calm time, the last one goes down: addresses' "$(device)" 10.9.0.1/32
	ends 'down of the last one' $first

	together 'down of all'
	run down
	run up -t 10.9.0.3:80
	ends 'down of all' $last $first
	is 'in the calm time, down of all and up of a third: addresses' "$(device)" 10.9.0.3/32

	together 'down and up'
	run down
	begin sleep up -t 10.9.0.1:80
	at 'down and up' $pid 'sleep 3'
	ends 'down and up' $last $first
	is 'in the calm time, down and up: addresses in the next one' "$(device)" ''
	ends 'down and up' $pid
	is '... after it' "$(device)" 10.9.0.1/32
	quiet
}

# shared SERVICE SERVICE: at one address
shared() {
	fresh
	service -t 10.9.0.1:80 -s rr
	service -u 10.9.0.1:443 -s rr -o
	service -t 10.9.0.11:80 -s rr
	run up $1
	run up -t 10.9.0.11:80
	forget
	run up $2
	is "$2 comes to $1: calm times" "$(calls sleep)" ''
	is '... scheduler' "$(scheduler $2 | cut -c 1-6)" shadow
	run down $1
	is '... addresses without the first one' "$(device)" '10.9.0.1/32 10.9.0.11/32'
	run down $2
	is '... without both' "$(device)" 10.9.0.11/32
	run up $2
	is '... with the second one alone' "$(device)" '10.9.0.1/32 10.9.0.11/32'
	quiet
}

shared_test() {
	shared '-t 10.9.0.1:80' '-u 10.9.0.1:443'
	shared '-u 10.9.0.1:443' '-t 10.9.0.1:80'
}

# rounds NUMBER: the reload goes on for so many rounds.
rounds() {
	local i

	for ((i = 0; i < $1; i++)); do
		let_go $pid
		at reload $pid 'sleep 2'
	done
}

reload_test() {
	fresh
	service -t 10.9.0.1:80 -s rr -p 300
	service -t 10.9.0.2:80 -s rr
	service -t 10.9.0.3:80 -s rr
	run up -t 10.9.0.1:80
	run up -t 10.9.0.2:80
	forget
	begin sleep reload
	at reload $pid 'sleep 2'
	set_back -t 10.9.0.1:80 -s rr -p 600
	rounds 2
	set_back -t 10.9.0.2:80 -s wlc -b flag-1
	rounds 2
	ends reload $pid
	is 'reload: calls' "$(calls .)" 'sleep 2
ipvsadm -E -t 10.9.0.1:80 -s shadow -p 600
sleep 2
sleep 2
ipvsadm -E -t 10.9.0.2:80 -s shadow -b flag-1
sleep 2
sleep 2'
	is '... scheduler of the first service' "$(scheduler -t 10.9.0.1:80)" 'shadow -p 600'
	is '... of the second one' "$(scheduler -t 10.9.0.2:80)" 'shadow -b flag-1'
	is '... of a service that is not up' "$(scheduler -t 10.9.0.3:80)" rr
	is '... addresses' "$(device)" '10.9.0.1/32 10.9.0.2/32'
	quiet
	run down
	forget
	run reload
	is 'reload without services: calls' "$(calls .)" 'sleep 2'
	quiet
}

reload_module_test() {
	local i

	fresh
	service -t 10.9.0.1:80 -s rr
	run up -t 10.9.0.1:80
	rm "$dir/module"
	set_back -t 10.9.0.1:80 -s rr
	begin sleep reload
	for ((i = 0; i < 30; i++)); do
		[ "$(held $pid)" = 'sleep 2' ] || break
		let_go $pid
	done
	ends 'reload without the module' $pid
	is 'reload without the module: complaints' "$(complaints)" ip_vs_shadow
}

down_test() {
	local service services=('-t 10.9.0.1:80' '-t 10.9.0.1:81' '-u 10.9.0.2:53')

	services+=('-t [2001:db8::1]:80')
	fresh
	for service in "${services[@]}"; do
		service $service -s rr
		run up $service
	done
	is 'several services: addresses' "$(device)" '10.9.0.1/32 10.9.0.2/32 2001:db8::1/128'
	forget
	run down
	is '... when all go down' "$(device)" ''
	is '... calls of ip' "$(calls '^ip ')" 'ip address flush dev virtual scope global'
	run down
	is '... once more' "$(device)" ''
	run up -t 10.9.0.1:81
	run up -t '[2001:db8::1]:80'
	is '... when some come up again' "$(device)" '10.9.0.1/32 2001:db8::1/128'
	run down -t 10.9.0.1:81
	is '... when one of these goes down' "$(device)" 2001:db8::1/128
	quiet
}

device_test() {
	fresh
	service -t 10.9.0.1:80 -s rr
	service -t 10.9.0.2:80 -s rr
	rm -r "$dir/device"
	run down
	is 'no device: complaints' "$(complaints)" '"virtual"'
	run up -t 10.9.0.1:80
	mkdir "$dir/device"
	errors >/dev/null
	forget
	run up -t 10.9.0.2:80
	is '... addresses when there is one, and another service comes up' "$(device)" \
		'10.9.0.1/32 10.9.0.2/32'
	is '... calm times' "$(calls sleep)" 'sleep 3'
	quiet
}

# back SECONDS: edits of the service when it comes up at that time
back() {
	clock "$1"
	forget
	run up -t 10.9.0.1:80
	calls ipvsadm | sed 's/.* -s //' | tr '\n' ' '
}

# gone SECONDS [SERVICE]: the service, or all, go down at that time.
gone() {
	clock "$1"
	run down ${2:-}
}

anew_test() {
	local service='-t 10.9.0.1:80' anew='rr -p 300 shadow -p 300 '

	fresh
	service $service -s rr -p 300
	is 'a service comes up after boot: edits' "$(back 0)" 'shadow -p 300 '
	gone 0 "$service"
	is '... after 59 seconds away' "$(back 59)" ''
	gone 59
	is '... once more' "$(back 118)" ''
	gone 200 "$service"
	is '... after 60 seconds' "$(back 260)" "$anew"
	is '... while it is up' "$(back 400)" ''
	gone 400 "$service"
	gone 430 "$service"
	gone 459
	is '... after 60 seconds, with further calls of down' "$(back 460)" "$anew"
	gone 500 "$service"
	begin sleep up $service
	at 'not up for the calm time' $pid 'sleep 3'
	gone 530 "$service"
	ends 'not up for the calm time' $pid
	is '... after 60 seconds, with a calm time in them' "$(back 560)" "$anew"
	fresh
	service $service -s rr -p 300
	gone 0 "$service"
	is '... 60 seconds after boot' "$(back 60)" "$anew"
	quiet
}

module_test() {
	fresh
	rm "$dir/module"
	service -t 10.9.0.1:80 -s rr
	service -u 10.9.0.1:80 -s rr
	service -u 10.9.0.1:81 -s rr
	service -t 10.9.0.2:80 -s rr
	run up -t 10.9.0.1:80
	is 'no module: addresses' "$(device)" ''
	is '... complaints' "$(complaints)" ip_vs_shadow
	: >"$dir/module"
	run up -t 10.9.0.2:80
	is '... with it, when another service comes up' "$(device)" '10.9.0.1/32 10.9.0.2/32'
	quiet
	rm "$dir/module"
	run up -u 10.9.0.1:80
	is 'no module, at an address that is there: complaints' "$(complaints)" ip_vs_shadow
	: >"$dir/module"
	run up -u 10.9.0.1:81
	is '... scheduler with it, when another one comes up' "$(scheduler -u 10.9.0.1:80)" shadow
	quiet
}

# A service that IPVS has not any more keeps out no other one.
missing_test() {
	local first last

	together 'a service goes'
	ends 'a service goes' $last $first
	run down
	set_back -t 10.9.0.1:80 -s rr
	set_back -t 10.9.0.2:80 -s rr
	begin sleep up -t 10.9.0.1:80
	first=$pid
	at 'a service goes' $first 'sleep 3'
	begin ipvsadm up -t 10.9.0.2:80
	at 'a service goes' $pid 'ipvsadm -Sn'
	let_go $pid
	at 'a service goes' $pid 'ipvsadm -R'
	sed -i '/ 10\.9\.0\.1:80 /d' "$dir/table"
	let_go $pid
	at 'a service goes' $pid 'ipvsadm -Sn'
	ends 'a service goes' $pid $first
	is 'a service goes while it gets the scheduler: addresses' "$(device)" 10.9.0.2/32
	is '... complaints' "$(complaints)" ip_vs_shadow
	service -t 10.9.0.1:80 -s rr
	run up -t 10.9.0.3:80
	is '... addresses when it is there again, and another one comes up' "$(device)" \
		'10.9.0.1/32 10.9.0.2/32 10.9.0.3/32'
	quiet
}

ipv6_test() {
	fresh
	service -t '[2001:db8::1]:80' -s rr -p 300 -M 64
	service -u '[2001:db8::1]:80' -s rr -o
	service -t '[2001:db8::11]:80' -s rr
	run up -t '[2001:db8::1]:80'
	is 'IPv6: addresses' "$(device)" 2001:db8::1/128
	is '... scheduler and options' "$(scheduler -t '[2001:db8::1]:80')" 'shadow -p 300 -M 64'
	is '... of UDP' "$(scheduler -u '[2001:db8::1]:80')" 'rr -o'
	run up -t '[2001:db8::11]:80'
	forget
	run up -u '[2001:db8::1]:80'
	is '... UDP comes to TCP: calm times' "$(calls sleep)" ''
	is '... scheduler and options' "$(scheduler -u '[2001:db8::1]:80')" 'shadow -o'
	run down -t '[2001:db8::1]:80'
	is '... addresses without TCP' "$(device)" '2001:db8::1/128 2001:db8::11/128'
	run down -u '[2001:db8::1]:80'
	is '... without both' "$(device)" 2001:db8::11/128
	quiet
}

udp_test() {
	fresh
	service -t 10.9.0.1:53 -s rr
	service -u 10.9.0.1:53 -s rr
	run up -u 10.9.0.1:53
	is 'UDP: addresses' "$(device)" 10.9.0.1/32
	is '... scheduler' "$(scheduler -u 10.9.0.1:53)" shadow
	is '... of TCP' "$(scheduler -t 10.9.0.1:53)" rr
	run down -t 10.9.0.1:53
	is '... addresses when TCP, which was not up, goes down' "$(device)" 10.9.0.1/32
	run down -u 10.9.0.1:53
	is '... when UDP goes down' "$(device)" ''
	quiet
}

lock_test() {
	local other

	fresh
	service -t 10.9.0.1:80 -s rr
	begin ip up -t 10.9.0.1:80
	other=$pid
	at 'down while the address comes' $other 'ip address replace 10.9.0.1/32 dev virtual'
	begin none down -t 10.9.0.1:80
	locks $pid $locks
	ends 'down while the address comes' $other $pid
	is 'down while the address comes: addresses' "$(device)" ''
	run up -t 10.9.0.1:80
	begin ipvsadm reload
	other=$pid
	at 'down while reload looks' $other 'ipvsadm -Sn'
	begin none down
	locks $pid $locks
	let_go $other
	at 'down while reload looks' $other 'ipvsadm -Sn'
	ends 'down while reload looks' $other $pid
	is 'down while reload looks: addresses' "$(device)" ''
	quiet
}

# overtaken COMMAND COMMAND: addresses when the first command waits until the second one is done
overtaken() {
	local other

	begin flock $1
	other=$pid
	at "$1, then $2" $other 'flock 9'
	run $2
	ends "$1, then $2" $other
	device
}

# Commands that wait for the lock get it in any order.
order_test() {
	local service='-t 10.9.0.1:80'

	fresh
	service $service -s rr
	is 'up is overtaken by down: addresses' "$(overtaken "up $service" "down $service")" ''
	is 'up is overtaken by down of all: addresses' "$(overtaken "up $service" down)" ''
	is 'down is overtaken by up: addresses' "$(overtaken "down $service" "up $service")" \
		10.9.0.1/32
	quiet
}

# mix_name I: the name of service I
mix_name() {
	local proto=-t address=10.9.0.$(($1 / 5))

	[ $(($1 % 5)) != 0 ] || proto=-u
	[ $(($1 / 5 % 3)) != 0 ] || address="[2001:db8::$(($1 / 5))]"
	echo "$proto $address:$((80 + $1 % 5))"
}

# mix_chain TURN SERVICE COMMAND...: each command begins when the one before has come to the lock.
mix_chain() {
	local turn=$1 service=$2 command i=0 locks

	shift 2
	for command; do
		locks="$dir/locks/$turn $service $((++i))"
		HOLD='' SHORT=1 LOCKS=$locks "$dir/announce" $command $service 2>>"$dir/errors" &
		locks $! "$locks"
	done
	wait
	echo "$command $service" >>"$dir/last"
}

# mix TURN SERVICES: commands about so many services, side by side; other commands in another turn
mix() {
	local i chains=('up' 'up down up' 'down up' 'up down' 'down up up down' 'down' 'up up')

	: >"$dir/last"
	HOLD='' SHORT=1 LOCKS=/dev/null "$dir/announce" reload 2>>"$dir/errors" &
	for ((i = 0; i < $2; i++)); do
		mix_chain $1 "$(mix_name $i)" ${chains[(i + i / 7 + $1) % 7]} &
	done
	wait
	for i in up down; do
		sed -n "s/^$i //p" "$dir/last" | sort >"$dir/last-$i"
	done
}

# mix_files STATE: services that have a file of this state
mix_files() {
	find "$dir/state" -name "$1-*" -printf '%f\n' | sed "s/^$1\(-.\)/\1 /" | sort
}

# mix_diff FILE: lines of stdin (<) and of FILE (>) that the other one does not have
mix_diff() { diff - "$1" | grep '^[<>]' || :; }

# mix_result TEXT: all is as the last commands say.
mix_result() {
	is "$1: services that are up" "$(mix_files up | mix_diff "$dir/last-up")" ''
	is '... services that are down' "$(mix_files down | mix_diff "$dir/last-down")" ''
	is '... services between' "$(mix_files new)" ''
	sed 's/^-. \(.*\):.*/\1/; s,[^]]$,&/32,; s,^\[\(.*\)]$,\1/128,' "$dir/last-up" |
		sort -u >"$dir/addresses"
	is '... addresses' "$(device | tr ' ' '\n' | sort | mix_diff "$dir/addresses")" ''
	sed -n 's/^-A \(.*\) -s shadow$/\1/p' "$dir/table" | sort >"$dir/shadow"
	is '... services that lack the scheduler' "$(comm -23 "$dir/last-up" "$dir/shadow")" ''
	quiet
}

mix_test() {
	local i count=120

	fresh
	for ((i = 0; i < count; i++)); do service $(mix_name $i) -s rr; done
	mix 0 $count
	mix_result 'many services'
	run down
	is '... addresses when all go down' "$(device)" ''
	is '... services that are up' "$(mix_files up)" ''
	mix 1 $count
	mix_result 'many services in another mix'
}

for test in one options together killed calm shared reload reload_module down device anew module \
	missing ipv6 udp lock order mix; do
	"${test}_test"
done
echo "1..$n"
exit $failed
