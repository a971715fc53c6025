#!/usr/bin/python3
"""A slow line for TCP where there are no TUN devices (see wire.py for the real thing).

    tests/tools/relay.py --listen 127.0.0.1:0 --to 127.0.0.1:8443 --delay 20

Each direction is delayed by --delay: bytes, FIN and RST alike, in their order; the connection to
the other side is opened one delay after its own was accepted. The kernel answers a connect at
once, so a connection's first bytes are held for one round trip (2 × delay) more, to stand for the
TCP handshake. What it cannot stand for: acknowledgements are not delayed, a refused or failed
connect shows only as an RST after the handshake, and bytes that meet a closed far side are
acknowledged all the same. Do not use it to judge evidence (tcp_info), only time.

Prints one line of JSON, {"port": N}, when ready; ends on SIGTERM or SIGINT.
"""
import argparse
import asyncio
import collections
import json
import signal
import socket
import struct

_HELD_MAX = 1 << 20


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", type=host_and_port, required=True, metavar="HOST:PORT",
                        help="port 0: any free one")
    parser.add_argument("--to", type=host_and_port, required=True, metavar="HOST:PORT")
    parser.add_argument("--delay", type=float, default=10.0, metavar="MS",
                        help="one way (default: 10)")
    options = parser.parse_args()
    asyncio.run(relay(options))


def host_and_port(text):
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise argparse.ArgumentTypeError(f"HOST:PORT, not {text!r}")
    return host.strip("[]"), int(port)


async def relay(options):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    delay_s = options.delay / 1000
    server = await loop.create_server(lambda: ClientSide(loop, options.to, delay_s),
                                      *options.listen, backlog=1024)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await stop.wait()
    server.close()


class Side(asyncio.Protocol):
    """One end of a relayed connection. Hands all that happens to `other`, one delay later."""

    def __init__(self, loop, delay_s):
        self.loop = loop
        self.delay_s = delay_s
        self.extra_s = 0.0           # for the first bytes
        self.other = None
        self.transport = None
        self._waiting = []           # what is to be done once there is a transport
        self._ended = {"in": False, "out": False}
        self._held = collections.deque()
        self._held_bytes = 0
        self._held_until = 0.0

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for step, arguments in self._waiting:
            step(*arguments)
        self._waiting.clear()

    # What comes in

    def data_received(self, data):
        self._held_bytes += len(data)
        if self._held_bytes > _HELD_MAX:
            self.transport.pause_reading()
        self._hold(self.other.put, data)

    def eof_received(self):
        self._hold(self.other.finish)
        self._end("in")
        return True  # the other direction goes on

    def connection_lost(self, error):
        if error is not None:
            self._hold(self.other.reset)
        elif not self._ended["in"]:
            self._hold(self.other.finish)

    def _hold(self, step, *arguments):
        self._held_until = max(self._held_until, self.loop.time() + self.delay_s + self.extra_s)
        self.extra_s = 0.0
        self._held.append((step, arguments))
        self.loop.call_at(self._held_until, self._pass_on)

    def _pass_on(self):
        # One timer for each step, in the order of the steps even where two are due at once.
        step, arguments = self._held.popleft()
        if arguments:
            self._held_bytes -= len(arguments[0])
            if self._held_bytes <= _HELD_MAX and not self.transport.is_closing():
                self.transport.resume_reading()
        step(*arguments)

    # What goes out

    def put(self, data):
        if self.transport is None:
            self._waiting.append((self.put, (data,)))
        elif not self.transport.is_closing() and not self._ended["out"]:
            self.transport.write(data)

    def finish(self):
        if self.transport is None:
            self._waiting.append((self.finish, ()))
        elif not self.transport.is_closing():
            try:
                self.transport.write_eof()
            except OSError:
                self.transport.abort()  # an RST has come, and nobody was reading
                return
            self._end("out")

    def reset(self):
        if self.transport is None:
            self._waiting.append((self.reset, ()))
            return
        sock = self.transport.get_extra_info("socket")
        if sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    def _end(self, direction):
        self._ended[direction] = True
        if all(self._ended.values()):
            self.transport.close()


class ClientSide(Side):
    """The accepted end; opens the other one."""

    def __init__(self, loop, to, delay_s):
        super().__init__(loop, delay_s)
        self.to = to
        self._opening = None

    def connection_made(self, transport):
        super().connection_made(transport)
        self.extra_s = 2 * self.delay_s
        self.other = Side(self.loop, self.delay_s)
        self.other.other = self
        self._opening = self.loop.create_task(self._open())

    async def _open(self):
        await asyncio.sleep(self.delay_s)
        try:
            await self.loop.create_connection(lambda: self.other, *self.to)
        except OSError:
            await asyncio.sleep(self.delay_s)
            self.reset()


if __name__ == "__main__":
    main()
