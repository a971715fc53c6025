"""Runs the rows of fault_cases.py under load, and judges them.

    with Ground() as ground:
        result = ground.run(BY_NAME["close"], "warmpool")
    problems(case, result)      # [] when all that must hold did

A case is a second of load, the fault, two seconds of load. Recovery counts from the fault's end: until the first good answer, and until
good answers come at 70 % of the rate before the fault again.
"""
import asyncio
import collections
import contextlib
import dataclasses
import pathlib
import sys
import tempfile
import time

import fault_clients
import fault_proxies
from fault_cases import ANYTHING, BY_NAME, NOTHING, SUBMITS

sys.path += [str(pathlib.Path(__file__).resolve().parent.parent / folder) for folder in ("functional", "tools")]
import distance  # noqa: E402  (the path comes first)
import preload  # noqa: E402
from dns_server import DnsServer  # noqa: E402
from simctl import Simulator  # noqa: E402

NAME = "api.test"
_ZONE = {"records": [{"name": NAME, "type": "A", "value": "127.0.0.1", "ttl": 1}]}
_CALM = {"delay_ms": 3, "solve_ms": 0, "idle_timeout": 60, "max_requests": 0}
_WIRE_MS = 15
_WINDOW_S, _STEP_S, _SHARE = 0.25, 0.05, 0.7
_UNKNOWN = 424
# Answers on which common client libraries send a GET again by themselves.
_SENT_AGAIN = (500, 502, 503, 504)


@dataclasses.dataclass
class Times:
    warm_s: float = 1.0
    fault_s: float = 0           # 0: as the case says
    after_s: float = 2.0


@dataclasses.dataclass
class Result:
    case: str
    kind: str
    requests: int = 0
    per_second: float = 0        # before the fault
    lost: int = 0
    doubled: int = 0
    misplaced: int = 0
    misled: int = 0              # submits that were told what clients send again, though the API has them
    polls_failed: int = 0
    submits_failed: int = 0      # those told that their fate is unknown are not among them
    submits_unknown: int = 0
    beside_failed: int = 0
    first_s: float = None        # None: not within the time
    rate_s: float = None
    crash: str = ""
    said: dict = dataclasses.field(default_factory=dict)   # what was not good, in words, and how often


class World:
    """What a row's functions can reach."""

    def __init__(self, sim, proxy, dns, clock):
        self.sim, self.proxy, self.dns, self._clock = sim, proxy, dns, clock
        self.zone = _ZONE

    def sleep(self, seconds):
        unfinished = self._clock.with_suffix(".new")
        unfinished.write_text(str(seconds))
        unfinished.rename(self._clock)


class Ground:
    """The simulated API, and what else the cases need. `far` stands for it where the simulator is behind a line."""

    def __init__(self, names=False, far=None):
        self._stack = contextlib.ExitStack()
        self._names, self._far = names, far

    def __enter__(self):
        self.folder = pathlib.Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="fault-matrix-")))
        self._shim = preload.environment(self.folder, "boottime")
        self.dns = self._stack.enter_context(DnsServer(_ZONE, listen=f"{distance.RESOLVER}:53")) if self._names else None
        self.sim = self._far or self._stack.enter_context(Simulator(name=NAME, keep_requests=1))
        self.host = distance.FAR if self._far else NAME if self._names else "localhost"
        return self

    def __exit__(self, *failure):
        self._stack.__exit__(*failure)

    def can(self, case):
        return {"": True, "names": self._names, "wire": self._far is not None, "sleep": self._shim is not None}[case.needs]

    def prepare(self, case):
        """The simulated API as the case wants it, its counters at zero."""
        self.sim.clear_faults()
        self.sim.set(**{**_CALM, **case.settings})
        self.sim.reset()

    def run(self, case, kind, times=Times(), method="POST"):
        self.sim.close_all("rst")
        self.sim.wait(lambda counters: counters["connections"]["open"] == 0)
        self.prepare(case)
        clock, environment = self.folder / "clock", None
        if case.needs == "sleep":
            clock.write_text("0")
            environment = self._shim | {"PRELOAD_BOOTTIME_FILE": str(clock)}
        proxy = fault_proxies.make(kind, self.sim, self.host, case.limits, case.ours, environment)
        try:
            world = World(self.sim, proxy, self.dns, clock)
            outcomes, marks = drive(case, world, times, method=method)
        finally:
            crash = proxy.stop()
        result = evaluate(case, kind, outcomes, marks, self.sim.submits())
        result.crash = crash
        return result


def drive(case, world, times, **load):
    """The outcomes, and when the load, the fault and its end began. `load`: more for fault_clients.Load."""
    return asyncio.run(_drive(case, world, times, load))


