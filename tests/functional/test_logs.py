"""The access log: one line a request with its fields, and never a key, a query, a body or an answer."""
import contextlib
import json
import re
import signal
import socket
import struct
import time

import pytest
import requests

from daemon import Warmpool, free_port, stopped, wait_all_read
from simctl import Simulator

KEY = "5ecre7key5ecre7key5ecre7key5ecr3"
QUERY = "querysecretq"
BODY = "bodysecretb"
HEADER = "headersecreth"
FIELDS = ["client", "class", "method", "path", "status", "bytes", "queue_ms", "connect_ms", "upstream_ms", "total_ms"]
FAULTS = [
    {"action": "close"}, {"action": "rst"}, {"action": "half_head", "how": "fin"}, {"action": "half_body", "how": "fin"},
    {"action": "garbage", "data": f"{KEY} garbage {BODY}\r\n\r\n", "how": "fin"}, {"action": "api_error", "code": "ERROR_ZERO_BALANCE"},
    {"action": "switch"}, {"action": "chunked", "bad": "huge", "how": "fin"}, {"action": "status", "status": 503},
    {"action": "double_length", "delta": 1}, {"action": "extra", "data": f"{KEY}{BODY}"},
]


@pytest.fixture(scope="module")
def sim():
    with Simulator(idle_timeout=0, solve_ms=0) as simulator:
        yield simulator


def text_fields(line):
    return dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', line))


def wait_served(wp, timeout=20):
    deadline = time.monotonic() + timeout
    while True:
        try:
            return wp.connect().close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline and wp.process.poll() is None, wp.log()
            time.sleep(0.01)


def get(wp, path, **options):
    return requests.get(wp.url + path, timeout=10, **options)


