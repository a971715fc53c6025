"""A daemon in a network of its own: a slow line before the simulator, or a DNS server and addresses of the test's.

A test module is its own driver: the test runs the module a second time, as a program, inside. What a scenario
returns there comes back as JSON, and the test judges it.

    def burst(far):                        # inside
        with far.warmpool() as wp:
            return {"statuses": …}

    def test_a_burst_is_answered():        # outside
        result = distance.over_wire(__file__, "burst", delay_ms=20, simulator={"idle_timeout": 4})

    if __name__ == "__main__":
        distance.main(burst)

over_wire() puts the simulator, its control port too, at 198.51.100.2 behind tests/tools/wire.py: the scenario gets
a Far. apart() gives an empty network, with loopback up, and a resolv.conf that asks 127.0.0.53 alone. Both skip the
test where this machine gives no namespaces or no TUN devices.
"""
import functools
import json
import os
import pathlib
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from daemon import Warmpool
from simctl import Control

FAR = "198.51.100.2"
RESOLVER = "127.0.0.53"
_PORT, _CONTROL_PORT = 443, 444
_TESTS = pathlib.Path(__file__).resolve().parent.parent
_NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]
_APART = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
_LINE_TRIES = 15
_START_S = 20


# Outside

def over_wire(module, scenario, *, delay_ms, wire=(), simulator=None, timeout_s=110, **arguments):
    """Runs the module's scenario on this side of a line; the simulator with these options stands on the other."""
    way = _way_in()
    with tempfile.TemporaryDirectory(prefix="warmpool-far-") as folder:
        server = [sys.executable, "-B", str(_TESTS / "simulator" / "run"), "--dir", f"{folder}/ca", "--bind", FAR,
                  "--port", str(_PORT), "--control-bind", FAR, "--control-port", str(_CONTROL_PORT)]
        for name, value in (simulator or {}).items():
            server += ["--" + name.replace("_", "-"), str(value)]
        line = [*way, sys.executable, "-B", str(_TESTS / "tools" / "wire.py"), "--delay", str(delay_ms),
                *map(str, wire), "--on-peer", f"{shlex.join(server)} > {folder}/simulator 2>&1", "--"]
        try:
            return _run(line, module, scenario, {"folder": folder, **arguments}, timeout_s)
        finally:
            text = pathlib.Path(folder, "simulator").read_text(errors="replace")
            assert text.count("\n") <= 1, f"the simulator wrote: {text}"


def apart(module, scenario, *, timeout_s=110, **arguments):
    """Runs the module's scenario in an empty network whose only resolver is 127.0.0.53, port 53."""
    way = _way_in()
    with tempfile.NamedTemporaryFile("w", prefix="resolv-conf-") as resolv_conf:
        resolv_conf.write(f"nameserver {RESOLVER}\n")
        resolv_conf.flush()
        return _run([*way, "sh", "-c", _APART, "sh", resolv_conf.name], module, scenario, arguments, timeout_s)


@functools.cache
def _way_in():
    import pytest  # not needed inside

    if os.geteuid() == 0:
        way = _NAMESPACES
    else:
        way = [*_NAMESPACES, "--user", "--map-root-user", "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh"]
    tried = subprocess.run([*way, "sh", "-c", "mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && "
                            "ip netns add try && ip tuntap add try mode tun && "
                            "mount --bind /etc/hosts /etc/resolv.conf"],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no namespaces with TUN devices here: {tried.stderr.strip()}")
    return way


def _run(way, module, scenario, arguments, timeout_s):
    done = subprocess.run([*way, sys.executable, "-B", module, scenario, json.dumps(arguments)], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=timeout_s, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{scenario} ended with {done.returncode}:\n{done.stderr[-8000:]}")
    return json.loads(done.stdout.splitlines()[-1])


# Inside

def main(*scenarios):
    """The module as a program: runs the scenario that it was started for and prints what it returns."""
    wanted, arguments = sys.argv[1], json.loads(sys.argv[2])
    scenario = next(one for one in scenarios if one.__name__ == wanted)
    folder = arguments.pop("folder", None)
    given = [Far(folder)] if folder else []
    print(json.dumps(scenario(*given, **arguments)), flush=True)


class Far(Control):
    """The simulator behind the line, and the line itself; Warmpool takes it as its simulator."""

    port = _PORT

    def __init__(self, folder):
        ready = _ready_line(pathlib.Path(folder, "simulator"))
        self.ca_file = ready["ca_file"]
        super().__init__(FAR, ready["control_port"])

    def warmpool(self, **options):
        return Warmpool(self, **{"upstream": f"https://{FAR}:{{port}}", **options})


def _ready_line(path):
    """What the simulator says when it is ready: it listens a moment before."""
    deadline = time.monotonic() + _START_S
    while not (text := path.read_text()).endswith("\n"):
        assert time.monotonic() < deadline, f"the simulator is not ready: {text}"
        time.sleep(0.01)
    return json.loads(text)


def connect_ms(timeout_s=1.0):
    """One round trip over the line, kernel to kernel: a SYN there, its answer back. None: nothing came back."""
    with socket.socket() as sock:
        sock.settimeout(timeout_s)
        began = time.perf_counter()
        try:
            sock.connect((FAR, _CONTROL_PORT))
        except OSError:
            return None
        return (time.perf_counter() - began) * 1000


def round_trip_ms():
    """The line's own round trip, as the median of some."""
    return statistics.median(connect_ms() for _ in range(_LINE_TRIES))


def line_started_at():
    """When wire.py's --cut-after began to count, in time.monotonic()'s seconds."""
    return float(os.environ["WIRE_STARTED_AT"])
