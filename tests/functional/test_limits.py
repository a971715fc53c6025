"""Every bound on what a client may send or hold, and what happens at it."""
import contextlib
import json
import socket
import time

import pytest

from daemon import Warmpool, read_all, read_response, unread
from simctl import Simulator

MIB = 1 << 20
MESSAGES = {"limits.request_body": "3MiB", "limits.response_body": "1MiB"}


@pytest.fixture(scope="module")
def sim():
    with Simulator(idle_timeout=0) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def small(sim):
    with Warmpool(sim, **{"limits.request_head": "2KiB", "limits.request_target": "1KiB", "limits.request_body": "10kB"}) as wp:
        yield wp


def answer(wp, data):
    """Status and error of what is answered to these bytes."""
    with wp.connect() as sock:
        with contextlib.suppress(OSError):
            sock.sendall(data)
        found = read_all(sock)
    head, _, body = found.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.split(b"\n")[0].decode()


def head_of(size):
    start = b"GET /bytes/0 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: "
    return start + b"x" * (size - len(start) - 4) + b"\r\n\r\n"


def test_request_head(small):
    assert answer(small, head_of(2000))[0] == 200
    assert answer(small, head_of(2100)) == (431, "ERROR_HEAD_TOO_LARGE")
    assert answer(small, head_of(1_000_000)) == (431, "ERROR_HEAD_TOO_LARGE")


def test_number_of_fields(small):
    def fields(count):
        return b"GET /bytes/0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + b"A: 1\r\n" * count + b"\r\n"
    assert answer(small, fields(126))[0] == 200
    assert answer(small, fields(127)) == (431, "ERROR_HEAD_TOO_LARGE")


def test_request_target(small):
    def target(size):
        return b"GET /" + b"x" * (size - 1) + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert answer(small, target(1024))[0] == 404
    assert answer(small, target(1025)) == (414, "ERROR_TARGET_TOO_LONG")
    assert answer(small, b"GET /" + b"x" * 1_000_000) == (414, "ERROR_TARGET_TOO_LONG")


def test_request_body_by_its_length(small):
    text = b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    assert answer(small, text % 10_000 + b"x" * 10_000)[0] == 200
    # Refused by what it says, before any of it is here.
    assert answer(small, text % 10_001) == (413, "ERROR_BODY_TOO_LARGE")


def test_request_body_in_chunks(small):
    text = b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    half = b"1388\r\n" + b"x" * 5000 + b"\r\n"
    assert answer(small, text + half + half + b"0\r\n\r\n")[0] == 200
    assert answer(small, text + half + half + b"1\r\n") == (413, "ERROR_BODY_TOO_LARGE")
    assert answer(small, text + b"ffffffff\r\n") == (413, "ERROR_BODY_TOO_LARGE")


def slow_upload(wp, size):
    sock = wp.connect()
    sock.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % size)
    return sock, read_response(sock)[0]


