# SPDX-License-Identifier: GPL-2.0
"""Network devices, by "ip -json" and "ethtool --json", and their XDP programs, by libxdp."""
import collections
import json
import subprocess

from . import libxdp
from .trouble import Trouble

# kind: of rtnetlink, or None for hardware; lower: name of the device below, or None
Device = collections.namedtuple("Device", "name index kind master lower up flags xdp")

# Kinds of devices with a lower device that does the work: XDP belongs there.
UPPER = ("bridge", "bond", "team", "macvlan", "ipvlan", "vlan")


def run(*command):
    """The output of a program, or None if the program is missing or failed."""
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def run_json(*command):
    out = run(*command)
    try:
        return json.loads(out.decode("utf-8", "replace")) if out else None
    except ValueError:
        return None


def devices():
    """Devices of this network namespace, without loopback."""
    links = run_json("ip", "-json", "-details", "link", "show")
    if links is None:
        raise Trouble("ip -json link show failed: install iproute2")
    return [Device(link["ifname"], link["ifindex"], link.get("linkinfo", {}).get("info_kind"),
                   link.get("master"), link.get("link"), "UP" in link.get("flags", ()),
                   link.get("flags", ()), link.get("xdp"))
            for link in links if "LOOPBACK" not in link.get("flags", ())]


def device(name):
    for dev in devices():
        if dev.name == name:
            return dev
    raise Trouble("%s: no such device in this network namespace: ip link" % name)


def programs(dev):
    """XDP programs of a device. None if they are not known: libxdp or rights are missing."""
    if not dev.xdp:
        return []
    try:
        return libxdp.programs(dev.index)
    except Trouble:
        program = dev.xdp.get("prog", {})
        if program.get("name") in (None, "", "xdp_dispatcher"):
            return None
        return [libxdp.Program(program["name"], program["id"],
                               libxdp.mode_name(dev.xdp.get("mode")), True)]


def attached(dev):
    """Modes in which shadowlb's program is attached to a device. None if that is not known."""
    known = programs(dev)
    return None if known is None else [p.mode for p in known if libxdp.ours(p)]


def features(name):
    """Offloads that are on, or None if ethtool is missing or failed."""
    found = run_json("ethtool", "--json", "-k", name)
    if not found:
        return None
    return {feature for feature, state in found[0].items()
            if isinstance(state, dict) and state.get("active")}
