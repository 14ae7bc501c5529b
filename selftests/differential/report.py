# SPDX-License-Identifier: GPL-2.0
"""A difference, for people: hex dumps and scapy's decodings, side by side in time."""
from .pkt import ETH, VNET


def hexdump(raw):
    for at in range(0, min(len(raw), 256), 16):
        row = raw[at:at + 16]
        yield "%04x  %-47s  %s" % (at, row.hex(" "),
                                   "".join(chr(c) if 32 <= c < 127 else "." for c in row))
    if len(raw) > 256:
        yield "      and %d bytes" % (len(raw) - 256)


def decode(raw):
    from scapy.all import Ether, conf           # pylint: disable=import-outside-toplevel
    conf.verb = 0
    text = Ether(raw[VNET:]).show2(dump=True, indent=1)
    return [line for line in text.splitlines() if "load" not in line]


def frame(title, raw):
    if raw is None:
        return ["%s: no such packet" % title]
    out = ["%s: %d bytes, virtio_net_hdr flags %d gso_type %d gso_size %d csum_start %d "
           "csum_offset %d" % (title, len(raw) - VNET, raw[0], raw[1],
                               *(int.from_bytes(raw[i:i + 2], "little") for i in (4, 6, 8)))]
    out += ["  " + line for line in hexdump(raw[VNET:])]
    try:
        out += ["  " + line for line in decode(raw)]
    except Exception as error:                  # pylint: disable=broad-except
        out.append("  scapy: %s" % error)
    return out


def packets(difference, shots):
    """difference: of compare.first_difference(); shots: what had been injected."""
    dev, index, a, b = difference
    out = ["%s: packet %d after these:" % (dev, index + 1)]
    out += ["  %s, %d bytes" % (s, len(s.data) - VNET) for s in shots[-40:]]
    if len(shots) == 1:
        out += frame("injected", shots[0].data)
    if a and b:
        at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        out.append("first different byte: %d (%s)" %
                   (at - VNET, "virtio_net_hdr" if at < VNET else
                    "Ethernet" if at < VNET + ETH else "packet's %d" % (at - VNET - ETH)))
    return out + frame("without flows", a) + frame("with flows", b)
