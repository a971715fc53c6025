"""Clients that wrk cannot play: many that rest, some that come at once, and a server that makes requests overlap."""
import socket
import struct
import threading
import time

from proxies import POLL

_BATCH = 50


def _request(path, more=""):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode()


def _connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=120)


def _read_answer(sock):
    """The status of a small response. What follows the head is taken with it: all our bodies fit into one piece."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            raise SystemExit(f"a connection ended instead of an answer: {data!r}")
        data += piece
    return int(data.split(b" ", 2)[1])


class Crowd:
    """Clients on kept connections, each answered once and at rest since."""

    def __init__(self, port):
        self._port, self._socks = port, []

    def grow(self, count):
        while len(self._socks) < count:
            batch = [_connect(self._port) for _ in range(min(_BATCH, count - len(self._socks)))]
            for sock in batch:
                sock.sendall(_request(POLL))
            for sock in batch:
                if _read_answer(sock) != 200:
                    raise SystemExit("an idle client was refused")
            self._socks += batch

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in self._socks:  # reset, so that no port stays taken
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()


def burst(port, count):
    """So many scripts at once, each on a connection of its own: their latencies in ms."""
    gate, found = threading.Barrier(count), []

    def script():
        gate.wait()
        started = time.monotonic()
        with _connect(port) as sock:
            sock.sendall(_request(POLL, "Connection: close\r\n"))
            status = _read_answer(sock)
        found.append((time.monotonic() - started) * 1000)
        if status != 200:
            found.append(float("nan"))

    threads = [threading.Thread(target=script) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


class Barrier(threading.Thread):
    """A plain server that answers no request until `count` have come."""

    def __init__(self, count):
        super().__init__(daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port, self._count = self._listener.getsockname()[1], count
        self.start()

    def run(self):
        while True:
            held = [self._listener.accept()[0] for _ in range(self._count)]
            for sock in held:
                sock.recv(65536)
                sock.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nOK")
                sock.close()


def overlap(port, count):
    """So many requests of /held at once, which therefore need so many connections to the upstream; then the clients go."""
    socks = [_connect(port) for _ in range(count)]
    for sock in socks:
        sock.sendall(_request("/held"))
    statuses = {_read_answer(sock) for sock in socks}
    for sock in socks:
        sock.close()
    if statuses != {200}:
        raise SystemExit(f"held requests were answered {statuses}")