def test_buffered_is_a_bound_on_all_clients_together(sim):
    with Warmpool(sim, **{"limits.buffered": "8MiB", **MESSAGES}) as wp, contextlib.ExitStack() as stack:
        accepted = []
        for _ in range(12):
            sock, status = slow_upload(wp, MIB)
            stack.enter_context(sock)
            if status != 100:
                assert status == 503
                break
            accepted.append(sock)
        assert 5 <= len(accepted) <= 8
        refused, _ = answer(wp, b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n")
        assert refused == 503
        # Those that came in are served, one after the other, and their room comes back.
        for sock in accepted:
            sock.sendall(b"x" * MIB)
            status, _, body, _ = read_response(sock)
            assert (status, json.loads(body)["body_length"]) == (200, MIB)
        sock, status = slow_upload(wp, MIB)
        sock.close()
        assert status == 100
        assert wp.wait_log(r"error=BUFFERED_FULL")


def test_buffered_full_helps_by_waiting(sim):
    with Warmpool(sim, **{"limits.buffered": "4MiB", **MESSAGES}) as wp, slow_upload(wp, 3 * MIB)[0]:
        data = wp.raw(b"POST /in.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n")
        assert data.startswith(b"HTTP/1.1 503 ") and b"ERROR_BUFFERED_FULL" in data and b"\r\nRetry-After: " in data


def test_a_chunked_body_stops_at_buffered_too(sim):
    with Warmpool(sim, **{"limits.buffered": "4MiB", **MESSAGES}) as wp, slow_upload(wp, 3 * MIB)[0]:
        body = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        status, code = answer(wp, b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + body * 2)
        assert (status, code) == (503, "ERROR_BUFFERED_FULL")


def test_the_response_of_a_sent_request_is_never_refused(sim):
    with Warmpool(sim, **{"limits.buffered": "4MiB", **MESSAGES}) as wp, wp.connect() as sock:
        rule = sim.fault(action="delay", ms=400, path="/bytes/1000000")
        sock.sendall(b"GET /bytes/1000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        sim.wait(lambda _: sim.acted(rule))
        with slow_upload(wp, 3 * MIB)[0], slow_upload(wp, 900_000)[0]:
            assert answer(wp, b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n")[0] == 503
            status, _, body, _ = read_response(sock)
            assert (status, len(body)) == (200, 1_000_000)


def is_open(sock):
    sock.setblocking(False)
    try:
        return sock.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    finally:
        sock.settimeout(10)


def ask(sock, path=b"/bytes/1"):
    sock.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path)


def served(sock):
    ask(sock)
    return read_response(sock)[0] == 200


def test_at_limits_clients_the_longest_idle_one_is_closed(sim):
    with Warmpool(sim, **{"limits.clients": 4}) as wp, contextlib.ExitStack() as stack:
        socks = [stack.enter_context(wp.connect()) for _ in range(4)]
        for number in (2, 0, 3, 1):        # 2 is now idle for longest
            assert served(socks[number])
        late = stack.enter_context(wp.connect())
        assert served(late)
        assert [is_open(sock) for sock in socks] == [True, True, False, True]
        assert served(socks[0]) and served(socks[1]) and served(socks[3]) and served(late)
        later = stack.enter_context(wp.connect())
        assert served(later)
        assert [is_open(sock) for sock in (*socks, late)] == [False, True, False, True, True]


def test_at_limits_clients_with_none_idle_accepting_pauses(sim):
    with Warmpool(sim, **{"limits.clients": 2, "pool.size": 4}) as wp, contextlib.ExitStack() as stack:
        rule = sim.fault(action="delay", ms=700, path="/bytes/77", times=-1)
        busy = [stack.enter_context(wp.connect()) for _ in range(2)]
        for sock in busy:
            ask(sock, b"/bytes/77")
        sim.wait(lambda _: sim.acted(rule) == 2)
        waiting = [stack.enter_context(wp.connect()) for _ in range(3)]
        for sock in waiting:
            ask(sock)
        began = time.monotonic()
        for sock in busy:
            assert read_response(sock)[0] == 200
        for sock in waiting:                # never accepted and dropped
            assert read_response(sock)[0] == 200
        assert time.monotonic() - began < 5
        sim.clear_faults()


def test_a_client_in_the_middle_of_a_request_is_not_taken_for_idle(sim):
    with Warmpool(sim, **{"limits.clients": 2}) as wp, contextlib.ExitStack() as stack:
        half, idle = (stack.enter_context(wp.connect()) for _ in range(2))
        assert served(half) and served(idle)
        half.sendall(b"GET /bytes/1 HTTP/1.1\r\nHo")
        late = stack.enter_context(wp.connect())
        assert served(late)
        assert not is_open(idle)
        half.sendall(b"st: localhost\r\n\r\n")
        assert read_response(half)[0] == 200


def test_read_ahead_is_bounded_and_all_of_it_is_served(sim):
    with Warmpool(sim, **{"pool.size": 2, "timeouts.response": "4s"}) as wp, wp.connect() as sock:
        rule = sim.fault(action="never", path="/bytes/55")
        ask(sock, b"/bytes/55")
        sim.wait(lambda _: sim.acted(rule))
        count, one = 3000, b"GET /bytes/2 HTTP/1.1\r\nHost: localhost\r\nX: 0123456789\r\n\r\n"
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MIB)
        sock.sendall(one * count)
        deadline = time.monotonic() + 3
        ahead = []
        # It stays at 64 KiB and what one more read may take; the rest waits in the kernel.
        while len(ahead) < 5 or ahead[0] == 0 or len(set(ahead)) > 1:
            assert time.monotonic() < deadline, f"it reads on: {ahead}"
            ahead = [*ahead[-4:], unread(sock)]
            time.sleep(0.02)
        assert sim.requests(path="/bytes/2", last=1) == []
        status, _, _, rest = read_response(sock)
        assert status == 504
        for _ in range(count):
            status, _, body, rest = read_response(sock, rest)
            assert (status, len(body)) == (200, 2)
