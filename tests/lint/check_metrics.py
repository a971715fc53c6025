"""docs/metrics.md lists every metric of src/base/metrics.def, its type, labels, their values and its meaning; docs/grafana/ uses no other.

A metric's name, wherever the alerts, the dashboard and the documentation say it, is one that exists; labels that it is narrowed by are
its own, with values that they can have. Alerts that the documentation names exist, and each is named there.

    check_metrics.py ROOT          prints each difference; exits with 1 when there is one
    check_metrics.py --self-test   shows that each kind of difference is caught
"""
import collections
import json
import pathlib
import re
import sys

DOC, OPERATIONS = "docs/metrics.md", "docs/operations.md"
RULES, DASHBOARD = "docs/grafana/warmpool-rules.yml", "docs/grafana/warmpool-dashboard.json"
KINDS = {"COUNTER": "counter", "GAUGE": "gauge", "HISTOGRAM": "histogram"}
DECLARED = re.compile(r'^(COUNTER|GAUGE|HISTOGRAM)(?:_BY2?)?\((\w+), ([A-Z_, ]*)"(\w+)", "((?:[^"\\]|\\.)*)"\)$', re.MULTILINE)
STARTED = re.compile(r"^(?:COUNTER|GAUGE|HISTOGRAM)\w*\(", re.MULTILINE)
# Those whose values are no counters of ours: metrics_page.c writes them itself.
WRITTEN = re.compile(r'write_header\(page, "(\w+)", "(\w+)", "([^"]*)"\)')
LABEL_NAMES = re.compile(r'L\((\w+), "(\w+)"\)')
LABEL_VALUES = re.compile(r"#define METRIC_(\w+)_VALUES\(V\)((?:.*\\\n)*.*)")
ERROR = re.compile(r'^ERR\((\w+), ', re.MULTILINE)
END = re.compile(r'^END\(\w+, "(\w+)", "([^"]*)"\)', re.MULTILINE)
ROW = re.compile(r"^\| `((?:warmpool|process)_\w+)` \|")
LABEL_ROW = re.compile(r"^\| `(\w+)` of (`\w+`(?:, `\w+`)*) \| (.*) \|$")
REASON_ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \|$")
USED = re.compile(r"\b((?:warmpool|process)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
ALERT = re.compile(r"\bWarmpool[A-Z]\w+")
TARGET_LABELS = {"job", "instance"}
ERRORS_TEXT = "the errors of [operations.md](operations.md#what-a-client-is-told), without `ERROR_`"
REASONS_TEXT = "the reasons below"

Metric = collections.namedtuple("Metric", "field name kind labels help")


def declared(root):
    """name → Metric, from metrics.def and metrics_page.c. A label is (name, values)."""
    text = (root / "src/base/metrics.def").read_text()
    names = labels(root)
    found = {}
    for kind, field, arguments, name, help_text in DECLARED.findall(text):
        of = [names[word] for word in re.findall(r"[A-Z]\w*", arguments) if word in names]
        found[name] = Metric(field, name, KINDS[kind], of, help_text.replace('\\"', '"'))
    if len(STARTED.findall(text)) != len(found):
        raise SystemExit("src/base/metrics.def: a row that is not KIND(field, …, \"name\", \"help\") in one line, or a name twice")
    for name, kind, help_text in WRITTEN.findall((root / "src/admin/metrics_page.c").read_text()):
        of = [("version", ["the daemon's version"])] if name == "warmpool_build_info" else []
        found[name] = Metric(name, name, kind, of, help_text)
    return found


def labels(root):
    """LABEL → (name, values)."""
    header = (root / "src/base/metrics.h").read_text()
    errors = ERROR.findall((root / "src/base/errors.def").read_text())
    values = {label: re.findall(r'"(\w+)"', text) for label, text in LABEL_VALUES.findall(header)}
    found = {label: (name, values[label]) for label, name in LABEL_NAMES.findall(header)}
    return {**found, "ERR": ("error", errors[1:]), "END": ("reason", list(ends(root))[1:])}


def ends(root):
    return dict(END.findall((root / "src/base/ends.def").read_text()))


def row(metric):
    """As it must stand there, up to the column of questions and alerts."""
    of = "".join(f"`{name}`, " for name, _ in metric.labels)[:-2]
    return f"| `{metric.name}` | {metric.kind} |{' ' * bool(of)}{of} | {metric.help} |"


def plain(text):
    return text.replace("`", "")


def judge_metrics(metrics, doc):
    seen = set()
    for line in doc.splitlines():
        match = ROW.match(line)
        if not match:
            continue
        name = match.group(1)
        if name not in metrics:
            yield f"{DOC}: {name} is no metric"
        elif name in seen:
            yield f"{DOC}: {name} stands there twice"
        elif not plain(line).startswith(plain(row(metrics[name]))):
            yield f"{DOC}: the row of {name} must begin with: {row(metrics[name])}"
        seen.add(name)
    for name in metrics:
        if name not in seen:
            yield f"{DOC}: {name} is missing: {row(metrics[name])}"


def values_text(name, values):
    if name in ("error", "reason"):
        return ERRORS_TEXT if name == "error" else REASONS_TEXT
    return ", ".join(f"`{value}`" for value in values)


def judge_labels(metrics, reasons, doc):
    wanted = {(metric.name, name): values_text(name, values) for metric in metrics.values() for name, values in metric.labels
              if name != "version"}
    for line in doc.splitlines():
        match = LABEL_ROW.match(line)
        if match:
            label, of, text = match.groups()
            for name in plain(of).split(", "):
                if wanted.pop((name, label), None) != text:
                    yield f"{DOC}: the values of {label} of {name} are others, stand there twice, or it has no such label"
    for (name, label), text in wanted.items():
        yield f"{DOC}: the values of a label are missing: | `{label}` of `{name}` | {text} |"
    said = dict(match.groups() for match in map(REASON_ROW.match, doc.splitlines()) if match)
    for reason in set(said) ^ set(reasons) - {"none"}:
        yield f"{DOC}: the reason {reason} is missing, or none of ours"
    for reason in set(said) & set(reasons):
        if plain(said[reason]) != reasons[reason]:
            yield f"{DOC}: the reason {reason} means: {reasons[reason]}"


def judge_use(metrics, where, text):
    """Every name of a metric, with what it is narrowed by."""
    for name, matchers in USED.findall(text):
        metric = metrics.get(name)
        base = metrics.get(re.sub(r"_(bucket|sum|count)$", "", name))
        if metric is None and base is not None and base.kind == "histogram":
            metric = base
        if metric is None:
            yield f"{where}: {name} is no metric"
        elif where not in (DOC, OPERATIONS) and metric.kind == "histogram" and metric.name == name:
            yield f"{where}: {name} is a histogram, which has only _bucket, _sum and _count"
        else:
            of = dict(metric.labels)
            for label, sign, value in MATCHER.findall(matchers):
                if label in TARGET_LABELS or label == "le" and metric.kind == "histogram":
                    continue
                for one in value.split("|") if "~" in sign else [value]:
                    if one not in of.get(label, []):
                        yield f'{where}: {name} has no {label}="{one}"'


def strings_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from strings_of(one)


def judge_alerts(doc, rules):
    alerts = set(re.findall(r"^ *- alert: (\w+)$", rules, re.MULTILINE))
    for name in sorted(alerts ^ set(ALERT.findall(doc))):
        yield f"{name}: " + (f"an alert that {DOC} does not name" if name in alerts else f"{DOC} names it, but there is no such alert")


def judge(metrics, reasons, doc, rules, dashboard, operations=""):
    yield from judge_metrics(metrics, doc)
    yield from judge_labels(metrics, reasons, doc)
    yield from judge_use(metrics, DOC, doc)
    yield from judge_use(metrics, OPERATIONS, operations)
    yield from judge_use(metrics, RULES, rules)
    yield from judge_use(metrics, DASHBOARD, "\n".join(strings_of(json.loads(dashboard))))
    yield from judge_alerts(doc, rules)


def self_test():
    metrics = {
        "warmpool_a_total": Metric("a", "warmpool_a_total", "counter", [("class", ["x", "y"]), ("reason", ["idle"])], "How many."),
        "warmpool_b_seconds": Metric("b", "warmpool_b_seconds", "histogram", [], "How long."),
    }
    reasons = {"none": "it goes on", "idle": "pool.idle"}
    doc = ("| `warmpool_a_total` | counter | `class`, `reason` | How many. | Alert WarmpoolHot |\n"
           "| `warmpool_b_seconds` | histogram | | How long. | |\n"
           "| `class` of `warmpool_a_total` | `x`, `y` |\n| `reason` of `warmpool_a_total` | the reasons below |\n"
           "| `idle` | `pool.idle` |\n")
    rules = '  - alert: WarmpoolHot\n    expr: rate(warmpool_a_total{class="x",job="w"}[5m]) > 0 and warmpool_b_seconds_count > 1\n'
    dashboard = json.dumps({"panels": [{"expr": 'warmpool_a_total{class=~"x|y"}'}]})
    slips = [
        ("metric missing", doc.replace("| `warmpool_b_seconds` | h", "| h"), rules, dashboard),
        ("metric twice", doc + "| `warmpool_b_seconds` | histogram | | How long. | |\n", rules, dashboard),
        ("unknown metric", doc + "| `warmpool_c` | gauge | | What. | |\n", rules, dashboard),
        ("type", doc.replace("counter", "gauge"), rules, dashboard),
        ("labels", doc.replace("`class`, `reason`", "`class`"), rules, dashboard),
        ("meaning", doc.replace("How many", "How few"), rules, dashboard),
        ("values", doc.replace("`x`, `y`", "`x`"), rules, dashboard),
        ("values missing", doc.replace("| `class` of", "| class of"), rules, dashboard),
        ("label unknown", doc + "| `kind` of `warmpool_a_total` | `x` |\n", rules, dashboard),
        ("reason missing", doc.replace("| `idle` |", "| idle |"), rules, dashboard),
        ("reason unknown", doc + "| `busy` | It is. |\n", rules, dashboard),
        ("reason's meaning", doc.replace("| `pool.idle` |", "| It is. |"), rules, dashboard),
        ("metric in the text", doc + "`warmpool_c_total`\n", rules, dashboard),
        ("metric in a rule", doc, rules.replace("warmpool_a_total", "warmpool_c_total"), dashboard),
        ("label in a rule", doc, rules.replace("class=", "kind="), dashboard),
        ("value in a rule", doc, rules.replace('"x"', '"z"'), dashboard),
        ("histogram in a rule", doc, rules.replace("_count", ""), dashboard),
        ("counter as histogram", doc, rules.replace("warmpool_a_total{", "warmpool_a_total_sum{"), dashboard),
        ("metric in the dashboard", doc, rules, dashboard.replace("_a_", "_c_")),
        ("value in the dashboard", doc, rules, dashboard.replace("x|y", "x|z")),
        ("metric in operations.md", doc, rules, dashboard, "warmpool_c_total"),
        ("alert not named", doc.replace("WarmpoolHot", ""), rules, dashboard),
        ("alert that is not there", doc + "WarmpoolCold\n", rules, dashboard),
    ]
    wrong = [f"not caught: {name}" for name, *texts in slips if not list(judge(metrics, reasons, *texts))]
    return wrong + list(judge(metrics, reasons, doc, rules, dashboard))


def check(root):
    yield from judge(declared(root), ends(root), *((root / name).read_text() for name in (DOC, RULES, DASHBOARD, OPERATIONS)))


def main():
    faults = self_test() if sys.argv[1:] == ["--self-test"] else list(check(pathlib.Path(sys.argv[1])))
    print("\n".join(faults) or "ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
