#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""dashboard.py < PANELS > SVG: the panels of a Grafana dashboard, where it puts them, drawn from
what Prometheus has for their queries ("result" in each target, of query_range)."""
import json
import math
import re
import sys

import svg

UNIT, ROW, GAP = 50, 26, 8
LONGEST = 10      # seconds between two points of a line that is whole
LARGE = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))
SMALL = ((1e-3, "m"), (1e-6, "u"))


def said(value, unit):
    """A number as a person writes it."""
    if unit == "percentunit":
        return "%g %%" % round(value * 100, 1)
    for size, letter in LARGE + (SMALL if unit == "s" else ()):
        if abs(value) >= size:
            break
    else:
        size, letter = 1, ""
    end = {"bytes": "B", "s": "s", "pps": "/s", "ops": "/s"}.get(unit, "")
    number = "%g" % float("%.3g" % (value / size))
    return number + (" " if letter + end else "") + letter + end


def name(legend, metric):
    return re.sub(r"{{(\w+)}}", lambda m: metric.get(m[1], ""), legend)


def lines(panel):
    """Name and points (time, value) of each line of a panel."""
    for target in panel["targets"]:
        for result in target["result"]:
            points = [(t, float(v)) for t, v in result["values"] if v not in ("NaN", "+Inf")]
            if any(value for _, value in points) or panel["type"] == "stat":
                yield name(target["legendFormat"], result["metric"]), points


def pieces(points):
    """The parts of a line between times without a value."""
    part = points[:1]
    for point in points[1:]:
        if point[0] - part[-1][0] > LONGEST:
            yield part
            part = []
        part.append(point)
    yield part


def scale(most):
    """The end of an axis, and the step of its marks: round numbers."""
    if most <= 0:
        return 1, 0.5
    step = 10 ** math.floor(math.log10(most))
    for part in (0.2, 0.5, 1, 2):
        if most / (step * part) <= 5:
            break
    step *= part
    return math.ceil(most / step - 1e-9) * step, step


class Panel:
    def __init__(self, panel, times):
        place = panel["gridPos"]
        self.panel, self.times = panel, times
        self.unit = panel["fieldConfig"]["defaults"]["unit"]
        self.x, self.y = place["x"] * UNIT + GAP / 2, place["y"] * ROW + GAP / 2
        self.w, self.h = place["w"] * UNIT - GAP, place["h"] * ROW - GAP
        self.lines = list(lines(panel))

    def frame(self):
        yield svg.tag("rect", x=self.x, y=self.y, width=self.w, height=self.h, rx=3,
                      fill="#fafafa", stroke="#cccccc")
        yield svg.text(self.x + 10, self.y + 19, self.panel["title"], font_weight="bold")

    def number(self):
        value = self.lines[-1][1][-1][1] if self.lines else None
        yield svg.text(self.x + self.w / 2, self.y + self.h - 22,
                       "no value" if value is None else said(value, self.unit),
                       text_anchor="middle", font_size=30, fill=svg.COLOURS[0])

    def axes(self, box, most, step):
        x, y, w, h = box
        for i in range(round(most / step) + 1):
            at = y + h - h * i * step / most
            yield svg.line([(x, at), (x + w, at)], stroke="#dddddd")
            yield svg.text(x - 6, at + 4, said(i * step, self.unit), text_anchor="end", font_size=11)
        first, last = self.times
        for minute in range(int((last - first) / 60) + 1):
            at = x + w * minute * 60 / (last - first)
            yield svg.text(at, y + h + 15, "%d min" % minute, text_anchor="middle", font_size=11)

    def curves(self):
        most = self.panel["fieldConfig"]["defaults"].get("max") or \
            max((value for _, points in self.lines for _, value in points), default=0)
        most, step = scale(most)
        keys = math.ceil(len(self.lines) / 3)
        x, y, w, h = box = self.x + 74, self.y + 34, self.w - 92, self.h - 62 - 16 * keys
        yield from self.axes(box, most, step)
        first, last = self.times
        for i, (words, points) in enumerate(self.lines):
            colour = svg.COLOURS[i % len(svg.COLOURS)]
            for part in pieces(points):
                yield svg.line([(x + w * (t - first) / (last - first), y + h - h * min(v, most) / most)
                                for t, v in part], stroke=colour, stroke_width=1.8)
            left, below = self.x + 14 + i % 3 * (self.w - 20) / 3, y + h + 36 + i // 3 * 16
            yield svg.line([(left, below - 4), (left + 14, below - 4)], stroke=colour, stroke_width=3)
            yield svg.text(left + 19, below, words, font_size=11)
        if not self.lines:
            yield svg.text(x + w / 2, y + h / 2, "always 0, or no value", text_anchor="middle", fill="#777777")

    def draw(self):
        yield from self.frame()
        yield from self.number() if self.panel["type"] == "stat" else self.curves()


def main():
    panels = json.load(sys.stdin)
    times = [t for panel in panels for _, points in lines(panel) for t, _ in points]
    drawn = [Panel(panel, (min(times), max(times))) for panel in panels]
    height = round(max(p.y + p.h for p in drawn) + GAP / 2)
    sys.stdout.write(svg.page(24 * UNIT, height, [part for p in drawn for part in p.draw()],
                              font_family="sans-serif", font_size=13))


main()
