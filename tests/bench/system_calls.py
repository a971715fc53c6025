"""System calls a request, counted by strace -c."""
import pathlib
import re
import signal
import subprocess
import time

from loads import BY_KEY, under
from proxies import ORDER, Proxy

LOADS = ["keepalive-1", "keepalive-32"]  # what is measured unless others are asked for
# calls, errors (may be missing), name
_ROW = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$")


def _is_traced(pid):
    return "TracerPid:\t0" not in pathlib.Path(f"/proc/{pid}/status").read_text()


def _attach(pid, output):
    tracer = subprocess.Popen(["strace", "-c", "-f", "-qq", "-o", output, "-p", str(pid)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not _is_traced(pid):
        if tracer.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("strace could not attach")
        time.sleep(0.01)
    return tracer


def _count(ground, upstream, proxy, load, seconds):
    """System call → how many a request."""
    output = ground.path("strace.out")
    with under(ground, proxy.port, load, seconds + 30, 1):
        tracer = _attach(proxy.pids()[-1], output)  # nginx: its worker
        requests = upstream.answered()
        time.sleep(seconds)
        requests = upstream.answered() - requests
        tracer.send_signal(signal.SIGINT)
        tracer.wait(20)
    rows = [_ROW.match(line) for line in output.read_text().splitlines()]
    return {row.group(2): int(row.group(1)) / requests for row in rows if row and row.group(2) != "total"}


def measure(ground, upstream, quick, keys):
    """load → proxy → system call → how many a request."""
    found = {}
    for key in keys:
        found[key] = {}
        for kind in ORDER:
            load = BY_KEY[key]
            with Proxy(kind, ground, upstream.port, load.pool, clients=load.clients + 1000,
                       large_heads=load.kind == "target") as proxy:
                proxy.wait_ready()
                found[key][kind] = _count(ground, upstream, proxy, load, 1 if quick else 5)
    return found
