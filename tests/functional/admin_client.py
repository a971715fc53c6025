"""Requests to the admin interface of a daemon under test, byte by byte where it matters."""
import contextlib
import socket

from daemon import read_all, read_response

ON = {"admin.listen": "127.0.0.1:0"}


def request(path="/healthz", method="GET", fields=(), host="localhost"):
    lines = [f"{method} {path} HTTP/1.1", *([f"Host: {host}"] if host is not None else []), *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def connect(wp, timeout=20):
    if wp.admin.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.connect(wp.admin.removeprefix("unix:"))
        return sock
    host, port = wp.admin.rsplit(":", 1)
    return socket.create_connection((host.strip("[]"), int(port)), timeout=timeout)


def ask(wp, data=None, timeout=20, **parts):
    """(status, headers, body) of one request; the connection must end with it."""
    with connect(wp, timeout) as sock:
        sock.sendall(request(**parts) if data is None else data)
        status, headers, body, rest = read_response(sock)
        assert headers["connection"] == "close" and rest == b"" and read_all(sock) == b""
        return status, headers, body.decode()


@contextlib.contextmanager
def crowd(wp, number, data=b""):
    """So many connections, each of which has sent this."""
    with contextlib.ExitStack() as stack:
        socks = []
        for _ in range(number):
            sock = stack.enter_context(connect(wp))
            with contextlib.suppress(OSError):  # it may have been ended already
                sock.sendall(data)
            socks.append(sock)
        yield socks
