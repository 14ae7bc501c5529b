# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The director's metrics, by the node exporter, in a Prometheus of its own. Sourced after net.sh.

metrics_dir=$SLB_TMP/text
mkdir -p "$metrics_dir"

slb_metrics_write() { slb_in dir /usr/bin/python3 -B "$SLB_SRC/tool/shadowlbctl" metrics --output "$metrics_dir/shadowlb.prom"; }
slb_metrics_ready() { slb_in dir curl -sf -o /dev/null http://127.0.0.1:9090/-/ready; }

# slb_metrics_query EXPRESSION: values in Prometheus, one a line.
slb_metrics_query() {
	slb_in dir curl -sfG http://127.0.0.1:9090/api/v1/query --data-urlencode "query=$1" |
		/usr/bin/python3 -c 'import json, sys
for result in json.load(sys.stdin)["data"]["result"]: print(result["value"][1])'
}
slb_metrics_is() { [ "$(slb_metrics_query "$1")" = "$2" ]; }
slb_metrics_above() { awk -v a="$(slb_metrics_query "$1")" -v b="$2" 'BEGIN { exit !(a > b) }'; }

slb_metrics_up() {
	cp "$SLB_SRC/tool/prometheus/shadowlb.rules.yml" "$SLB_TMP/"
	cat >"$SLB_TMP/prometheus.yml" <<-YAML
		global: { scrape_interval: 1s, evaluation_interval: 1s }
		rule_files: [ shadowlb.rules.yml ]
		scrape_configs:
		  - job_name: node
		    static_configs: [ { targets: [ "127.0.0.1:9100" ] } ]
	YAML
	slb_in dir ip link set lo up
	slb_spawn dir prometheus-node-exporter --collector.disable-defaults --collector.textfile \
		--collector.textfile.directory="$metrics_dir" --web.listen-address=127.0.0.1:9100 \
		>"$SLB_TMP/exporter.log" 2>&1
	slb_spawn dir prometheus --config.file="$SLB_TMP/prometheus.yml" \
		--storage.tsdb.path="$SLB_TMP/tsdb" --web.listen-address=127.0.0.1:9090 \
		>"$SLB_TMP/prometheus.log" 2>&1
	slb_must 'Prometheus is ready' slb_wait 120 slb_metrics_ready
}
