# SPDX-License-Identifier: GPL-2.0
"""shadowlbctl top: packets a second, by service and by reason."""
import time

from . import proc, services, show, words
from .reasons import REASONS

HELP = "packets a second by service and by reason, live"
WATCH = True


def arguments(parser):
    parser.add_argument("-i", "--interval", type=words.seconds, default=1, metavar="SECONDS",
                        help="time between two looks; default 1")
    parser.add_argument("-n", "--count", type=words.count, default=20, metavar="N",
                        help="at most N services; default 20")


def looks():
    """Services by name, counters, and the time."""
    return ({(s.proto, s.service): s for s in proc.services()}, proc.total(proc.counters()),
            time.monotonic())


def rates(before, after, seconds):
    """What has grown, a second, most first."""
    grown = {name: (n - before.get(name, 0)) / seconds for name, n in after.items()}
    return dict(sorted(((name, round(rate, 1)) for name, rate in grown.items() if rate > 0),
                       key=lambda item: -item[1]))


def service_rate(before, after, seconds):
    if before is None:
        before = after._replace(served=0, slow=0, reasons={})
    served, slow = ((n - m) / seconds for n, m in ((after.served, before.served),
                                                   (after.slow, before.slow)))
    return {"proto": after.proto, "service": after.service, "served": round(served, 1),
            "slow": round(slow, 1), "share": show.share(max(served, 0), max(slow, 0)),
            "reasons": rates(before.reasons, after.reasons, seconds)}


def collect(args):
    services_before, stat_before, began = looks()
    time.sleep(args.interval)
    services_after, stat_after, ended = looks()
    seconds = max(ended - began, 1e-6)
    found = [service_rate(services_before.get(name), service, seconds)
             for name, service in services_after.items()]
    found.sort(key=lambda service: -(service["served"] + service["slow"]))
    return {"seconds": round(seconds, 3), "services": found[:args.count],
            "counters": rates(stat_before, stat_after, seconds)}


def text(data, args):
    del args
    rows = [(services.title(s), show.number(round(s["served"])), show.number(round(s["slow"])),
             "-" if s["share"] is None else "%.1f" % s["share"],
             ", ".join("%s %s" % (name, show.number(round(rate)))
                       for name, rate in list(s["reasons"].items())[:3]))
            for s in data["services"]]
    yield from show.columns(["SERVICE", "SERVED/s", "SLOW/s", "%", "WHY NOT"], rows,
                            left=("SERVICE", "WHY NOT"))
    yield ""
    rows = [(name, show.number(round(rate)), REASONS.get(name, ("",))[0])
            for name, rate in data["counters"].items()]
    yield from show.columns(["COUNTER", "/s", "MEANS"], rows, left=("COUNTER", "MEANS"))
