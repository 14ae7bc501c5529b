# SPDX-License-Identifier: GPL-2.0
"""shadowlbctl reload: another version of the module, with the knobs and programs of this one."""
import collections
import ctypes
import glob
import json
import os
import platform
import resource
import signal
import subprocess
import time

from . import devices, libxdp, proc, xdp
from .trouble import ERROR, OK, Trouble

HELP = "remove the module and load it again: what is installed now, with the knobs and XDP as before"

# The scope is last: it registers hooks.
KNOBS = ("lease", "verify", "services_on", "services_off", "scope")
SAVED = "/run/shadowlb-knobs.json"
# Time for which the kernel may hold a program that was detached, in seconds.
PATIENCE = 10

Space = collections.namedtuple("Space", "inode name file")


def arguments(parser):
    parser.add_argument("--object", default=libxdp.OBJECT, metavar="FILE",
                        help="program for XDP; default " + libxdp.OBJECT)


def sets(args):
    del args
    return True


def namespaces():
    """Network namespaces with a name or a process, this one first."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found = {}
    for path in ["/proc/self/ns/net", *glob.glob("/run/netns/*"), *glob.glob("/run/docker/netns/*"),
                 *glob.glob("/proc/[0-9]*/ns/net")]:
        try:
            inode = os.stat(path).st_ino
            if inode not in found:
                found[inode] = Space(inode, path, os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            pass                    # the process is gone
    return list(found.values())


def enter(file):
    """Files below /proc/net and /proc/sys/net are those of that namespace from now on."""
    if ctypes.CDLL(None, use_errno=True).setns(file, 0):
        raise Trouble("a network namespace cannot be entered: %s" % os.strerror(ctypes.get_errno()))


def knobs():
    """The knobs that this version of the module has, by name."""
    found = {}
    for name in KNOBS:
        try:
            found[name] = proc.text(proc.read("%s/%s" % (proc.KNOBS, name)).strip())
        except Trouble:
            pass
    return found


def save(spaces, chosen):
    """Knobs of each namespace and modes of devices, also in a file, should the module not load."""
    saved = {"before": proc.version(), "here": spaces[0].inode, "knobs": {},
             "xdp": {dev.name: mode for dev, mode in chosen}}
    for space in spaces:
        enter(space.file)
        saved["knobs"][str(space.inode)] = knobs()
    enter(spaces[0].file)
    with open(SAVED, "w", encoding="utf-8") as file:
        json.dump(saved, file, indent=1)
    return saved


def resume(spaces, args):
    """What a reload that could not load the module has saved, and devices without their program."""
    try:
        with open(SAVED, encoding="utf-8") as file:
            saved = json.load(file)
    except ValueError:
        raise Trouble("%s cannot be read: remove it, modprobe shadowlb" % SAVED) from None
    wanted = saved["xdp"] if saved["here"] == spaces[0].inode else {}
    chosen = [(dev, wanted[dev.name]) for dev in devices.devices() if dev.name in wanted]
    if chosen:
        xdp.require_object(args)
    return saved, chosen


def restore(spaces, saved):
    """Set knobs that are not as before. Returns sentences about those that cannot be set."""
    failed = []
    for space in spaces:
        enter(space.file)
        values = saved["knobs"].get(str(space.inode), {})
        for knob, value in knobs().items():
            if value == values.get(knob, value):
                continue
            try:
                proc.set_knob(knob, values[knob])
            except Trouble as trouble:
                failed.append("%s: %s" % (space.name, trouble))
    enter(spaces[0].file)
    return failed


def attached(args):
    """Devices of this namespace with the program, and its mode. They can have it again."""
    found = [(dev, (devices.attached(dev) or [None])[0]) for dev in devices.devices()]
    found = [(dev, mode) for dev, mode in found if mode]
    if found:
        xdp.require_object(args)
    for dev, mode in found:
        if mode not in libxdp.MODES:
            raise Trouble("%s has the program in %s mode: shadowlbctl xdp detach %s" %
                          (dev.name, mode, dev.name))
    return found


def run(*command):
    """Run a program. Returns what it says of an error, or None."""
    done = subprocess.run(command, capture_output=True, check=False)
    return None if done.returncode == 0 else \
        " ".join(proc.text(done.stderr).split()) or "exit code %d" % done.returncode


def remove():
    """Remove the module. The kernel drops a program that was detached a moment later."""
    began = time.monotonic()
    while True:
        said = run("rmmod", "shadowlb")
        if said is None:
            return
        if time.monotonic() - began > PATIENCE:
            raise Trouble("%s; a program for XDP in another network namespace may hold the module: "
                          "shadowlbctl --netns NAME xdp" % said)
        time.sleep(0.2)


def load():
    said = run("modprobe", "shadowlb")
    if said:
        raise Trouble("%s: IPVS works without flows. See dmesg and dkms status; the next "
                      "shadowlbctl reload sets the knobs of before (%s)" % (said, SAVED))
    # udev sets what is in /etc/sysctl.d
    if os.path.exists("/run/udev/control"):
        run("udevadm", "settle", "--timeout=%d" % PATIENCE)


def require_module():
    """The module can be loaded, as far as that can be known."""
    if os.geteuid():
        raise Trouble("no permission to load modules: run this as root")
    vermagic = devices.run("modinfo", "-F", "vermagic", "shadowlb") or b""
    if proc.text(vermagic).split()[:1] != [platform.release()]:
        raise Trouble("no module shadowlb is installed for Linux %s: dkms status" %
                      platform.release())


def replace(chosen, args):
    """Replace the module. Returns sentences about devices that have no program any more."""
    failed = []
    try:
        if proc.version():
            for dev, _ in chosen:
                xdp.detach(dev)
            remove()
        load()
    finally:
        for dev, mode in chosen if proc.version() else ():
            try:
                if not devices.attached(dev):
                    libxdp.attach(dev.name, dev.index, mode, args.object)
            except Trouble as trouble:
                failed.append(str(trouble))
    return failed


def collect(args):
    require_module()
    spaces = namespaces()
    if proc.version() or not os.path.exists(SAVED):
        proc.state()
        chosen = attached(args)
        saved = save(spaces, chosen)
    else:
        saved, chosen = resume(spaces, args)
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        failed = replace(chosen, args)
    finally:
        unset = restore(spaces, saved) if proc.version() else [SAVED]
        if not unset:
            os.unlink(SAVED)
    return {"before": saved["before"], "now": proc.version(), "namespaces": len(spaces),
            "failed": failed + unset, "xdp": [dev.name for dev, _ in chosen]}


def text(data, args):
    del args
    yield "shadowlb %s, before %s" % (data["now"], data["before"])
    if data["xdp"]:
        yield "XDP at " + ", ".join(data["xdp"])
    yield from data["failed"]


def code(data):
    return ERROR if data["failed"] else OK
