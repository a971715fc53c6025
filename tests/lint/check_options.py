"""Every option of src/config/options.def stands in docs/configuration.md and conf/warmpool.yaml, with its default.

The documentation must also give the range and the reload column that `warmpool options` prints.

    check_options.py ROOT WARMPOOL   ROOT: the repository, WARMPOOL: the built program
    check_options.py --self-test     shows that each slip is caught
"""
import pathlib
import re
import subprocess
import sys

# One line of `warmpool options`: OPTION  DEFAULT  ALLOWED  CHANGED BY SIGHUP; help lines are indented.
ROW = re.compile(r"^(\S+) {2,}(\S.*?) {2,}(\S.*?) {2,}(yes|no)$")
DECLARED = re.compile(r'\.key = "([^"]+)"')
DOC_ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| (.+?) \| (yes|no) \| .+ \|$")


def read_options(output):
    """key → (default, range, reload) from the program's own list."""
    options = {}
    for line in output.splitlines()[1:]:
        if not line.startswith(" "):
            key, default, allowed, reload = ROW.match(line).groups()
            options[key] = default, allowed, reload
    return options


def read_docs(text):
    rows = {}
    for line in text.splitlines():
        match = DOC_ROW.match(line)
        if match:
            key, default, allowed, reload = match.groups()
            if key in rows:
                raise SystemExit(f"docs/configuration.md: {key} stands there twice")
            rows[key] = (default.strip("`"), allowed, reload)
    return rows


def plain_value(text):
    """The text form of a YAML value of our own file: no list brackets, no quotes. Of rows it holds none: {}."""
    if text.strip() == "{}":
        return "(empty)"
    items = text.strip().removeprefix("[").removesuffix("]").split(",")
    return ", ".join(item.strip().strip('"') for item in items) or "(empty)"


def read_conf(text):
    """key → value. Only what our own file uses: options at the top, sections with indented options."""
    values = {}
    section = ""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indent, key, value = re.match(r"^( *)(\w+):(.*)$", line).groups()
        if not indent and not value.strip():
            section = key
        else:
            values[f"{section}.{key}" if indent else key] = plain_value(value)
    return values


def compare(options, declared, docs, conf):
    for key in sorted(set(declared) ^ set(options)):
        yield f"{key}: options.def and `warmpool options` differ; build anew"
    for key, row in options.items():
        if key not in docs:
            yield f"docs/configuration.md: {key} is missing; its row: {row}"
        elif docs[key] != row:
            yield f"docs/configuration.md: {key} is (default, range, reload) {docs[key]}, but must be {row}"
        if key not in conf:
            yield f"conf/warmpool.yaml: {key} is missing; its default: {row[0]}"
        elif conf[key] != row[0]:
            yield f"conf/warmpool.yaml: {key} is {conf[key]}, but its default is {row[0]}"
    for name, keys in (("docs/configuration.md", docs), ("conf/warmpool.yaml", conf)):
        for key in keys:
            if key not in options:
                yield f"{name}: {key} is no option"


def self_test():
    output = (
        "OPTION     DEFAULT   ALLOWED      CHANGED BY SIGHUP\n"
        "listen     a:1, b:2  list         no\n    Where.\n"
        "pool.size  25        1 to 10      yes\n    How\n    many.\n"
        "pool.name  (empty)   text         yes\n    Called.\n"
        "pool.rows  (empty)   rows of a 1  yes\n    By name.\n"
    )
    declared = ["listen", "pool.size", "pool.name", "pool.rows"]
    docs = (
        "| `listen` | `a:1, b:2` | list | no | Where. |\n"
        "| `pool.size` | `25` | 1 to 10 | yes | How many. |\n"
        "| `pool.name` | (empty) | text | yes | Called. |\n"
        "| `pool.rows` | (empty) | rows of a 1 | yes | By name. |\n"
    )
    conf = 'listen: [a:1, "b:2"]\npool:\n  # how many\n  size: 25\n  name: ""\n  rows: {}\n'
    slips = [
        ("row missing", docs.replace("| `listen`", "| listen"), conf, declared),
        ("default in docs", docs.replace("`25`", "`26`"), conf, declared),
        ("range in docs", docs.replace("1 to 10", "1 to 11"), conf, declared),
        ("reload in docs", docs.replace("| no |", "| yes |"), conf, declared),
        ("unknown in docs", docs + "| `pool.other` | `1` | text | no | What. |\n", conf, declared),
        ("key missing in conf", docs, conf.replace("  size: 25\n", ""), declared),
        ("default in conf", docs, conf.replace("25", "26"), declared),
        ("list in conf", docs, conf.replace('"b:2"', '"b:3"'), declared),
        ("rows in conf", docs, conf.replace("{}", "{a: {b: 1}}"), declared),
        ("unknown in conf", docs, conf + "  other: 1\n", declared),
        ("old build", docs, conf, declared + ["pool.new"]),
    ]
    options = read_options(output)
    wrong = [f"not caught: {name}" for name, d, c, o in slips if not list(compare(options, o, read_docs(d), read_conf(c)))]
    return wrong + list(compare(options, declared, read_docs(docs), read_conf(conf)))


def check(root, program):
    output = subprocess.run([program, "options"], check=True, capture_output=True, text=True, timeout=30).stdout
    declared = DECLARED.findall((root / "src/config/options.def").read_text())
    docs = read_docs((root / "docs/configuration.md").read_text())
    conf = read_conf((root / "conf/warmpool.yaml").read_text())
    yield from compare(read_options(output), declared, docs, conf)
    # The example is as good as the defaults it holds: no error, no warning.
    example = subprocess.run([program, "check", "-c", root / "conf/warmpool.yaml"], capture_output=True, text=True, timeout=30)
    yield from example.stderr.splitlines()


def main():
    faults = self_test() if sys.argv[1:] == ["--self-test"] else list(check(pathlib.Path(sys.argv[1]), sys.argv[2]))
    print("\n".join(faults) or "ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
