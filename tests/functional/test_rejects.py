"""Requests that two parsers could read differently are answered, named, and never reach the upstream."""
import select
import socket
import time

import pytest

from daemon import Warmpool, read_all, read_response
from simctl import Simulator

GET = b"GET /in.php HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /in.php HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

# name: (bytes, status, error)
REJECTS = {
    "length and encoding": (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400, "LENGTH_AND_ENCODING"),
    "encoding and length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", 400, "LENGTH_AND_ENCODING"),
    "differing lengths": (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, "DIFFERING_CONTENT_LENGTHS"),
    "length with plus": (POST + b"Content-Length: +3\r\n\r\nabc", 400, "BAD_CONTENT_LENGTH"),
    "length with minus": (POST + b"Content-Length: -3\r\n\r\nabc", 400, "BAD_CONTENT_LENGTH"),
    "length in hex": (POST + b"Content-Length: 0x3\r\n\r\nabc", 400, "BAD_CONTENT_LENGTH"),
    "length a list": (POST + b"Content-Length: 3, 3\r\n\r\nabc", 400, "BAD_CONTENT_LENGTH"),
    "length empty": (POST + b"Content-Length:\r\n\r\n", 400, "BAD_CONTENT_LENGTH"),
    "length with inner space": (POST + b"Content-Length: 1 2\r\n\r\nabc", 400, "BAD_CONTENT_LENGTH"),
    "length overflows": (POST + b"Content-Length: 18446744073709551619\r\n\r\nabc", 400, "BAD_CONTENT_LENGTH"),
    "gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "BAD_TRANSFER_ENCODING"),
    "identity": (POST + b"Transfer-Encoding: identity\r\n\r\nabc", 501, "BAD_TRANSFER_ENCODING"),
    "chunked twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501, "BAD_TRANSFER_ENCODING"),
    "xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, "BAD_TRANSFER_ENCODING"),
    "chunked in 1.0": (b"POST /in.php HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "ENCODING_IN_OLD_VERSION"),
    "space before colon": (GET + b"X-A : 1\r\n\r\n", 400, "SPACE_BEFORE_COLON"),
    "tab before colon": (POST + b"Content-Length\t: 1\r\n\r\na", 400, "SPACE_BEFORE_COLON"),
    "obs-fold": (GET + b"X-A: 1\r\n 2\r\n\r\n", 400, "FOLDED_FIELD"),
    "obs-fold by tab": (GET + b"X-A: 1\r\n\t2\r\n\r\n", 400, "FOLDED_FIELD"),
    "bare CR in a field": (GET + b"X-A: 1\rX-B: 2\r\n\r\n", 400, "BARE_CR"),
    "bare LF": (GET + b"X-A: 1\nX-B: 2\r\n\r\n", 400, "BARE_LF"),
    "LF only": (b"GET /in.php HTTP/1.1\nHost: localhost\n\n", 400, "BARE_LF"),
    "NUL in a value": (GET + b"X-A: a\x00b\r\n\r\n", 400, "CONTROL_BYTE"),
    "control byte in a value": (GET + b"X-A: a\x1bb\r\n\r\n", 400, "CONTROL_BYTE"),
    "DEL in a value": (GET + b"X-A: a\x7fb\r\n\r\n", 400, "CONTROL_BYTE"),
    "NUL in the target": (b"GET /in.php\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "CONTROL_BYTE"),
    "name with a space": (GET + b"X A: 1\r\n\r\n", 400, "BAD_FIELD_NAME"),
    "name with a bracket": (GET + b"X(A): 1\r\n\r\n", 400, "BAD_FIELD_NAME"),
    "name empty": (GET + b": 1\r\n\r\n", 400, "BAD_FIELD_NAME"),
    "name not ASCII": (GET + b"X-\xe9: 1\r\n\r\n", 400, "BAD_FIELD_NAME"),
    "no colon": (GET + b"nothing\r\n\r\n", 400, "BAD_FIELD_NAME"),
    "chunk size overflows": (CHUNKED + b"10000000000000000\r\na", 400, "BAD_CHUNK"),
    "chunk size with sign": (CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n", 400, "BAD_CHUNK"),
    "chunk size with 0x": (CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", 400, "BAD_CHUNK"),
    "chunk size no hex": (CHUNKED + b"g\r\n", 400, "BAD_CHUNK"),
    "chunk size empty": (CHUNKED + b"\r\n0\r\n\r\n", 400, "BAD_CHUNK"),
    "chunk size after a space": (CHUNKED + b" 3\r\nabc\r\n0\r\n\r\n", 400, "BAD_CHUNK"),
    "chunk ends with LF": (CHUNKED + b"3\nabc\r\n0\r\n\r\n", 400, "BAD_CHUNK"),
    "chunk data too long": (CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n", 400, "BAD_CHUNK"),
    "chunk extension without end": (CHUNKED + b"3;" + b"x" * 10_000, 400, "BAD_CHUNK"),
    "trailers without end": (CHUNKED + b"0\r\n" + b"X-T: 1\r\n" * 5_000, 400, "BAD_CHUNK"),
    "no Host": (b"GET /in.php HTTP/1.1\r\n\r\n", 400, "MISSING_HOST"),
    "two Hosts": (GET + b"Host: localhost\r\n\r\n", 400, "DOUBLE_HOST"),
    "Host with a path": (b"GET /in.php HTTP/1.1\r\nHost: localhost/x\r\n\r\n", 400, "BAD_HOST"),
    "Host with a user": (b"GET /in.php HTTP/1.1\r\nHost: a@localhost\r\n\r\n", 400, "BAD_HOST"),
    "Host with a bad port": (b"GET /in.php HTTP/1.1\r\nHost: localhost:99999\r\n\r\n", 400, "BAD_HOST"),
    "HTTP/0.9": (b"GET /in.php\r\n", 505, "BAD_VERSION"),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "BAD_VERSION"),
    "HTTP/2.0": (b"GET /in.php HTTP/2.0\r\nHost: localhost\r\n\r\n", 505, "BAD_VERSION"),
    "HTTP/3.1": (b"GET /in.php HTTP/3.1\r\nHost: localhost\r\n\r\n", 505, "BAD_VERSION"),
    "HTTP/1.10": (b"GET /in.php HTTP/1.10\r\nHost: localhost\r\n\r\n", 505, "BAD_VERSION"),
    "http/1.1": (b"GET /in.php http/1.1\r\nHost: localhost\r\n\r\n", 505, "BAD_VERSION"),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 505, "BAD_VERSION"),
    "no version": (b"GET /in.php FTP/1.1\r\nHost: localhost\r\n\r\n", 400, "BAD_REQUEST_LINE"),
    "two spaces": (b"GET  /in.php HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "BAD_REQUEST_LINE"),
    "space in the target": (b"GET /in.php?a b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "BAD_REQUEST_LINE"),
    "method no token": (b"G(T /in.php HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "BAD_REQUEST_LINE"),
    "target without a slash": (b"GET in.php HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "BAD_TARGET"),
    "asterisk for GET": (b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "BAD_TARGET"),
    "CONNECT": (b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n", 405, "CONNECT_METHOD"),
    "Expect something else": (POST + b"Expect: 200-ok\r\nContent-Length: 3\r\n\r\nabc", 417, "EXPECTATION_FAILED"),
}


@pytest.fixture(scope="module")
def sim():
    with Simulator(idle_timeout=0) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def wp(sim):
    with Warmpool(sim) as daemon:
        yield daemon


def refused(data, status, code):
    """One answer of ours, then the end."""
    assert data.startswith(b"HTTP/1.1 %d " % status), data
    head, _, body = data.partition(b"\r\n\r\n")
    assert body.decode().split("\n")[0] == f"ERROR_{code}", data
    assert b"\r\nConnection: close" in head, data
    assert b"\r\nProxy-Status: warmpool; error=http_request_" in head, data
    assert b"\r\nRetry-After" not in head, data
    assert b"\r\nContent-Length: %d\r\n" % len(body) in head, data


@pytest.mark.parametrize("name", REJECTS)
def test_a_malformed_request_is_refused(sim, wp, name):
    data, status, code = REJECTS[name]
    before = sim.counters()["requests"]["total"]
    refused(wp.raw(data), status, code)
    assert sim.counters()["requests"]["total"] == before


@pytest.mark.parametrize("name", REJECTS)
def test_it_is_refused_the_same_byte_by_byte(wp, name):
    data, status, code = REJECTS[name]
    with wp.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data[:600]:
            try:
                sock.sendall(bytes([byte]))
            except OSError:
                break
        if len(data) > 600:
            try:
                sock.sendall(data[600:])
            except OSError:
                pass
        refused(read_all(sock), status, code)


def test_what_follows_a_malformed_request_is_never_served(sim, wp):
    """Two parsers that disagree about where a request ends: the second request would be smuggled."""
    before = sim.counters()["requests"]["total"]
    smuggled = b"GET /echo?smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for name in ("length and encoding", "differing lengths", "gzip, chunked", "chunk data too long", "bare LF", "CONNECT"):
        data, status, code = REJECTS[name]
        refused(wp.raw(data + smuggled), status, code)
    assert sim.counters()["requests"]["total"] == before


def test_equal_content_lengths_are_refused_too(wp):
    refused(wp.raw(POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"), 400, "DIFFERING_CONTENT_LENGTHS")


def test_a_refusal_reaches_a_client_that_goes_on_sending(wp):
    """Half-closed and drained: an RST would take the answer away from a client that is still writing."""
    with wp.connect() as sock:
        sock.sendall(b"POST /in.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n")
        select.select([sock], [], [], 10)  # the answer is here; it is drained for 2 s
        for _ in range(50):
            sock.sendall(b"z" * 4096)
        refused(read_all(sock), 400, "BAD_CONTENT_LENGTH")
        sock.sendall(b"z")      # still drained: the connection ended on one side only


def test_a_drained_connection_ends_though_its_client_stays(wp):
    with wp.connect() as sock:
        sock.sendall(b"BROKEN\r\n\r\n")
        refused(read_all(sock), 400, "BAD_REQUEST_LINE")
        deadline = time.monotonic() + 6
        with pytest.raises(OSError):
            while time.monotonic() < deadline:
                sock.sendall(b"z")
                time.sleep(0.05)


def test_a_good_request_byte_by_byte(wp):
    with wp.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in (b"\r\nPOST /echo?a=b HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nX: y\r\n\r\n"):
            sock.sendall(bytes([byte]))
        status, _, body, _ = read_response(sock)
        assert status == 200 and b'"body_length": 6' in body, body


def test_a_request_error_in_json(wp):
    data = wp.raw(b"POST /in.php?json=1 HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\n\r\n")
    assert data.startswith(b"HTTP/1.1 417 ") and b'{"status":0,"request":"ERROR_EXPECTATION_FAILED"' in data
