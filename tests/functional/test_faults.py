"""Each scripted fault of the upstream: what the client is answered, and how often the request arrived."""
import concurrent.futures
import contextlib
import socket
import subprocess
import time

import pytest
import requests

from daemon import Warmpool
from line import Line
from replies import KEY, arrived, ask, assert_error, assert_unknown, new_uniq, poll, report, submit
from simctl import Simulator

RESPONSE_LIMIT = 256 << 10
RESPONSE_MS = 1000

ENDED = ("CONNECTION_ENDED", 502, "connection_terminated", True)
BROKE_OFF = ("RESPONSE_INCOMPLETE", 502, "http_response_incomplete", True)
MALFORMED = ("RESPONSE_MALFORMED", 502, "http_protocol_error", False)
HEAD_TOO_LARGE = ("RESPONSE_HEAD_TOO_LARGE", 502, "http_response_header_section_size", False)
TOO_LARGE = ("RESPONSE_TOO_LARGE", 502, "http_response_body_size", False)
UPGRADE = ("UNASKED_UPGRADE", 502, "http_upgrade_failed", False)
TIMEOUT = ("RESPONSE_TIMEOUT", 504, "connection_read_timeout", True)


def raw(data, how="fin", **more):
    return {"action": "raw", "data": data, "how": how, **more}


# name: (rule, what a poll is answered when it happens twice)
BAD = {
    "close": ({"action": "close"}, ENDED),
    "close without close_notify": ({"action": "close", "how": "fin_no_notify"}, ENDED),
    "rst": ({"action": "rst"}, ENDED),
    "half head, fin": ({"action": "half_head"}, BROKE_OFF),
    "half head, rst": ({"action": "half_head", "how": "rst"}, BROKE_OFF),
    "half head, no close_notify": ({"action": "half_head", "how": "fin_no_notify"}, BROKE_OFF),
    "one byte": ({"action": "half_head", "bytes": 1}, BROKE_OFF),
    "half body, fin": ({"action": "half_body"}, BROKE_OFF),
    "half body, rst": ({"action": "half_body", "how": "rst"}, BROKE_OFF),
    "no body": ({"action": "half_body", "bytes": 0}, BROKE_OFF),
    "wrong length, too long": ({"action": "wrong_length", "delta": 10}, BROKE_OFF),
    "garbage": ({"action": "garbage"}, MALFORMED),
    "garbage that looks well": ({"action": "garbage", "data": "SSH-2.0-OpenSSH_9.2\r\n\r\n"}, MALFORMED),
    "HTTP/2": (raw("HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n"), MALFORMED),
    "no status": (raw("HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n"), MALFORMED),
    "two lengths": ({"action": "double_length", "delta": 1}, MALFORMED),
    "two equal lengths": ({"action": "double_length"}, MALFORMED),
    "length and encoding": (raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), MALFORMED),
    "bad length": (raw("HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello"), MALFORMED),
    "unknown encoding": (raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), MALFORMED),
    "space before colon": (raw("HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello"), MALFORMED),
    "folded": (raw("HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 5\r\n\r\nhello"), MALFORMED),
    "bare lf": (raw("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"), MALFORMED),
    "chunk size": ({"action": "chunked", "bad": "size"}, MALFORMED),
    "chunk size overflows": ({"action": "chunked", "bad": "huge"}, MALFORMED),
    "chunk size negative": ({"action": "chunked", "bad": "negative"}, MALFORMED),
    "chunk without crlf": ({"action": "chunked", "bad": "crlf"}, MALFORMED),
    "chunk truncated": ({"action": "chunked", "bad": "truncated"}, BROKE_OFF),
    "chunks without an end": ({"action": "chunked", "bad": "no_end"}, BROKE_OFF),
    "until close, no close_notify": ({"action": "until_close", "how": "fin_no_notify"}, BROKE_OFF),
    "until close, rst": ({"action": "until_close", "how": "rst"}, BROKE_OFF),
    "unasked 101": ({"action": "switch"}, UPGRADE),
    "1xx and then nothing": (raw("HTTP/1.1 103 Early Hints\r\n\r\n"), BROKE_OFF),
    "1xx without end": (raw("HTTP/1.1 103 Early Hints\r\n\r\n" * 100), MALFORMED),
    "huge head": ({"action": "big_head", "bytes": 1 << 20}, HEAD_TOO_LARGE),
    "head without end": (raw("HTTP/1.1 200 OK\r\nX: " + "x" * 100_000), HEAD_TOO_LARGE),
    "too many fields": ({"action": "big_head", "bytes": 8000, "fields": 200}, HEAD_TOO_LARGE),
    "response too large": ({"action": "big_body", "bytes": RESPONSE_LIMIT + 1}, TOO_LARGE),
    "never": ({"action": "never"}, TIMEOUT),
    "delay": ({"action": "delay", "ms": 3 * RESPONSE_MS}, TIMEOUT),
    "drip too slow": ({"action": "drip", "interval_ms": RESPONSE_MS / 4}, TIMEOUT),
}
_REPEATABLE_FAST = [name for name, (_, expected) in BAD.items() if expected is not TIMEOUT]


