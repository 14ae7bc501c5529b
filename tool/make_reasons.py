#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""make_reasons.py: prints slbctl/reasons.py, from the tables of docs/troubleshoot.md and xdp.md."""
import os
import re
import textwrap

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "docs")

HEAD = '''# SPDX-License-Identifier: GPL-2.0
"""Reasons: what each means, and its cure. Written by make_reasons.py."""

REASONS = {
    "learned": (
        "the packet made a flow",
        "none",
    ),
    "renewed": (
        "the packet proved its flow again",
        "none",
    ),
'''


def rows(name):
    """Rows of a document's tables that begin with counters, as lists of cells."""
    with open(os.path.join(DOCS, name), encoding="utf-8") as file:
        for line in file:
            if line.startswith(("| `miss_", "| `skip_", "| `xdp_")):
                yield [cell.strip() for cell in line.strip().strip("|").split(" |")]


def plain(cell):
    return cell.replace("`", "").replace("see above", "")


def literal(text):
    """A string of Python, in lines of moderate length."""
    lines = textwrap.wrap(text, 76, drop_whitespace=False) or [""]
    return "\n".join('        "%s"' % line.replace("\\", "\\\\").replace('"', '\\"')
                     for line in lines)


def main():
    print(HEAD, end="")
    for document in ("troubleshoot.md", "xdp.md"):
        for cells in rows(document):
            for name in re.findall(r"`(\w+)`", cells[0]):
                print('    "%s": (\n%s,\n%s,\n    ),' %
                      (name, literal(plain(cells[1])), literal(plain(cells[-1]))))
    print("}")


main()
