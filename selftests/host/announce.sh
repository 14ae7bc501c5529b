# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Where selftests/static/announce.sh runs docs/edge/announce: programs in PATH stand for ipvsadm,
# ip, date, flock and sleep. IPVS is a file with the lines of ipvsadm -Sn, the device a directory
# with a file for each address, and the time a number in a file. A program can be held: then it
# waits until the test lets it go on. So steps have the order that a check needs, on any machine.

dir=$(mktemp -d "${TMPDIR:-/tmp}/slb-announce.XXXXXX")
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/bin"
mkfifo "$dir/never"
exec {never}<>"$dir/never"
n=0
failed=0

# program NAME: a shell script, from stdin. There, $dir is the directory of the test, and PATH has
# the machine's programs alone. The program is held if HOLD names it.
program() {
	{
		cat <<-'HEAD'
			#!/bin/sh
			dir=${0%/bin/*}
			PATH=${PATH#*:}
			case " $HOLD " in
			*" ${0##*/} "*)
				echo "${0##*/} $*" >"$dir/held/$PPID"
				while [ -e "$dir/held/$PPID" ]; do sleep 0.02; done
				;;
			esac
		HEAD
		cat
	} >"$dir/bin/$1"
	chmod +x "$dir/bin/$1"
}

# As ipvsadm 1.31 does: after a line that the kernel refuses, the next line follows. A line that
# ipvsadm itself refuses is the last. The exit code is that of the last line. Without the file
# "module" there is no scheduler "shadow".
program ipvsadm <<'PROGRAM'
[ "$*" != -Sn ] || exec cat "$dir/table"
[ "$*" = -R ] || exit 2
exec 8>"$dir/table.lock"
flock 8
[ -e "$dir/module" ] && module=1 || module=0
awk -v module=$module -v calls="$dir/calls" -v table="$dir/table" '
	function complain(text) { print text >"/dev/stderr"; code = 1 }
	BEGIN {
		while ((getline <table) > 0) {
			line[++lines] = $0
			if ($1 == "-A")
				at[$2 " " $3] = lines
		}
	}
	{ print "ipvsadm " $0 >>calls }
	$1 != "-E" || $4 != "-s" { complain("the test knows no such line"); exit }
	/ -b [ms]h-/ && $5 !~ /^[ms]h$/ { complain("incompatible scheduler flag"); exit }
	!($2 " " $3 in at) { complain("No such service"); next }
	$5 == "shadow" && !module { complain("Scheduler or persistence engine not found"); next }
	{ code = 0; $1 = "-A"; line[at[$2 " " $3]] = $0 }
	END {
		for (i = 1; i <= lines; i++)
			print line[i] >(table ".new")
		exit code
	}'
code=$?
mv "$dir/table.new" "$dir/table"
exit $code
PROGRAM

# Without the directory there is no device.
program ip <<'PROGRAM'
echo "ip $*" >>"$dir/calls"
[ -e "$dir/device" ] || { echo 'Cannot find device "virtual"' >&2; exit 1; }
case $* in
"address replace "*/*" dev virtual") : >"$dir/device/${3%/*}+${3#*/}" ;;
"address flush dev virtual to "*/*) rm -f "$dir/device/${6%/*}+${6#*/}" ;;
"address flush dev virtual scope global") rm -f "$dir/device/"* ;;
*) exit 2 ;;
esac
PROGRAM

program date <<'PROGRAM'
[ "$*" = +%s ] && exec cat "$dir/clock"
PROGRAM

# Takes a hundredth of the time if SHORT is set, otherwise none.
program sleep <<'PROGRAM'
echo "sleep $1" >>"$dir/calls"
[ -z "$SHORT" ] || sleep "$(printf '0.%02d' "$1")"
PROGRAM

# The file $LOCKS says that the script has come to its lock.
program flock <<'PROGRAM'
: >"$LOCKS"
exec flock "$@"
PROGRAM

# fresh: the director boots, without services, and time begins.
fresh() {
	rm -rf "$dir/state" "$dir/device" "$dir/held" "$dir/locks"
	mkdir "$dir/device" "$dir/held" "$dir/locks"
	for file in table calls errors module; do : >"$dir/$file"; done
	clock 0
}

clock() { echo $((1000 + $1)) >"$dir/clock"; }

