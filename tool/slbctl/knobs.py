# SPDX-License-Identifier: GPL-2.0
"""shadowlbctl scope, lease, verify: the sysctls of this network namespace."""
from . import proc

SCOPE = "0 off, 1 services scheduled by shadow, 2 every service of IPVS"
LEASE = "seconds after which a packet must prove its flow again"
VERIFY = "compare one packet in N with the slow path; 0 none"


class Knob:
    """A command that shows the value of a knob, or sets it."""

    def __init__(self, name, means):
        self.name, self.means = name, means
        self.HELP = "show or set net.shadowlb.%s: %s" % (name, means)

    def arguments(self, parser):
        parser.add_argument("value", nargs="?", type=int, metavar="N", help=self.means)

    def collect(self, args):
        return {self.name: proc.knob(self.name, args.value)}

    def sets(self, args):
        return args.value is not None

    def text(self, data, args):
        del args
        yield "%d" % data[self.name]


COMMANDS = {"scope": Knob("scope", SCOPE), "lease": Knob("lease", LEASE),
            "verify": Knob("verify", VERIFY)}
