"""How long a client may take for each part of its request, and how long it waits for a connection."""
import contextlib
import socket
import threading
import time

import pytest
import requests

from daemon import Warmpool, read_all, read_response
from replies import KEY, arrived, assert_error, new_uniq, poll
from simctl import Simulator

SHORT_S = 0.4
LEAST_S = 0.3


@pytest.fixture(scope="module")
def sim():
    with Simulator(idle_timeout=0) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def wp(sim):
    with Warmpool(sim, **{"timeouts.client_head": "400ms", "timeouts.client_body": "400ms",
                          "timeouts.client_write": "400ms"}) as daemon:
        yield daemon


def refused(wp, pieces):
    """All that is answered while the pieces are sent every 50 ms, and after how long its first byte came."""
    began = time.monotonic()  # no later than what it waits for
    with wp.connect() as sock:
        stop = threading.Event()

        def send():
            with contextlib.suppress(OSError):
                for piece in pieces:
                    sock.sendall(piece)
                    if stop.wait(0.05):
                        return
        sender = threading.Thread(target=send)
        sender.start()
        first = sock.recv(1)
        took = time.monotonic() - began
        stop.set()
        sender.join()
        return first + read_all(sock), took


START = b"GET /bytes/1 HTTP/1.1\r\nHost: localhost\r\n"
HEADS = {"begun": [b"G"], "half": [START], "dripping": [START, *[b"X: 1\r\n"] * 100]}


@pytest.mark.parametrize("name", HEADS)
def test_client_head(wp, name):
    data, took = refused(wp, HEADS[name])
    assert data.startswith(b"HTTP/1.1 408 ") and b"ERROR_HEAD_TIMEOUT" in data and b"timeouts.client_head" in data, data
    assert b"\r\nConnection: close" in data
    assert LEAST_S < took < 3


def test_client_head_of_a_later_request(wp):
    with wp.connect() as sock:
        sock.sendall(START + b"\r\n")
        assert read_response(sock)[0] == 200
        time.sleep(SHORT_S)     # idle: another bound
        sock.sendall(START)
        assert read_response(sock)[0] == 408


BODIES = {
    "none of it": [b"Content-Length: 100\r\n\r\n"],
    "dripping": [b"Content-Length: 100\r\n\r\n", *[b"x"] * 99],
    "dripping chunks": [b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 100],
}


@pytest.mark.parametrize("name", BODIES)
def test_client_body(sim, wp, name):
    uniq = new_uniq()
    first, *rest = BODIES[name]
    data, took = refused(wp, [f"POST /in.php?key={KEY}&uniq={uniq} HTTP/1.1\r\nHost: localhost\r\n".encode() + first, *rest])
    assert data.startswith(b"HTTP/1.1 408 ") and b"ERROR_BODY_TIMEOUT" in data and b"timeouts.client_body" in data, data
    assert LEAST_S < took < 3
    assert arrived(sim, uniq) == 0


def test_client_idle(sim):
    with Warmpool(sim, **{"timeouts.client_idle": "400ms"}) as wp:
        for sends in (False, True):
            began = time.monotonic()
            with wp.connect() as sock:
                if sends:
                    began = time.monotonic()
                    sock.sendall(START + b"\r\n")
                    assert read_response(sock)[0] == 200
                assert read_all(sock) == b""        # closed, and nothing said
                assert LEAST_S < time.monotonic() - began < 3


def test_client_idle_does_not_end_a_request_in_flight(sim):
    with Warmpool(sim, **{"timeouts.client_idle": "200ms", "timeouts.client_head": "200ms", "timeouts.client_body": "200ms",
                          "timeouts.client_write": "200ms"}) as wp:
        sim.fault(action="delay", ms=800, path="/bytes/9")
        with wp.connect() as sock:
            sock.sendall(b"GET /bytes/9 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            status, _, body, _ = read_response(sock)
            assert (status, len(body)) == (200, 9)


def test_client_write(sim, wp):
    size = 4_000_000
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(10)
        sock.connect((wp.host, wp.port))
        sock.sendall(b"GET /bytes/%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % size)
        wp.wait_log(rf" access .*bytes={size // 1000}\d+ .*client_left=yes")    # and it takes nothing
        assert len(read_all(sock)) < size
    # The connection upstream had long been given back.
    assert wp.raw(b"GET /bytes/9 HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_a_slow_reader_that_goes_on_reading_is_served(wp):
    size = 3_000_000
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.settimeout(10)
        sock.connect((wp.host, wp.port))
        sock.sendall(b"GET /bytes/%d HTTP/1.0\r\n\r\n" % size)
        got, began = 0, time.monotonic()
        while piece := sock.recv(65536):
            got += len(piece)
            time.sleep(0.02)
        assert got > size and time.monotonic() - began > 2 * SHORT_S


@pytest.mark.parametrize("is_json", [False, True])
def test_queue_timeout(sim, is_json):
    with Warmpool(sim, **{"pool.size": 1, "queue.timeout": "400ms"}) as wp:
        rule = sim.fault(action="never", path="/echo")
        with wp.connect() as holder:
            holder.sendall(b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n")
            sim.wait(lambda _: sim.acted(rule))
            uniq = new_uniq()
            began = time.monotonic()
            response = poll(wp, uniq, is_json=is_json)
            took = time.monotonic() - began
            assert_error(response, 503, "QUEUE_TIMEOUT", "connection_limit_reached", is_json)
            assert int(response.headers["Retry-After"]) >= 1
            assert LEAST_S < took < 3
            assert arrived(sim, uniq) == 0
        sim.close_all()


def test_queue_overflow(sim):
    with Warmpool(sim, **{"pool.size": 1, "queue.size": 0}) as wp:
        rule = sim.fault(action="never", path="/echo")
        with wp.connect() as holder:
            holder.sendall(b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n")
            sim.wait(lambda _: sim.acted(rule))
            response = requests.get(wp.url + "/bytes/1", timeout=10)
            assert_error(response, 503, "QUEUE_FULL", "connection_limit_reached")
        sim.close_all()
