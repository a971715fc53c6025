"""Two small plots as SVG, by hand: bars of CPU a request relative to the better of the other two, and lines of growth."""
import math
import statistics
import xml.sax.saxutils

import targets
from loads import LOADS
from proxies import ORDER, TITLES

_COLOURS = {"warmpool": "#0072b2", "nginx": "#999999", "haproxy": "#d55e00"}
_LEFT, _WIDTH = 262, 770


def _text(x, y, words, anchor="start", size=13):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">'
            f'{xml.sax.saxutils.escape(words)}</text>')


def _line(x1, y1, x2, y2, colour="#cccccc", width=1):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _legend(y):
    parts, x = [], _LEFT
    for kind in ORDER:
        parts += [f'<rect x="{x}" y="{y - 11}" width="12" height="12" fill="{_COLOURS[kind]}"/>', _text(x + 18, y, TITLES[kind])]
        x += 110
    return parts


def _svg(height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
            'font-family="sans-serif" fill="#222222">\n<rect width="100%" height="100%" fill="#ffffff"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def bars(loads):
    """Past `most`, a bar ends at the edge, and its number says how far it would go."""
    most, scale, row = 3.0, (_WIDTH - _LEFT - 70) / 3.0, 62
    shown = [load for load in LOADS if load.key in loads]
    bottom = 50 + row * len(shown)
    parts = [_text(12, 22, "CPU a request, the better of nginx and HAProxy = 1 (µs beside the bars)", size=15)]
    for tick in range(4):
        parts.append(_line(_LEFT + scale * tick, 36, _LEFT + scale * tick, bottom, "#888888" if tick == 1 else "#dddddd"))
    for number, load in enumerate(shown):
        rounds, y = loads[load.key], 46 + row * number
        medians = {kind: statistics.median(run["cpu_us"] for run in rounds[kind]) for kind in ORDER}
        base = medians[targets.better(rounds, "cpu_us")]
        parts.append(_text(_LEFT - 10, y + 28, load.title, "end"))
        for kind in ORDER:
            width = min(medians[kind] / base, most) * scale
            parts += [f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="14" fill="{_COLOURS[kind]}"/>',
                      _text(_LEFT + width + 5, y + 12, f"{medians[kind]:,.{0 if medians[kind] >= 100 else 1}f}", size=11)]
            y += 16
    return _svg(bottom + 36, parts + _legend(bottom + 24))


def lines(growth):
    counts, top, bottom = growth["counts"], 46, 290
    medians = {kind: [statistics.median(row[str(count)] for row in growth["rounds"][kind]) for count in counts]
               for kind in ORDER}
    most = max(max(values) for values in medians.values()) * 1.1
    span = math.log10(counts[-1] / counts[0])

    def x_of(count):
        return 70 + (_WIDTH - 120) * math.log10(count / counts[0]) / span

    def y_of(value):
        return bottom - (bottom - top) * value / most

    decade = 10 ** math.floor(math.log10(most))
    step = decade if most > 3 * decade else decade / 4
    parts = [_text(12, 22, "CPU µs a request of 32 clients, by idle clients beside them", size=15)]
    for tick in range(int(most / step) + 1):
        y = y_of(tick * step)
        parts += [_line(70, y, _WIDTH - 50, y), _text(62, y + 4, f"{tick * step:g}", "end", 11)]
    parts += [_text(x_of(count), bottom + 18, f"{count:,}", "middle", 11) for count in counts]
    for kind, values in medians.items():
        points = [(x_of(count), y_of(value)) for count, value in zip(counts, values)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline fill="none" stroke="{_COLOURS[kind]}" stroke-width="2" points="{path}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{_COLOURS[kind]}"/>' for x, y in points]
    return _svg(bottom + 60, parts + _legend(bottom + 46))
