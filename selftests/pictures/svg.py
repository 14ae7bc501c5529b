# SPDX-License-Identifier: GPL-2.0
"""The little of SVG that the pictures need."""
from xml.sax.saxutils import escape, quoteattr

# Told apart by people who do not tell red from green (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444", "#b3a200")


def tag(name, inner="", **attributes):
    words = " ".join("%s=%s" % (key.rstrip("_").replace("_", "-"), quoteattr(str(value)))
                     for key, value in attributes.items())
    return "<%s %s>%s</%s>" % (name, words, inner, name)


def text(x, y, words, **attributes):
    return tag("text", escape(words), x=round(x, 1), y=round(y, 1), **attributes)


def line(points, **attributes):
    return tag("polyline", points=" ".join("%.1f,%.1f" % p for p in points), fill="none",
               **attributes)


def page(width, height, parts, **attributes):
    back = tag("rect", width=width, height=height, fill="#ffffff")
    return tag("svg", "\n".join([back, *parts]), xmlns="http://www.w3.org/2000/svg", width=width,
               height=height, viewBox="0 0 %d %d" % (width, height), **attributes) + "\n"
