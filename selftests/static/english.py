#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""english.py FILE...: counts words that a reader must look up, and long sentences, in comments
of C files and in documents (Markdown, man pages).

Ceilings, over all comments and over all documents: "what" 1 and "it", "its" 13 in a thousand
words; 25 words a sentence at the 90th percentile. The kernel's own comments stay below them.
"""
import os
import re
import sys

CEILINGS = {"what": 1, "it": 13}
SENTENCE = 25
FONTS = ("B", "I", "BI", "BR", "IB", "IR", "RB", "RI")


def comments(text):
    """The comments of a C file, without their stars, tables and licences."""
    for comment in re.findall(r"/\*(.*?)\*/", text, re.S):
        lines = [re.sub(r"^\s*\*+ ?", "", line) for line in comment.split("\n")]
        if "SPDX" not in comment:
            yield "\n".join("" if "|" in line or "-+-" in line else line for line in lines)


def markdown(text):
    """Paragraphs, headings, list items and table cells of a Markdown file.

    Code blocks are left out, inline code is one word, and a link is its text.
    """
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    text = re.sub(r"(?<=\n\n)(?:(?: {4}|\t).*\n|\n(?= {4}|\t))+", "", text)
    text = re.sub(r"`[^`]*`", "X", text)
    text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", text).replace("**", "")
    text = re.sub(r"^\|.*", lambda row: row[0].replace("|", "\n\n"), text, flags=re.M)
    text = re.sub(r"^\s*(?:[-*]|\d+\.) ", "\n\n", text, flags=re.M)
    text = re.sub(r"^#+ (.*)", r"\n\n\1\n\n", text, flags=re.M)
    yield from re.split(r"\n\s*\n", text)


def man(text):
    """Paragraphs of a man page, without headings. A tag is a paragraph of its own."""
    lines, tag = [], False
    for line in text.split("\n"):
        macro = re.match(r"[.'](\S*) ?(.*)", line)
        if macro and macro[1] not in FONTS:
            lines.append("")
            tag = macro[1] == "TP"
            continue
        lines += [macro[2].replace('"', "") if macro else line] + [""] * tag
        tag = False
    yield from re.split(r"\n\s*\n", re.sub(r"\\f.|\\", "", "\n".join(lines)))


PROSE = {".c": comments, ".h": comments, ".md": markdown, ".7": man, ".8": man}


def sentences(prose):
    """Sentences, and noun phrases of members."""
    prose = re.sub(r"^\s*(@\w+[^:\n]*|Context|Return):", "\n\n", prose, flags=re.M)
    for paragraph in re.split(r"\n\s*\n", prose):
        for sentence in re.split(r"(?<=[.:;?!])\s+(?=[A-Z\"(@])", " ".join(paragraph.split())):
            words = re.findall(r"[A-Za-z][\w'/.-]*", sentence)
            if words:
                yield len(words), sentence


class Text:
    """Counts of a file: number of words, places of each word of CEILINGS, sentences."""

    def __init__(self, name):
        self.name, self.total, self.long = name, 0, []
        self.places = {word: [] for word in CEILINGS}
        with open(name, encoding="utf-8") as file:
            for prose in PROSE[os.path.splitext(name)[1]](file.read()):
                self.add(prose)

    def add(self, prose):
        words = [word.lower() for word in re.findall(r"[A-Za-z][\w'-]*", prose)]
        self.total += len(words)
        for word in words:
            word = "it" if word == "its" else word
            if word in CEILINGS:
                self.places[word].append(" ".join(prose.split())[:70])
        self.long += sentences(prose)


def rate(texts, word):
    return sum(len(t.places[word]) for t in texts) * 1000 / max(sum(t.total for t in texts), 1)


def p90(texts):
    long = sorted(count for t in texts for count, sentence in t.long)
    return long[len(long) * 9 // 10] if long else 0


def check(kind, texts):
    """Print the counts of all texts together, and of each if a ceiling is exceeded."""
    bad = sum(t.total for t in texts) < 1000
    if bad:
        print(f"no {kind} found")
    for word, ceiling in CEILINGS.items():
        print(f'{kind}: "{word}": {rate(texts, word):.1f} in a thousand words (at most {ceiling})')
        if rate(texts, word) > ceiling:
            bad = True
            for t in filter(lambda t: t.places[word], texts):
                print(f"  {t.name}: {rate([t], word):.1f}")
                print(*(f"    {place}" for place in t.places[word]), sep="\n")
    print(f"{kind}: words a sentence, 90th percentile: {p90(texts)} (at most {SENTENCE})")
    if p90(texts) > SENTENCE:
        bad = True
        print(*(f"  {t.name}: {p90([t])}" for t in texts if t.long), sep="\n")
        long = sorted((count, t.name, text) for t in texts for count, text in t.long)
        print(*(f"  {count}: {name}: {text}" for count, name, text in long[-20:]), sep="\n")
    return bad


def main(files):
    code = [name for name in files if PROSE[os.path.splitext(name)[1]] is comments]
    documents = [name for name in files if name not in code]
    bad = check("comments", [Text(name) for name in code])
    return check("documents", [Text(name) for name in documents]) or bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
