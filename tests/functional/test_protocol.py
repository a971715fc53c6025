"""What is forwarded byte for byte, what is not, and the two HTTP versions on kept connections."""
import hashlib
import json
import random
import socket
import tempfile

import pytest

from daemon import Warmpool, read_all, read_response
from simctl import Simulator

HOP_BY_HOP = [
    ("Connection", "keep-alive, X-Named, x-also"), ("X-Named", "1"), ("X-Also", "2"), ("Keep-Alive", "timeout=5"),
    ("Proxy-Connection", "keep-alive"), ("Proxy-Authorization", "Basic eDp5"), ("Proxy-Thing", "1"), ("TE", "trailers"),
    ("Trailer", "X-T"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAARAAAAA"),
]


@pytest.fixture(scope="module")
def sim():
    with Simulator(idle_timeout=0) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def wp(sim):
    with Warmpool(sim) as daemon:
        yield daemon


@pytest.fixture
def sock(wp):
    with wp.connect() as connected:
        yield connected


def echo(sock, text):
    """Sends a request to /echo; what the simulator received."""
    sock.sendall(text if isinstance(text, bytes) else text.encode())
    status, _, body, rest = read_response(sock)
    assert (status, rest) == (200, b""), body
    return json.loads(body)


def exchange(sock, text):
    """Sends a request; the status, the bytes of the head, the body of Content-Length bytes."""
    sock.sendall(text.encode())
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        assert piece, data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), body


def is_ended(sock):
    return sock.recv(1) == b""


def test_fields_stay_byte_for_byte(sock, sim):
    sent = ["X-Twice: 1", "accept:text/html", "X-Twice: 2", "x-ODD-case:  inner   spaces kept", "Empty:", "X-Latin: \xe9\xff",
            "Cookie: a=b; c=d", "User-Agent: none/1", "X-Twice: 3"]
    text = "GET /echo HTTP/1.1\r\nHost: localhost\r\n" + "".join(line + "\r\n" for line in sent) + "\r\n"
    found = echo(sock, text.encode("latin-1"))
    lines = found["head"].rstrip("\r\n").split("\r\n")
    assert lines == ["GET /echo HTTP/1.1", f"Host: localhost:{sim.port}", *sent, "Via: 1.1 warmpool"]


def test_via_of_others_is_kept_before_ours(sock):
    found = echo(sock, "GET /echo HTTP/1.1\r\nHost: localhost\r\nVia: 1.0 other\r\n\r\n")
    assert [value for name, value in found["headers"] if name.lower() == "via"] == ["1.0 other", "1.1 warmpool"]


def test_hop_by_hop_fields_end_here(sock):
    lines = "".join(f"{name}: {value}\r\n" for name, value in HOP_BY_HOP)
    found = echo(sock, f"GET /echo HTTP/1.1\r\nHost: localhost\r\nX-Before: 1\r\n{lines}X-After: 1\r\n\r\n")
    assert [name for name, _ in found["headers"]] == ["Host", "X-Before", "X-After", "Via"]