class Bench:
    """One simulator and two daemons for all tests of this file; every fault is over at a test's end."""

    def __init__(self, sim, wp, hasty):
        self.sim, self.wp, self.hasty = sim, wp, hasty

    def facing(self, name):
        """The daemon for that fault: of the short timeout only where that is what ends it, as a busy machine is slow, too."""
        return self.hasty if BAD[name][1] is TIMEOUT else self.wp


@pytest.fixture(scope="module")
def shared():
    # A large pool: the budget of repeats grows with it.
    options = {"pool.size": 200, "pool.min_idle": 2, "limits.clients": 200, "limits.response_body": RESPONSE_LIMIT}
    with Simulator() as sim, Warmpool(sim, secrets=[KEY], **options) as wp:
        with Warmpool(sim, secrets=[KEY], **options, **{"timeouts.response": f"{RESPONSE_MS}ms"}) as hasty:
            yield Bench(sim, wp, hasty)


@pytest.fixture
def bench(shared):
    shared.sim.clear_faults()
    yield shared
    shared.sim.clear_faults()


def open_connections(sim):
    return {connection["number"] for connection in sim.connections() if connection["state"] == "idle"}


def carried(sim, uniq):
    """The connection that a request of that mark came on."""
    return sim.requests(uniq=uniq)[-1]["connection"]


# What cannot be taken as an answer

@pytest.mark.parametrize("name", BAD)
def test_a_submit_is_answered_424_and_arrives_once(bench, name):
    rule, (_code, _status, proxy_error, _helps) = BAD[name]
    is_json = len(name) % 2 == 0
    uniq = new_uniq()
    bench.sim.fault(path="/in.php", times=-1, **rule)
    assert_unknown(submit(bench.facing(name), uniq, is_json=is_json), proxy_error, is_json)
    assert arrived(bench.sim, uniq) == 1


@pytest.mark.parametrize("name", _REPEATABLE_FAST)
def test_a_poll_succeeds_by_one_repeat(bench, name):
    uniq = new_uniq()
    bench.sim.fault(path="/res.php", **BAD[name][0])
    response = poll(bench.wp, uniq)
    assert (response.status_code, response.text) == (200, "ERROR_WRONG_CAPTCHA_ID")
    assert arrived(bench.sim, uniq) == 2


@pytest.mark.parametrize("name", BAD)
def test_a_poll_that_fails_twice_says_why(bench, name):
    rule, (code, status, proxy_error, helps) = BAD[name]
    is_json = len(name) % 2 == 1
    uniq = new_uniq()
    bench.sim.fault(path="/res.php", times=-1, **rule)
    assert_error(poll(bench.facing(name), uniq, is_json=is_json), status, code, proxy_error, is_json, retry_after=helps)
    assert arrived(bench.sim, uniq) == 2


@pytest.mark.parametrize("name", ["close", "rst", "half body, fin", "garbage", "chunk size", "never", "unasked 101"])
def test_a_report_is_answered_the_same_and_arrives_once(bench, name):
    rule, (code, status, proxy_error, helps) = BAD[name]
    uniq = new_uniq()
    bench.sim.fault(path="/res.php", times=-1, **rule)
    assert_error(report(bench.facing(name), uniq), status, code, proxy_error, retry_after=helps)
    assert arrived(bench.sim, uniq) == 1


