"""Clients for the fault matrix: raw HTTP/1.1 over kept connections, and not one repeat of their own.

    load = Load(port)
    load.start()
    …
    await load.stop()
    load.outcomes           # what became of each request

A client submits a task by POST with a token of its own, then polls for it three times by GET. The simulated API says a task's token only
in the answer to its poll, so that an answer that went to another's request shows, a submit's as well as a poll's. What became of a request:

    good        its own answer
    passed      the API's own error status, or an answer that the API itself cut short, as it came
    told        an error of the proxy's own
    lost        nothing, or half an answer: the connection ended, was refused, or the patience did
    misplaced   another request's answer
"""
import asyncio
import itertools
import random
import socket
import struct
import time
from dataclasses import dataclass

KEY = "0123456789abcdef0123456789abcdef"
PASSED_BODY = b"slow down\n"     # of an error status that the API itself sends
PATIENCE_S = 15
_POLLS = 3
_ID_DIGITS = 8
_WRONG_ID = b"ERROR_WRONG_CAPTCHA_ID"
_numbers = itertools.count(1)


@dataclass
class Outcome:
    kind: str                    # submit, poll, or one of the companions
    uniq: str
    began: float
    ended: float
    what: str
    status: int
    detail: str


def new_uniq():
    return f"m{next(_numbers)}x{random.getrandbits(32):08x}"


def submit_request(uniq, method="POST", padding=0):
    form = f"key={KEY}&method=userrecaptcha&googlekey=k&pageurl=http://a.test&uniq={uniq}" + (f"&body={'b' * padding}" if padding else "")
    if method == "GET":
        return f"GET /in.php?{form} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    return (f"POST /in.php HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(form)}\r\n\r\n{form}").encode()


def poll_request(task, uniq):
    return f"GET /res.php?key={KEY}&action=get&id={task}&token={uniq} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


class Kept:
    """One client's connection, opened when there is none; ended by whoever ends it."""

    def __init__(self, port):
        self._port = port
        self.reader = self.writer = None

    async def ask(self, request):
        """(status, body, whether the proxy speaks for itself). Raises when there is no whole answer."""
        if self.writer is not None and (self.reader.at_eof() or self.writer.is_closing()):
            self.drop()
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        self.writer.write(request)
        status, fields, body, is_last = await read_answer(self.reader)
        if is_last:
            self.drop()
        return status, body, b"proxy-status" in fields

    def drop(self):
        if self.writer is not None:
            self.writer.transport.abort()
        self.reader = self.writer = None


