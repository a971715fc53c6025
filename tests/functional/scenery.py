"""A working day in minutes: labelled scripts that submit tasks and poll them, more and less busily, while the API has its moments.

    with Scenery(wp, sim, delay_ms=120):
        …                                  # look at the admin interface

Each worker of a script submits, polls each second until the task is solved, rests, and begins anew. A wave makes all of them busier and
calmer. Every CYCLE_S the API loses an answer to a submit, becomes slow for a while and ends what is idle, and a script leaves
before its answer.
"""
import asyncio
import base64
import collections
import contextlib
import itertools
import math
import random
import threading
import time

from replies import KEY

Script = collections.namedtuple("Script", "label workers rest_s")

SCRIPTS = [Script("crawler", 40, 2), Script("price-watch", 22, 3), Script("ticket-alerts", 14, 4), Script("archive", 6, 5),
           Script("link-check", 2, 8)]
CYCLE_S = 290
WAVE_S = CYCLE_S / 2


class Scenery:
    def __init__(self, wp, sim, delay_ms, scripts=None):
        self._address = wp.host, wp.port
        self._sim, self._delay_ms = sim, delay_ms
        self._scripts = scripts or SCRIPTS
        self._numbers = itertools.count(1)
        self._began = time.monotonic()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def _calm(self):
        """By how much longer one rests now than on average."""
        return 1 - 0.7 * math.sin((time.monotonic() - self._began) * 2 * math.pi / WAVE_S)

    async def _ask(self, streams, script, target):
        reader, writer = streams
        credentials = base64.b64encode(f"{script.label}:".encode()).decode()
        writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        body = await reader.readexactly(length)
        if b"\r\nconnection: close" in head.lower():
            raise ConnectionResetError
        return body.decode()

    async def _task(self, streams, script):
        """One task, from its submit to its answer."""
        uniq = f"{script.label}x{next(self._numbers)}"
        answer = await self._ask(streams, script, f"/in.php?key={KEY}&method=userrecaptcha&googlekey=k&uniq={uniq}")
        while answer.startswith("OK|") and not self._is_over.is_set():
            await asyncio.sleep(1)
            if await self._ask(streams, script, f"/res.php?key={KEY}&action=get&id={answer[3:]}") != "CAPCHA_NOT_READY":
                return

    async def _work(self, script, seed):
        dice = random.Random(seed)
        await asyncio.sleep(dice.random() * script.rest_s)
        while not self._is_over.is_set():
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                streams = await asyncio.open_connection(*self._address)
                with contextlib.closing(streams[1]):
                    while not self._is_over.is_set():
                        await self._task(streams, script)
                        await asyncio.sleep(dice.expovariate(1 / script.rest_s) * self._calm())

    async def _leave(self):
        """A script that submits and does not wait for the answer."""
        with contextlib.suppress(asyncio.TimeoutError, OSError):
            streams = await asyncio.open_connection(*self._address)
            with contextlib.closing(streams[1]):
                left = f"/in.php?key={KEY}&method=userrecaptcha&googlekey=k&uniq=leftx{next(self._numbers)}"
                await asyncio.wait_for(self._ask(streams, self._scripts[0], left), 0.08)

    async def _events(self):
        moments = [(40, lambda: self._sim.fault(action="close", path="/in.php")),
                   (180, lambda: self._sim.set(delay_ms=1.8 * self._delay_ms)),
                   (200, lambda: self._sim.set(delay_ms=self._delay_ms)),
                   (255, None),
                   (270, lambda: self._sim.refuse(seconds=1)), (270.5, self._sim.close_idle)]
        for cycle in itertools.count():
            for at, act in moments:
                while time.monotonic() < self._began + cycle * CYCLE_S + at:
                    if self._is_over.is_set():
                        return
                    await asyncio.sleep(0.2)
                await (asyncio.to_thread(act) if act else self._leave())

    async def _run(self):
        workers = [self._work(script, f"{script.label}{n}") for script in self._scripts for n in range(script.workers)]
        await asyncio.gather(self._events(), *workers)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()
