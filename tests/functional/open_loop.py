"""Polls at a steady rate, whatever becomes of them: what a crowd of scripts looks like to the daemon.

    with OpenLoop(wp, per_second=200) as loop:
        …                                  # break something, mend it
    loop.polls                             # every one: began, took, status, headers

Each poll is due at its own time and never waits for another: those that find no kept connection free open one.
Times are of time.monotonic().
"""
import asyncio
import collections
import threading
import time

Poll = collections.namedtuple("Poll", "began took status head")
_HEAD = "GET /res.php?key=k&action=get&id={} HTTP/1.1\r\nHost: localhost\r\n\r\n"


class OpenLoop:
    def __init__(self, wp, per_second):
        self._address = wp.host, wp.port
        self._interval = 1 / per_second
        self._free = []
        self._stop = threading.Event()
        self.polls = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _ask(self, number):
        began = time.monotonic()
        status, head = 0, b""
        try:
            reader, writer = self._free.pop() if self._free else await asyncio.open_connection(*self._address)
            writer.write(_HEAD.format(number).encode())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            status = int(head.split(b" ", 2)[1])
            fields = head.lower()
            length = int(fields.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            if b"connection: close" in fields:
                writer.close()
            else:
                self._free.append((reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            head = repr(error).encode()
        self.polls.append(Poll(began, time.monotonic() - began, status, head))

    async def _run(self):
        tasks = set()
        due = time.monotonic()
        number = 0
        while not self._stop.is_set():
            number += 1
            task = asyncio.ensure_future(self._ask(number))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            due += self._interval
            await asyncio.sleep(max(0, due - time.monotonic()))
        await asyncio.gather(*tasks)
        for _, writer in self._free:
            writer.close()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
