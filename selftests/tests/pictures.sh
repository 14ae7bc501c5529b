#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-timeout: 900
#
# What make pictures draws: "shadowlbctl top" under load, and what Prometheus has for each panel of
# the dashboard after seven minutes with some events. Prints both behind "# picture".

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
. lib/prometheus.sh
trap slb_net_down EXIT

# slb_pictures_until SECONDS: since $start; metrics are written meanwhile.
slb_pictures_until() {
	until slb_ms_since "$start" $(($1 * 1000)); do
		slb_metrics_write
		slb_pause 1
	done
}

# slb_pictures_top: the first screen that a terminal of 110 columns has
slb_pictures_top() {
	slb_in dir env COLUMNS=110 /usr/bin/python3 -B - "$SLB_SRC/tool/shadowlbctl" <<-'PYTHON'
		import os, pty, select, signal, sys
		pid, fd = pty.fork()
		if not pid:
		    os.execv(sys.executable, [sys.executable, "-B", sys.argv[1], "top", "--interval", "5"])
		screen = b""
		while b"MEANS" not in screen or select.select([fd], [], [], 1)[0]:
		    screen += os.read(fd, 4096)
		os.kill(pid, signal.SIGTERM)
		os.waitpid(pid, 0)
		sys.stdout.write(screen.decode().replace("\x1b[H\x1b[2J", ""))
	PYTHON
}

# slb_pictures_dashboard: the panels, each line with its values of the time since $began, as JSON
slb_pictures_dashboard() {
	slb_in dir /usr/bin/python3 - "$SLB_SRC/tool/prometheus/shadowlb.dashboard.json" "$began" <<-'PYTHON'
		import json, sys, time, urllib.parse, urllib.request
		panels = json.load(open(sys.argv[1]))["panels"]
		for panel in panels:
		    for target in panel["targets"]:
		        query = target["expr"].replace("$instance", ".*").replace("5m", "20s")
		        asked = urllib.parse.urlencode({"query": query, "start": sys.argv[2],
		                                        "end": "%d" % time.time(), "step": 3})
		        with urllib.request.urlopen("http://127.0.0.1:9090/api/v1/query_range?" + asked) as answer:
		            target["result"] = json.load(answer)["data"]["result"]
		json.dump(panels, sys.stdout)
	PYTHON
}

modprobe shadowlb || slb_bail 'shadowlb cannot be loaded'
slb_net_up
slb_http_up
slb_udp_up
slb_service t m 80 shadow
slb_service t g 8080 wlc
slb_service u m 7 shadow 7777
slb_metrics_up
slb_metrics_write
slb_check 'Prometheus has a first value' slb_wait 60 slb_metrics_above 'shadowlb_up' 0
began=$(date +%s)
slb_ms start
slb_wrk_start 12 "http://$SLB_VIP_NAT/4k" 8
slb_spawn client wrk -t1 -c8 -d900s "http://$SLB_VIP_DR:8080/4k" -s traffic/wrk.lua -- 16 '' >/dev/null
slb_spawn client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:7 4 1000000 slow >/dev/null
slb_pictures_until 80
slb_note 'all services, not only those of the scheduler shadow'
slb_scope 2
slb_pictures_until 160
slb_note 'questions of UDP, each from a port of its own'
slb_spawn client /usr/bin/python3 traffic/udp.py once $SLB_VIP_NAT:7 60 >/dev/null
slb_pictures_until 180
top=$(slb_pictures_top)
slb_check 'top shows the services' eval '[[ $top == *":8080"*WHY* || $top == *WHY*":8080"* ]]'
slb_pictures_until 260
slb_note 'a rule that looks at single packets'
slb_in dir nft -f - <<-'NFT'
	table ip extra {
		chain in { type filter hook input priority 0; tcp dport 8080 limit rate over 1000000/second drop; }
	}
NFT
slb_pictures_until 340
slb_in dir nft delete table ip extra
slb_note 'a real server goes'
slb_in dir ipvsadm -d -t $SLB_VIP_NAT:80 -r 10.2.1.2:80
slb_pictures_until 420
slb_wrk_end
slb_is 'requests that failed' "$failed" le 20
dashboard=$(slb_pictures_dashboard)
slb_check 'Prometheus has values for the dashboard' eval '[[ $dashboard == *\"values\"* ]]'
printf '# picture top\t%s\n' "$(base64 -w 0 <<<"$top")"
printf '# picture dashboard\t%s\n' "$(base64 -w 0 <<<"$dashboard")"
slb_done
