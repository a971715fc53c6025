"""What was measured, as Markdown."""
import statistics

import callgrind
import targets
from loads import BY_KEY, LOADS
from proxies import ORDER, TITLES


def median(rows, field):
    return statistics.median(row[field] for row in rows)


def _table(heads, rows, texts=(0,)):
    """texts: the columns that hold words rather than numbers."""
    marks = ["---" if column in texts else "---:" for column in range(len(heads))]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in [heads, marks, *rows])


def _time(us):
    return f"{us / 1000:.2f} ms" if us < 10_000 else f"{us / 1000:.0f} ms"


def _cpu(loads):
    rows = []
    for load in LOADS:
        if load.key in loads:
            rounds = loads[load.key]
            cells = {}
            for kind, runs in rounds.items():
                cpu, user, system = (median(runs, field) for field in ("cpu_us", "user_us", "system_us"))
                cells[kind] = f"{cpu:.1f} ({user:.1f} + {system:.1f})"
            rows.append([load.title, *(cells[kind] for kind in ORDER),
                         f"**{targets.ratio(rounds):.2f}** of {TITLES[targets.better(rounds, 'cpu_us')]}"])
            for kind in load.also:
                rows.append([f"the same, {TITLES[kind]}", "", "", cells[kind], f"**{targets.ratio_to(kind, rounds):.2f}**"])
    return _table(["CPU µs a request (user + system)", *(TITLES[kind] for kind in ORDER), "ratio"], rows)


def _speed(loads):
    rows = []
    for load in LOADS:
        for kind in [*ORDER, *load.also] if load.key in loads else []:
            runs = loads[load.key][kind]
            errors = sum(run["errors"] for run in runs)
            rows.append([load.title if kind == ORDER[0] else "", TITLES[kind], f"{median(runs, 'per_second'):,.0f}",
                         _time(median(runs, "p50_us")), _time(median(runs, "p99_us")),
                         f"{median(runs, 'private_kb') * 1.024 / 1000:.1f} MB",
                         f"{median(runs, 'faults'):.1f}", errors])
    return _table(["load", "proxy", "requests a second", "p50", "p99", "private memory", "page faults a request", "errors"], rows, (0, 1))


def _memory(memory):
    heads = ["private memory, bytes each", *(TITLES[kind] for kind in ORDER)]
    rows = [[f"warm connection, used ({memory['connections']})", *(f"{memory['connection'][kind]:,.0f}" for kind in ORDER)],
            [f"spare connection, not used yet ({memory['connections']})", f"{memory['spare']:,.0f}", "has none", "has none"],
            [f"idle client ({memory['clients']})", *(f"{memory['client'][kind]:,.0f}" for kind in ORDER)]]
    return _table(heads, rows)


def _quiet(quiet):
    rows = []
    for title, field, form in (("connections opened, a handshake each", "opened", "{:.0f}"),
                               ("median latency", "median_ms", "{:.0f} ms"),
                               ("worst latency", "worst_ms", "{:.0f} ms"), ("added by the quiet", "added_ms", "{:.0f} ms")):
        rows.append([title, *(form.format(median(quiet["rounds"][kind], field)) for kind in ORDER)])
    head = (f"burst of {quiet['scripts']} after {quiet['quiet_s']} s of quiet; the upstream, {quiet['round_trip_ms']} ms away, "
            f"closes after {quiet['keep_s']} s")
    return _table([head, *(TITLES[kind] for kind in ORDER)], rows) + (
        "\n\nwarmpool opens its connections beside the burst, to have spares again; the others within it, before they can send.")


def _starts(starts):
    return _table(["start to first answer", *(TITLES[kind] for kind in ORDER)],
                  [["median", *(f"{statistics.median(starts[kind]):.0f} ms" for kind in ORDER)]])


def _growth(growth):
    rows = []
    for count in growth["counts"]:
        rows.append([f"{count:,}", *(f"{median(growth['rounds'][kind], str(count)):.1f}" for kind in ORDER)])
    few, many = growth["counts"][0], growth["counts"][-1]
    rows.append([f"{many:,} to {few:,}", *(f"**{targets.growth(growth['rounds'][kind], few, many):.2f}**" for kind in ORDER)])
    return _table(["CPU µs a request by idle clients beside 32", *(TITLES[kind] for kind in ORDER)], rows)


