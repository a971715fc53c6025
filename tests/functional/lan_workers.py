"""Keep-alive workers on one machine: lan_workers.py HOST PORT NAME:SECRET COUNT SECONDS prints what they saw, as JSON."""
import asyncio
import base64
import collections
import json
import sys
import time


async def work(host, port, request, ends, took, statuses):
    reader, writer = await asyncio.open_connection(host, port)
    while time.monotonic() < ends:
        began = time.monotonic()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        took.append(time.monotonic() - began)
        statuses[head.split(b" ", 2)[1].decode()] += 1
    writer.close()


async def main(host, port, token, count, seconds):
    credentials = base64.b64encode(token.encode()).decode()
    request = (f"GET /res.php?key=k&action=getbalance HTTP/1.1\r\nHost: {host}\r\n"
               f"Authorization: Basic {credentials}\r\n\r\n").encode()
    took, statuses = [], collections.Counter()
    ends = time.monotonic() + float(seconds)
    await asyncio.gather(*(work(host, int(port), request, ends, took, statuses) for _ in range(int(count))))
    took.sort()
    print(json.dumps({"count": len(took), "statuses": statuses, "p50_ms": 1000 * took[len(took) // 2],
                      "p99_ms": 1000 * took[len(took) * 99 // 100]}))


asyncio.run(main(*sys.argv[1:]))
