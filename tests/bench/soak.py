"""Half load for a long time, a random fault every few seconds, one and the same daemon: nothing may grow, every counter has to add up.

A round is one case of the matrix. After it the clients stop, so that nothing is under way when the counters are read: those of the daemon are
compared with what the clients and the simulated API have counted themselves.
"""
import collections
import dataclasses
import random
import re
import statistics
import time

import accounting
import fault_cases
import fault_clients
import fault_proxies
from admin_client import ask
from fault_matrix import Ground, Times, World, drive, evaluate, problems

_CLIENTS = 32
_LIMITS = {"connect_ms": 500, "response_ms": 2000}
# What the fault needs of a daemon of its own, or leaves the daemon's own bounds.
_LEFT_OUT = ("memory", "refuse-long")
_GROWTH_KB, _GROWTH_SHARE = 1024, 0.05
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


class Metrics:
    """What /metrics says at one moment."""

    def __init__(self, daemon):
        self._values = collections.defaultdict(float)
        for name, labels, value in _SAMPLE.findall(ask(daemon, path="/metrics")[2]):
            self._values[name, labels] += float(value)

    def sum(self, name, *parts):
        """Of all samples of the name whose labels hold all these texts."""
        return round(sum(value for (found, labels), value in self._values.items()
                         if found == name and all(part in labels for part in parts)), 6)


def checks(metrics, seen, arrived):
    """(what, the daemon's figure, at least, at most). `seen`: what the clients counted; `arrived`: what the API did."""
    def exactly(what, found, wanted):
        return what, found, wanted, wanted

    get = metrics.sum
    leases, repeats = get("warmpool_leases_total"), get("warmpool_repeats_total")
    requests, errors = get("warmpool_requests_total"), get("warmpool_error_replies_total")
    answers = get("warmpool_api_answers_total")
    sent = get("warmpool_upstream_requests_total")
    gone = seen["quitter"]
    rows = [
        ("submits that are over, as the clients count them", get("warmpool_requests_total", 'class="submit"'), seen["submit"], seen["submit"] + gone),
        ("polls that are over, as the clients count them", get("warmpool_requests_total", 'class="poll"'), seen["poll"], seen["poll"] + gone),
        ("submits of unknown fate, as the clients were told", get("warmpool_unknown_fates_total", 'class="submit"'), seen["unknown"], seen["unknown"] + gone),
        exactly("unknown fates are error replies", get("warmpool_error_replies_total", 'SUBMIT_UNKNOWN"'), get("warmpool_unknown_fates_total")),
        ("error replies, as the clients were told", errors, seen["told"], seen["told"] + gone),
        exactly("requests have durations", get("warmpool_request_seconds_count"), requests),
        exactly("every lease is an attempt", sent, leases),
        ("first leases and repeats are the leases", get("warmpool_queue_wait_seconds_count") + repeats, leases, leases + repeats),
        ("attempts that reached the API", sent, arrived["whole"], arrived["whole"] + arrived["partly"] + repeats + get("warmpool_unknown_fates_total")
         + get("warmpool_open_failures_total") + errors + gone),
        exactly("connections that came up have ended", get("warmpool_connection_requests_count"),
                get("warmpool_upstream_connections_opened_total") - arrived["open"]),
        ("what they carried to its end is the leases less the repeated and the failed", get("warmpool_connection_requests_sum"),
         leases - repeats - errors, leases - repeats),
        exactly("connections by the daemon's gauge and the API's", sum(
            get("warmpool_upstream_connections", f'state="{state}"') for state in ("idle", "leased", "probe")), arrived["open"]),
        exactly("handshakes are connections that came up", get("warmpool_tls_handshakes_total"), get("warmpool_upstream_connections_opened_total")),
        ("answers of the API", answers, seen["good"] + seen["passed"], seen["good"] + seen["passed"] + gone + seen["told"]),
        exactly("nothing is in flight", get("warmpool_requests_in_flight"), 0),
        exactly("nothing waits", get("warmpool_queue_length"), 0),
        exactly("nothing is buffered", get("warmpool_buffered_bytes"), 0),
        exactly("no client is left", get("warmpool_client_connections"), 0),
        exactly("no log line was dropped", get("warmpool_log_lines_dropped_total"), 0),
    ]
    return rows


