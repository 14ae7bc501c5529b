# SPDX-License-Identifier: GPL-2.0
"""Findings of the doctor."""
import collections

# level: ok; note: something to know; bad: something to cure
Finding = collections.namedtuple("Finding", "level topic text cure")


def ok(topic, text):
    return Finding("ok", topic, text, None)


def note(topic, text, cure=None):
    return Finding("note", topic, text, cure)


def bad(topic, text, cure):
    return Finding("bad", topic, text, cure)
