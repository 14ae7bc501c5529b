# SPDX-License-Identifier: GPL-2.0
"""Files of the kernel below /proc/net, of the network namespace of this process."""
import collections
import ipaddress
import os
import re

from . import VERSION
from .trouble import NotLoaded, Trouble

MODULES = "/sys/module/"
MODULE = MODULES + "shadowlb"
KNOBS = "/proc/sys/net/shadowlb"

Hook = collections.namedtuple("Hook", "family place priority function chain dev per_packet")
Service = collections.namedtuple("Service", "proto service served slow reasons")
Flow = collections.namedtuple("Flow", "proto source destination iif way method server oif age "
                              "idle packets cpu state")
Virtual = collections.namedtuple("Virtual", "proto service scheduler")
Conn = collections.namedtuple("Conn", "proto client service server state expires")


def text(raw):
    """Names of devices, chains and calls may have any bytes."""
    return raw.decode("utf-8", "backslashreplace")


def words(line):
    """The words of a line of bytes. Other spaces than those of ASCII may be in names."""
    return [text(word) for word in line.split()]


def read(path):
    """The bytes of a file of the module."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except PermissionError:
        raise Trouble("no permission to read %s: run this as root" % path) from None
    except FileNotFoundError:
        if os.path.isdir(MODULE):
            raise Trouble("%s does not exist, so the loaded module is older than this program: "
                          "shadowlbctl reload" % path) from None
        raise NotLoaded("the module shadowlb is not loaded: modprobe shadowlb") from None


def lines(path):
    return read(path).rstrip(b"\n").split(b"\n")


def other_module(path):
    return Trouble("%s is not as this program (%s) knows it, so the loaded module is of another "
                   "version (%s): shadowlbctl reload" % (path, VERSION, version()))


def version(module="shadowlb"):
    """The version of a loaded module, or None."""
    try:
        return text(read(MODULES + module + "/version").strip())
    except Trouble:
        return None


def table(path, header):
    """The rows below the header of a file, as lists of words."""
    head, *rows = map(words, lines(path))
    if head != header.split():
        raise other_module(path)
    return rows


# The knobs and sections of /proc/net/shadowlb. tables: by CPU, and "all".
State = collections.namedtuple("State", "scope lease verify hooked flows epochs xdp no_xdp tables "
                               "hooks xdp_hooks")
TABLE = "narrow narrow_used wide wide_used bytes sweep_us bh_off_us".split()


def hook(line):
    """A line of a list of hooks. A function has a module behind it in brackets, or none."""
    match = re.fullmatch(r"(\S+) +(\S+) +(?:(-?\d+) )?(\S+(?: \[\S+\])?)(?: chain (\S+))?"
                         r"(?: dev (\S+))?(?: per-packet=(\S+))?", text(line), re.ASCII)
    if not match:
        raise other_module("/proc/net/shadowlb")
    family, place, priority, function, chain, dev, per_packet = match.groups()
    return Hook(family, place, priority and int(priority), function, chain, dev,
                per_packet.split(",") if per_packet else [])


def state():
    path = "/proc/net/shadowlb"
    parts = [part.split(b"\n") for part in read(path).rstrip(b"\n").split(b"\n\n")]
    tables, hooks = {}, {"skipped hook": [], "skipped by": []}
    try:
        knobs = dict(text(line).split(None, 1) for line in parts[0])
        for head, *rows in parts[1:]:
            if head.startswith(b"cpu "):
                tables = {cpu: dict(zip(TABLE, map(int, numbers)))
                          for cpu, *numbers in map(words, rows)}
            else:
                hooks[" ".join(words(head)[:2])] += map(hook, rows)
        xdp, _, no_xdp = knobs["xdp"].partition(" ")
        return State(*(int(knobs[name]) for name in State._fields[:6]), int(xdp), no_xdp,
                     tables, *hooks.values())
    except (KeyError, ValueError):
        raise other_module(path) from None


def services():
    path = "/proc/net/shadowlb_services"
    rows = table(path, "proto service served slow reasons")
    try:
        return [Service(proto, name, int(served), int(slow),
                        {reason: int(n) for reason, n in (word.split("=") for word in reasons)})
                for proto, name, served, slow, *reasons in rows]
    except ValueError:
        raise other_module(path) from None


def flows():
    """An iterator: there may be millions of flows."""
    path = "/proc/net/shadowlb_flows"
    try:
        with open(path, "rb") as file:
            if words(file.readline()) != list(Flow._fields):
                raise other_module(path)
            for line in file:
                flow = Flow(*words(line))
                yield flow._replace(age=int(flow.age), idle=float(flow.idle),
                                    packets=int(flow.packets), cpu=int(flow.cpu))
    except OSError:
        read(path)
        raise
    except (TypeError, ValueError):
        raise other_module(path) from None


# Counters that this program asks for by name.
COUNTERS = {"hits", "xdp_hits", "learned", "renewed", "rechecked", "evicted", "ended", "verified",
            "differs", "skip_full", "skip_table"}


def counters():
    """Counters by name, a dict for each possible CPU, in the order of the tables of state()."""
    path = "/proc/net/stat/shadowlb"
    names, *rows = map(words, lines(path))
    if not rows or not COUNTERS <= set(names) or any(len(row) != len(names) for row in rows):
        raise other_module(path)
    return [dict(zip(names, (int(word, 16) for word in row))) for row in rows]


def counters_by_cpu(known):
    """Counters of each CPU, by its number. known: of state()."""
    return dict(zip((int(cpu) for cpu in known.tables if cpu != "all"), counters()))


def total(rows):
    """Sums over all CPUs."""
    return {name: sum(row[name] for row in rows) for name in rows[0]}


def set_knob(name, value):
    """Set a knob of the namespace, by one write."""
    path = "%s/%s" % (KNOBS, name)
    read(path)
    try:
        with open(path, "wb", buffering=0) as file:
            file.write(b"%s\n" % value.encode())
    except PermissionError:
        raise Trouble("no permission to set net.shadowlb.%s: run this as root" % name) from None
    except OSError as error:
        raise Trouble("net.shadowlb.%s cannot be %s: %s" %
                      (name, value, error.strerror)) from None


def knob(name, value=None):
    """Read a number among the knobs of the namespace, or set it."""
    if value is None:
        return int(read("%s/%s" % (KNOBS, name)))
    set_knob(name, "%d" % value)
    return value


# Services that are served, or not, whatever the scope says.
Lists = collections.namedtuple("Lists", "on off")


def lists():
    return Lists(*(set(text(read("%s/services_%s" % (KNOBS, name))).strip().split(",")) - {""}
                   for name in Lists._fields))


def set_list(name, services):
    set_knob("services_" + name, ",".join(sorted(services)))


def is_listed_name(word):
    return re.match(r"(tcp|udp|sctp|fwm6?):", word, re.ASCII | re.IGNORECASE) is not None


def listed_names(virtual):
    """The names in lists that a service of IPVS may have. IPVS does not show a mark's family."""
    if virtual.proto == "FWM":
        return {"fwm:" + virtual.service, "fwm6:" + virtual.service}
    return {"%s:%s" % (virtual.proto.lower(), virtual.service)}


