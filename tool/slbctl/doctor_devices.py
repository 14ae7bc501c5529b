# SPDX-License-Identifier: GPL-2.0
"""Findings about a network device with the program for XDP."""
from . import devices
from .finding import bad, note, ok


def vlans_on(dev, every):
    return [other.name for other in every if other.kind == "vlan" and other.lower == dev.name]


def rps(dev):
    """Does the device have queues whose packets other CPUs handle? None if that is not known.

    /sys shows the network namespace in which it was mounted, so this mounts its own.
    """
    out = devices.run("unshare", "--mount", "sh", "-c", "mount -t sysfs sysfs /sys && "
                      "cat /sys/class/net/\"$1\"/queues/rx-*/rps_cpus", "sh", dev.name)
    return None if out is None else bool(out.strip(b"0,\n"))


def vlan_offload(dev, every):
    vlans = vlans_on(dev, every)
    features = devices.features(dev.name) if vlans else ()
    if features is None:
        yield note(dev.name, "offloads are not checked: ethtool is missing or failed",
                   "apt-get install ethtool")
    elif vlans and "rx-vlan-offload" in features:
        cure = "ethtool -K %s rxvlan off" % dev.name
        if dev.kind == "veth":
            cure = "at the other end: ethtool -K PEER txvlan off tx-vlan-stag-hw-insert off"
        yield bad(dev.name, "XDP does not see VLAN tags that the device strips, so it leaves all "
                  "frames to the hook (xdp_vlan); VLANs: %s" % ", ".join(vlans), cure)


def stacked(dev, every):
    if dev.kind in devices.UPPER and dev.kind != "vlan":
        yield bad(dev.name, "a %s is on top of other devices, and XDP leaves its frames to the "
                  "hook (xdp_device)" % dev.kind,
                  "none: detach the program here; the hook serves")
    elif dev.kind == "vlan":
        yield bad(dev.name, "a VLAN device gets frames from %s" % dev.lower,
                  "detach here, and shadowlbctl xdp attach %s" % dev.lower)
    if dev.master:
        yield bad(dev.name, "the device is a port of %s, and XDP leaves its frames to the hook "
                  "(xdp_device)" % dev.master, "none: detach the program here; the hook serves")
    for upper in every:
        if upper.lower == dev.name and upper.kind in ("macvlan", "ipvlan"):
            yield note(dev.name, "XDP leaves frames for %s (%s, such as VRRP's with use_vmac) to "
                       "the hook" % (upper.name, upper.kind))


def device_findings(dev, every):
    """Findings about a device; none if it does not have the program."""
    modes = devices.attached(dev)
    if modes is None:
        yield note(dev.name, "the XDP programs of the device are not known: libxdp is missing, or "
                   "this is not root", "apt-get install libxdp1")
        return
    if not modes:
        return
    found = [*vlan_offload(dev, every), *stacked(dev, every)]
    if "generic" in modes:
        found.append(note(dev.name, "generic XDP costs an skb for each frame",
                          "a driver with XDP, and --mode native"))
    steering = rps(dev)
    if steering is None:
        found.append(note(dev.name, "RPS is not checked: /sys cannot be read, or this is not root"))
    if steering:
        found.append(bad(dev.name, "RPS moves packets to other CPUs, and flows are where the hook "
                         "saw the packets: XDP rarely finds a flow (xdp_none)",
                         "echo 0 | tee /sys/class/net/%s/queues/rx-*/rps_cpus; more queues of the "
                         "device instead: ethtool -L" % dev.name))
    if not dev.up:
        found.append(note(dev.name, "the device is down", "ip link set dev %s up" % dev.name))
    yield from found or [ok(dev.name, "XDP serves, %s" % ", ".join(modes))]
