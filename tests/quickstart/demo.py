"""The demonstration behind ./quickstart: the same work directly and through warmpool, 40 ms away.

    demo.py --warmpool BINARY [--relay]

The line of 40 ms is a pair of network namespaces joined by TUN devices (tests/tools/wire.py) where this
machine lets us make them, and else a relay that delays bytes (tests/tools/relay.py); the output says which.
In the first case this program runs itself a second time, inside, with --inside.
"""
import argparse
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

import table
import workload

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "functional"))
from simctl import Control  # noqa: E402  (the path comes first)

PYTHON = "/usr/bin/python3"
ROUND_TRIP_MS = 40
POOL_SIZE = 25
_FAR = "198.51.100.2"
_FAR_PORT, _FAR_CONTROL_PORT = 443, 444
_START_S = 20
_WIRE_TEXT = "a slow line between two network namespaces: real packets, all of them delayed"
_RELAY_TEXT = ("a relay ({}): it delays the bytes of each direction,\n"
               "and the first of a connection by one round trip more, for the TCP handshake that it cannot delay")


class NotStarted(Exception):
    """A part of the demonstration did not come up."""


def main():
    options = parse_command_line()
    try:
        if options.inside:
            return compare(options, *inside_addresses(options), _WIRE_TEXT)
        with tempfile.TemporaryDirectory(prefix="warmpool-quickstart-") as directory:
            options.dir = pathlib.Path(directory)
            wire = None if options.relay else find_wire()
            return over_wire(options, wire) if wire else over_relay(options)
    except (NotStarted, workload.Failed) as error:
        print(f"\nThe demonstration failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parse_command_line():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warmpool", required=True, metavar="BINARY")
    parser.add_argument("--relay", action="store_true", help="the relay even where TUN devices are")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--dir", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser.parse_args()


# The line

def find_wire():
    """The command that leads into two joined namespaces, tried out; None where there is no way."""
    own = ["unshare", "--net", "--mount", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        own += ["--user", "--map-root-user", "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh"]
    way = [*own, PYTHON, "-B", str(TESTS / "tools" / "wire.py"), "--delay", str(ROUND_TRIP_MS / 2)]
    tried = subprocess.run([*way, "--", "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return way if tried.returncode == 0 else None


def over_wire(options, wire):
    server = simulator_command(options.dir, "--bind", _FAR, "--port", str(_FAR_PORT), "--control-bind", _FAR,
                               "--control-port", str(_FAR_CONTROL_PORT))
    on_peer = f"{shlex.join(server)} > {shlex.quote(str(options.dir / 'simulator'))}"
    again = [PYTHON, "-B", __file__, "--inside", "--warmpool", options.warmpool, "--dir", str(options.dir)]
    return subprocess.run([*wire, "--on-peer", on_peer, "--", *again], check=False).returncode


def inside_addresses(options):
    ready = first_json_line(options.dir / "simulator")
    return (_FAR, ready["port"]), (_FAR, ready["control_port"]), ready["ca_file"]


def over_relay(options):
    command = simulator_command(options.dir)
    with Background(command, options.dir / "simulator"):
        ready = first_json_line(options.dir / "simulator")
        relay = [PYTHON, "-B", str(TESTS / "tools" / "relay.py"), "--delay", str(ROUND_TRIP_MS / 2),
                 "--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{ready['port']}"]
        with Background(relay, options.dir / "relay"):
            port = first_json_line(options.dir / "relay")["port"]
            return compare(options, ("127.0.0.1", port), ("127.0.0.1", ready["control_port"]), ready["ca_file"],
                           _RELAY_TEXT.format("as asked for" if options.relay else "no TUN devices can be had here"))


def simulator_command(directory, *more):
    return [PYTHON, "-B", str(TESTS / "simulator" / "run"), "--dir", str(directory / "ca"), *more]


class Background:
    """A program that runs as long as the block, its output in a file."""

    def __init__(self, command, output):
        with open(output, "wb") as file:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def __enter__(self):
        return self

    def __exit__(self, *_failure):
        self.process.terminate()
        self.process.wait()


def first_json_line(path):
    text = wait_for(lambda: path.exists() and re.match(r"\{.*\}\n", path.read_text()), f"{path.name} did not start")
    return json.loads(text.group())


def wait_for(condition, complaint):
    deadline = time.monotonic() + _START_S
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise NotStarted(complaint)
        time.sleep(0.02)


# The two ways

def compare(options, api, control, ca_file, line):
    """Both ways, one after the other; prints what they came to. The exit status."""
    control = Control(*control)
    url = f"https://{api[0]}:{api[1]}"
    print(f"\nThe same work twice: {workload.WORKERS} workers at once, each submits one task and polls it to its answer.\n"
          f"Every call opens a connection of its own, as scripts do. The API is simulated, {ROUND_TRIP_MS} ms away by\n"
          f"{line}.\n")
    direct = measure(control, "directly to https://…", lambda: workload.run(url, ca_file, "direct"))
    pooled = measure(control, "through http:// warmpool", lambda: through_warmpool(options, url, ca_file))
    print()
    for row in table.lines(direct, pooled):
        print("  " + row)
    print()
    return verdict(direct, pooled, control.submits())


def measure(control, text, work):
    print(f"  {text + ' ':.<32} ", end="", flush=True)
    control.reset()
    started = time.monotonic()
    outcome = work()
    print(f"{time.monotonic() - started:.1f} s", flush=True)
    handshakes = control.counters()["handshakes"]
    return table.Way(outcome.calls, outcome.tasks, handshakes["full"] + handshakes["resumed"])


def through_warmpool(options, url, ca_file):
    log = options.dir / "warmpool"
    command = [options.warmpool, "run"]
    for setting in ("listen=127.0.0.1:0", "admin.listen=off", f"pool.size={POOL_SIZE}", f"upstream.url={url}",
                    f"upstream.ca_file={ca_file}"):
        command += ["--set", setting]
    with Background(command, log) as background:
        def ready():
            if background.process.poll() is not None:
                raise NotStarted(f"warmpool ended with {background.process.returncode}:\n{log.read_text()}")
            return re.search(r'ready listen="?([^\s"]+)', log.read_text())

        address = wait_for(ready, "warmpool does not get ready").group(1)
        return workload.run(f"http://{address}", ca_file, "pooled")


def verdict(direct, pooled, submits):
    """Says what does not hold of what README promises. The exit status."""
    faults = []
    if direct.handshakes != len(direct.calls):
        faults.append(f"{len(direct.calls)} direct calls made {direct.handshakes} handshakes, not one each")
    if pooled.handshakes > POOL_SIZE:
        faults.append(f"warmpool made {pooled.handshakes} handshakes with pool.size={POOL_SIZE}")
    if submits["twice"] or submits["total"] != workload.WORKERS:
        faults.append(f"{submits['total']} submits arrived through warmpool for {workload.WORKERS} tasks")
    for fault in faults:
        print(f"This is a fault: {fault}.", file=sys.stderr)
    if direct.median < table.EXPECTED_RATIO * pooled.median:
        print(f"A call should be {table.EXPECTED_RATIO} times shorter at the median. Was this machine busy? Run it again.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
