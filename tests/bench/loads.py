"""The loads, and what one of them costs a proxy.

CPU is taken over the whole run of wrk, its connects included, and divided by the requests that wrk counted.
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import time

import accounting
from proxies import UNBOUNDED

_SCRIPT = pathlib.Path(__file__).resolve().parent / "load.lua"


@dataclasses.dataclass
class Load:
    key: str
    title: str
    kind: str
    clients: int
    pool: int
    bytes: int = 0
    also: tuple = ()   # proxies beside the usual three


LOADS = [
    Load("keepalive-1", "keep-alive, 1 client", "poll", 1, 4),
    Load("keepalive-32", "keep-alive, 32 clients", "poll", 32, 32),
    Load("keepalive-200", "keep-alive, 200 clients", "poll", 200, 50),
    Load("keepalive-1000", "keep-alive, 1000 clients", "poll", 1000, 50, also=(UNBOUNDED,)),
    Load("new-32", "new connection a request, 32 clients", "poll-new", 32, 32),
    Load("form-16", "POST of 50 KB, 16 clients", "form", 16, 16, 50_000),
    Load("upload-4", "multipart of 1 MB, 4 clients", "multipart", 4, 4, 1_000_000),
    Load("target-16", "target of 100 KB, 16 clients", "target", 16, 16, 100_000),
]
BY_KEY = {load.key: load for load in LOADS}


def _wrk(ground, port, load, seconds):
    command = ["wrk", "-t", "1", "-c", str(load.clients), "-d", f"{seconds}s", "--timeout", "60s", "-s", str(_SCRIPT),
               f"http://127.0.0.1:{port}/", "--", load.kind, str(load.bytes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            preexec_fn=lambda: os.sched_setaffinity(0, {ground.load_core}))


def _result(process, timeout_s):
    output = process.communicate(timeout=timeout_s)[0]
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"wrk failed: {output}")
    return json.loads(lines[-1])


def drive(ground, port, load, seconds):
    """One run of wrk: its requests, seconds, p50_us, p99_us, errors."""
    return _result(_wrk(ground, port, load, seconds), seconds + 120)


@contextlib.contextmanager
def under(ground, port, load, seconds, settle_s):
    """The block runs while the load does, once its connections stand; seconds: longer than the block needs."""
    process = _wrk(ground, port, load, seconds + settle_s)
    try:
        time.sleep(settle_s)
        yield
    finally:
        process.kill()
        process.communicate()


def measure(ground, proxy, load, seconds):
    """drive(), and per request: user_us, system_us, cpu_us, page faults. others: the share of its core that others took."""
    pids = proxy.pids()
    used, busy, faults = accounting.usage(pids), accounting.busy_s(ground.proxy_core), accounting.page_faults(pids)
    result = drive(ground, proxy.port, load, seconds)
    used, busy = accounting.usage(pids) - used, accounting.busy_s(ground.proxy_core) - busy
    requests = max(result["requests"], 1)
    parts = max(used.user + used.system, 1e-9)
    result["cpu_us"] = used.total * 1e6 / requests
    result["user_us"] = result["cpu_us"] * used.user / parts
    result["system_us"] = result["cpu_us"] * used.system / parts
    result["faults"] = (accounting.page_faults(pids) - faults) / requests
    result["per_second"] = result["requests"] / result["seconds"]
    result["private_kb"] = accounting.private_kb(pids)
    result["others"] = min(max(busy - used.total, 0) / result["seconds"], 1)
    if proxy.kind == "warmpool" and proxy.empty_output() < result["requests"] * 40:
        result["log_is_short"] = True
    return result
