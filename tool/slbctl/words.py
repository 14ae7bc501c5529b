# SPDX-License-Identifier: GPL-2.0
"""Words of the command line: addresses, services, times. Written as the module writes them."""
import argparse
import ipaddress

from . import proc
from .trouble import Trouble


def address(word):
    try:
        return str(ipaddress.ip_address(word.strip("[]")))
    except ValueError:
        raise Trouble("%s is no address: 192.0.2.1 or 2001:db8::1" % word) from None


def endpoint(word):
    """address:port"""
    head, colon, tail = word.rpartition(":")
    bare = ":" in head and not head.startswith("[")
    if not colon or not tail.isascii() or not tail.isdigit() or bare:
        raise Trouble("%s has no port: 192.0.2.1:80 or [2001:db8::1]:80" % word)
    if int(tail) > 65535:
        raise Trouble("%s: a port is at most 65535" % word)
    return proc.endpoint(ipaddress.ip_address(address(head)), int(tail))


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


def count(word):
    value = int(word)
    if value < 0:
        raise argparse.ArgumentTypeError("%s is negative" % word)
    return value
