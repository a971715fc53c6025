"""Many, slow and large clients: what they cost the memory, and those beside them.

16 clients poll with a rest between two polls; their p99 before and during the flood is compared. The upstream is an nginx that answers
after 20 ms (auth_delay: it has no other delay), because a 2 MiB target costs a server in Python so much that others wait for it there.
The flood comes from a process of its own that has a low priority, so that it takes what CPU the others leave. Memory is what the proxy has
for itself alone, at its highest, above what it had before.
"""
import asyncio
import contextlib
import multiprocessing
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

import accounting
import fault_proxies
from fault_clients import Kept, poll_request, new_uniq
from ground import _make_certificates, free_port

_OBSERVERS = 16
_DELAY_MS = 20
_CALM_S, _FLOOD_S = 5.0, 6.0
_OPTIONS = {"limits.clients": 12000}
_BUFFERED_MB = 512               # limits.buffered by default
_MEMORY_MB = 64                  # above it
_P99_FACTOR = 2
_QUIET_FACTOR = 2                # of the upstream's delay; a normal p99 above that is the machine's

_UPSTREAM = """
daemon off;
worker_processes 1;
pid {directory}/upstream.pid;
error_log {directory}/upstream.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  large_client_header_buffers 4 4m;
  client_body_temp_path {directory}/bodies;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  default_type text/plain;
  ssl_certificate {directory}/server.pem;
  ssl_certificate_key {directory}/server.key;
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096;
    location / {{
      auth_basic api;
      auth_basic_user_file {directory}/nobody;
      auth_delay {delay}ms;
      error_page 401 =200 @late;
    }}
    location @late {{ return 200 "CAPCHA_NOT_READY"; }}
  }}
}}
"""