class Soak:
    def __init__(self, ground, daemon_proxy, progress):
        self._ground, self._proxy, self._progress = ground, daemon_proxy, progress
        self.seen, self.arrived = collections.Counter(), collections.Counter()
        self.rounds, self.wrong, self.samples = collections.Counter(), [], []
        self.said = collections.Counter()

    def half_load(self):
        """The range of pauses that makes half of what the clients reach without any."""
        outcomes = self._round(fault_cases.BY_NAME["calm"], (0, 0), Times(1, 3, 0.1))[0]
        took = sorted(one.ended - one.began for one in outcomes)
        pause = took[len(took) // 2]         # as long as an answer takes: half as many come
        return pause * 0.5, pause * 1.5

    def _round(self, case, pause_s, times):
        self._ground.prepare(case)
        world = World(self._ground.sim, self._proxy, self._ground.dns, None)
        outcomes, marks = drive(case, world, times, clients=_CLIENTS, pause_s=pause_s)
        self._settle()
        counters = self._ground.sim.counters()
        self.arrived["whole"] += counters["requests"]["total"]
        self.arrived["partly"] += counters["requests"]["partial"]
        for one in outcomes:
            self.seen[one.kind] += 1
            if one.kind in ("submit", "poll"):
                self.seen[one.what] += 1
                self.seen["unknown"] += one.status == 424
            elif one.kind in ("slow body", "uploader"):
                self.seen["submit"] += 1
                self.seen[one.what] += 1
            elif one.kind == "newcomer":
                self.seen["poll"] += 1
                self.seen[one.what] += 1
        result = evaluate(case, "warmpool", outcomes, marks, self._ground.sim.submits())
        self.rounds[case.name] += 1
        self.said.update(result.said)
        # What may fail is a matter of the matrix, whose timeouts suit each case; here it is what must always hold.
        bare = dataclasses.replace(case, may_fail=fault_cases.ANYTHING)
        self.wrong += [f"{case.name}: {words}" for words in problems(bare, result, with_times=False)]
        return outcomes, result

    def _settle(self):
        """Until the daemon has nothing to do any more; what has come to rest is what can be compared."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            metrics = Metrics(self._proxy.daemon)
            if not (metrics.sum("warmpool_requests_in_flight") or metrics.sum("warmpool_client_connections")):
                return
            time.sleep(0.05)

    def run(self, minutes, pause_s):
        cases = [case for case in fault_cases.CASES if not case.needs and case.name not in _LEFT_OUT and "warmpool" in case.only]
        dice = random.Random(1)
        until = time.monotonic() + minutes * 60
        while time.monotonic() < until:
            case = dice.choice(cases)
            _, result = self._round(case, pause_s, Times(1.5, 0, 1.5))
            self.samples.append((time.monotonic(), accounting.private_kb(self._proxy.pids()), self._proxy.daemon.descriptors(),
                                 Metrics(self._proxy.daemon).sum("warmpool_upstream_connections")))
            self._progress(f"{case.name:18} {result.requests} requests, {self.samples[-1][1]} kB, {self.samples[-1][2]} descriptors"
                           + "".join(f"; {words}" for words in self.wrong[-1:] if words.startswith(case.name)))

    def finish(self):
        """All connections end and only unused spares are there; then the counters are read: rows of checks()."""
        sim = self._ground.sim
        sim.close_all("fin")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            before = sim.counters()["connections"]["open"]
            metrics = Metrics(self._proxy.daemon)
            open_now = sum(metrics.sum("warmpool_upstream_connections", f'state="{state}"') for state in ("idle", "leased", "probe"))
            if before == open_now == sim.counters()["connections"]["open"] >= 4 and not metrics.sum("warmpool_requests_in_flight"):
                break
            time.sleep(0.2)
        self.arrived["open"] = before
        return checks(Metrics(self._proxy.daemon), self.seen, self.arrived)


def _quarters(values):
    """The medians of the second quarter and of the last one: the first warms up."""
    size = max(1, len(values) // 4)
    return statistics.median(values[size:2 * size] or values), statistics.median(values[-size:])


def growth(samples):
    """What grew, in words. A sample's descriptors are counted without the connections to the API."""
    found = []
    early, late = _quarters([kb for _, kb, _, _ in samples])
    if late > early * (1 + _GROWTH_SHARE) + _GROWTH_KB:
        found.append(f"memory grew from {early:.0f} to {late:.0f} kB")
    early, late = _quarters([descriptors - connections for _, _, descriptors, connections in samples])
    if late > early:
        found.append(f"descriptors grew from {early:.0f} to {late:.0f}")
    return found


def run(minutes, progress):
    """Figures, as a dictionary; `wrong` is empty when all held."""
    with Ground(names=True) as ground:
        proxy = fault_proxies.make("warmpool", ground.sim, ground.host, _LIMITS, {})
        try:
            soak = Soak(ground, proxy, progress)
            pause_s = soak.half_load()
            began = time.monotonic()
            soak.run(minutes, pause_s)
            took = time.monotonic() - began
            rows = soak.finish()
        finally:
            crash = proxy.stop()
    wrong = soak.wrong + growth(soak.samples) + ([f"crashed: {crash}"] if crash else [])
    wrong += [f"{what}: {found:.0f}, not {least:.0f}" + (f" to {most:.0f}" if most != least else "")
              for what, found, least, most in rows if not least <= found <= most]
    memory, descriptors = [kb for _, kb, _, _ in soak.samples], [number for _, _, number, _ in soak.samples]
    return {
        "minutes": took / 60, "rounds": sum(soak.rounds.values()), "cases": len(soak.rounds), "seen": dict(soak.seen),
        "said": dict(soak.said.most_common(20)), "memory_kb": _quarters(memory), "memory_most_kb": max(memory),
        "descriptors": _quarters(descriptors), "checks": [list(row) for row in rows], "wrong": wrong,
    }


def report(figures):
    seen = figures["seen"]
    asked = sum(seen.get(kind, 0) for kind in ("submit", "poll"))
    lines = [f"{figures['minutes']:.0f} minutes, {figures['rounds']} faults of {figures['cases']} kinds, {asked:,} submits and polls: "
             f"{seen.get('lost', 0)} lost, {seen.get('misplaced', 0)} misplaced, {seen.get('told', 0):,} told an error, {seen.get('unknown', 0)} of them "
             f"that the fate of a submit is unknown.",
             f"Private memory: {figures['memory_kb'][0] / 1024:.1f} MiB in the second quarter, {figures['memory_kb'][1] / 1024:.1f} MiB in the last. "
             f"Descriptors: {figures['descriptors'][0]:.0f} and {figures['descriptors'][1]:.0f}.", ""]
    for what, found, least, most in figures["checks"]:
        lines.append(f"    {'ok' if least <= found <= most else 'NO'}  {what}: {found:,.0f}" + ("" if least == most else f" ({least:,.0f} to {most:,.0f})"))
    return "\n".join([*lines, *(f"does not hold: {words}" for words in figures["wrong"])])


assert fault_clients.PATIENCE_S > _LIMITS["response_ms"] / 1000   # else a slow answer would count as lost
