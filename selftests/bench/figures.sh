#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# figures.sh FIGURES.tsv PREFIX: draws what make bench BENCH=native measured, with gnuplot:
# PREFIX-cost.svg (cycles a packet by the number of connections) and PREFIX-tail.svg (how
# many packets cost more than so much). Medians over the rounds.

set -euo pipefail
[ $# = 2 ] || { echo "usage: $0 FIGURES.tsv PREFIX" >&2; exit 2; }
command -v gnuplot >/dev/null || { echo "$0: gnuplot is missing: apt-get install gnuplot-nox" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# bits what flows p50 p90 p99 p999 p9999 of nat4: the median of each column.
awk -F'\t' '
	function median(list, n,	i, j, t, a) {
		n = split(list, a, " ")
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && a[j - 1] + 0 > a[j] + 0; j--) { t = a[j]; a[j] = a[j - 1]; a[j - 1] = t }
		return a[int((n + 1) / 2)]
	}
	$1 == "native" && $3 == "nat4" {
		key = substr($2, 3) "\t" $4 "\t" $5
		for (i = 9; i <= 13; i++) v[key, i] = v[key, i] " " $i
		keys[key]
	}
	END {
		for (key in keys) {
			printf "%s", key
			for (i = 9; i <= 13; i++) printf "\t%s", median(v[key, i])
			print ""
		}
	}' "$1" | sort -k1,1n -k2,2 -k3,3n >"$work/medians"
[ -s "$work/medians" ] || { echo "$0: $1 has no part native" >&2; exit 1; }
most=$(cut -f3 "$work/medians" | sort -n | awk '$1 <= 100000' | tail -1)

# lines WHAT BITS: "flows cycles"; tail WHAT BITS: "cycles share of packets above"
lines() { awk -F'\t' -v w="$1" -v b="$2" '$1 == b && $2 == w { print $3, $4 }' "$work/medians"; }
tail_of() {
	awk -F'\t' -v w="$1" -v b="$2" -v n="$most" '$1 == b && $2 == w && $3 == n {
		split("0.5 0.1 0.01 0.001 0.0001", p, " ")
		for (i = 1; i <= 5; i++) print $(i + 3), p[i]
	}' "$work/medians"
}

plots=''
tails=''
for bits in $(cut -f1 "$work/medians" | sort -nu); do
	for what in ipvs flow; do
		name="IPVS alone"
		[ $what = ipvs ] || name="with flows"
		name+=", table of IPVS 2^{$bits}"
		lines $what "$bits" >"$work/lines-$what-$bits"
		tail_of $what "$bits" >"$work/tail-$what-$bits"
		plots+="'$work/lines-$what-$bits' with linespoints title '$name', "
		tails+="'$work/tail-$what-$bits' with linespoints title '$name', "
	done
done
lines forward "$bits" >"$work/lines-forward"
plots+="'$work/lines-forward' with lines dashtype 2 title 'forwarded without asking'"
gnuplot <<-END
	set terminal svg size 900,540 font 'sans,13' enhanced
	set logscale xy
	set grid
	set key left top
	set format x '10^{%T}'
	set xlabel 'connections'
	set ylabel 'cycles a packet, median'
	set output '$2-cost.svg'
	plot $plots
	set key right top
	set xlabel 'cycles a packet, $most connections'
	set ylabel 'share of packets that cost more'
	set format y '%g'
	set output '$2-tail.svg'
	plot ${tails%, }
END
