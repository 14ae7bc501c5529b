# SPDX-License-Identifier: GPL-2.0
"""A director: a network namespace whose every wire is a tap device held open here.

What is written to a tap has been received by the director, and what it sends can be
read. A write returns when the kernel is done with the packet, so that what is read next
is all there will be: once it is up, nothing waits and nothing is timed.

This process moves between namespaces; /proc/sys/net and /proc/thread-self/net follow.
"""
import ctypes
import fcntl
import os
import select
import socket
import struct
import subprocess
import time

from . import nl
from .nl import Fail
from .pkt import ETH, ICMP, ICMP6, VNET, frame, icmp, ip4, mac, packed

CLONE_NEWNET = 0x40000000
TUNSETIFF, TUNSETOFFLOAD, TUNSETSNDBUF = 0x400454ca, 0x400454d0, 0x400454d4
IFF_TAP, IFF_NAPI, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x0010, 0x1000, 0x4000
TUN_F_ALL = 0x01 | 0x02 | 0x04 | 0x08           # CSUM, TSO4, TSO6, TSO_ECN

SIOCETHTOOL, ETHTOOL_SGRO = 0x8946, 0x2c
SIOCGIFFLAGS, IFF_RUNNING = 0x8913, 0x40
LAST = b"the last"
IP = VNET + ETH

_libc = ctypes.CDLL(None, use_errno=True)
_buffer = bytearray(70000)
_view = memoryview(_buffer)


def _check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def enter(fd):
    _check(_libc.setns(fd, CLONE_NEWNET))


def here():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _echo(n, net):
    packet = ip4(packed(net + ".253"), packed(net + ".1"), ICMP, icmp(8, 0, b"\0\1\0\1", LAST))
    return frame(mac("02:00:00:00:00:%02x" % (n + 1)), mac("02:00:00:01:%02x:fd" % n), packet)


ECHO = {dev: _echo(n, net) for n, (dev, net) in
        enumerate((("c0", "10.1.0"), ("s0", "10.2.0"), ("s1", "10.2.1")))}


def redirect(raw):
    """Is this frame an ICMP redirect?"""
    if raw[IP - 2] == 8 and raw[IP - 1] == 0:
        # with the options of the packet that it is about
        return raw[IP + 9] == ICMP and raw[IP + (raw[IP] & 15) * 4] == 5
    return raw[IP - 2] == 0x86 and raw[IP + 6] == ICMP6 and raw[IP + 40] == 137


