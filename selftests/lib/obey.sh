# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# A program of the client's that obeys: it reads commands from $SLB_TMP/tell, and answers each
# with "ok" or what went wrong (traffic/hold.py, traffic/steady.py). Sourced after net.sh.

# slb_obey COMMAND...: starts it. Its first line is in slb_answer.
slb_obey() {
	rm -f "$SLB_TMP/tell" "$SLB_TMP/answer"
	mkfifo "$SLB_TMP/tell" "$SLB_TMP/answer"
	exec 8<>"$SLB_TMP/tell" 9<>"$SLB_TMP/answer"
	slb_spawn client "$@" >&9
	slb_obeys=$!
	read -rt 100 -u 9 slb_answer || slb_bail "no connections: $*"
}

# slb_say WORD...: a command whose answer comes later.
slb_say() { echo "$*" >&8; }

# slb_hear: the next answer, in slb_answer; is it ok?
slb_hear() {
	read -rt 100 -u 9 slb_answer || slb_answer='no answer'
	[ "$slb_answer" = ok ]
}

# slb_tell WORD...: a command that must succeed.
slb_tell() {
	slb_say "$@"
	slb_hear || slb_bail "$*: $slb_answer"
}

slb_dismiss() {
	slb_stop "$slb_obeys"
	exec 8>&- 9>&-
}
