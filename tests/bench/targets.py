"""The targets, each one row, and how its figure is taken from the results.

What was not measured, or not at its size, is not judged. `ratio` pairs what was measured in the same round, and takes the
median of the pairs: a disturbance of seconds touches both sides of a pair less than the medians of each.
"""
import dataclasses
import statistics
import typing

from callgrind import UNSEEN, is_tls
from proxies import UNBOUNDED

OTHERS = ["nginx", "haproxy"]


def better(rounds, field):
    """The other proxy whose median is lower."""
    return min(OTHERS, key=lambda kind: statistics.median(row[field] for row in rounds[kind]))


def ratio_to(other, rounds, field="cpu_us"):
    return statistics.median(ours[field] / theirs[field] for ours, theirs in zip(rounds["warmpool"], rounds[other]))


def ratio(rounds, field="cpu_us"):
    """Ours to the better of the two."""
    return ratio_to(better(rounds, field), rounds, field)


def of_load(key, field="cpu_us"):
    return lambda results: ratio(results["loads"][key], field)


def outside_tls(row):
    """Instructions a request outside libssl, libcrypto, and libc on their behalf."""
    return sum(cost for place, cost in row["instructions"].items() if not is_tls(place)) - row["libc_for_tls"]


def own_allocations(row):
    return sum(calls for place, calls in row["allocations"].items() if not is_tls(place))


def _instructions(results):
    rows = results["instructions"]["keepalive-32"]
    return outside_tls(rows["warmpool"]) / outside_tls(rows["nginx"])


def _observing(results):
    rows = results["instructions"]["keepalive-32"]
    return sum(rows["warmpool"]["instructions"].values()) / sum(rows[UNSEEN]["instructions"].values())


def _allocations(results):
    return own_allocations(results["instructions"]["keepalive-32"]["warmpool"])


def _system_calls(results):
    return sum(results["syscalls"]["keepalive-32"]["warmpool"].values())


def growth(rounds, few, many):
    return statistics.median(row[str(many)] / row[str(few)] for row in rounds)


def _bytes(part, count, size):
    """kB each, where as many were measured as the target is about."""
    def figure(results):
        memory = results["memory"]
        if memory[count] != size:
            raise KeyError(count)
        return (memory[part] if part == "spare" else memory[part]["warmpool"]) / 1000
    return figure


def _growth(results):
    return growth(results["growth"]["rounds"]["warmpool"], 100, 10_000)


@dataclasses.dataclass
class Target:
    name: str
    limit: float
    unit: str  # "×": a ratio to the other side of the same run
    figure: typing.Callable

    def judge(self, results):
        """(figure, holds), or None when it was not measured."""
        try:
            figure = self.figure(results)
        except KeyError:
            return None
        return figure, figure <= self.limit


TARGETS = [
    Target("CPU a request, keep-alive, 32 clients, to the better of the two", 0.90, "×", of_load("keepalive-32")),
    Target("CPU a request, new connection a request, to the better of the two", 0.85, "×", of_load("new-32")),
    Target("CPU a request, POST of 50 KB, to the better of the two", 0.60, "×", of_load("form-16")),
    Target("CPU a request, 1000 clients, to the better of the two", 0.50, "×", of_load("keepalive-1000")),
    Target("CPU a request, 1000 clients, to HAProxy without maxconn", 0.50, "×",
           lambda results: ratio_to(UNBOUNDED, results["loads"]["keepalive-1000"])),
    Target("p99 at 32 clients, to the better of the two", 1.00, "×", of_load("keepalive-32", "p99_us")),
    Target("system calls a request, keep-alive, 32 clients", 5, "", _system_calls),
    Target("heap allocations a request, OpenSSL's apart", 0.001, "", _allocations),
    Target("instructions a request outside OpenSSL, to nginx's", 0.50, "×", _instructions),
    Target("instructions a request, to those without access log and admin interface", 1.05, "×", _observing),
    Target("private memory of a warm connection", 30, "kB", _bytes("connection", "connections", 500)),
    Target("private memory of a spare connection, not used yet", 30, "kB", _bytes("spare", "connections", 500)),
    Target("private memory of an idle client", 2, "kB", _bytes("client", "clients", 5000)),
    Target("CPU a request of 32 clients with 10,000 idle ones beside them, to that with 100", 1.20, "×", _growth),
]


def lines(results):
    """One line a target that was measured."""
    for target in TARGETS:
        judged = target.judge(results)
        if judged is not None:
            figure, holds = judged
            unit = f" {target.unit}" if target.unit else ""
            verdict = "holds" if holds else "does not hold"
            yield f"{verdict:13}  {figure:7.3f}{unit} (at most {target.limit:g}{unit})  {target.name}"