class Upstream:
    """Has what the proxies want of a simulator: port, ca_file."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="flood-upstream-")
        directory = pathlib.Path(self._folder.name)
        directory.chmod(0o755)
        _make_certificates(directory)
        (directory / "nobody").write_text("")
        self.port, self.ca_file = free_port(), str(directory / "ca.pem")
        (directory / "conf").write_text(_UPSTREAM.format(directory=directory, port=self.port, delay=_DELAY_MS))
        self._process = subprocess.Popen([shutil.which("nginx"), "-c", directory / "conf", "-e", "stderr"], stdin=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(20)
        self._folder.cleanup()


# The floods: coroutines that run until they are ended with their process, and set `stands` when the flood is there.

async def _hold(port, count, first):
    """So many connections, each of which has sent this."""
    found = []
    for at in range(0, count, 100):
        found += await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(min(100, count - at))))
    for _, writer in found:
        writer.write(first)
    return found


async def slowloris(port, stands):
    held = await _hold(port, 2000, b"GET /res.php?action=get HTTP/1.1\r\nHost: localhost\r\n")
    stands.set()
    while True:
        for number, (_, writer) in enumerate(held):
            if writer.is_closing() or held[number][0].at_eof():
                with contextlib.suppress(OSError):
                    held[number] = (await _hold(port, 1, b"GET / HTTP/1.1\r\n"))[0]
            else:
                writer.write(b"X-A: b\r\n")
            if number % 20 == 0:
                await asyncio.sleep(0.01)


async def idle(port, stands):
    held = await _hold(port, 10_000, b"")
    stands.set()
    await asyncio.sleep(3600)
    print(len(held))


async def headers(port, stands):
    """200 clients, each sends a head without an end as fast as it is taken, and comes again when refused."""
    fields = b"".join(b"X-Field-%05d: %s\r\n" % (number, b"v" * 200) for number in range(500))

    async def client():
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
                for _ in range(20):
                    writer.write(fields)
                    await asyncio.wait_for(writer.drain(), 10)
                await asyncio.wait_for(reader.read(4096), 10)
                writer.transport.abort()
            await asyncio.sleep(0.01)
    stands.set()
    await asyncio.gather(*(client() for _ in range(200)))


async def targets(port, stands):
    """200 clients that have each sent nearly all of a target of 2 MiB; one after the other sends the rest, and begins anew."""
    target = b"/in.php?key=0123456789abcdef0123456789abcdef&method=base64&body=" + b"b" * ((2 << 20) - 100)
    request = b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    most, rest = request[:-1000], request[-1000:]

    async def opened():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(most)
        await asyncio.wait_for(writer.drain(), 60)
        return reader, writer

    async def one(held, number):
        reader, writer = held[number]
        try:
            writer.write(rest)
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            pass
        writer.transport.abort()
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            held[number] = await opened()

    held = [await opened() for _ in range(200)]
    stands.set()
    while True:
        for number in range(len(held)):
            await asyncio.gather(one(held, number), asyncio.sleep(0.02))


@dataclass(frozen=True)
class Flood:
    name: str
    title: str
    work: object


FLOODS = (
    Flood("slowloris", "2,000 clients that send a header now and then, and never the last", slowloris),
    Flood("idle", "10,000 idle connections", idle),
    Flood("headers", "200 clients with headers without an end", headers),
    Flood("targets", "a target of 2 MiB by 200 clients at once, 30 to 50 of them done a second", targets),
)
BY_NAME = {flood.name: flood for flood in FLOODS}


def _flood_process(work, port, stands):
    os.nice(10)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(work(port, stands))


# Those beside it

async def _observe(port, seconds, delays):
    """Milliseconds of each poll; None: it failed."""
    until = time.monotonic() + seconds

    async def client(number):
        kept = Kept(port)
        await asyncio.sleep(number * 0.003)
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                status = (await asyncio.wait_for(kept.ask(poll_request("1", new_uniq())), 20))[0]
                delays.append((time.monotonic() - began) * 1000 if status == 200 else None)
            except (OSError, ValueError, IndexError, asyncio.IncompleteReadError, asyncio.TimeoutError):
                delays.append(None)
                kept.drop()
            await asyncio.sleep(0.02)
        kept.drop()
    await asyncio.gather(*(client(number) for number in range(_OBSERVERS)))


def _p99(delays):
    good = sorted(one for one in delays if one is not None)
    return good[int(len(good) * 0.99)] if good else float("inf")


class _Memory(threading.Thread):
    def __init__(self, proxy):
        super().__init__(daemon=True)
        self._proxy, self._is_over, self.most_kb = proxy, threading.Event(), 0

    def run(self):
        while not self._is_over.wait(0.1):
            with contextlib.suppress(OSError):
                self.most_kb = max(self.most_kb, accounting.private_kb(self._proxy.pids()))

    def stop(self):
        self._is_over.set()
        self.join()
        return self.most_kb


def measure(flood, kind, upstream):
    proxy = fault_proxies.make(kind, upstream, "localhost", {}, _OPTIONS)
    normal, during = [], []
    context = multiprocessing.get_context("spawn")
    stands = context.Event()
    try:
        asyncio.run(_observe(proxy.port, _CALM_S, normal))
        before_kb = accounting.private_kb(proxy.pids())
        memory = _Memory(proxy)
        memory.start()
        process = context.Process(target=_flood_process, args=(flood.work, proxy.port, stands), daemon=True)
        process.start()
        there = stands.wait(60)
        asyncio.run(_observe(proxy.port, _FLOOD_S, during))
        process.terminate()
        process.join()
        most_kb = memory.stop()
    finally:
        crash = proxy.stop()
    return {"title": flood.title, "normal_ms": _p99(normal), "p99_ms": _p99(during), "polls": len(during),
            "failed": during.count(None), "memory_mb": max(0, most_kb - before_kb) / 1024, "there": there, "crash": crash}


def run(kinds, only, progress):
    """name of the flood → kind → figures"""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found = {}
    wanted = [flood for flood in FLOODS if not only or flood.name in only]
    if not wanted:
        return found
    with Upstream() as upstream:
        for flood in wanted:
            for kind in kinds:
                one = found.setdefault(flood.name, {})[kind] = measure(flood, kind, upstream)
                progress(f"{flood.name:18} {kind:9} p99 {one['p99_ms']:.1f} ms, normal {one['normal_ms']:.1f} ms; {one['failed']} of "
                         f"{one['polls']} failed; +{one['memory_mb']:.0f} MiB {one['crash']}")
    return found


def is_quiet(one):
    """Whether the machine had nothing else to do before the flood: else p99 says nothing."""
    return one["normal_ms"] < _QUIET_FACTOR * _DELAY_MS


def problems(one):
    """What should have held and did not, in words."""
    if one is None:
        return []
    found = [] if one["there"] else ["the flood did not come about"]
    if one["crash"]:
        found.append(f"crashed: {one['crash']}")
    if one["failed"]:
        found.append(f"{one['failed']} polls beside it failed")
    if is_quiet(one) and one["p99_ms"] >= _P99_FACTOR * one["normal_ms"]:
        found.append(f"p99 {one['p99_ms']:.1f} ms, normal is {one['normal_ms']:.1f} ms")
    if one["memory_mb"] > _BUFFERED_MB + _MEMORY_MB:
        found.append(f"{one['memory_mb']:.0f} MiB more memory")
    return found
