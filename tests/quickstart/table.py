"""What the two ways came to, as text."""
import dataclasses
import math

EXPECTED_RATIO = 2.5


@dataclasses.dataclass
class Way:
    """One way's figures. Seconds; handshakes as the server counted them."""

    calls: list
    tasks: list
    handshakes: int

    @property
    def median(self):
        return percentile(self.calls, 50)


def percentile(values, percent):
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def lines(direct, pooled):
    """The table, line by line."""
    mean = [sum(way.tasks) / len(way.tasks) for way in (direct, pooled)]
    waiting = [sum(way.calls) for way in (direct, pooled)]
    rows = [
        ("", "directly", "through warmpool", ""),
        None,
        ("calls", str(len(direct.calls)), str(len(pooled.calls)), "quicker calls leave time for more polls"),
        ("TLS handshakes", str(direct.handshakes), str(pooled.handshakes), "as the server counted them"),
        ("a call, median", ms(direct.median), ms(pooled.median), shorter(direct.median, pooled.median)),
        ("a call, p99", ms(percentile(direct.calls, 99)), ms(percentile(pooled.calls, 99)), ""),
        ("waiting for calls, all", seconds(waiting[0]), seconds(waiting[1]), saved(*waiting)),
        ("a task, mean", seconds(mean[0]), seconds(mean[1]), saved(*mean)),
    ]
    widths = [max(len(row[column]) for row in rows if row) for column in range(4)]
    rule = "─" * (sum(widths) + 9)
    for row in rows:
        if row is None:
            yield rule
        else:
            name, left, right, remark = row
            yield f"{name:<{widths[0]}}   {left:>{widths[1]}}   {right:>{widths[2]}}   {remark}".rstrip()


def ms(value):
    return f"{value * 1000:.1f} ms"


def seconds(value):
    return f"{value:.2f} s"


def shorter(before, after):
    return f"{before / after:.1f} times shorter"


def saved(before, after):
    return f"{before - after:.2f} s saved" if after < before else f"{after - before:.2f} s lost"
