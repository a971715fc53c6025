"""Load on raw sockets: many clients at once, each checking that every answer is its own.

    result = run(wp, clients=1000, requests=3, hang_up=0.2)
    assert result.errors == [] and result.answered == 3000
"""
import asyncio
import collections
import json
import random

Result = collections.namedtuple("Result", "answered statuses hung_up errors")


class _State:
    def __init__(self):
        self.statuses = collections.Counter()
        self.hung_up = 0
        self.errors = []


async def _read_response(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    return status, head, await reader.readexactly(length)


def _check(state, status, body, token):
    state.statuses[status] += 1
    if status == 200 and json.loads(body)["target"] != f"/echo?token={token}":
        state.errors.append(f"{token} got another's answer: {body[:200]!r}")


async def _client(host, port, number, requests, hang_up, state):
    """One keep-alive client; it comes back on a new connection after a hang-up of its own."""
    writer = None
    dice = random.Random(number)
    for count in range(requests):
        token = f"{number}-{count}"
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection(host, port)
            writer.write(f"GET /echo?token={token} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await writer.drain()
            if dice.random() < hang_up:
                await asyncio.sleep(dice.random() * 0.01)
                state.hung_up += 1
                writer.transport.abort() if dice.random() < 0.5 else writer.close()
                writer = None
                continue
            status, head, body = await asyncio.wait_for(_read_response(reader), 60)
            _check(state, status, body, token)
            if b"\r\nconnection: close" in head.lower():
                writer.close()
                writer = None
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            state.errors.append(f"{token}: {error!r}")
            writer = None
    if writer is not None:
        writer.close()


async def _run(wp, clients, requests, hang_up, first):
    state = _State()
    await asyncio.gather(*(_client(wp.host, wp.port, first + n, requests, hang_up, state) for n in range(clients)))
    return Result(sum(state.statuses.values()), state.statuses, state.hung_up, state.errors)


def run(wp, clients, requests, hang_up=0.0, first=0):
    return asyncio.run(_run(wp, clients, requests, hang_up, first))
