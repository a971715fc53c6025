"""The admin interface: its pages, whom it answers, and where it listens."""
import re
import socket
import time

import pytest
import requests

from admin_client import ON, ask, connect, request
from daemon import Warmpool, knows_systemd, read_all, read_response
from replies import poll
from simctl import Simulator
from test_reload import Configured
from test_service import _handed, _listening


@pytest.fixture
def admin(sim):
    with Warmpool(sim, **ON) as wp:
        yield wp


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_health_is_told_in_a_word(admin):
    for path in ("/healthz", "/readyz"):
        status, headers, body = ask(admin, path=path)
        assert (status, body) == (200, "ok\n")
        assert headers["content-type"] == "text/plain; charset=utf-8"
    assert requests.get(f"http://{admin.admin}/readyz?verbose", timeout=20).text == "ok\n"


def test_every_answer_forbids_to_keep_or_embed_it(admin):
    for parts in ({}, {"path": "/none"}, {"method": "PUT"}, {"host": "evil.example"}, {"path": "/%00"}):
        _, headers, _ = ask(admin, **parts)
        assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert not any(name.startswith("access-control-") for name in headers)


def test_head_has_the_length_and_no_body(admin):
    for path, length in (("/healthz", 3), ("/none", None)):
        with connect(admin) as sock:
            sock.sendall(request(path, "HEAD"))
            head, _, rest = read_all(sock).partition(b"\r\n\r\n")
        assert rest == b""
        said = int(re.search(rb"Content-Length: (\d+)", head).group(1))
        assert said == length if length else said > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "BREW"])
def test_only_get_and_head_are_answered(admin, method):
    status, headers, body = ask(admin, method=method)
    assert (status, headers["allow"]) == (405, "GET, HEAD") and "GET" in body


@pytest.mark.parametrize("data, expected", [
    (request("/none"), 404),
    (request("/healthz/"), 404),
    (request("/healthz%00"), 404),
    (request("//healthz"), 404),
    (request("/" + "a" * 300), 404),
    (request("http://localhost/healthz"), 200),
    (request("http://evil.example/healthz"), 421),
    (request("/healthz", host="127.0.0.1:8081"), 200),
    (request("/healthz", host="evil.example"), 421),
    (request("/healthz", host="evil.example:8081", method="POST"), 421),
    (request("/healthz", host=None), 400),
    (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
    (b"GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n", 421),
    (request(fields=["Origin: http://evil.example"]), 403),
    (request(fields=["Origin: null"]), 403),
    (request(fields=["Origin: http://localhost:3000"]), 200),
    (request(fields=["Origin: http://localhost", "Origin: http://evil.example"]), 403),
    (request(fields=["Content-Length: 0"]), 200),
    (request(fields=["Content-Length: 5"]) + b"hello", 413),
    (request(fields=["Transfer-Encoding: chunked"]) + b"0\r\n\r\n", 413),
    (request(fields=["Content-Length: 5", "Content-Length: 0"]), 400),
    (request(fields=["Transfer-Encoding: gzip, chunked"]), 501),
    (request(fields=["A: b"] * 63), 200),
    (request(fields=["A: b"] * 64), 431),
    (request(fields=["A: " + "b" * 8100]), 200),
    (request(fields=["A: " + "b" * 8200]), 431),
    (request("/" + "a" * 9000), 431),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 505),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"GET /healthz\r\n", 505),
    (b"GET /healthz HTTP/1.1\nHost: localhost\n\n", 400),
    (request() + request("/none"), 200),
])
def test_what_is_sent_gets_one_answer_however_it_is_cut(admin, data, expected):
    assert ask(admin, data)[0] == expected
    with connect(admin) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(data), 1 if len(data) < 400 else 97):
            try:
                sock.sendall(data[at:at + (1 if len(data) < 400 else 97)])
            except OSError:
                break
        assert read_response(sock)[0] == expected
        assert read_all(sock) == b""


def test_an_end_with_the_request_does_not_take_the_answer(admin):
    with connect(admin) as sock:
        sock.sendall(request())
        sock.shutdown(socket.SHUT_WR)
        assert read_response(sock)[0] == 200
    with connect(admin) as sock:
        sock.sendall(request()[:-2])
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""


def test_readiness_follows_the_start(sim, tmp_path):
    sim.refuse()
    with Warmpool(sim, ready=False, **{"admin.listen": f"unix:{tmp_path}/admin.sock"}) as wp:
        wp.admin = f"unix:{tmp_path}/admin.sock"
        wp.wait_log("connect failed")
        status, _, body = ask(wp, path="/readyz")
        assert status == 503 and body.startswith("warming up: 0 of 4 connections stand (the upstream refused")
        assert ask(wp, path="/healthz")[0] == 200
        sim.accept()
        wp.wait_log("ready listen=")
        assert ask(wp, path="/readyz")[0] == 200


