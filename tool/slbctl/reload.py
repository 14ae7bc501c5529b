# SPDX-License-Identifier: GPL-2.0
"""shadowlbctl reload: another version of the module, with the knobs and programs of this one."""
import glob
import os

from . import devices, libxdp, proc, xdp
from .trouble import ERROR, OK, Trouble

HELP = "remove the module and load it again: what is installed now, with the knobs and XDP as before"

KNOBS = ("lease", "verify", "services_on", "services_off", "scope")


def arguments(parser):
    parser.add_argument("--object", default=libxdp.OBJECT, metavar="FILE",
                        help="program for XDP; default " + libxdp.OBJECT)


def sets(args):
    del args
    return True


def namespaces():
    """A path of each network namespace that has a name or a process, by inode."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/ns/net") + glob.glob("/run/netns/*") + \
            glob.glob("/run/docker/netns/*"):
        try:
            found.setdefault(os.stat(path).st_ino, path)
        except OSError:
            pass                    # the process is gone
    found[os.stat("/proc/self/ns/net").st_ino] = "/proc/self/ns/net"
    return found


def within(path, script, *words):
    """Run a script of the shell in a namespace. Returns what it prints, or None."""
    return devices.run("nsenter", "--net=" + path, "--", "sh", "-c", script, "sh", *words)


def knobs(path):
    """The knobs of a namespace, as lines of bytes in the order of KNOBS; or None."""
    shown = within(path, 'cd "$1" && shift && for knob; do cat "$knob"; done', proc.KNOBS, *KNOBS)
    rows = (shown or b"").split(b"\n")
    return rows[:-1] if len(rows) == len(KNOBS) + 1 else None


def restore(path, rows):
    """Set the knobs of a namespace. Returns true if that worked."""
    script = 'cd "$1" && shift && while [ $# -gt 0 ]; do printf "%s\\n" "$2" >"$1" || exit; shift 2; done'
    words = [word for name, row in zip(KNOBS, rows) for word in (name, proc.text(row))]
    return knobs(path) == rows or within(path, script, proc.KNOBS, *words) is not None


def replace():
    if devices.run("rmmod", "shadowlb") is None:
        raise Trouble("rmmod shadowlb failed, and nothing has changed: a program for XDP in another "
                      "network namespace holds the module (shadowlbctl --netns NAME xdp), or this "
                      "is not root")
    if devices.run("modprobe", "shadowlb") is None:
        raise Trouble("modprobe shadowlb failed, so IPVS works without flows: see dmesg; dkms status")


def collect(args):
    if os.geteuid():
        raise Trouble("no permission to load modules: run this as root")
    old = proc.version()
    if old is None:
        proc.state()                # says that the module is not loaded
    saved = {path: knobs(path) for path in namespaces().values()}
    modes = {dev: devices.attached(dev) for dev in devices.devices()}
    modes = {dev: found[0] for dev, found in modes.items() if found}
    for dev in modes:
        xdp.detach(dev)
    failed = []
    try:
        replace()
    finally:
        # the module of before, if it could not be removed
        for dev, mode in modes.items() if proc.version() else ():
            libxdp.attach(dev.name, dev.index, mode, args.object)
        failed = [path for path, rows in saved.items()
                  if rows and proc.version() and not restore(path, rows)]
    return {"before": old, "now": proc.version(), "namespaces": len(saved), "failed": failed,
            "xdp": [dev.name for dev in modes]}


def text(data, args):
    del args
    yield "shadowlb %s, before %s" % (data["now"], data["before"])
    if data["xdp"]:
        yield "XDP at " + ", ".join(data["xdp"])
    for path in data["failed"]:
        yield "the knobs of the network namespace %s could not be set" % path


def code(data):
    return ERROR if data["failed"] else OK
