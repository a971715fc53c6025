"""A crowd: one label that keeps a number of requests on their way or waiting, on connections of its own.

    with Crowd(wp, "crowd", 500) as crowd:
        crowd.wait(lambda: crowd.asked >= 500)
    crowd.statuses                          # Counter of what was answered
"""
import asyncio
import base64
import collections
import threading
import time

from replies import KEY


class Crowd:
    def __init__(self, wp, label, size, path="/res.php?action=getbalance"):
        self._address = wp.host, wp.port
        self._size = size
        credentials = base64.b64encode(f"{label}:".encode()).decode()
        self._request = (f"GET {path}&key={KEY} HTTP/1.1\r\nHost: localhost\r\n"
                         f"Authorization: Basic {credentials}\r\n\r\n").encode()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.asked = 0
        self.statuses = collections.Counter()

    async def _work(self):
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            while not self._stop.is_set():
                self.asked += 1
                writer.write(self._request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
                await reader.readexactly(length)
                self.statuses[int(head.split(b" ", 2)[1])] += 1
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()

    async def _run(self):
        tasks = [asyncio.ensure_future(self._work()) for _ in range(self._size)]
        while not self._stop.is_set():
            await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)

    @staticmethod
    def wait(condition, timeout=20):
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, "not so in time"
            time.sleep(0.01)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