def in_scope(state, listed, virtual):
    """Do flows serve a service of IPVS? Of a mark: of either family?"""
    names = listed_names(virtual)
    if not state.scope or names <= listed.off:
        return False
    return state.scope == 2 or virtual.scheduler == "shadow" or bool(names & listed.on)


def sysctl(name, default=None):
    """Another sysctl, as text, or the default where the kernel has none of that name."""
    try:
        with open("/proc/sys/" + name, "rb") as file:
            return text(file.read().strip())
    except OSError:
        return default


def endpoint(address, port):
    """Address and port as in the module's files."""
    return ("[%s]:%d" if address.version == 6 else "%s:%d") % (address, port)


def split(word):
    """Address and port of address:port."""
    address, _, port = word.rpartition(":")
    return address.strip("[]"), int(port)


def ipvs_endpoint(address, port):
    """IPVS's files have IPv4 addresses as eight hexadecimal digits."""
    address = address.strip("[]")
    if ":" not in address:
        address = int(address, 16)
    return endpoint(ipaddress.ip_address(address), int(port, 16))


def ipvs_address(word):
    """An address as in ip_vs_conn."""
    address = ipaddress.ip_address(word)
    return address.exploded if address.version == 6 else "%08X" % int(address)


def ipvs_lines(name):
    try:
        with open("/proc/net/" + name, "rb") as file:
            yield from map(words, file)
    except FileNotFoundError:
        raise Trouble("IPVS is not loaded: no service was set up yet (ipvsadm -A ...)") from None
    except PermissionError:
        raise Trouble("no permission to read /proc/net/%s: run this as root" % name) from None


def virtuals():
    """Services of IPVS."""
    found = []
    for proto, *rest in ipvs_lines("ip_vs"):
        if proto in ("TCP", "UDP", "SCTP"):
            address, _, port = rest[0].rpartition(":")
            found.append(Virtual(proto, ipvs_endpoint(address, port), rest[1]))
        elif proto == "FWM":
            found.append(Virtual(proto, str(int(rest[0], 16)), rest[1]))
    return found


def conns(client, service):
    """Connections of IPVS from a client (address, and port or None) to address:port.

    An iterator. There may be millions of connections, so most are compared as they stand.
    Templates of persistence have no client's port, and are left out.
    """
    address, port = client
    virtual, virtual_port = split(service)
    want = [ipvs_address(address), "%04X" % port if port else None, ipvs_address(virtual),
            "%04X" % virtual_port]
    for row in ipvs_lines("ip_vs_conn"):
        if row[1:2] == want[:1] and row[2] != "0000" and \
                all(w is None or word == w for word, w in zip(row[1:5], want)):
            yield Conn(row[0], ipvs_endpoint(*row[1:3]), ipvs_endpoint(*row[3:5]),
                       ipvs_endpoint(*row[5:7]), row[7], int(row[8]))
