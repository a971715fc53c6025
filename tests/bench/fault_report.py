"""The figures as Markdown, and where they are kept."""
import json
import pathlib

import fault_cases
import floods
import soak
from fault_matrix import Result
from fault_proxies import KINDS, TITLES

_ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RESULTS = _ROOT / "build" / "bench" / "reliability.json"
SOAK = RESULTS.with_name("soak.json")
DOCUMENT = _ROOT / "docs" / "reliability.md"
_BEGIN, _END = "<!-- {}: written by tests/bench/reliability --write -->\n", "<!-- end of {} -->\n"


def seconds(value):
    return "never" if value is None else f"{value:.2f}"


def cell(result):
    """One proxy's figures in one case."""
    worst = [result.first_s, result.rate_s]
    back = "never" if None in worst else f"{max(worst):.2f} s"
    bad = [f"{getattr(result, name)} {name}" for name in ("lost", "doubled", "misplaced", "misled") if getattr(result, name)]
    if result.crash:
        bad.append("crashed")
    words = f"{result.polls_failed} · {result.submits_unknown} · {result.submits_failed}, {back}"
    return words + (", **" + ", ".join(bad) + "**" if bad else "")


def matrix(found):
    lines = ["| fault | " + " | ".join(TITLES[kind] for kind in KINDS) + " |", "|---" * (1 + len(KINDS)) + "|"]
    totals = {kind: [0] * 8 for kind in KINDS}
    for case in fault_cases.CASES:
        if case.name not in found:
            continue
        cells = []
        for kind in KINDS:
            values = found[case.name].get(kind)
            cells.append("–" if values is None else cell(Result(**values)))
            if values is not None:
                _add(totals[kind], Result(**values))
        lines.append(f"| {case.title} | " + " | ".join(cells) + " |")
    lines += ["", "In all:", "", "| | " + " | ".join(TITLES[kind] for kind in KINDS) + " |", "|---" * (1 + len(KINDS)) + "|"]
    for number, title in enumerate(("requests", "lost", "doubled", "misplaced", "crashes", "polls failed", "submits of unknown fate, said so",
                                    "submits told what clients send again, though the API had them")):
        lines.append(f"| {title} | " + " | ".join(f"{totals[kind][number]:,}" for kind in KINDS) + " |")
    return "\n".join(lines)


def _add(total, result):
    for number, value in enumerate((result.requests, result.lost, result.doubled, result.misplaced, bool(result.crash),
                                    result.polls_failed, result.submits_unknown, result.misled)):
        total[number] += value


def flood_table(found):
    lines = ["| flood | " + " | ".join(TITLES[kind] for kind in KINDS) + " |", "|---" * (1 + len(KINDS)) + "|"]
    for by_kind in found.values():
        cells = [_flood_cell(by_kind[kind]) if kind in by_kind else "–" for kind in KINDS]
        title = next(iter(by_kind.values()))["title"]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _flood_cell(one):
    noise = "" if floods.is_quiet(one) else ", not quiet"
    p99 = "nobody is answered" if one["failed"] == one["polls"] else f"{one['p99_ms']:.0f} ms"
    return f"{p99} (normal {one['normal_ms']:.0f}{noise}), {one['failed']} failed, +{one['memory_mb']:.0f} MiB"


def keep(results, file=RESULTS):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, indent=1))


def document(results):
    parts = [f"`{results['command']}`"]
    if results.get("matrix"):
        parts.append(matrix(results["matrix"]))
    if results.get("floods"):
        parts.append(flood_table(results["floods"]))
    if results.get("soak"):
        parts.append(soak.report(results["soak"]))
    return "\n\n".join(parts)


def write(results):
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, make in (("matrix", matrix), ("floods", flood_table)):
        if results.get(name):
            before, rest = text.split(_BEGIN.format(name))
            after = rest.split(_END.format(name))[1]
            text = f"{before}{_BEGIN.format(name)}\n{make(results[name])}\n\n{_END.format(name)}{after}"
    DOCUMENT.write_text(text, encoding="utf-8")
