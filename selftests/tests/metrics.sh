#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# slb-kernels: none
# slb-also: 6.12
# slb-timeout: 900
#
# Metrics of shadowlbctl pass promtool, come through the node exporter, and are in Prometheus what
# they are in the kernel. The rules of alerts load, and none fires under load.

set -u
. lib/stat.sh
. lib/net.sh
. lib/methods.sh
. lib/prometheus.sh
trap slb_net_down EXIT

# slb_metrics_dashboard: the dashboard's queries that Prometheus refuses, or has no value for.
slb_metrics_dashboard() {
	slb_in dir /usr/bin/python3 - "$SLB_SRC/tool/prometheus/shadowlb.dashboard.json" <<-'PYTHON'
		import json, sys, urllib.parse, urllib.request
		for panel in json.load(open(sys.argv[1]))["panels"]:
		    for target in panel["targets"]:
		        query = target["expr"].replace("$instance", ".*")
		        with urllib.request.urlopen("http://127.0.0.1:9090/api/v1/query?query=" +
		                                    urllib.parse.quote(query)) as answer:
		            if not json.load(answer)["data"]["result"]:
		                print(panel["title"], query, sep=": ")
	PYTHON
}

# slb_metrics_sum PATTERN: sum of these lines of the file
slb_metrics_sum() { awk -v p="^$1" '$0 ~ p { n += $NF } END { printf "%d", n }' "$metrics_dir/shadowlb.prom"; }

modprobe shadowlb || slb_bail 'shadowlb cannot be loaded'
slb_net_up
slb_udp_up
slb_service u m 7 shadow 7777
slb_wait 60 slb_serving "$SLB_VIP_NAT:7" || slb_bail 'flows do not serve'
slb_must 'the metrics are written' slb_metrics_write
slb_same 'slow packets in the file are those of the kernel' \
	"$(slb_metrics_sum shadowlb_missed_packets_total)" \
	"$(slb_stat_get dir | awk '/^miss_/ { n += $2 } END { print n }')"
slb_same 'metrics of a named namespace have a label' \
	"$(/usr/bin/python3 -B "$SLB_SRC/tool/shadowlbctl" --netns slb-dir metrics | grep '^shadowlb_up')" \
	'shadowlb_up{netns="slb-dir"} 1'
slb_check 'promtool finds nothing' promtool check metrics <"$metrics_dir/shadowlb.prom"
slb_metrics_up

slb_spawn client /usr/bin/python3 traffic/udp.py ping $SLB_VIP_NAT:7 4 1000000 slow >/dev/null
traffic=$!
slb_check 'Prometheus has a first value' slb_wait 60 slb_metrics_above shadowlb_scope 0
slb_ms start
until slb_ms_since "$start" 8000; do
	slb_metrics_write
	slb_pause 0.5
done
slb_stop $traffic
slb_metrics_write

# What Prometheus has is what the file has, to which its own packets here are added later.
slb_check 'served packets are those of the kernel' slb_wait 60 \
	slb_metrics_is 'sum(shadowlb_served_packets_total)' "$(slb_stat dir hits)"
slb_check 'slow packets are those of the file' slb_wait 60 \
	slb_metrics_is 'sum(shadowlb_missed_packets_total)' "$(slb_metrics_sum shadowlb_missed_packets_total)"
slb_check 'served packets of the service' slb_wait 60 \
	slb_metrics_is "shadowlb_service_served_packets_total{service=\"$SLB_VIP_NAT:7\"}" \
	"$(slb_metrics_sum shadowlb_service_served_packets_total.*:7)"
slb_check 'the rules see that most packets are served' slb_wait 60 \
	slb_metrics_above shadowlb:served:ratio5m 0.8
slb_same 'each query of the dashboard has a value' "$(slb_metrics_dashboard 2>&1)" ''
slb_check 'no alert is pending' slb_metrics_is 'count(ALERTS) or vector(0)' 0
slb_check 'rmmod' slb_wait 60 eval 'rmmod shadowlb 2>/dev/null'
slb_must 'without the module: the metrics are written' slb_metrics_write
slb_same 'without the module: nothing is up' "$(grep -v '^#' "$metrics_dir/shadowlb.prom")" \
	'shadowlb_up 0'
slb_check 'without the module: an alert is pending' slb_wait 60 \
	slb_metrics_is 'count(ALERTS{alertname="ShadowlbNotLoaded"})' 1
slb_check 'no file where none can be written: an error' \
	eval '! slb_in dir /usr/bin/python3 -B "$SLB_SRC/tool/shadowlbctl" metrics -o /proc/shadowlb.prom 2>/dev/null'
slb_done