@pytest.mark.parametrize("name", ["garbage", "two lengths", "unasked 101", "huge head", "response too large", "never"])
def test_that_connection_is_not_used_again(bench, name):
    uniq = new_uniq()
    bench.sim.fault(path="/in.php", **BAD[name][0])
    assert submit(bench.facing(name), uniq).status_code == 424
    number = carried(bench.sim, uniq)
    bench.sim.wait(lambda _: number not in {c["number"] for c in bench.sim.connections()})


@pytest.mark.parametrize("path,rule", [
    (f"/bytes/{RESPONSE_LIMIT + 1}", None),
    (f"/bytes/{RESPONSE_LIMIT + 1}", {"action": "chunked", "size": 4096}),
    (f"/bytes/{RESPONSE_LIMIT + 1}", {"action": "until_close"}),
], ids=["length", "chunked", "until close"])
def test_a_response_over_the_limit(bench, path, rule):
    if rule:
        bench.sim.fault(**rule)
    assert_error(ask(bench.wp, path), 502, "RESPONSE_TOO_LARGE", "http_response_body_size", retry_after=False)


@pytest.mark.parametrize("rule", [None, {"action": "chunked", "size": 4096}, {"action": "until_close"}],
                         ids=["length", "chunked", "until close"])
def test_a_response_just_at_the_limit(bench, rule):
    if rule:
        bench.sim.fault(**rule)
    response = ask(bench.wp, f"/bytes/{RESPONSE_LIMIT}")
    assert (response.status_code, len(response.content)) == (200, RESPONSE_LIMIT)


# Strange, but answers

@pytest.mark.parametrize("what", [submit, poll])
@pytest.mark.parametrize("rule", [
    {"action": "drip", "chunk": 7, "interval_ms": 1},
    {"action": "drip", "chunk": 1, "interval_ms": 0.1},
    {"action": "delay", "ms": RESPONSE_MS / 5},
    {"action": "chunked", "size": 1},
    {"action": "chunked", "size": 3, "extension": ";a=b", "trailers": [["X-Checksum", "1"]]},
    {"action": "until_close", "how": "fin"},
    {"action": "http10"},
    {"action": "http10", "keep_alive": True},
    {"action": "informational", "statuses": [103]},
    {"action": "informational", "statuses": [100, 102, 103, 199], "delay_ms": 20},
    {"action": "headers", "headers": [["X-A", "1"], ["X-A", "2"]]},
    {"action": "connection_close"}, {"action": "connection_close", "how": "rst"},
    {"action": "close_after_answer"},
], ids=lambda value: " ".join(map(str, value.values()))[:40] if isinstance(value, dict) else value.__name__)
def test_an_answer_is_passed_on(bench, what, rule):
    uniq = new_uniq()
    number = bench.sim.fault(path="/in.php" if what is submit else "/res.php", times=-1, **rule)
    response = what(bench.wp, uniq)
    assert bench.sim.acted(number) == 1
    assert response.status_code == 200
    assert response.text[:3] == "OK|" if what is submit else response.text == "ERROR_WRONG_CAPTCHA_ID"
    assert response.headers["Content-Length"] == str(len(response.content))
    assert not {"Transfer-Encoding", "Trailer", "X-Checksum", "X-Note", "Keep-Alive"} & set(response.headers)
    assert arrived(bench.sim, uniq) == 1


def test_a_length_too_short_leaves_bytes_behind(bench):
    # The response ends where it says; what follows belongs to nobody.
    uniq = new_uniq()
    bench.sim.fault(action="wrong_length", delta=-3, path="/in.php")
    response = submit(bench.wp, uniq)
    assert response.status_code == 200 and len(response.text) == len("OK|73548291") - 3
    number = carried(bench.sim, uniq)
    bench.sim.wait(lambda _: number not in open_connections(bench.sim))
    assert arrived(bench.sim, uniq) == 1