def test_readiness_follows_the_upstream(sim):
    with Warmpool(sim, **ON) as wp:
        assert ask(wp, path="/readyz")[0] == 200
        sim.refuse()
        sim.close_all()
        with wp.connect() as sock:  # who waits: else it is tried ever more seldom, by chance
            sock.sendall(b"GET /res.php?key=k HTTP/1.1\r\nHost: localhost\r\n\r\n")
            until(lambda: ask(wp, path="/readyz")[2].startswith("the upstream has been unreachable for "))
        status, _, body = ask(wp, path="/readyz")
        assert status == 503 and re.search(r"for \d+ s: the upstream refused the connection$", body.strip())
        assert ask(wp)[0] == 200
        sim.accept()
        until(lambda: ask(wp, path="/readyz")[0] == 200)


def test_a_drain_is_told_to_balancers():
    with Simulator() as sim, Warmpool(sim, drain_s=60, **ON) as wp:
        sim.fault(action="hold", path="/res.php")
        with wp.connect() as sock:
            sock.sendall(b"GET /res.php?key=k&action=get&id=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            sim.wait(lambda counters: len(sim.requests()) > 0)
            wp.terminate()
            wp.wait_log("finishing 1 requests")
            assert ask(wp, path="/readyz")[::2] == (503, "shutting down\n")
            assert ask(wp)[0] == 200
            sim.clear_faults()
            assert read_response(sock)[0] == 200


def test_it_listens_on_a_unix_socket_and_takes_it_away(sim, tmp_path):
    path = tmp_path / "admin.sock"
    with Warmpool(sim, **{"admin.listen": f"unix:{path}", "admin.allow": ""}) as wp:
        assert wp.admin == f"unix:{path}" and ask(wp)[0] == 200
        assert ask(wp, host="evil.example")[0] == 421
    assert not path.exists()


def test_off_is_off(sim):
    with Warmpool(sim) as wp:
        assert wp.admin == "off"
        assert poll(wp, None).status_code == 200


def test_a_taken_address_ends_the_start_and_says_what_to_do(sim):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        wp = Warmpool(sim, ready=False, **{"admin.listen": address})
        wp.wait_log(f"error admin: --set admin.listen: cannot listen on {address}: Address already in use; .*"
                    "--set admin.listen=off")
        assert wp.process.wait(10) == 1
        wp.stop(expect=1)


def test_who_may_ask_is_reloaded_and_where_is_not(sim, tmp_path):
    with Configured(sim, tmp_path / "w.yaml", "admin: {hosts: [status.example]}\n", **ON) as wp:
        assert ask(wp, host="status.example")[0] == 200
        with connect(wp) as early:
            early.sendall(request()[:20])
            wp.reload("admin: {allow: [192.0.2.0/24], hosts: []}\n")
            status, _, body = ask(wp)
            assert status == 403 and "admin.allow" in body
            early.sendall(request()[20:])
            assert read_response(early)[0] == 403
        wp.reload("admin: {allow: [127.0.0.0/8]}\n")
        assert ask(wp)[0] == 200
        assert ask(wp, host="status.example")[0] == 421


def test_a_changed_address_waits_for_a_restart(sim, tmp_path):
    first, second = tmp_path / "a.sock", tmp_path / "b.sock"
    with Configured(sim, tmp_path / "w.yaml", f"admin: {{listen: 'unix:{first}'}}\n", **{"admin.listen": None}) as wp:
        said = wp.reload(f"admin: {{listen: 'unix:{second}'}}\n")
        assert "admin.listen: needs a restart; the running value stays" in said
        assert ask(wp)[0] == 200 and not second.exists()


@pytest.mark.skipif(not knows_systemd(), reason="built without libsystemd")
def test_sockets_from_systemd_take_the_place_of_its_address(sim, tmp_path):
    path = str(tmp_path / "admin.sock")
    with _listening() as http, _listening() as tcp, _listening(socket.AF_UNIX, path) as local:
        with _handed(sim, http, tcp, local, names="http:admin:admin", **{"admin.listen": "127.0.0.1:1"}) as wp:
            assert wp.port == http.getsockname()[1]
            assert wp.admin.strip('"') == f"127.0.0.1:{tcp.getsockname()[1]} unix:{path}"
            for address in wp.admin.strip('"').split():
                wp.admin = address
                assert ask(wp, path="/readyz")[0] == 200
        assert (tmp_path / "admin.sock").exists()


@pytest.mark.skipif(not knows_systemd(), reason="built without libsystemd")
def test_off_holds_against_systemd(sim):
    with _listening() as tcp, _handed(sim, tcp, names="admin") as wp:
        wp.wait_log("warning admin: descriptor 3 from systemd is not used: admin.listen is off")
        assert wp.admin == "off"


@pytest.mark.skipif(not knows_systemd(), reason="built without libsystemd")
def test_what_does_not_listen_is_refused(sim):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        wp = _handed(sim, sock, names="admin", ready=False, **ON)
        wp.wait_log("error admin: descriptor 3 from systemd is no listening stream socket")
        assert wp.process.wait(10) == 1
        wp.stop(expect=1)