@pytest.mark.parametrize("form", ["text", "json"])
def test_fields(sim, form):
    with Warmpool(sim, **{"log.format": form}) as wp:
        answer = get(wp, f"/in.php?key={KEY}&uniq=f{form}")
        line = wp.wait_log(r".*\bsubmit\b.*\n").group()
        found = json.loads(line) if form == "json" else text_fields(line)
        assert set(FIELDS) <= set(found), line
        shown = {name: str(found[name]) for name in FIELDS}
        assert shown["client"] == "127.0.0.1" and shown["class"] == "submit" and shown["method"] == "GET"
        assert shown["path"] == "/in.php" and shown["status"] == "200"
        assert int(shown["bytes"]) > len(answer.content)
        for name in FIELDS[6:]:
            assert 0 <= float(shown[name]) < 10_000
        assert found["conn"] in ("warm", "new", "reused")
        assert re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_long_method_leaves_the_rest_of_its_line(sim, form):
    with Warmpool(sim, **{"log.format": form}) as wp:
        wp.raw(b"A" * 6000 + b" /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        line = wp.wait_log(r".*\baccess\b.*\n").group()
        found = json.loads(line) if form == "json" else text_fields(line)
        assert found["method"] == "A" * 32 and int(found["status"]) == 404


def test_every_line_is_json(sim):
    with Warmpool(sim, **{"log.format": "json", "log.level": "debug"}) as wp:
        get(wp, "/in.php?key=a\"b%00\\")
        wp.raw(b'GET /"\\\xff\xc3\xa9{}?x HTTP/1.0\r\n\r\n')
        wp.raw(b"BROKEN\r\n\r\n")
        log = wp.stop()
    assert "BAD_REQUEST_LINE" in log
    lines = [line for line in log.splitlines() if not line.startswith("warning: ")]
    assert len(lines) > 3
    for line in lines:
        json.loads(line)


def test_one_line_a_request(sim):
    with Warmpool(sim) as wp:
        with requests.Session() as session:
            for number in range(20):
                session.get(f"{wp.url}/bytes/{number}", timeout=10)
        wp.raw(b"GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n" * 9 + b"GET /bytes/1 HTTP/1.0\r\n\r\n")
        wp.raw(b"BROKEN\r\n\r\n")
        wp.raw(b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        wp.raw(b"", shut=True)      # no request, no line
        log = wp.stop()
    assert len([line for line in log.splitlines() if " access " in line]) == 32, log
    assert log.count("error=BAD_REQUEST_LINE") == 1 and log.count("error=WRONG_HOST") == 1


def test_a_repeat_is_named_with_its_evidence(sim):
    with Warmpool(sim) as wp:
        sim.fault(action="close", path="/res.php")
        assert get(wp, f"/res.php?key={KEY}&action=getbalance").status_code == 200
        assert "retry=unknown" in wp.wait_log(r"access .*class=read.*").group()


def test_no_access_line_when_turned_off(sim):
    with Warmpool(sim, **{"log.access": "false"}) as wp:
        assert get(wp, "/bytes/1").status_code == 200
        log = wp.stop()
    assert " access " not in log


def test_a_line_break_in_a_path_or_label_makes_no_line(sim):
    with Warmpool(sim) as wp:
        wp.raw(b"GET /%0aINJECTED%0d HTTP/1.0\r\nAuthorization: Basic YQpJTkpFQ1RFRAo6\r\n\r\n")    # "a\nINJECTED\n:"
        log = wp.stop()
    assert not re.search(r"^INJECTED", log, re.M)
    assert re.search(r"client=a_INJECTED_ ", log)


def good(wp):
    answers = [get(wp, f"/in.php?key={KEY}&method=post&body={QUERY}&uniq={BODY}").text]
    answers.append(get(wp, f"/in.php?key={KEY}&json=1", headers={"Cookie": HEADER, "Authorization": f"Bearer {HEADER}"}).text)
    answers.append(requests.post(wp.url + "/in.php", data={"key": KEY, "body": BODY}, timeout=10).text)
    answers.append(requests.post(wp.url + "/in.php", data={"key": KEY}, files={"file": BODY}, timeout=10).text)
    answers.append(requests.post(wp.url + "/in.php", json={"key": KEY, "body": BODY}, timeout=10).text)
    answers.append(requests.post(wp.url + "/solve.php", data={"key": KEY, "uniq": BODY}, timeout=10).text)
    get(wp, f"/res.php?key={KEY}&action=get&id={answers[0][3:]}")
    get(wp, f"/res.php?key={KEY}&action={QUERY}&id=1")
    return answers


def bad(wp):
    text = f"GET /in.php?key={KEY}&{QUERY} HTTP/1.1\r\nHost: localhost\r\nX: {HEADER}"
    for data in (f"{text}\r\n folded {BODY}\r\n\r\n", f"{text}\x00\r\n\r\n", f"{text}\n\n", f"{text}\r\nContent-Length: {BODY}\r\n\r\n",
                 f"{text}\r\n{HEADER} : 1\r\n\r\n", f"{text}\r\nTransfer-Encoding: {BODY}\r\n\r\n", f"{text}\r\nExpect: {BODY}\r\n\r\n",
                 text.replace("localhost", "evil.example") + "\r\n\r\n", text.replace("GET /", "GET http://evil.example/") + "\r\n\r\n",
                 text.replace("GET ", "CONNECT ") + "\r\n\r\n", text.replace("HTTP/1.1", f"HTTP/{BODY}") + "\r\n\r\n",
                 f"{text}\r\nTransfer-Encoding: chunked\r\n\r\n{BODY}\r\n\r\n"):
        wp.raw(data.encode(), shut=True)
    wp.raw(text.encode(), shut=True)
    wp.raw(f"{text}\r\nContent-Length: 900\r\n\r\n{BODY}".encode(), shut=True)


def faulty(wp, sim):
    for fault in FAULTS:
        for path in ("/in.php", "/res.php"):
            sim.fault(path=path, times=2, **fault)
            with contextlib.suppress(requests.RequestException):
                get(wp, f"{path}?key={KEY}&body={QUERY}&action=get&id=1", headers={"Authorization": f"Basic {HEADER}"})
            with contextlib.suppress(requests.RequestException):
                requests.post(wp.url + path, data={"key": KEY, "body": BODY, "json": "1"}, timeout=10)
            sim.clear_faults()


@pytest.mark.parametrize("level", ["error", "warning", "info", "debug"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_ever_logged(sim, level, form):
    secrets = [KEY, QUERY, BODY, HEADER]
    # At the higher levels nobody says when it is ready, nor on which port.
    port = free_port()
    with Warmpool(sim, secrets=secrets, ready=False, listen=f"127.0.0.1:{port}", **{"log.level": level, "log.format": form}) as wp:
        wp.host, wp.port, wp.url = "127.0.0.1", port, f"http://127.0.0.1:{port}"
        wait_served(wp)
        good(wp)
        bad(wp)
        faulty(wp, sim)
        log = wp.stop()
        assert "token-" not in log and "OK|" not in log
        assert ("submit" in log) == (level != "error")      # something was said that could have held them


@pytest.mark.parametrize("how", [signal.SIGABRT, signal.SIGSEGV, signal.SIGTERM])
def test_no_secret_is_logged_when_it_crashes(sim, how):
    with Warmpool(sim, secrets=[KEY, QUERY, BODY, HEADER], drain_s=0, **{"log.level": "debug"}) as wp:
        good(wp)
        rule = sim.fault(action="never", path="/in.php")
        with wp.connect() as sock, wp.connect() as half:
            sock.sendall(f"POST /in.php?key={KEY} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}".encode())
            half.sendall(f"GET /in.php?key={KEY}".encode())
            sim.wait(lambda _: sim.acted(rule))
            wp.process.send_signal(how)
            wp.process.wait(20)
        log = wp.log()
        for secret in wp.secrets:
            assert secret not in log
        assert "submit" in log
        if "AddressSanitizer" in log:
            wp.stop = lambda: None      # a sanitizer speaks of the signal, as it should
        else:
            wp.stop(expect=0 if how == signal.SIGTERM else -how)
            wp.stop = lambda: None


def test_the_answer_of_a_solve_is_no_task_id(sim):
    """Its client left before the answer: the log says so, without the answer (a number here)."""
    with Warmpool(sim, secrets=["482913"]) as wp:
        sim.fault(path="/solve.php", action="raw", how="fin", data="HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", more="OK|482913")
        with stopped(sim.process), wp.connect() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(b"GET /solve.php?key=k HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_all_read(wp.port)
        wp.wait_log("client_left=yes")