def test_hop_by_hop_fields_of_the_response_end_here(sock, sim):
    sim.fault(action="headers", path="/bytes/5", headers=[["X-First", "1"], *map(list, HOP_BY_HOP), ["X-twice", "a"],
                                                          ["X-Twice", "b"]])
    head, body = exchange(sock, "GET /bytes/5 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    names = [line.partition(":")[0] for line in head.split("\r\n")[1:]]
    gone = {name.lower() for name, _ in HOP_BY_HOP}
    assert gone.isdisjoint(name.lower() for name in names), head
    assert [name for name in names if name.startswith("X-")] == ["X-First", "X-twice", "X-Twice"]
    assert len(body) == 5


@pytest.mark.parametrize("target", ["/echo?a=%20&b=+&c", "/echo/../x?q=\"<>{}|", "/echo?%zz#part", "/echo//a//?=&&", "/echo\xe9?\xff"])
def test_the_target_stays_byte_for_byte(sock, target):
    found = echo(sock, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("latin-1"))
    assert found["target"] == target


@pytest.mark.parametrize("size", [100_000, 1_900_000])
def test_a_target_that_holds_an_image(sock, size):
    target = "/echo?body=" + "iVBORw0KGgo+/=" * (size // 14)
    found = echo(sock, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert found["target"] == target


RECORD = 16_384  # of TLS; the first holds the head, too


@pytest.mark.parametrize("size", [0, 1, *range(RECORD - 400, RECORD, 57), RECORD, RECORD + 1, 3 * RECORD, 50_000, 3_000_000])
def test_a_body_stays_byte_for_byte(sock, size):
    body = random.Random(size).randbytes(size)
    found = echo(sock, f"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    assert (found["body_length"], found["body_sha256"]) == (len(body), hashlib.sha256(body).hexdigest())


def chunked(body, *sizes):
    out, at = b"", 0
    for size in [*sizes, len(body)]:
        piece = body[at:at + size]
        at += len(piece)
        if piece:
            out += b"%X;ext=\"v\"\r\n%s\r\n" % (len(piece), piece)
    return out + b"000\r\nX-Trailer: dropped\r\n\r\n"


@pytest.mark.parametrize("sizes", [(), (1,), (1, 2, 3, 70_000), (65_536, 65_536)])
def test_a_chunked_body_goes_out_with_its_length(sock, sizes):
    body = bytes(range(256)) * 1000
    found = echo(sock, b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\nX-A: 1\r\n\r\n" + chunked(body, *sizes))
    assert (found["framing"], found["body_sha256"]) == ("length", hashlib.sha256(body).hexdigest())
    assert [name for name, _ in found["headers"]] == ["Host", "X-A", "Via", "Content-Length"]


def test_an_empty_chunked_body(sock):
    found = echo(sock, "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert found["body_length"] == 0 and ["Content-Length", "0"] in found["headers"]


def test_expect_is_answered_here_before_the_body(sock):
    sock.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n")
    assert read_response(sock)[0] == 100
    found = echo(sock, "body")
    assert found["body_length"] == 4 and "Expect" not in dict(found["headers"])


def test_no_100_when_the_body_is_here_or_in_http_1_0(wp):
    for version, more in (("1.1", "Connection: close\r\n"), ("1.0", "")):
        data = wp.raw(f"POST /echo HTTP/{version}\r\nHost: localhost\r\nExpect: 100-continue\r\n{more}"
                      "Content-Length: 4\r\n\r\nbody".encode())
        assert data.startswith(b"HTTP/1.1 200 "), data


def test_no_100_for_http_1_0_though_the_body_comes_later(sock):
    sock.sendall(b"POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        sock.recv(1)
    sock.settimeout(10)
    assert echo(sock, "body")["body_length"] == 4


def test_keep_alive(sock):
    for number in range(20):
        assert echo(sock, f"GET /echo?{number} HTTP/1.1\r\nHost: localhost\r\n\r\n")["target"] == f"/echo?{number}"


def test_pipelined_requests_are_answered_in_order(sock, sim):
    for number, delay in ((0, 150), (3, 80), (7, 30)):
        sim.fault(action="delay", ms=delay, query=f"n={number}&")
    sock.sendall(b"".join(
        b"POST /echo?n=%d& HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (number, number, b"x" * number)
        for number in range(10)))
    rest = b""
    for number in range(10):
        status, _, body, rest = read_response(sock, rest)
        found = json.loads(body)
        assert (status, found["target"], found["body_length"]) == (200, f"/echo?n={number}&", number)
    assert rest == b""


def test_a_pipelined_request_after_one_that_closes_is_not_served(sim, wp):
    before = sim.counters()["requests"]["total"]
    data = wp.raw(b"GET /echo?a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nGET /echo?b HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert data.count(b"HTTP/1.1 200 ") == 1 and b"/echo?a" in data
    assert sim.counters()["requests"]["total"] == before + 1


def test_connection_close_is_answered_and_closed(sock):
    head, _ = exchange(sock, "GET /bytes/0 HTTP/1.1\r\nHost: localhost\r\nConnection: Close\r\n\r\n")
    assert "\r\nconnection: close" in head.lower()
    assert is_ended(sock)


def test_http_1_0_closes(wp):
    data = wp.raw(b"GET /echo HTTP/1.0\r\n\r\n")
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and b"\r\nConnection: close" in head
    found = json.loads(body)
    assert found["version"] == "1.1"
    assert ["Via", "1.0 warmpool"] in found["headers"]


def test_http_1_0_with_keep_alive_stays(sock):
    for _ in range(3):
        head, _ = exchange(sock, "GET /bytes/0 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert "\r\nConnection: keep-alive" in head
    sock.sendall(b"GET /bytes/0 HTTP/1.0\r\n\r\n")
    assert b"Connection: close" in read_all(sock)


def test_a_chunked_response_reaches_http_1_0_with_its_length(sock, sim):
    sim.fault(action="chunked", size=7, path="/bytes/100")
    head, body = exchange(sock, "GET /bytes/100 HTTP/1.0\r\n\r\n")
    assert "transfer-encoding" not in head.lower() and "\r\nContent-Length: 100" in head
    assert len(body) == 100


def test_a_head_request(sock):
    head, body = exchange(sock, "HEAD /bytes/4321 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert "content-length: 4321" in head.lower() and body == b""
    assert echo(sock, "GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n")["method"] == "GET"


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body(sock, sim, status):
    sim.fault(action="status", status=status, path="/bytes/1")
    head, body = exchange(sock, "GET /bytes/1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ") and body == b""
    assert echo(sock, "GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n")["method"] == "GET"


def test_any_method_passes(sock):
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "M-SEARCH"):
        assert echo(sock, f"{method} /echo HTTP/1.1\r\nHost: localhost\r\n\r\n")["method"] == method


def test_a_unix_socket(sim):
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/pool.sock"
        with Warmpool(sim, listen=f"unix:{path}") as wp:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(10)
                sock.connect(path)
                assert echo(sock, "GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n")["method"] == "GET"
            assert wp.wait_log(r" access client=\"?pid=\d+")


def test_several_listeners_and_ipv6(sim):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with Warmpool(sim, listen="127.0.0.1:0,[::1]:0") as wp:
        assert len(wp.addresses) == 2
        for address in wp.addresses:
            host, port = address.rsplit(":", 1)
            with socket.create_connection((host.strip("[]"), int(port)), timeout=10) as sock:
                for target in ("/echo", f"http://{address}/echo"):
                    assert echo(sock, f"GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n")["target"] == "/echo"
        assert wp.wait_log(r" access client=\"?::1")