async def read_answer(reader):
    """(status, fields by lower-cased name, body, whether the connection ends with it)."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if status >= 200:
            break
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    is_last = b"close" in fields.get(b"connection", b"") or head.startswith(b"HTTP/1.0")
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        body = await _read_chunks(reader)
    elif b"content-length" in fields:
        body = await reader.readexactly(int(fields[b"content-length"]))
    elif status in (204, 304):
        body = b""
    else:
        body, is_last = await reader.read(-1), True
    return status, fields, body, is_last


async def _read_chunks(reader):
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return body


def judge_submit(status, body):
    """(what, the task's number if there is one)"""
    if status != 200:
        return ("passed" if body == PASSED_BODY else "told"), None
    number = body.removeprefix(b"OK|")
    if number != body and number.isdigit():
        return ("good", number.decode()) if len(number) == _ID_DIGITS else ("passed", None)
    return "misplaced", None


def judge_poll(status, body, task, submitted):
    if status != 200:
        return "passed" if body == PASSED_BODY else "told"
    expected = f"OK|token-{task}-{submitted}".encode() if submitted else _WRONG_ID
    if body == expected:
        return "good"
    return "passed" if body and expected.startswith(body) else "misplaced"


class Load:
    """The clients; `pause_s` is the range of what they rest between an answer and the next request."""

    def __init__(self, port, clients=32, pause_s=(0.02, 0.06), method="POST", patience_s=PATIENCE_S):
        self._port, self._clients, self._pause_s = port, clients, pause_s
        self._method, self._patience_s = method, patience_s
        self._is_over = False
        self._tasks = []
        self.outcomes = []

    def start(self):
        self._tasks = [asyncio.create_task(self._live(number)) for number in range(self._clients)]

    async def stop(self):
        """No more requests; those under way are waited for."""
        self._is_over = True
        await asyncio.gather(*self._tasks)

    async def _live(self, number):
        dice = random.Random(number)
        kept = Kept(self._port)
        task, submitted = "1", None
        await asyncio.sleep(dice.random() * self._pause_s[1])
        for turn in itertools.count():
            if self._is_over:
                break
            uniq = new_uniq()
            if turn % (1 + _POLLS) == 0:
                made = await self._ask(kept, "submit", uniq, submit_request(uniq, self._method), judge_submit)
                if made is not None:
                    task, submitted = made, uniq
            else:
                await self._ask(kept, "poll", uniq, poll_request(task, uniq),
                                lambda *answer: (judge_poll(*answer, task, submitted), None))
            await asyncio.sleep(dice.uniform(*self._pause_s))
        kept.drop()

    async def _ask(self, kept, kind, uniq, request, judge):
        began, status, detail, found = time.monotonic(), 0, "", None
        try:
            status, body, is_ours = await asyncio.wait_for(kept.ask(request), self._patience_s)
            what, found = judge(status, body)
            detail = body[:60].decode("latin-1") if what != "good" else "" if not is_ours else "proxy-status"
        except (OSError, ValueError, IndexError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.TimeoutError) as error:
            what, detail = "lost", repr(error)[:100]
            kept.drop()
        self.outcomes.append(Outcome(kind, uniq, began, time.monotonic(), what, status, detail))
        return found


# Companions: clients that are a nuisance. Each is a coroutine that lives until `is_over` is set and adds to `outcomes`.

def _reset(writer):
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def slow_body(port, is_over, outcomes):
    """A submit whose body comes in pieces, over more than a second."""
    while not is_over.is_set():
        uniq, began = new_uniq(), time.monotonic()
        request = submit_request(uniq, padding=100_000)
        status, what, detail = 0, "lost", ""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for at in range(0, len(request), 4000):
                writer.write(request[at:at + 4000])
                await asyncio.sleep(0.05)
            status, _, body, _ = await asyncio.wait_for(read_answer(reader), PATIENCE_S)
            what = judge_submit(status, body)[0]
            writer.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            detail = repr(error)[:100]
        outcomes.append(Outcome("slow body", uniq, began, time.monotonic(), what, status, detail))


async def slow_reader(port, is_over, outcomes):
    """Takes a megabyte in small pieces."""
    size = 1_000_000
    while not is_over.is_set():
        began, status, what, detail = time.monotonic(), 0, "lost", ""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=16384)
            writer.write(f"GET /bytes/{size} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
            status, left = int(head.split(b" ", 2)[1]), size
            while left and status == 200:
                piece = await asyncio.wait_for(reader.read(min(left, 16384)), PATIENCE_S)
                if not piece:
                    raise EOFError(f"{left} bytes are missing")
                left -= len(piece)
                await asyncio.sleep(0.02)
            what = "good" if status == 200 else "told"
            writer.transport.abort()
        except (OSError, EOFError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            detail = repr(error)[:100]
        outcomes.append(Outcome("slow reader", "", began, time.monotonic(), what, status, detail))


async def quitter(port, is_over, outcomes):
    """Submits and polls, and hangs up before the answer: by FIN or by RST, waiting in the queue or on the way."""
    dice = random.Random(len(outcomes))
    while not is_over.is_set():
        uniq, began = new_uniq(), time.monotonic()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(submit_request(uniq) if dice.random() < 0.5 else poll_request("1", uniq))
            await asyncio.sleep(dice.random() * 0.06)
            if dice.random() < 0.5:
                writer.close()
            else:
                _reset(writer)
        except OSError:
            pass
        outcomes.append(Outcome("quitter", uniq, began, time.monotonic(), "passed", 0, ""))
        await asyncio.sleep(dice.random() * 0.01)


async def dead_reader(port, is_over, outcomes):
    """Asks for 3 MB, takes nothing of it, and is reset some time later."""
    while not is_over.is_set():
        began = time.monotonic()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(b"GET /bytes/3000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await asyncio.sleep(0.3)
            _reset(writer)
        except OSError:
            pass
        outcomes.append(Outcome("dead reader", "", began, time.monotonic(), "passed", 0, ""))


async def newcomer(port, is_over, outcomes):
    """A poll on a connection of its own each time."""
    kept = Kept(port)
    while not is_over.is_set():
        began, status, what, detail = time.monotonic(), 0, "lost", ""
        try:
            status, body, _ = await asyncio.wait_for(kept.ask(poll_request("1", new_uniq())), PATIENCE_S)
            what = judge_poll(status, body, "1", None)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            detail = repr(error)[:100]
        kept.drop()
        outcomes.append(Outcome("newcomer", "", began, time.monotonic(), what, status, detail))
        await asyncio.sleep(0.05)


async def uploader(port, is_over, outcomes):
    """Submits of a megabyte, one after the other."""
    kept = Kept(port)
    while not is_over.is_set():
        uniq, began, status, what, detail = new_uniq(), time.monotonic(), 0, "lost", ""
        try:
            status, body, _ = await asyncio.wait_for(kept.ask(submit_request(uniq, padding=1_000_000)), PATIENCE_S)
            what = judge_submit(status, body)[0]
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            detail = repr(error)[:100]
            kept.drop()
        outcomes.append(Outcome("uploader", uniq, began, time.monotonic(), what, status, detail))
        await asyncio.sleep(0.02)
    kept.drop()