class Director:
    """Two of them make a topology. name: for messages; taps: names of devices."""

    home = None

    def __init__(self, name):
        self.name = name
        self.fd = {}
        self.lo = None
        self.lacked = self.memory = 0
        self.noise = {}     # multicast and redirects that left: {device: [packets, bytes]}
        if Director.home is None:
            Director.home = here()
        _check(_libc.unshare(CLONE_NEWNET))
        self.ns = here()
        enter(Director.home)

    def close(self):
        for fd in self.fd.values():
            os.close(fd)
        self.fd = {}
        if self.lo is not None:
            self.lo.close()
        os.close(self.ns)

    def __enter__(self):
        enter(self.ns)
        return self

    def __exit__(self, *_):
        enter(Director.home)

    def tap(self, name, offload, napi, wire=None):
        """Inside the namespace. wire: whose end it is, if that is another device."""
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (IFF_NAPI if napi else 0)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        fcntl.ioctl(fd, TUNSETOFFLOAD, TUN_F_ALL if offload else 0)
        self.fd[wire or name] = fd
        self.noise[wire or name] = [0, 0]

    def threaded(self, name):
        """Outside of the namespace: moves a tap there whose packets wait for a thread,
        which takes all that have come as a list. Only this process's namespace has a
        /sys, so it is made here."""
        with open("/sys/class/net/%s/threaded" % name, "w", encoding="ascii") as f:
            f.write("1")
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/comm" % pid, encoding="ascii") as f:
                    if f.read().startswith("napi/%s-" % name):
                        os.sched_setaffinity(int(pid), os.sched_getaffinity(0))
            except (FileNotFoundError, ProcessLookupError):
                pass
        nl.ip("link set %s netns %d" % (name, self.ns))

    @staticmethod
    def gro_off(name):
        """Inside the namespace: ethtool -K NAME gro off."""
        value = ctypes.create_string_buffer(struct.pack("II", ETHTOOL_SGRO, 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sP", name.encode(),
                                                    ctypes.addressof(value)) + bytes(16))

    @staticmethod
    def xdp(name, mode):
        """Inside the namespace: attaches shadowlb's program; mode: native or generic."""
        words = ["ip", "link", "set", "dev", name, "xdp" if mode == "native" else "xdpgeneric",
                 "obj", os.environ["SLB_XDP_OBJ"], "sec", "xdp"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Fail("%s: %s" % (" ".join(words), done.stderr))

    def turn(self):
        """Has the kernel run the receive softirq, between whose runs XDP holds back what may
        overtake a packet that it let by: what is written here comes without it."""
        if self.lo is None:
            with self:
                self.lo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self.lo.bind(("127.0.0.1", 9))
        self.lo.sendto(b"", ("127.0.0.1", 9))

    def ready(self):
        """Waits for the workers of the kernel that tell IPv6 that a wire is up, and make
        the routes by which a director knows its own addresses."""
        with self, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for _ in range(1000):
                if all(self.running(s, name) for name in self.fd) and self.routed():
                    return
                time.sleep(.002)
        raise Fail("%s: its wires do not come up" % self.name)

    @staticmethod
    def running(s, name):
        flags = fcntl.ioctl(s, SIOCGIFFLAGS, struct.pack("16s24x", name.encode()))
        return struct.unpack_from("H", flags, 16)[0] & IFF_RUNNING

    @staticmethod
    def routed():
        with open("/proc/thread-self/net/if_inet6", encoding="ascii") as f:
            addresses = {line.split()[0] for line in f}
        with open("/proc/thread-self/net/ipv6_route", encoding="ascii") as f:
            return addresses <= {line.split()[0] for line in f if line.split()[1] == "80"}

    def settle(self):
        """If a packet since the last call found no flow table: waits until a kworker has
        allocated something, and nothing more for a moment: first comes the state of a CPU, then a
        table. There may be no memory, so not for ever."""
        start, grown = time.monotonic(), None
        with self:
            lacked, now = count("skip_table"), memory()
            while lacked > self.lacked and time.monotonic() < start + 5:
                if now != self.memory:
                    self.memory, grown = now, time.monotonic()
                elif grown and time.monotonic() > grown + .01:
                    break
                time.sleep(.001)
                lacked, now = count("skip_table"), memory()
            self.lacked, self.memory = lacked, now

    def inject(self, name, data):
        """False if the device does not take it (as a wire that is cut would)."""
        try:
            os.write(self.fd[name], data)
            return True
        except OSError:
            return False

    def drain(self):
        """All that has left, {device: [frame]}."""
        out = {}
        for name in self.fd:
            frames = self.read(name)
            if frames:
                out[name] = frames
        return out

    def read(self, name):
        fd, frames = self.fd[name], []
        try:
            while True:
                n = os.readv(fd, [_buffer])
                if _buffer[VNET] & 1 or redirect(_buffer):
                    self.noise[name][0] += 1
                    self.noise[name][1] += n - VNET
                else:
                    frames.append(bytes(_view[:n]))
        except OSError:
            pass                        # no more, or the device is down
        return frames

    def batch(self, name, shots):
        """Injects them all before a thread takes the first, with an echo request behind
        them whose answer is the end. Returns what inject() and drain() do."""
        out = {}
        # the thread runs when this process waits, not before
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        try:
            taken = [self.inject(name, s.data) for s in shots]
            self.inject(name, ECHO[name])
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        wait = select.poll()
        wait.register(self.fd[name], select.POLLIN)
        while True:
            if not wait.poll(10000):
                raise Fail("%s: %s: no answer to an echo request" % (self.name, name))
            frames = self.read(name)
            end = [f for f in frames if f[-8:] == LAST]
            out.setdefault(name, []).extend(f for f in frames if f[-8:] != LAST)
            if end:
                break
        for other, frames in self.drain().items():
            out.setdefault(other, []).extend(frames)
        return {k: v for k, v in out.items() if v}, taken

    def sysctl(self, values, must=True):
        """Inside the namespace; {name with slashes: value}."""
        for name, value in values.items():
            try:
                with open("/proc/sys/net/" + name, "w", encoding="ascii") as f:
                    f.write(str(value))
            except OSError as error:
                if must:
                    raise Fail("%s: %s=%s: %s" % (self.name, name, value, error)) from error


def proc(name):
    """A file of /proc/net, of the namespace this process is in."""
    try:
        with open("/proc/thread-self/net/" + name, encoding="ascii") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def stat():
    """/proc/net/stat/shadowlb, CPUs added up; nothing without the module."""
    rows = [line.split() for line in proc("stat/shadowlb").splitlines()]
    return {name: sum(int(row[i], 16) for row in rows[1:])
            for i, name in enumerate(rows[0])} if rows else {}


def count(name):
    """One column of stat(), which is asked for too often to add them all up."""
    rows = proc("stat/shadowlb").splitlines()
    if not rows:
        return 0
    i = rows[0].split().index(name)
    return sum(int(row.split(None, i + 1)[i], 16) for row in rows[1:])


def memory():
    """Bytes that the state of CPUs and their flow tables take."""
    rows = [line.split() for line in proc("shadowlb").splitlines()]
    return sum(int(row[5]) for row in rows if len(row) == 8 and row[0] == "all")