@pytest.mark.parametrize("delay_ms", [0, 20])
def test_bytes_after_a_response_are_nobodys_response(bench, delay_ms):
    uniq = new_uniq()
    bench.sim.fault(action="extra", path="/in.php", delay_ms=delay_ms,
                    data="HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nOK|forged")
    assert submit(bench.wp, uniq).text[:4] == "OK|7"
    number = carried(bench.sim, uniq)
    bench.sim.wait(lambda _: number not in open_connections(bench.sim))
    for _ in range(10):
        assert poll(bench.wp, None).text == "ERROR_WRONG_CAPTCHA_ID"


@pytest.mark.parametrize("rule,lives_on", [
    ({"action": "http10"}, False), ({"action": "http10", "keep_alive": True}, True),
    ({"action": "chunked"}, True), ({"action": "informational"}, True), ({"action": "status", "status": 429}, True),
    ({"action": "headers", "headers": [["Connection", "close"]]}, False),
    ({"action": "headers", "headers": [["Connection", "keep-alive, Close"]]}, False),
], ids=lambda value: " ".join(map(str, value.values()))[:40] if isinstance(value, dict) else "")
def test_whether_the_connection_lives_on(bench, rule, lives_on):
    uniq = new_uniq()
    bench.sim.fault(path="/in.php", **rule)
    submit(bench.wp, uniq)
    number = carried(bench.sim, uniq)
    if lives_on:
        assert number in open_connections(bench.sim)
    else:
        bench.sim.wait(lambda _: number not in open_connections(bench.sim))


@pytest.mark.parametrize("what,path", [(submit, "/in.php"), (poll, "/res.php"), (report, "/res.php")])
@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 502, 503, 504])
def test_an_error_status_of_the_api_is_passed_on_untouched(bench, what, path, status):
    uniq = new_uniq()
    bench.sim.fault(action="status", path=path, status=status, body="slow down\n", retry_after="7", times=-1,
                    headers=[["X-Limit", "a"], ["x-limit", "B"]])
    response = what(bench.wp, uniq)
    assert (response.status_code, response.text) == (status, "slow down\n")
    assert response.headers["Retry-After"] == "7"
    assert response.headers["X-Limit"] == "a, B"
    assert "Proxy-Status" not in response.headers
    assert arrived(bench.sim, uniq) == 1


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body(bench, status):
    number = bench.sim.fault(action="status", path="/in.php", status=status, times=2)
    with requests.Session() as session:
        for _ in range(2):
            response = submit(bench.wp, None, session=session)
            assert (response.status_code, response.content) == (status, b"")
    assert bench.sim.acted(number) == 2


