"""tests/bench/reliability [--proxies KIND,…] [--only CASE,…] [--submit-by GET] [--write] [--list] [SECTION]...

Breaks the upstream, the line, the machine and the clients under the load of 32 clients, and counts what becomes of each request: through
warmpool, nginx and HAProxy before the same simulated API. 5 minutes a proxy. The exit status is 1 when something does not hold for warmpool.

  SECTION       matrix: the faults; floods: many, slow and large clients; both by default; soak: warmpool alone, at half load, with random
                faults; report: the last results again
  --minutes     of the soak; 30 by default
  --proxies     warmpool, nginx, haproxy; all by default
  --only        only these cases or floods; --list names them
  --update      put what is measured now among the last results, in place of the same there
  --submit-by   POST, by default, or GET, by which most scripts submit
  --write       put the tables into docs/reliability.md

The results are in build/bench/reliability.json and soak.json. WARMPOOL=FILE takes another binary. tests/bench/soak [MINUTES] is the soak.
"""
import argparse
import dataclasses
import json
import os
import sys

import fault_cases
import fault_matrix
import fault_report
import floods
import soak
from fault_matrix import Ground, Result
from fault_proxies import KINDS, TITLES


def parse(arguments):
    parser = argparse.ArgumentParser(prog="tests/bench/reliability", usage=__doc__, add_help=False)
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--proxies", default=",".join(KINDS))
    parser.add_argument("--only", default="")
    parser.add_argument("--submit-by", default="POST", choices=("POST", "GET"))
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args(arguments)
    options.command = " ".join(["tests/bench/reliability", *(word for word in arguments if word != "--write")])
    options.proxies = options.proxies.split(",")
    options.only = [name for name in options.only.split(",") if name]
    options.sections = options.sections or ["matrix", "floods"]
    if "soak" in options.sections and options.sections != ["soak"]:
        parser.error("soak goes alone")
    unknown = ({*options.sections} - {"matrix", "floods", "soak", "report"} | {*options.proxies} - {*KINDS}
               | {*options.only} - {*fault_cases.BY_NAME, *floods.BY_NAME})
    if unknown:
        parser.error(f"no such section, proxy or case: {' '.join(sorted(unknown))}")
    return options


def progress(words):
    print(words, file=sys.stderr, flush=True)


def run_matrix(options, results):
    """Fills results["matrix"], name of the case → kind → result, and keeps it after each."""
    found = results.setdefault("matrix", {})
    with Ground(names=True) as ground:
        for case in fault_cases.CASES:
            if options.only and case.name not in options.only:
                continue
            for kind in options.proxies:
                if kind not in case.only:
                    continue
                if case.needs == "wire":
                    result = fault_matrix.over_wire(case, kind, options.submit_by)
                elif ground.can(case):
                    result = ground.run(case, kind, method=options.submit_by)
                else:
                    progress(f"{case.name}: this machine has no {case.needs}")
                    continue
                found.setdefault(case.name, {})[kind] = dataclasses.asdict(result)
                fault_report.keep(results)
                progress(f"{case.name:18} {TITLES[kind]:9} {fault_report.cell(result)}"
                         + ("".join(f"\n    {words}: {count}" for words, count in result.said.items())
                            + f"\n    -> {'; '.join(wrong)}" if (wrong := fault_matrix.problems(case, result)) and kind == "warmpool" else ""))


def broken(results):
    """What should have held for warmpool and did not."""
    found = []
    for name, by_kind in results.get("matrix", {}).items():
        if "warmpool" in by_kind:
            found += [f"{name}: {words}" for words in fault_matrix.problems(fault_cases.BY_NAME[name], Result(**by_kind["warmpool"]))]
    for name, by_kind in results.get("floods", {}).items():
        found += [f"{name}: {words}" for words in floods.problems(by_kind.get("warmpool"))]
    return found + results.get("soak", {}).get("wrong", [])


def main(arguments):
    options = parse(arguments)
    if options.list:
        print("\n".join(f"{case.name:18} {case.title}" for case in (*fault_cases.CASES, *floods.FLOODS)))
        return 0
    if options.sections == ["report"]:
        results = json.loads(fault_report.RESULTS.read_text())
    elif options.sections == ["soak"]:
        results = {"command": options.command, "soak": soak.run(options.minutes, progress)}
        fault_report.keep(results, fault_report.SOAK)
    else:
        results = json.loads(fault_report.RESULTS.read_text()) if options.update else {"command": options.command}
        if "matrix" in options.sections:
            run_matrix(options, results)
        if "floods" in options.sections:
            for name, by_kind in floods.run(options.proxies, options.only, progress).items():
                results.setdefault("floods", {}).setdefault(name, {}).update(by_kind)
        fault_report.keep(results)
    print(fault_report.document(results))
    wrong = broken(results)
    print("\n".join(f"does not hold: {words}" for words in wrong) or "all holds")
    if options.write:
        fault_report.write(results)
    return 1 if wrong else 0


if __name__ == "__main__":
    os.environ.pop("http_proxy", None)
    sys.exit(main(sys.argv[1:]))