# service SERVICE -s SCHEDULER...: keepalived adds the service. SERVICE is two words: -t or -u, and
# ADDRESS:PORT.
service() {
	printf '%s\n' "-A $*" "-a $1 $2 -r 10.5.0.11:80 -i -w 1" >>"$dir/table"
}

# set_back SERVICE -s SCHEDULER...: keepalived edits the service.
set_back() {
	local line

	while read -r line; do
		[[ $line != "-A $1 $2 "* ]] || line="-A $*"
		printf '%s\n' "$line"
	done <"$dir/table" >"$dir/table.new"
	mv "$dir/table.new" "$dir/table"
}

# scheduler SERVICE: the scheduler of the service, and its options
scheduler() {
	local line

	while read -r line; do
		[[ $line != "-A $* -s "* ]] || echo "${line#"-A $* -s "}"
	done <"$dir/table"
}

# device: addresses of the device, in a line
device() {
	find "$dir/device" -type f -printf '%f\n' | sort | tr '+\n' '/ ' | sed 's/ $//'
}

# calls PATTERN: calls of programs since the last question; of ipvsadm, the lines for -R
calls() {
	grep -E "$1" "$dir/calls" || :
	forget
}

forget() { : >"$dir/calls"; }

# errors: stderr of the script since the last question
errors() {
	cat "$dir/errors"
	: >"$dir/errors"
}

# complaints: the same, but of each complaint only the thing that is missing
complaints() { errors | sed -n 's/^announce: .*\(ip_vs_shadow\|"virtual"\).*/\1/p' | sort -u; }

# is TEXT SEEN EXPECTED
is() {
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
		return
	fi
	failed=1
	{
		printf '%s\n' "seen '$2'" "expected '$3'" 'state, addresses, services, stderr:'
		find "$dir/state" "$dir/device" -type f -printf '%P\n'
		cat "$dir/table" "$dir/errors"
	} 2>&1 | sed 's/^/# /'
	echo "not ok $n - $1"
}

quiet() { is '... without a complaint' "$(errors)" ''; }

pause() { read -rt 0.02 <&"$never" || :; }

# run ARGUMENT...: the script, to its end
run() {
	HOLD='' SHORT='' LOCKS=/dev/null "$dir/announce" "$@" 2>>"$dir/errors" ||
		echo "announce $*: exit code $?" >>"$dir/errors"
}

# begin PROGRAM ARGUMENT...: the script, in the background, as $pid. Its calls of PROGRAM are held.
# The file $locks is there when it has come to its lock.
begin() {
	locks=$(mktemp -u "$dir/locks/XXXXXX")
	HOLD=$1 SHORT='' LOCKS=$locks "$dir/announce" "${@:2}" 2>>"$dir/errors" &
	pid=$!
}

# locks PID FILE: the script has come to its lock, or has ended.
locks() {
	until [ -e "$2" ] || ! kill -0 "$1" 2>/dev/null; do pause; done
}

# held PID: the call of this process that is held, or "ended", or "no end" after a minute
held() {
	local call end=$((SECONDS + 60))

	while kill -0 "$1" 2>/dev/null; do
		if read -r call 2>/dev/null <"$dir/held/$1"; then
			echo "$call"
			return
		fi
		[ $SECONDS -lt $end ] || { echo 'no end'; return; }
		pause
	done
	echo ended
}

# let_go PID...: calls that are held go on.
let_go() {
	rm -f "${@/#/$dir/held/}"
}

# at TEXT PID CALL: the process comes to this call.
at() {
	call=$(held "$2")
	[ "$call" = "$3" ] || is "$1: process at" "$call" "$3"
	[ "$call" != 'no end' ] || exit 1
}

# ends TEXT PID...: these processes go on, one after the other. Each ends without a further call that
# is held.
ends() {
	local text=$1 pid

	shift
	for pid; do
		let_go "$pid"
		at "$text" "$pid" ended
		[ "$call" = ended ] || kill "$pid"
		let_go "$pid"
		wait "$pid" || :
	done
}

sed "s,^state=.*,state=$dir/state," "$SLB_SRC/docs/edge/announce" >"$dir/announce"
chmod +x "$dir/announce"
if ! grep -qxF "state=$dir/state" "$dir/announce"; then
	echo 'docs/edge/announce: no line "state=" to replace'
	exit 1
fi
PATH=$dir/bin:$PATH
