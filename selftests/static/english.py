#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""english.py FILE...: counts words of comments that a reader must look up, and long sentences.

Ceilings: "what" 1 and "it", "its" 13 in a thousand words; 25 words a sentence at the 90th
percentile. The kernel's own comments stay below them.
"""
import re
import sys

CEILINGS = {"what": 1, "it": 13}
SENTENCE = 25


def comments(text):
    """The comments of a C file, without their stars, tables and licences."""
    for comment in re.findall(r"/\*(.*?)\*/", text, re.S):
        lines = [re.sub(r"^\s*\*+ ?", "", line) for line in comment.split("\n")]
        if "SPDX" not in comment:
            yield "\n".join("" if "|" in line or "-+-" in line else line for line in lines)


def sentences(comment):
    """Sentences, and noun phrases of members."""
    comment = re.sub(r"^\s*(@\w+[^:\n]*|Context|Return):", "\n\n", comment, flags=re.M)
    for paragraph in re.split(r"\n\s*\n", comment):
        for sentence in re.split(r"(?<=[.:;?!])\s+(?=[A-Z\"(@])", " ".join(paragraph.split())):
            words = re.findall(r"[A-Za-z][\w'/.-]*", sentence)
            if words:
                yield len(words), sentence


def main(files):
    total, long, found = 0, [], {word: [] for word in CEILINGS}
    for name in files:
        with open(name, encoding="utf-8") as file:
            for comment in comments(file.read()):
                words = [word.lower() for word in re.findall(r"[A-Za-z][\w'-]*", comment)]
                total += len(words)
                for word in words:
                    word = "it" if word == "its" else word
                    if word in found:
                        found[word].append((name, " ".join(comment.split())[:70]))
                long += [(count, name, text) for count, text in sentences(comment)]
    bad = total < 1000
    if bad:
        print("no comments found")
    for word, places in found.items():
        rate = len(places) * 1000 / max(total, 1)
        print(f'"{word}": {rate:.1f} in a thousand words (at most {CEILINGS[word]})')
        if rate > CEILINGS[word]:
            bad = True
            print(*(f"  {name}: {text}" for name, text in places), sep="\n")
    long.sort()
    p90 = long[len(long) * 9 // 10][0] if long else 0
    print(f"words a sentence, 90th percentile: {p90} (at most {SENTENCE})")
    if p90 > SENTENCE:
        bad = True
        print(*(f"  {count}: {name}: {text}" for count, name, text in long[-20:]), sep="\n")
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
