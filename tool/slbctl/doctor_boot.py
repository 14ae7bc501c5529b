# SPDX-License-Identifier: GPL-2.0
"""Findings about the next boot: the kernel that is started then, and what loads the module."""
import glob
import os
import platform
import re
import shutil

from . import devices
from .finding import bad, note, ok

MODULES = ("shadowlb", "ip_vs_shadow")


def release_key(release):
    """For sorting: numbers as numbers."""
    return [(int(part), "") if part.isdigit() else (0, part)
            for part in re.findall(r"\d+|\D+", release)]


def flavour(release):
    """amd64 of 6.12.95+deb13-amd64; cloud-amd64, rt-amd64."""
    return release.partition("-")[2].lstrip("0123456789.-")


def newest():
    """The newest installed kernel of the flavour that runs, if it is newer; or None."""
    running = platform.release()
    found = {os.path.basename(path).removeprefix("vmlinuz-") for path in glob.glob("/boot/vmlinuz-*")}
    found |= {path.split("/")[3] for path in glob.glob("/lib/modules/*/vmlinuz")}
    newer = [r for r in found if os.path.isdir("/lib/modules/" + r) and
             flavour(r) == flavour(running) and release_key(r) > release_key(running)]
    return max(newer, key=release_key, default=None)


def loads_at_boot():
    """Does systemd or Debian's /etc/modules load the module?"""
    for path in ["/etc/modules", *glob.glob("/etc/modules-load.d/*.conf"),
                 *glob.glob("/usr/lib/modules-load.d/*.conf"),
                 *glob.glob("/run/modules-load.d/*.conf")]:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                if any(line.split()[:1] == ["shadowlb"] for line in file):
                    return True
        except OSError:
            pass
    return False


def lacks(release):
    """Modules that are not there for a kernel."""
    return [name for name in MODULES
            if devices.run("modinfo", "-k", release, "-F", "filename", name) is None]


def findings():
    release = newest()
    if release and not shutil.which("modinfo"):
        yield note("boot", "modules for Linux %s are not looked for: modinfo is missing" % release,
                   "apt-get install kmod")
    elif release and lacks(release):
        yield bad("boot", "Linux %s, the newest kernel here, has no module %s" %
                  (release, " and ".join(lacks(release))),
                  "apt-get install linux-headers-%s, then: dkms status; a kernel outside of the "
                  "tested range is skipped" % release)
    elif release:
        yield ok("boot", "Linux %s, the newest kernel here, has the modules" % release)
    if not loads_at_boot():
        yield note("boot", "no file loads the module at boot; a service with the scheduler shadow does",
                   "echo shadowlb >/etc/modules-load.d/shadowlb.conf")
