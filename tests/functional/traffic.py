"""Keep-alive clients on raw sockets, each with a rhythm of its own, and what became of each of their requests.

    clients = [traffic.Client("a", "/res.php", lambda dice: dice.uniform(0, 0.1))]
    outcomes = asyncio.run(traffic.run(wp, clients, during=asyncio.sleep(60)))

A request's `status` is 0 when it got no answer, `error` says why then. Times are those of time.monotonic().
"""
import asyncio
import collections
import random
import time

from replies import KEY

# path: where it goes; pause(dice): seconds between an answer and the next request; patience_s: then it hangs up and
# counts the request as unanswered. beat: clients of the same one draw the same pauses, and so ask in step.
Client = collections.namedtuple("Client", "name path pause patience_s beat", defaults=[60, ""])
Outcome = collections.namedtuple("Outcome", "name path uniq began ended status error")

_PARAMS = {"/in.php": "method=userrecaptcha&googlekey=k&pageurl=http://a.test", "/res.php": "action=get&id=1"}


async def _answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1]), b"\r\nconnection: close" in head.lower()


async def _live(wp, client, is_over, outcomes):
    dice = random.Random(client.beat or client.name)
    writer = None
    await asyncio.sleep(min(client.pause(dice), 1) * dice.random())   # not all begin in step
    while not is_over.is_set():
        uniq = f"{client.name}x{len(outcomes)}"
        began = time.monotonic()
        status, error, is_last = 0, "", True
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection(wp.host, wp.port)
            target = f"{client.path}?key={KEY}&uniq={uniq}&{_PARAMS[client.path]}"
            writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            status, is_last = await asyncio.wait_for(_answer(reader), client.patience_s)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as failure:
            error = repr(failure)
        outcomes.append(Outcome(client.name, client.path, uniq, began, time.monotonic(), status, error))
        if is_last and writer is not None:
            writer.transport.abort()
            writer = None
        await asyncio.sleep(client.pause(dice))
    if writer is not None:
        writer.close()


async def run(wp, clients, during):
    """All of them until the coroutine `during` has ended. The outcomes, in the order in which they came."""
    outcomes, is_over = [], asyncio.Event()
    lives = [asyncio.create_task(_live(wp, client, is_over, outcomes)) for client in clients]
    try:
        await during
    finally:
        is_over.set()
        await asyncio.gather(*lives)
    return outcomes