async def _drive(case, world, times, load):
    load = fault_clients.Load(world.proxy.port, **load)
    beside, is_over = [], asyncio.Event()
    load.start()
    try:
        marks = await _break(case, world, times, load.outcomes, beside, is_over)
        await asyncio.sleep(times.after_s)
    finally:
        is_over.set()
        await load.stop()
        await asyncio.gather(*beside)
    return load.outcomes, marks


async def _break(case, world, times, outcomes, beside, is_over):
    """When the load, the fault and its end began."""
    began = time.monotonic()
    await asyncio.sleep(times.warm_s)
    faulty = time.monotonic()
    await asyncio.to_thread(case.begin, world)
    for companion, number in case.beside:
        beside += [asyncio.create_task(companion(world.proxy.port, is_over, outcomes)) for _ in range(number)]
    until = time.monotonic() + (times.fault_s or case.fault_s)
    while time.monotonic() < until:
        if case.tick is not None:
            await asyncio.to_thread(case.tick, world)
        await asyncio.sleep(min(case.every_s if case.tick else 1, max(0, until - time.monotonic())))
    await asyncio.to_thread(_end, case, world)
    ended = time.monotonic()
    is_over.set()
    return began, faulty, ended


def _end(case, world):
    case.end(world)
    world.sim.clear_faults()


# Judging

def evaluate(case, kind, outcomes, marks, submits):
    began, faulty, ended = marks
    ours = [one for one in outcomes if one.kind in ("submit", "poll")]
    result = Result(case.name, kind, len(outcomes))
    result.lost = sum(one.what == "lost" for one in outcomes)
    result.misplaced = sum(one.what == "misplaced" for one in outcomes)
    result.doubled = len(submits["twice"])
    result.polls_failed = sum(one.kind == "poll" and one.what == "told" for one in ours)
    result.submits_failed = sum(one.kind == "submit" and one.what == "told" and one.status != _UNKNOWN for one in ours)
    result.submits_unknown = sum(one.kind == "submit" and one.status == _UNKNOWN for one in ours)
    result.beside_failed = sum(one.what == "told" for one in outcomes) - sum(one.what == "told" for one in ours)
    result.misled = sum(one.what == "told" and one.status in _SENT_AGAIN and submits["made"].get(one.uniq, 0) > 0 for one in outcomes)
    good = sorted(one.ended for one in ours if one.what == "good")
    settled = began + (faulty - began) / 2
    result.per_second = sum(settled <= at < faulty for at in good) / (faulty - settled)
    result.first_s = next((at - ended for at in good if at >= ended), None)
    result.rate_s = _rate_back(good, ended, result.per_second)
    words = collections.Counter(f"{one.kind} {one.what} {one.status or ''} {one.detail}".strip()
                                for one in outcomes if one.what not in ("good", "passed"))
    result.said = dict(words.most_common(6))
    return result


def _rate_back(good, ended, per_second):
    """The first moment after `ended` from which on good answers come at the old rate for a quarter of a second."""
    last = good[-1] if good else ended
    for step in range(int((last - ended - _WINDOW_S) / _STEP_S) + 1):
        start = ended + step * _STEP_S
        if sum(start <= at < start + _WINDOW_S for at in good) >= _SHARE * per_second * _WINDOW_S:
            return start - ended
    return None


def problems(case, result, with_times=True):
    """What should have held and did not, in words."""
    found = [f"{getattr(result, name)} {name}" for name in ("lost", "doubled", "misplaced", "misled") if getattr(result, name)]
    if result.crash:
        found.append(f"crashed: {result.crash}")
    if case.may_fail != ANYTHING and result.polls_failed:
        found.append(f"{result.polls_failed} polls failed")
    if case.may_fail != ANYTHING and result.submits_failed:
        found.append(f"{result.submits_failed} submits failed otherwise than by an unknown fate")
    if case.may_fail == NOTHING and result.submits_unknown:
        found.append(f"{result.submits_unknown} submits are of unknown fate")
    assert case.may_fail in (NOTHING, SUBMITS, ANYTHING)
    if with_times and (result.first_s is None or result.first_s > case.recovery_s):
        found.append(f"the first good answer came after {result.first_s} s")
    if with_times and (result.rate_s is None or result.rate_s > case.recovery_s):
        found.append(f"the rate was back after {result.rate_s} s")
    return found


# Over a line

def over_wire(case, kind, method="POST"):
    """run() with the simulator 15 ms away. Raises pytest's Skipped where this machine gives no such line."""
    found = distance.over_wire(__file__, "far_away", delay_ms=_WIRE_MS, case=case.name, kind=kind, method=method)
    return Result(**found)


def far_away(far, case, kind, method):
    with Ground(far=far) as ground:
        return dataclasses.asdict(ground.run(BY_NAME[case], kind, method=method))


if __name__ == "__main__":
    distance.main(far_away)
