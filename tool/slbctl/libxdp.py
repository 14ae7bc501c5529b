# SPDX-License-Identifier: GPL-2.0
"""The part of libxdp that attaches and detaches programs, so that other programs stay."""
import collections
import ctypes
import errno
import functools
import os

from .trouble import Trouble

OBJECT = "/usr/lib/bpf/shadowlb_xdp.o"
# Programs of OBJECT. The one for frames of several buffers attaches to every device.
SECTION = "xdp.frags"
NAMES = ("shadowlb", "shadowlb_frags")
MODES = {"native": 1, "generic": 2}

Program = collections.namedtuple("Program", "name id mode legacy")

P, INT, STR, U32 = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint
FUNCTIONS = {
    "libxdp_set_print": (P, P),
    "libxdp_get_error": (ctypes.c_long, P),
    "xdp_program__open_file": (P, STR, STR, P),
    "xdp_program__attach": (INT, P, INT, INT, U32),
    "xdp_program__detach": (INT, P, INT, INT, U32),
    "xdp_program__close": (None, P),
    "xdp_program__name": (STR, P),
    "xdp_program__id": (U32, P),
    "xdp_multiprog__get_from_ifindex": (P, INT),
    "xdp_multiprog__next_prog": (P, P, P),
    "xdp_multiprog__main_prog": (P, P),
    "xdp_multiprog__is_legacy": (ctypes.c_bool, P),
    "xdp_multiprog__attach_mode": (INT, P),
    "xdp_multiprog__detach": (INT, P),
    "xdp_multiprog__close": (None, P),
}


PRINT = ctypes.CFUNCTYPE(INT, INT, STR, P)
LIBC = ctypes.CDLL(None)


class Library:
    """libxdp, with the types of its functions, and its messages in place of prints."""

    def __init__(self):
        try:
            self.lib, bpf = ctypes.CDLL("libxdp.so.1"), ctypes.CDLL("libbpf.so.1")
        except OSError:
            raise Trouble("libxdp is not installed: apt-get install libxdp1") from None
        for name, (result, *parameters) in FUNCTIONS.items():
            function = getattr(self.lib, name)
            function.restype, function.argtypes = result, parameters
        self.messages = []
        self.callback = PRINT(self.message)     # must live as long as the library uses it
        self.lib.libxdp_set_print(self.callback)
        bpf.libbpf_set_print(self.callback)

    def message(self, level, form, arguments):
        """Keep a warning. arguments: a va_list, which is a pointer here."""
        if level == 0:
            buffer = ctypes.create_string_buffer(1024)
            LIBC.vsnprintf(buffer, ctypes.c_size_t(1024), form, P(arguments))
            self.messages.append(buffer.value.decode(errors="replace").strip())
        return 0

    def trouble(self, what, error):
        """An error of a function, with what the library had to say."""
        said = " (%s)" % self.messages[-1] if self.messages else ""
        cure = ": run this as root" if error in (errno.EPERM, errno.EACCES) and os.geteuid() else ""
        return Trouble("%s: %s%s%s" % (what, os.strerror(error), said, cure))


@functools.cache
def library():
    return Library()


def ours(program):
    return program.name in NAMES


def mode_name(mode):
    return next((name for name, number in MODES.items() if number == mode), "hardware")


def multiprog(index):
    """The programs of a device, or None: no program, or no such device any more."""
    lib = library().lib
    found = lib.xdp_multiprog__get_from_ifindex(index)
    error = -lib.libxdp_get_error(found)
    if not found or error in (errno.ENOENT, errno.ENODEV):
        return None
    if error:
        raise library().trouble("the XDP programs of device %d cannot be read" % index, error)
    return found


def handles(multi):
    """Handles of programs. They live as long as multi."""
    lib = library().lib
    if lib.xdp_multiprog__is_legacy(multi):
        handle = lib.xdp_multiprog__main_prog(multi)
        if handle:
            yield handle
        return
    handle = None
    while True:
        handle = lib.xdp_multiprog__next_prog(handle, multi)
        if not handle:
            return
        yield handle


def program_name(handle):
    return (library().lib.xdp_program__name(handle) or b"").decode(errors="replace")


def programs(index):
    """Programs at a device: shadowlb's and others."""
    lib, multi = library().lib, multiprog(index)
    if not multi:
        return []
    mode = mode_name(lib.xdp_multiprog__attach_mode(multi))
    legacy = bool(lib.xdp_multiprog__is_legacy(multi))
    found = [Program(program_name(handle), lib.xdp_program__id(handle), mode, legacy)
             for handle in handles(multi)]
    lib.xdp_multiprog__close(multi)
    return found


def attach(name, index, mode, path=OBJECT):
    """Attach shadowlb's program beside others."""
    lib = library().lib
    program = lib.xdp_program__open_file(path.encode(), SECTION.encode(), None)
    error = -lib.libxdp_get_error(program)
    if error:
        raise library().trouble("%s cannot be opened" % path, error)
    error = -lib.xdp_program__attach(program, index, MODES[mode], 0)
    lib.xdp_program__close(program)
    if error == errno.EOPNOTSUPP and mode == "native":
        raise Trouble("the driver of %s has no XDP, or the MTU is too large for it: --mode generic "
                      "works with any device" % name)
    if error:
        raise library().trouble("the program cannot be attached to %s" % name, error)


def detach(name, index):
    """Detach a program of shadowlb from a device. Returns false if there is none."""
    lib, multi = library().lib, multiprog(index)
    if not multi:
        return False
    error = None
    for handle in list(handles(multi)):
        if program_name(handle) in NAMES:
            error = -(lib.xdp_multiprog__detach(multi) if lib.xdp_multiprog__is_legacy(multi) else
                      lib.xdp_program__detach(handle, index,
                                              lib.xdp_multiprog__attach_mode(multi), 0))
            break
    lib.xdp_multiprog__close(multi)
    if error:
        raise library().trouble("the program cannot be detached from %s" % name, error)
    return error == 0
