# SPDX-License-Identifier: GPL-2.0
"""Errors that end the program with a sentence: cause, then cure."""

# argparse has 2 for a wrong command line. NO: the answer of why and doctor is no.
OK, ERROR, NO = 0, 1, 3


class Trouble(Exception):
    """A sentence for the operator."""


class NotLoaded(Trouble):
    """The module is not loaded."""
