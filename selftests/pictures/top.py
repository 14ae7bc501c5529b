#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""top.py < WHAT A TERMINAL GOT > SVG: it as a picture, colours and all."""
import re
import sys

import svg

WIDTH, HEIGHT, MARGIN = 7.83, 17, 12
SHADES = {"1": "font-weight:bold", "2": "fill:#777777", "31": "fill:#c00000", "32": "fill:#007a33",
          "33": "fill:#9a6700", "36": "fill:#005f87"}


def pieces(row):
    """Parts of a row with the style of each."""
    style, column = [], 0
    for part in re.split(r"(\x1b\[[0-9;]*m)", row):
        if part.startswith("\x1b"):
            for code in part[2:-1].split(";"):
                style = style + [SHADES[code]] if code in SHADES else []
        elif part:
            yield column, part, ";".join(style)
            column += len(part)


def main():
    rows = sys.stdin.read().replace("\r", "").rstrip("\n").split("\n")
    width = max(len(re.sub(r"\x1b\[[0-9;]*m", "", row)) for row in rows)
    parts = []
    for i, row in enumerate(rows):
        for column, words, style in pieces(row):
            parts.append(svg.text(MARGIN + column * WIDTH, MARGIN + (i + 0.8) * HEIGHT, words,
                                  style=style, **{"xml:space": "preserve"}))
    sys.stdout.write(svg.page(round(2 * MARGIN + width * WIDTH), 2 * MARGIN + len(rows) * HEIGHT,
                              parts, font_family="DejaVu Sans Mono,monospace", font_size=13))


main()
