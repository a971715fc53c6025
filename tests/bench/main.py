"""tests/bench/run [--quick] [--rounds N] [--seconds N] [--only LOAD,…] [--write] [SECTION]...

Measures warmpool, nginx and HAProxy before one TLS upstream, in interleaved rounds, and prints medians, ratios and which of the
targets hold. It takes some 20 minutes; another load on the machine spoils it.

  SECTION       loads, growth, memory, quiet, starts, syscalls, instructions; all by default
  --quick       about a minute: one short round of a part of it; shows that the harness works, and no more
  --only        only these loads, in loads, syscalls and instructions (keepalive-1, keepalive-32, keepalive-200,
                keepalive-1000, new-32, form-16, upload-4, target-16)
  --write       put the tables and the plots into docs/performance.md
  --functions   with instructions: the dearest functions outside OpenSSL

The results are in build/bench/results.json; `report` as the only SECTION reports them again. WARMPOOL=FILE measures another binary.
"""
import argparse
import json
import pathlib
import platform
import subprocess
import sys

import callgrind
import growth
import loads
import memory
import plot
import quiet
import report
import starts
import system_calls
import targets
from ground import ROOT, Ground
from proxies import BINARY, ORDER, TITLES, Proxy
from upstream import Upstream

SECTIONS = ["loads", "growth", "memory", "quiet", "starts", "syscalls", "instructions"]
QUICK_LOADS = ["keepalive-32", "form-16"]
RESULTS = ROOT / "build" / "bench" / "results.json"
DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- figures: written by tests/bench/run --write -->\n", "<!-- end of figures -->\n"


def parse(arguments):
    parser = argparse.ArgumentParser(prog="tests/bench/run", usage=__doc__, add_help=False)
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--functions", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--only")
    options = parser.parse_args(arguments)
    unknown = set(options.sections) - {*SECTIONS, "report"} | set((options.only or "").split(",")) - {"", *loads.BY_KEY}
    if unknown:
        parser.error(f"no such section or load: {' '.join(sorted(unknown))}")
    options.command = " ".join(["tests/bench/run", *(word for word in arguments if word != "--write")])
    options.rounds = options.rounds or (1 if options.quick else 7)
    options.seconds = options.seconds or (1 if options.quick else 4)
    options.sections = options.sections or SECTIONS
    options.asked = options.only.split(",") if options.only else []
    options.only = options.asked if options.only else QUICK_LOADS if options.quick else list(loads.BY_KEY)
    return options


def progress(words):
    print(words, file=sys.stderr, flush=True)


def measure_load(ground, upstream, load, options):
    """kind → a result for each round. The order changes from round to round."""
    kinds = [*ORDER, *load.also]
    proxies = {kind: Proxy(kind, ground, upstream.port, load.pool, clients=load.clients + 1000, large_heads=load.kind == "target")
               for kind in kinds}
    found = {kind: [] for kind in kinds}
    try:
        for proxy in proxies.values():
            proxy.wait_ready()
            loads.drive(ground, proxy.port, load, 1)
            proxy.empty_output()
        for number in range(options.rounds):
            turn = number % len(kinds)
            for kind in kinds[turn:] + kinds[:turn]:
                found[kind].append(loads.measure(ground, proxies[kind], load, options.seconds))
    finally:
        for proxy in proxies.values():
            proxy.stop()
    return found


def measure_loads(ground, upstream, options):
    found = {}
    for key in options.only:
        found[key] = measure_load(ground, upstream, loads.BY_KEY[key], options)
        medians = ", ".join(f"{TITLES[kind]} {report.median(found[key][kind], 'cpu_us'):.1f}" for kind in ORDER)
        progress(f"  {key}: CPU µs a request {medians}; ratio {targets.ratio(found[key]):.2f}")
    return found


def measure(ground, upstream, section, options):
    asked = options.asked
    few = max(1, min(options.rounds, 3))
    return {
        "loads": lambda: measure_loads(ground, upstream, options),
        "growth": lambda: growth.measure(ground, upstream, options.quick, few, options.seconds),
        "memory": lambda: memory.measure(ground, upstream, options.quick),
        "quiet": lambda: quiet.measure(ground, options.quick),
        "starts": lambda: starts.measure(ground, upstream, options.quick),
        "syscalls": lambda: system_calls.measure(ground, upstream, options.quick, asked or system_calls.LOADS),
        "instructions": lambda: callgrind.measure(ground, upstream, options.quick, asked or [callgrind.LOAD]),
    }[section]()


def _first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return (done.stdout or done.stderr).partition("\n")[0].strip()


def describe():
    """What the figures were taken with: kinds and versions, no names."""
    model = next((line.partition(":")[2].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    cores = _first_line("nproc", "--all")
    ssl = _first_line("openssl", "version").split()
    versions = [_first_line(BINARY, "--version") + " at " + _first_line("git", "describe", "--always", "--dirty"),
                _first_line("nginx", "-v").replace("nginx version: nginx/", "nginx "),
                " ".join(_first_line("haproxy", "-v").split()[:3]).replace(" version", ""), " ".join(ssl[:2])]
    return {"machine": f"{cores} cores of {model}, Linux {platform.release().partition('-')[0]}", "versions": ", ".join(versions)}


def write_document(results):
    plots = []
    for section, title, make in (("loads", "CPU a request", plot.bars), ("growth", "CPU a request by idle clients", plot.lines)):
        if section in results:
            name = f"performance-{section}.svg"
            (DOCUMENT.parent / name).write_text(make(results[section]), encoding="utf-8")
            plots.append((title, name))
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    DOCUMENT.write_text(before + BEGIN + "\n" + report.document(results, plots) + "\n" + END + rest.split(END)[1], encoding="utf-8")


def main(arguments):
    options = parse(arguments)
    if options.sections == ["report"]:
        results = json.loads(RESULTS.read_text())
    else:
        results = {"command": options.command, **describe()}
        with Ground() as ground, Upstream(ground) as upstream:
            for section in options.sections:
                progress(f"{section} …")
                results[section] = measure(ground, upstream, section, options)
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1))
    print(report.tables(results))
    if options.functions and "instructions" in results:
        for key, rows in results["instructions"].items():
            for kind in ORDER:
                print(f"{key}, {TITLES[kind]}, instructions a request:\n{report.hot_functions(rows, kind)}\n")
    print("\n".join(targets.lines(results)))
    if options.write:
        write_document(results)


if __name__ == "__main__":
    main(sys.argv[1:])
