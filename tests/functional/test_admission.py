"""Who may come in under which name, and what becomes of requests whose client ends its side."""
import contextlib
import json
import re
import socket
import struct
import time

import pytest

from daemon import Warmpool, read_all, read_response, unread
from replies import KEY, arrived, new_uniq
from simctl import Simulator


@pytest.fixture(scope="module")
def sim():
    with Simulator(idle_timeout=0) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def wp(sim):
    with Warmpool(sim, **{"access.hosts": "api.example,pool.test"}) as daemon:
        yield daemon


@pytest.fixture
def held(sim):
    """A daemon whose only connection waits for an answer, so that what comes now is queued."""
    with Warmpool(sim, **{"pool.size": 1, "pool.min_idle": 1, "queue.timeout": "20s"}) as daemon:
        rule = sim.fault(action="never", path="/echo", query="hold")
        with daemon.connect() as holder:
            holder.sendall(b"GET /echo?hold HTTP/1.1\r\nHost: localhost\r\n\r\n")
            sim.wait(lambda _: sim.acted(rule))
            yield daemon
        sim.clear_faults()
        sim.close_all()
        sim.reset()


def wait_until(condition, what, timeout=20):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.005)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def submit_text(uniq):
    return f"GET /in.php?key={KEY}&uniq={uniq} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@pytest.mark.parametrize("host", [
    "localhost", "LocalHost:8080", "localhost.", "127.0.0.1", "10.1.2.3:9", "[::1]", "[::1]:8080", "pool", "pool:1", "box.lan",
    "box.local", "a.b.internal", "x.home.arpa", "x.localhost", "api.example", "API.Example:80", "pool.test.",
    socket.gethostname(),
])
def test_a_host_of_ours_is_served(wp, host):
    data = wp.raw(f"GET /bytes/3 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert data.startswith(b"HTTP/1.1 200 "), data


@pytest.mark.parametrize("host", ["evil.example", "api.example.evil.test", "xapi.example", "localhost.example", "127.0.0.1.nip.io"])
def test_a_foreign_host_is_refused(sim, wp, host):
    before = sim.counters()["requests"]["total"]
    data = wp.raw(f"GET /bytes/3 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert data.startswith(b"HTTP/1.1 421 ") and b"ERROR_WRONG_HOST" in data and b"access.hosts" in data
    assert b"error=http_request_denied" in data
    assert sim.counters()["requests"]["total"] == before


def test_a_refused_host_ends_its_connection(wp):
    with wp.connect() as sock:
        sock.sendall(b"GET /bytes/3 HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        status, headers, _, rest = read_response(sock)
        assert (status, headers.get("connection"), rest) == (421, "close", b"")
        assert sock.recv(1) == b""


def test_an_address_outside_access_allow_is_refused(sim):
    with Warmpool(sim, **{"access.allow": "127.0.0.2/32"}) as wp:
        before = sim.counters()["requests"]["total"]
        data = wp.raw(b"GET /bytes/3 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert data.startswith(b"HTTP/1.1 403 ") and b"ERROR_NOT_ALLOWED" in data and b"access.allow" in data
        assert sim.counters()["requests"]["total"] == before
        with socket.create_connection((wp.host, wp.port), timeout=10, source_address=("127.0.0.2", 0)) as sock:
            sock.sendall(b"GET /bytes/3 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert read_response(sock)[0] == 200


def test_a_refused_client_that_says_nothing_is_closed_soon(sim):
    with Warmpool(sim, **{"access.allow": "127.0.0.2/32", "timeouts.client_head": "500ms"}) as wp:
        began = time.monotonic()
        with wp.connect() as silent, wp.connect() as slow:
            slow.sendall(b"GET /bytes/3 HT")
            assert silent.recv(1) == b""
            assert read_response(slow)[0] == 408
        assert 0.4 < time.monotonic() - began < 5


def test_refused_clients_leave_room_for_allowed_ones(sim):
    options = {"access.allow": "127.0.0.2/32", "limits.clients": 3}
    with Warmpool(sim, **options) as wp, contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(wp.connect())
        began = time.monotonic()
        with socket.create_connection((wp.host, wp.port), timeout=10, source_address=("127.0.0.2", 0)) as sock:
            sock.sendall(b"GET /bytes/3 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert read_response(sock)[0] == 200
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("options,host", [({"access.allow": "127.0.0.2/32"}, "localhost"), ({}, "evil.example"),
                                          ({"limits.request_body": "10"}, "localhost")])
def test_a_refused_upload_gets_no_100(sim, options, host):
    with Warmpool(sim, **options) as wp:
        data = wp.raw(f"POST /echo HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n".encode())
        assert re.match(rb"HTTP/1\.1 (403|421|413) ", data), data


def test_a_fin_while_queued_takes_the_request_out_and_is_answered(sim, held):
    uniq = new_uniq()
    with held.connect() as sock:
        sock.sendall(submit_text(uniq))
        sock.shutdown(socket.SHUT_WR)
        data = read_all(sock)
    assert data.startswith(b"HTTP/1.1 503 ") and data.endswith(b"ERROR_QUEUE_LEFT"), data
    assert b"Retry-After" not in data
    sim.close_all()      # the connection comes free
    held.wait_log(r" access .*error=CONNECTION_ENDED")
    assert held.raw(b"GET /bytes/3 HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert arrived(sim, uniq) == 0


def test_a_hang_up_while_queued_takes_the_request_out(sim, held):
    uniq = new_uniq()
    sock = held.connect()
    sock.sendall(submit_text(uniq))
    wait_until(lambda: unread(sock) == 0, "the daemon has read the request")
    reset(sock)
    held.wait_log(r" access .*class=submit .*client_left=yes")
    sim.close_all()
    assert held.raw(b"GET /bytes/3 HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert arrived(sim, uniq) == 0


def test_a_hang_up_in_the_queue_leaves_the_others_in_order(sim, held):
    with contextlib.ExitStack() as stack:
        socks = []
        for number in range(6):
            sock = stack.enter_context(held.connect())
            sock.sendall(f"GET /echo?n={number} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            wait_until(lambda sock=sock: unread(sock) == 0, "read")
            socks.append(sock)
        for number in (0, 3, 5):
            reset(socks[number])
        wait_until(lambda: held.log().count("client_left=yes") == 3, "three have left")
        sim.close_all()
        for number in (1, 2, 4):
            status, _, body, _ = read_response(socks[number])
            assert (status, json.loads(body)["target"]) == (200, f"/echo?n={number}")
    seen = [row["head"].split()[1] for row in sim.requests(path="/echo?n=", last=10)]
    assert sorted(seen) == [f"/echo?n={number}" for number in (1, 2, 4)]


def test_a_fin_after_sending_is_answered(sim, wp):
    uniq = new_uniq()
    sim.fault(action="delay", ms=300, uniq=uniq)
    with wp.connect() as sock:
        sock.sendall(submit_text(uniq))
        wait_until(lambda: arrived(sim, uniq) == 1, "arrived")
        sock.shutdown(socket.SHUT_WR)
        data = read_all(sock)
    assert data.startswith(b"HTTP/1.1 200 ") and b"OK|" in data, data
    assert arrived(sim, uniq) == 1


def test_a_hang_up_after_sending_leaves_the_upstream_connection_alive(sim):
    with Warmpool(sim, **{"pool.size": 1, "pool.min_idle": 1}) as wp:
        uniq = new_uniq()
        sim.fault(action="hold", uniq=uniq)
        sock = wp.connect()
        sock.sendall(submit_text(uniq))
        wait_until(lambda: arrived(sim, uniq) == 1, "arrived")
        reset(sock)
        sim.clear_faults()   # the answer comes to nobody
        # The paid task's number is in the ledger, so that its answer can still be fetched.
        wp.wait_log(r'ledger .*class=submit .*fate="answered, but the client had left" task=\d+')
        assert wp.raw(b"GET /bytes/3 HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        used = [sim.requests(**one)[-1]["connection"] for one in ({"uniq": uniq}, {"path": "/bytes/3"})]
        assert used[0] == used[1]
        assert arrived(sim, uniq) == 1


def test_a_half_written_request_that_ends_is_never_sent(sim, wp):
    uniq = new_uniq()
    for text in (submit_text(uniq)[:-2],
                 f"POST /in.php?uniq={uniq} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nkey".encode(),
                 f"POST /in.php?uniq={uniq} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nkey".encode()):
        wp.raw(text, shut=True)
    assert arrived(sim, uniq) == 0
