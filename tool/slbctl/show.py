# SPDX-License-Identifier: GPL-2.0
"""Output for people: tables, numbers, colours."""
import os
import sys

RED, GREEN, YELLOW, BOLD = 31, 32, 33, 1


def coloured():
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and \
        os.environ.get("TERM") != "dumb"


def paint(text, colour):
    return "\033[%dm%s\033[0m" % (colour, text) if coloured() else text


def number(n):
    return "{:,}".format(n)


def size(n):
    """Bytes, with a unit."""
    for unit in ("B", "KiB", "MiB"):
        if n < 1024:
            return "%.4g %s" % (n, unit)
        n /= 1024
    return "%.4g GiB" % n


def share(part, rest):
    """Part of a whole in percent, or None of nothing."""
    return round(100 * part / (part + rest), 2) if part + rest else None


def percent(value):
    if value is None:
        return "-"
    return paint("%.1f %%" % value, GREEN if value >= 90 else YELLOW if value >= 50 else RED)


def columns(header, rows, left=()):
    """Lines of a table. Columns in left are texts, others numbers."""
    rows = [header] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    for at, row in enumerate(rows):
        cells = [cell.ljust(width) if header[i] in left else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        line = "  ".join(cells).rstrip()
        yield paint(line, BOLD) if at == 0 else line