def test_head_has_no_body_and_keeps_its_length(bench):
    uniq = new_uniq()
    answer = bench.wp.raw(f"HEAD /bytes/1000?uniq={uniq} HTTP/1.1\r\nHost: localhost\r\n\r\n"
                          f"GET /bytes/3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    first, second, body = answer.split(b"\r\n\r\n")
    assert b"\r\nContent-Length: 1000" in first and first.startswith(b"HTTP/1.1 200 ")
    assert second.startswith(b"HTTP/1.1 200 ") and body == b"012"
    assert carried(bench.sim, uniq) in open_connections(bench.sim)


# A response before the request is written

@pytest.mark.parametrize("then", ["read", "fin", "fin_no_notify", "linger"])
def test_an_early_response_is_taken(bench, then):
    uniq = new_uniq()
    bench.sim.fault(action="early", path="/in.php", after_body=1000, then=then, status=413, body="too much\n")
    response = submit(bench.wp, uniq, method="POST", body=b"b" * (15 << 20))
    assert (response.status_code, response.text) == (413, "too much\n")
    bench.sim.wait(lambda _: arrived(bench.sim, uniq) == 1)


def test_an_early_response_ends_a_connection_whose_request_is_unfinished():
    uniq = new_uniq()
    with Simulator() as sim, Line(sim.port, near_buffer=64 << 10) as line:
        with Warmpool(sim, upstream=f"https://127.0.0.1:{line.port}", **{"pool.size": 1, "pool.min_idle": 1}) as wp:
            line.connections[0].cut_after(100_000)
            sim.fault(action="early", path="/in.php", after_body=1000, status=413, body="too much\n")
            response = submit(wp, uniq, method="POST", body=b"b" * (15 << 20))
            assert (response.status_code, response.text) == (413, "too much\n")
            assert "Proxy-Status" not in response.headers
            assert poll(wp, None).status_code == 200
            assert len(line.connections) == 2


# Time

def test_the_answer_to_a_timeout_comes_in_time(bench):
    def took_s():
        began = time.monotonic()
        assert_unknown(submit(bench.hasty, new_uniq()), "connection_read_timeout")
        return time.monotonic() - began
    bench.sim.fault(action="never", path="/in.php", times=-1)
    # The soonest of three: a busy machine delays one or the other.
    assert RESPONSE_MS / 1000 <= min(took_s() for _ in range(3)) < RESPONSE_MS / 1000 + 1


def test_a_solve_has_a_timeout_of_its_own(sim):
    with Warmpool(sim, **{"timeouts.response": "100ms", "timeouts.solve_response": "2s"}) as wp:
        held = new_uniq()
        response = ask(wp, "/solve.php", held, solve_ms=400)
        assert response.status_code == 200 and held in response.text
        late = new_uniq()
        began = time.monotonic()
        assert_unknown(ask(wp, "/solve.php", late, solve_ms=60_000, is_json=True), "connection_read_timeout", True)
        assert 1.9 < time.monotonic() - began < 5
        assert (arrived(sim, held), arrived(sim, late)) == (1, 1)


def test_a_server_that_takes_no_more_of_a_submit(sim):
    # Writing has to progress every 10 s; the deadline is earlier here.
    uniq = new_uniq()
    with Warmpool(sim, **{"timeouts.response": "300ms", "queue.timeout": "300ms", "timeouts.connect": "400ms"}) as wp:
        sim.fault(action="stall_read", path="/in.php")
        response = submit(wp, uniq, method="POST", body=b"b" * (15 << 20))
        assert_unknown(response, "connection_write_timeout")
    assert sim.submits()["arrivals"].get(uniq, 0) == 0


# Nothing was sent: the connection did not come about

CERTIFICATES = ["wrong_name", "expired", "self_signed", "unknown_issuer"]
NO_CONNECTION = {
    "refused": (None, "CONNECT_REFUSED", 502, "connection_refused", True),
    "accept_close": ({"action": "accept_close"}, "TLS_FAILED", 502, "tls_protocol_error", True),
    "accept_rst": ({"action": "accept_rst"}, None, 502, None, True),
    "stalled": ({"action": "stall_handshake"}, "CONNECT_TIMEOUT", 504, "connection_timeout", True),
    "stalled half way": ({"action": "stall_handshake", "stage": "half"}, "CONNECT_TIMEOUT", 504, "connection_timeout", True),
    "closed": ({"action": "close_in_handshake"}, "TLS_FAILED", 502, "tls_protocol_error", True),
    "closed half way": ({"action": "close_in_handshake", "stage": "half"}, "TLS_FAILED", 502, "tls_protocol_error", True),
    "reset": ({"action": "rst_in_handshake"}, "TLS_FAILED", 502, "tls_protocol_error", True),
    "reset half way": ({"action": "rst_in_handshake", "stage": "half"}, "TLS_FAILED", 502, "tls_protocol_error", True),
    "garbage": ({"action": "garbage_handshake"}, "TLS_FAILED", 502, "tls_protocol_error", True),
    **{kind: ({"action": "certificate", "kind": kind}, "TLS_CERTIFICATE", 502, "tls_certificate_error", False)
       for kind in CERTIFICATES},
}


@pytest.mark.parametrize("name", NO_CONNECTION)
def test_no_connection(sim, name):
    rule, code, status, proxy_error, helps = NO_CONNECTION[name]
    # Where nothing stalls, no busy machine may look as if it did.
    options = {"pool.min_idle": 0, "queue.timeout": "1s", "timeouts.connect": "300ms" if "stalled" in name else "5s"}
    with Warmpool(sim, upstream="https://127.0.0.1:{port}", **options) as wp:
        if rule is None:
            sim.refuse()
        else:
            sim.fault(times=-1, **rule)
        uniqs = [new_uniq() for _ in range(3)]
        with concurrent.futures.ThreadPoolExecutor(3) as crowd:
            made = [crowd.submit(submit, wp, uniqs[0]), crowd.submit(submit, wp, uniqs[1], is_json=True, method="POST"),
                    crowd.submit(poll, wp, uniqs[2])]
            answers = [one.result() for one in made]
        for number, answer in enumerate(answers):
            if code is None:
                assert answer.status_code == 502 and answer.text[:6] in ("ERROR_", '{"stat')
            else:
                assert_error(answer, status, code, proxy_error, number == 1, retry_after=helps)
        assert [arrived(sim, uniq) for uniq in uniqs] == [0, 0, 0]
        # And it recovers by itself.
        sim.clear_faults()
        sim.accept()
        deadline = time.monotonic() + 8
        uniq = new_uniq()
        while submit(wp, uniq).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert arrived(sim, uniq) == 1


def test_the_log_says_what_is_wrong_with_a_certificate(sim):
    sim.fault(action="certificate", kind="expired", times=-1)
    with Warmpool(sim, upstream="https://127.0.0.1:{port}", **{"pool.min_idle": 0, "queue.timeout": "1s"}) as wp:
        assert_error(submit(wp, None), 502, "TLS_CERTIFICATE", "tls_certificate_error", retry_after=False)
        wp.wait_log("certificate has expired")


def test_requests_wait_through_an_outage_of_a_second(sim):
    uniqs = [new_uniq() for _ in range(20)]
    with Warmpool(sim, upstream="https://127.0.0.1:{port}") as wp:
        before = open_connections(sim)
        sim.refuse(seconds=1)
        sim.close_idle()
        sim.wait(lambda _: not before & open_connections(sim))
        with concurrent.futures.ThreadPoolExecutor(20) as crowd:
            answers = list(crowd.map(lambda uniq: submit(wp, uniq), uniqs))
        assert [answer.status_code for answer in answers] == [200] * 20
        assert [arrived(sim, uniq) for uniq in uniqs] == [1] * 20


def test_an_open_breaker_answers_at_once(sim):
    with Warmpool(sim, upstream="https://127.0.0.1:{port}") as wp:
        sim.refuse()
        sim.close_idle()
        with concurrent.futures.ThreadPoolExecutor(1) as one:
            waiting = one.submit(submit, wp, None)   # demand, so that it is tried often
            wp.wait_log("the upstream is unreachable")
            assert_error(waiting.result(), 503, "BREAKER_OPEN", "destination_unavailable")
        response = submit(wp, None, is_json=True)
        assert_error(response, 503, "BREAKER_OPEN", "destination_unavailable", is_json=True)
        assert "CONNECT_REFUSED" in response.headers["Proxy-Status"]
        wp.wait_log(r"access .*total_ms=\d{1,2}\.\d+ .*error=BREAKER_OPEN")   # the daemon's own measure, of both the shortest
        sim.accept()
        wp.wait_log("the upstream is reachable again")
        assert submit(wp, None).status_code == 200


@contextlib.contextmanager
def unresolvable(path):
    """A daemon in a network of its own, without any DNS server."""
    wrapper = ("unshare", "--user", "--map-root-user", "--net")
    if subprocess.run([*wrapper, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("no user namespaces here")
    with Warmpool(None, listen=f"unix:{path}", wrapper=wrapper, **{
            "upstream.url": "https://no-such-name.invalid", "queue.timeout": "1s"}) as wp:
        yield wp


def test_a_name_that_does_not_resolve_is_named(tmp_path):
    path = tmp_path / "s"
    with unresolvable(path) as wp:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(str(path))
            sock.sendall(f"GET /in.php?key={KEY} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while piece := sock.recv(65536):
                answer += piece
        assert answer.startswith((b"HTTP/1.1 502 ", b"HTTP/1.1 504 "))
        assert b"Proxy-Status: warmpool; error=dns_" in answer
        assert answer.split(b"\r\n\r\n")[1] in (b"ERROR_DNS_FAILED", b"ERROR_DNS_TIMEOUT")
        assert "no-such-name.invalid" in wp.log()
