#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# curves.sh FIGURES.tsv PREFIX: draws with gnuplot what make bench BENCH=curves measured.
# PREFIX-gap.svg: served share and cost by the time between two packets of a connection;
# PREFIX-length.svg: by the number of packets of a connection.

set -euo pipefail
[ $# = 2 ] || { echo "usage: $0 FIGURES.tsv PREFIX" >&2; exit 2; }
command -v gnuplot >/dev/null || { echo "$0: gnuplot is missing: apt-get install gnuplot-nox" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# points NAME: "x ratio share" of the ways NAMEx, by x; means
points() {
	awk -F'\t' -v n="$1" '
		index($3, n) == 1 && substr($3, length(n) + 1) ~ /^[0-9.]+$/ {
			x = substr($3, length(n) + 1)
			mean[x, $4] = $14
			if ($4 == "flow") share[x] = $8 / 10
		}
		END { for (x in share) print x, mean[x, "flow"] / mean[x, "ipvs"], share[x] }' "$2" |
		sort -n >"$work/$1"
	[ -s "$work/$1" ] || { echo "$0: $2 has no way $1" >&2; exit 1; }
}

for name in gap_ conn udp; do
	points $name "$1"
done
gnuplot <<-END
	set terminal svg size 900,540 font 'sans,13' enhanced
	set logscale x
	set grid
	set ylabel 'cost with flows / by IPVS alone'
	set y2label 'packets that flows serve, per cent'
	set y2range [0:105]
	set y2tics 20
	set ytics nomirror
	set yrange [0:1.4]
	set key left bottom
	set arrow from graph 0, first 1 to graph 1, first 1 nohead dashtype 3
	set xlabel 'seconds between two packets of a connection'
	set output '$2-gap.svg'
	plot '$work/gap_' using 1:2 with linespoints title 'cost', \
		'$work/gap_' using 1:3 axes x1y2 with linespoints dashtype 2 title 'served'
	set xlabel 'packets of a connection'
	set output '$2-length.svg'
	plot '$work/conn' using 1:2 with linespoints title 'cost, TCP', \
		'$work/udp' using 1:2 with linespoints title 'cost, UDP', \
		'$work/conn' using 1:3 axes x1y2 with linespoints dashtype 2 title 'served, TCP', \
		'$work/udp' using 1:3 axes x1y2 with linespoints dashtype 2 title 'served, UDP'
END
