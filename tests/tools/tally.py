#!/usr/bin/python3
"""Counts what test runs have left behind, for the closing line of tests/run.

    tally.py RESULT...      prints PASSED FAILED SKIPPED

A RESULT is pytest's --junit-xml or meson's testlog.json. In meson's, a program of the library `check` counts with
the checks that it says it made; any other program, and one that ended before it said so, counts as one test. A
RESULT that is missing or broken off is one failure: a suite that did not run has not passed.
"""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree

_CHECKS = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.MULTILINE)
_SKIPPED = {"SKIP", "IGNORED"}
_GOOD = {"OK", "EXPECTEDFAIL"}


def main():
    totals = [0, 0, 0]
    for name in sys.argv[1:]:
        for index, count in enumerate(counts_of(pathlib.Path(name))):
            totals[index] += count
    print(*totals)


def counts_of(path):
    """(passed, failed, skipped)"""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        return from_pytest(text) if path.suffix == ".xml" else from_meson(text)
    except (OSError, ValueError, KeyError, xml.etree.ElementTree.ParseError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 0, 1, 0


def from_pytest(text):
    passed = failed = skipped = 0
    for suite in xml.etree.ElementTree.fromstring(text).iter("testsuite"):
        bad = int(suite.get("failures")) + int(suite.get("errors"))
        left_out = int(suite.get("skipped"))
        passed += max(0, int(suite.get("tests")) - bad - left_out)
        failed += bad
        skipped += left_out
    return passed, failed, skipped


def from_meson(text):
    results = [from_program(json.loads(line)) for line in text.splitlines() if line.strip()]
    return tuple(map(sum, zip(*results))) if results else (0, 1, 0)


def from_program(test):
    result = test["result"]
    if result in _SKIPPED:
        return 0, 0, 1
    passed, failed = (1, 0) if result in _GOOD else (0, 1)
    said = _CHECKS.search(test.get("stdout") or "")
    if said:
        checks, failures, errors = map(int, said.groups())
        # A sanitizer's word at the end comes after all checks passed.
        failed = max(failed, failures + errors)
        passed = max(0, checks - failed)
    return passed, failed, 0


if __name__ == "__main__":
    main()