def _syscalls(syscalls):
    rows = []
    for key, counts in syscalls.items():
        for kind in ORDER:
            names = sorted(counts[kind].items(), key=lambda item: -item[1])
            rows.append([BY_KEY[key].title if kind == ORDER[0] else "", TITLES[kind], f"{sum(counts[kind].values()):.2f}",
                         ", ".join(f"{name} {count:.2f}" for name, count in names if count >= 0.005)])
    return _table(["system calls a request", "proxy", "all", "of these"], rows, (0, 1, 3))


def _instructions(instructions):
    found = []
    for key, rows in instructions.items():
        for kind in [*ORDER, callgrind.UNSEEN]:
            row = rows[kind]
            tls = sum(cost for place, cost in row["instructions"].items() if targets.is_tls(place)) + row["libc_for_tls"]
            own = targets.own_allocations(row)
            theirs = sum(row["allocations"].values()) - own
            title = TITLES.get(kind, "warmpool, without access log and admin interface")
            found.append([BY_KEY[key].title if kind == ORDER[0] else "", title, f"{targets.outside_tls(row):,.0f}",
                          f"{tls:,.0f}", f"{own:.2f}", f"{theirs:.2f}"])
    return _table(["a request", "proxy", "instructions outside OpenSSL", "of OpenSSL", "heap allocations outside OpenSSL",
                   "of OpenSSL"], found, (0, 1))


def hot_functions(rows, kind, count=15):
    """The dearest functions outside OpenSSL, for whoever is to make them cheaper."""
    return "\n".join(f"{cost:8.0f}  {name} ({place})" for place, name, cost in rows[kind]["functions"][:count])


def _targets(results):
    rows = []
    for target in targets.TARGETS:
        judged = target.judge(results)
        if judged is not None:
            rows.append([target.name, f"≤ {target.limit:g} {target.unit}".strip(), f"{judged[0]:.2f} {target.unit}".strip(),
                         "holds" if judged[1] else "**does not hold**"])
    return _table(["target", "limit", "figure", ""], rows, (0, 3))


_PARTS = [("loads", _cpu), ("loads", _speed), ("growth", _growth), ("memory", _memory), ("quiet", _quiet), ("starts", _starts),
          ("syscalls", _syscalls), ("instructions", _instructions)]


def disturbed(results):
    """The worst share of the proxy's core that others had in a run, over all loads."""
    loads = results.get("loads", {}).values()
    return max((run["others"] for rounds in loads for runs in rounds.values() for run in runs), default=0.0)


def warnings(results):
    if "--quick" in results["command"]:
        yield "a quick run shows that the harness works; its figures mean nothing"
    if disturbed(results) > 0.05:
        yield f"others took up to {disturbed(results):.0%} of the proxies' core: take figures on a quiet machine"
    for key, rounds in results.get("loads", {}).items():
        for kind, runs in rounds.items():
            if any(run["errors"] for run in runs):
                yield f"{key}: {TITLES[kind]} had {sum(run['errors'] for run in runs)} errors"
        if any(run.get("log_is_short") for run in rounds["warmpool"]):
            yield f"{key}: warmpool's access log lacks lines"
    if results.get("growth", {}).get("counts", [10_000])[-1] not in (100, 10_000):
        yield f"the limit of descriptors allowed only {results['growth']['counts'][-1]:,} clients"


def tables(results):
    """All that was measured."""
    parts = [f"`{results['command']}`: {results['machine']}; {results['versions']}"]
    parts += [f"**Note:** {warning}." for warning in warnings(results)]
    parts += [make(results[section]) for section, make in _PARTS if section in results]
    return "\n\n".join(parts) + "\n"


def document(results, plots):
    """The same with the targets and the plots, for docs/performance.md."""
    return "\n\n".join([_targets(results), *(f"![{title}]({file})" for title, file in plots), tables(results)])
