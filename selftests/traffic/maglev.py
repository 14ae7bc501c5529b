# SPDX-License-Identifier: GPL-2.0
"""A naive twin of the scheduler "shadow": which real server does a connection get?

    maglev.py SERVICE COUNT [OPTION...]     in the director's namespace

SERVICE is udp:10.9.0.1:53, tcp:[fd09::1]:80, or mark:7:udp:10.9.0.1:53 for the service of a
firewall mark. Begins COUNT connections from random clients, by packets that come in by a device
of its own (tun), and compares what IPVS chose with what the twin chooses: the real servers and
weights of /proc/net/ip_vs, Maglev's table as the paper has it, SipHash. Prints

    agree=N differ=N begun=N        connections that the twin knows, and all that IPVS has
"""
import argparse
import fcntl
import ipaddress
import os
import random
import struct
import subprocess
import time

MASK = (1 << 64) - 1
TRIES = 64
PROTOS = {"tcp": 6, "udp": 17, "sctp": 132}


def rotate(x, b):
    return (x << b | x >> (64 - b)) & MASK


def siphash(data, k0, k1=0):
    """SipHash-2-4."""
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
         k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    whole = len(data) // 8 * 8
    words = [w for (w,) in struct.iter_unpack("<Q", data[:whole])]
    last = data[whole:] + bytes(7 - len(data) % 8) + bytes([len(data) % 256])
    for word in words + [int.from_bytes(last, "little")]:
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xff
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def scale(value, below):
    return (value & 0xffffffff) * below >> 32


def padded(address):
    return address.packed + bytes(16 - len(address.packed))


class Server:
    def __init__(self, address, port, weight, seed):
        self.address, self.port, self.weight = address, port, weight
        self.hash = siphash(padded(address) + struct.pack("!HB5x", port, address.version), seed)
        self.where = (address, port)


class Twin:
    """The table of these real servers."""

    def __init__(self, servers, size, seed):
        self.size, self.seed = size, seed
        self.servers = sorted(servers, key=lambda server: server.hash)[:size]
        able = [s.weight for s in servers if s.weight > 0]
        average = (sum(able) + len(able) // 2) // len(able) if able else 1
        weights = [s.weight or average for s in self.servers]
        self.slot = [None] * size
        orders = [self.order(s.hash) for s in self.servers]
        turn, filled, number = [0] * len(orders), 0, 0
        while filled < size:
            for i, order in enumerate(orders):
                if turn[i] * max(weights) // weights[i] > number:
                    continue
                self.slot[next(place for place in order if self.slot[place] is None)] = i
                turn[i] += 1
                filled += 1
                if filled == size:
                    break
            number += 1

    def order(self, value):
        """All slots, in the order in which a server wants them."""
        place, skip = scale(value, self.size), 1 + scale(value >> 32, self.size - 1)
        while True:
            yield place
            place = (place + skip) % self.size

    def pick(self, value):
        """None if no real server has a weight."""
        for _ in range(TRIES):
            server = self.servers[self.slot[scale(value, self.size)]]
            if server.weight > 0:
                return server.where
            value = siphash(value.to_bytes(8, "little"), self.seed)
        able = [s for s in self.servers if s.weight > 0]
        value = value * sum(s.weight for s in able) >> 64
        for server in able:
            value -= server.weight
            if value < 0:
                return server.where
        return None


class Twins:
    """The table, and the table before."""

    def __init__(self, servers, args):
        before = [Server(s.address, s.port, s.weight or s.address in args.awake, args.seed)
                  for s in servers if s.address not in args.without]
        before += [Server(address, 80, 1, args.seed) for address in args.gone]
        gone = args.gone if args.persistent is None else args.gone + args.awake
        self.gone = {(address, 80) for address in gone}
        self.now = Twin(servers, args.size, args.seed)
        self.before = Twin(before, args.size, args.seed) \
            if args.without or args.awake or args.gone else self.now

    def pick(self, value):
        picked = self.before.pick(value)
        return self.now.pick(value) if picked in self.gone else picked


class Service:
    def __init__(self, text, args):
        self.mark = 0
        if text.startswith("mark:"):
            _, mark, text = text.split(":", 2)
            self.mark = int(mark)
        proto, rest = text.split(":", 1)
        address, port = rest.rsplit(":", 1)
        self.proto = PROTOS[proto]
        self.address = ipaddress.ip_address(address.strip("[]"))
        self.port = int(port)
        self.args = args
        self.name = proto.upper()

    def servers(self):
        """As /proc/net/ip_vs lists them."""
        found, mine = [], False
        with open("/proc/net/ip_vs", encoding="ascii") as file:
            for line in file:
                words = line.split()
                if words[0] in ("TCP", "UDP", "SCTP", "FWM"):
                    mine = words[0] == "FWM" and int(words[1], 16) == self.mark if self.mark else \
                        words[0] == self.name and where(words[1]) == (self.address, self.port)
                elif words[0] == "->" and mine and words[1] != "RemoteAddress:Port":
                    found.append(Server(*where(words[1]), int(words[3]), self.args.seed))
        return found

    def hash(self, client, port):
        args, virtual, vport, proto = self.args, padded(self.address), self.port, self.proto
        address = padded(client)
        if args.persistent is not None:
            net = ipaddress.ip_network((client, args.persistent), strict=False)
            address, port = padded(net.network_address), 0
            if self.mark:
                virtual, vport, proto = struct.pack("!I12x", self.mark), 0, 0
        if args.client:
            port, virtual, vport, proto = 0, bytes(16), 0, 0
        return siphash(address + virtual + struct.pack("!HHB3x", port, vport, proto), args.seed)


def where(text):
    """The address and port of /proc: 0A090001:0035, or [fd09:...]:0050"""
    address, port = text.rsplit(":", 1)
    if address.startswith("["):
        return ipaddress.ip_address(address[1:-1]), int(port, 16)
    return ipaddress.ip_address(int(address, 16)), int(port, 16)


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def packet(service, client, port, midway):
    """The first packet of a connection, or one in its middle."""
    head = struct.pack("!HH", port, service.port)
    pseudo = client.packed + service.address.packed
    if service.proto == 6:
        data = head + struct.pack("!IIBBHHH", 1, 0, 5 << 4, 0x10 if midway else 2, 65535, 0, 0)
        at = 16
    elif service.proto == 17:
        data = head + struct.pack("!HH", 8, 0)
        at = 6
    else:
        chunk = struct.pack("!BBHIIHHI", 0 if midway else 1, 0, 20, 1, 65535, 1, 1, 1)
        data = head + bytes(8) + chunk
        data = data[:8] + struct.pack("<I", crc32c(data)) + data[12:]
        at = 0
    if at:
        value = checksum(pseudo + struct.pack("!IHH", len(data), 0, service.proto) + data)
        data = data[:at] + struct.pack("!H", value or 0xffff) + data[at + 2:]
    if client.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(data), service.proto, 64) + pseudo + data
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 0, 0, 64, service.proto, 0) + pseudo
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + data


def tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", name.encode(), 0x1001))
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    return fd


def chosen(service):
    """What IPVS chose, by client and port."""
    found = {}
    with open("/proc/net/ip_vs_conn", encoding="ascii") as file:
        next(file)
        for line in file:
            words = line.split()
            if words[0] == service.name and int(words[2], 16):
                address = [ipaddress.ip_address(w if ":" in w else int(w, 16))
                           for w in (words[1], words[5])]
                found[address[0], int(words[2], 16)] = (address[1], int(words[6], 16))
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("service")
    parser.add_argument("count", type=int)
    parser.add_argument("--size", type=int, default=65537)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--client", action="store_true", help="flag-1")
    parser.add_argument("--persistent", metavar="PREFIX", help="length of the prefix")
    parser.add_argument("--clients", metavar="NETWORK")
    parser.add_argument("--midway", action="store_true", help="no SYN, no INIT")
    for option, text in (("without", "were not there"), ("awake", "had weight 1"),
                         ("gone", "were there, at port 80 with weight 1")):
        parser.add_argument("--" + option, type=ipaddress.ip_address, nargs="*", default=[],
                            metavar="ADDRESS", help="in the table before, these real servers " + text)
    args = parser.parse_args()
    service = Service(args.service, args)
    net = ipaddress.ip_network(args.clients or ("10.128.0.0/9" if service.address.version == 4
                                                else "fd80::/16"))
    fd = tun("slb-tun")
    clients = {(net[random.randrange(1, min(net.num_addresses, 1 << 40) - 1)],
                random.randrange(1024, 65536)) for _ in range(args.count)}
    servers = service.servers()
    twin = Twins(servers, args)
    missing = clients
    for _ in range(10):             # the kernel's queue may be full
        for client in missing:
            os.write(fd, packet(service, *client, args.midway))
        time.sleep(.1)
        got = chosen(service)
        missing = clients - set(got)
        if not missing:
            break
    agree = differ = 0
    for client in clients:
        want, have = twin.pick(service.hash(*client)), got.get(client)
        if have and service.mark and args.persistent:
            have = have[0], servers[0].port     # IPVS keeps the port of the packet there
        if want:
            agree += have == want
            differ += have != want
    print("agree=%d differ=%d begun=%d" % (agree, differ, len(clients & set(got))))


if __name__ == "__main__":
    main()
