"""A burst after a quiet time that is longer than the upstream keeps a connection, over a line of 40 ms a round trip."""
import contextlib
import json
import statistics
import subprocess
import sys
import time

from clients import burst
from ground import ROOT
from proxies import ORDER, Proxy
from upstream import Upstream

SCRIPTS, DELAY_MS = 8, 20


class _Line:
    """tests/tools/relay.py before a port."""

    def __init__(self, port):
        self._process = subprocess.Popen(
            [sys.executable, ROOT / "tests/tools/relay.py", "--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{port}",
             "--delay", str(DELAY_MS)], stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self._process.stdout.readline())["port"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(20)
        self._process.stdout.close()


def _one_burst(proxy, upstream):
    opened = upstream.accepted()
    first = burst(proxy.port, SCRIPTS)
    time.sleep(1)  # so that connections opened behind it are counted too
    opened = upstream.accepted() - opened
    second = burst(proxy.port, SCRIPTS)
    return {"opened": opened, "median_ms": statistics.median(first), "worst_ms": max(first),
            "added_ms": statistics.median(first) - statistics.median(second)}


def measure(ground, quick):
    keep_s, quiet_s, rounds = (4, 6, 1) if quick else (10, 15, 5)
    with contextlib.ExitStack() as stack:
        stands = {}
        for kind in ORDER:
            upstream = stack.enter_context(Upstream(ground, keepalive=f"{keep_s}s {keep_s}s"))
            line = stack.enter_context(_Line(upstream.port))
            settings = {"pool.min_idle": SCRIPTS, "pool.max_connecting": SCRIPTS}
            proxy = stack.enter_context(Proxy(kind, ground, line.port, 25, settings=settings))
            proxy.wait_ready()
            burst(proxy.port, SCRIPTS)
            stands[kind] = proxy, upstream
        found = {kind: [] for kind in ORDER}
        for _ in range(rounds):
            time.sleep(quiet_s)
            for kind, (proxy, upstream) in stands.items():
                found[kind].append(_one_burst(proxy, upstream))
    return {"keep_s": keep_s, "quiet_s": quiet_s, "scripts": SCRIPTS, "round_trip_ms": 2 * DELAY_MS, "rounds": found}
