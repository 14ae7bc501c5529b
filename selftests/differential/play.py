# SPDX-License-Identifier: GPL-2.0
"""One topology from its setup to its end: a coroutine that yields how long others may
run before it goes on."""
import os
import time

from . import compare, report
from .changes import Changes
from .events import Events
from .net import Director
from .nl import Fail, ipvs_stats
from .state import State, connections, differences, services, texts
from .trace import Trace

ROUNDS = 24
SETTLE = 6          # IPVS sums up every 2 s before 6.2, a sweep is 1 s


class Play:
    def __init__(self, topo, args):
        self.topo = topo
        self.chunk = 1 if args.seed is not None else args.chunk
        self.scope = 0 if args.same else 2
        self.revived = False            # a real server came back
        self.settling = False           # the traffic has ended
        self.turn = 0                   # the CPU that packets enter on
        self.shots = self.fair = self.hits = self.plain = 0
        self.problem = []
        self.flows = {}
        self.log = []
        self.a = self.b = None

    def run(self):
        """The coroutine."""
        made = []
        try:
            for name, scope in (("without flows", 0), ("with flows", self.scope)):
                made.append(Director(name))
                self.topo.setup(made[-1], scope)
            for director in made:
                director.ready()
            self.a, self.b = made
            yield from self.traffic()
            yield from self.settle()
        except Fail as error:
            self.problem = self.problem or str(error).splitlines()
        finally:
            for director in made:
                director.close()

    def traffic(self):
        trace = Trace(self.topo)
        events = Events(self.topo)
        changes = Changes(self.topo, events.gone)
        for number in range(ROUNDS):
            shots = trace.round(number)
            for part in self.parts(shots):
                self.volley(trace, part)
                if any(shot.begins for shot in part):
                    yield .02           # a connection that a SYN ends does so at the next tick
            self.b.settle()
            if self.topo.conntrack:
                yield .02               # IPVS ends connections by a timer, at the next tick
            if number > 1 and self.topo.events and self.topo.rnd.random() < .2:
                yield from self.event(events.draw(), trace)
            if number > 1 and changes.due():
                yield from self.event(changes.draw(), trace)

    def parts(self, shots):
        """What is injected before the output is looked at. A batch comes by one device."""
        part = []
        for shot in shots:
            if len(part) == self.chunk or self.topo.batch and part and part[0].dev != shot.dev:
                yield part
                part = []
            part.append(shot)
        if part:
            yield part

    def event(self, event, trace):
        if event is None:
            return
        self.log.append(str(event))
        if event.pause:
            yield event.pause
        if event.agree:
            yield from self.agree("ipvsadm -Ln --stats", self.counters)
        event.apply(self.a)
        event.apply(self.b)
        if event.hush:
            for part in self.parts(trace.one_each()):
                self.volley(trace, part)
        if event.rest:
            yield event.rest
        if event.ends is not None:
            yield from self.agree("connections of servers that are gone",
                                  lambda: connections(event.ends), "")
        self.revived = self.revived or event.revives
        yield from self.event(event.then, trace)

    def counters(self):
        return services(ipvs_stats()) if self.revived else ipvs_stats()

    def agree(self, what, read, wanted=None):
        """Until both say the same, which is wanted. A busy machine may be late with a sweep,
        or with summing up."""
        end = time.monotonic() + SETTLE
        while True:
            said = []
            for director in (self.a, self.b):
                with director:
                    said.append(read())
            if said[0] == said[1] and wanted in (None, said[0]):
                return
            if time.monotonic() > end:
                break
            yield .2
        self.problem = texts("%s, at an event:" % what, *said) or [what, *said]
        raise Fail("the directors differ")

    def volley(self, trace, shots):
        out = []
        if self.topo.cpus:
            self.turn ^= 1
            os.sched_setaffinity(0, {self.turn})
        for director in (self.a, self.b):
            if self.topo.batch:
                out.append(director.batch(shots[0].dev, shots))
            else:
                taken = []
                for s in shots:
                    taken.append(director.inject(s.dev, s.data))
                    if self.topo.xdp:
                        director.turn()
                out.append((director.drain(), taken))
        self.shots += len(shots)
        self.fair += sum(s.fair for s in shots)
        self.plain += sum(s.plain for s in shots)
        (a, ta), (b, tb) = out
        if a != b or ta != tb:
            self.problem = self.packets(a, b, shots)
            if self.problem:
                raise Fail("packets differ")
        trace.learn(a)

    def packets(self, a, b, shots):
        """How they differ, as lines; none if they do not."""
        found = compare.first_difference(a, b, self.topo)
        return report.packets(found, shots) if found else []

    def settle(self):
        """Counters may lag; everything else must not change any more."""
        self.settling = True
        end = time.monotonic() + SETTLE
        late = {}, {}
        yield 2.2
        while True:
            for director, out in zip((self.a, self.b), late):
                for dev, frames in director.drain().items():
                    out.setdefault(dev, []).extend(frames)
            with self.a:
                a = State(self.a, self.topo.conntrack, self.topo.xdp, self.topo.gro)
            with self.b:
                b = State(self.b, self.topo.conntrack, self.topo.xdp, self.topo.gro)
            found = self.packets(*late, []) or differences(a, b, self.revived, self.topo.cpus)
            if not found:
                break
            if time.monotonic() > end:
                self.problem = found
                break
            yield .5
        self.flows = b.flows
        # served, or compared with what the slow path did
        self.hits = b.flows.get("xdp_hits" if self.topo.xdp else "hits", 0) + \
            b.flows.get("miss_verify", 0)
        if b.flows.get("differs"):
            self.problem = self.problem or ["flows differ from the slow path"]
        if a.flows.get("hits"):
            self.problem = self.problem or ["the director without flows had hits"]
