# SPDX-License-Identifier: GPL-2.0
"""Words of the command line: addresses, services, times. Written as the module writes them."""
import argparse
import ipaddress

from . import proc
from .trouble import Trouble

# The shortest time between two looks, in seconds.
PAUSE = 0.1


def address(word):
    try:
        if "%" in word:             # a device
            raise ValueError
        return str(ipaddress.ip_address(word.strip("[]")))
    except ValueError:
        raise Trouble("%s is no address: 192.0.2.1 or 2001:db8::1" % word) from None


def port(word):
    if not word.isascii() or not word.isdigit() or len(word) > 5 or int(word) > 65535:
        raise Trouble("%s: a port is a number, at most 65535" % word)
    return int(word)


def endpoint(word):
    """address:port"""
    head, colon, tail = word.rpartition(":")
    bare = ":" in head and not head.startswith("[")
    if not colon or not tail.isascii() or not tail.isdigit() or bare:
        raise Trouble("%s has no port: 192.0.2.1:80 or [2001:db8::1]:80" % word)
    return proc.endpoint(ipaddress.ip_address(address(head)), port(tail))


def is_endpoint(word):
    """Is this address:port, and no bare address?"""
    return word.startswith("[") and not word.endswith("]") or word.count(":") == 1


def client(word):
    """An address, and a port or None."""
    return proc.split(endpoint(word)) if is_endpoint(word) else (address(word), None)


def service(word):
    """address:port, or a firewall mark."""
    return word if word.isascii() and word.isdigit() else endpoint(word)


def seconds(word):
    """For argparse: a time that is not negative."""
    value = float(word)
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError("%s is no number of seconds" % word)
    return value


def pause(word):
    """For argparse: the time between two looks."""
    value = seconds(word)
    if value < PAUSE:
        raise argparse.ArgumentTypeError("%s: at least %s seconds" % (word, PAUSE))
    return value


def count(word):
    value = int(word)
    if value < 0:
        raise argparse.ArgumentTypeError("%s is negative" % word)
    return value
