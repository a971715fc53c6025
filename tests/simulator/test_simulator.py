"""The simulated API, its HTTP, its counters and its settings do what the README says."""
import base64
import hashlib
import json
import pathlib
import re
import ssl
import subprocess
import time

import pytest

from simctl import Simulator, SimulatorError
from simulator.faults import ACTIONS
from simulator.peer import KEY, Ended, Peer, exchange_times, wait_for
from simulator.settings import ROWS

README = (pathlib.Path(__file__).parent / "README.md").read_text(encoding="utf-8")
RUN = pathlib.Path(__file__).parent / "run"
FORM = "Content-Type: application/x-www-form-urlencoded"


def said(peer, target, *arguments, **named):
    return peer.get(target, *arguments, **named)[1].decode()


# Submits in every encoding

def multipart(**fields):
    parts = [f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
             for name, value in fields.items()]
    return ("".join(parts) + "--xyz--\r\n").encode()


IMAGE = base64.b64encode(bytes(range(256)) * 400).decode()
SUBMITS = {
    "get": ("GET", f"/in.php?key={KEY}&uniq=U", b"", []),
    "get with an image": ("GET", f"/in.php?key={KEY}&method=base64&body={IMAGE}&uniq=U", b"", []),
    "post, all in the query": ("POST", f"/in.php?key={KEY}&uniq=U", b"", ["Content-Length: 0"]),
    "urlencoded": ("POST", "/in.php", f"key={KEY}&uniq=U&pageurl=a%20b".encode(), [FORM]),
    "multipart": ("POST", "/in.php", multipart(key=KEY, uniq="U", file="\r\n\r\nx"),
                  ["Content-Type: multipart/form-data; boundary=xyz"]),
    "json": ("POST", "/in.php", json.dumps({"key": KEY, "uniq": "U", "n": 1}).encode(),
             ["Content-Type: application/json"]),
    "mixed": ("POST", f"/in.php?key={KEY}", b"uniq=U", [FORM]),
    "token instead of uniq": ("GET", f"/in.php?key={KEY}&token=U", b"", []),
}


@pytest.mark.parametrize("how", SUBMITS)
def test_a_submit_arrives_in_every_encoding_and_is_counted(sim, how):
    method, target, body, headers = SUBMITS[how]
    with Peer(sim) as peer:
        answer = said(peer, target, method, body, headers)
    assert re.fullmatch(r"OK\|\d+", answer)
    submits = sim.submits()
    assert submits["by_uniq"] == submits["arrivals"] == {"U": 1} and submits["twice"] == []
    assert list(submits["by_hash"].values()) == [1]
    assert sim.counters()["requests"]["by_class"] == {"submit": 1}
    recorded = sim.requests(uniq="U")[-1]
    assert recorded["head"].startswith(f"{method} {target} HTTP/1.1\r\nHost: ocr.")
    assert recorded["body_length"] == len(body) and recorded["whole"]


def test_a_submit_that_comes_again_is_counted_again(sim):
    with Peer(sim) as peer:
        for uniq in "aba":
            said(peer, f"/in.php?key={KEY}&uniq={uniq}")
    submits = sim.submits()
    assert submits["by_uniq"] == {"a": 2, "b": 1} and submits["twice"] == ["a"]


# The API

def test_a_task_is_polled_to_its_answer_plain_and_json(sim):
    with Peer(sim) as peer:
        poll = f"/res.php?key={KEY}&action=get&id="
        slow = json.loads(said(peer, f"/in.php?key={KEY}&json=1&uniq=s&solve_ms=60000"))
        assert slow["status"] == 1
        assert said(peer, poll + slow["request"]) == "CAPCHA_NOT_READY"
        assert json.loads(said(peer, poll + slow["request"] + "&json=1")) == {
            "status": 0, "request": "CAPCHA_NOT_READY"}
        task = said(peer, f"/in.php?key={KEY}&uniq=q&solve_ms=60")[3:]
        assert wait_for(lambda: said(peer, poll + task) == f"OK|token-{task}-q")
        assert json.loads(said(peer, poll + task + "&json=1"))["request"].startswith("token-")
    polls = sim.submits()["polls"]
    assert polls[slow["request"]] == 2 and polls[task] >= 2


def test_solve_is_held_until_solved(sim):
    with Peer(sim) as peer:
        start = time.monotonic()
        assert said(peer, f"/solve.php?key={KEY}&solve_ms=100&uniq=s").endswith("-s")
        assert time.monotonic() - start >= 0.1


def test_account_facts_reports_and_several_ids(sim):
    sim.set(balance="7.5", threads=3, solve_ms=0)
    with Peer(sim) as peer:
        base = f"/res.php?key={KEY}&action="
        assert said(peer, base + "getbalance") == "7.5"
        assert json.loads(said(peer, base + "threadsinfo&json=1"))["threads"] == "3"
        first, second = (said(peer, f"/in.php?key={KEY}&uniq=t")[3:] for _ in range(2))
        assert said(peer, base + "reportgood&id=" + first) == "OK_REPORT_RECORDED"
        assert said(peer, base + "reportbad&id=1") == "ERROR_WRONG_CAPTCHA_ID"
        assert said(peer, base + f"get&ids={first},{second}").count("|") == 1
    assert sim.counters()["requests"]["by_class"] == {"read": 2, "submit": 2, "report": 2,
                                                      "poll": 1}


def test_the_apis_errors(sim):
    sim.set(threads=1, image_limit_kb=1)
    with Peer(sim) as peer:
        assert said(peer, "/in.php?key=short") == "ERROR_WRONG_USER_KEY"
        assert said(peer, f"/in.php?key={KEY}&body=" + "A" * 2000) == \
            "ERROR_TOO_BIG_CAPTCHA_FILESIZE"
        assert said(peer, f"/in.php?key={KEY}&solve_ms=9000").startswith("OK|")
        assert said(peer, f"/in.php?key={KEY}") == "ERROR_NO_SLOT_AVAILABLE"
        base = f"/res.php?key={KEY}&action="
        assert said(peer, base + "get&id=x") == "ERROR_WRONG_ID_FORMAT"
        assert said(peer, base + "get&id=1") == "ERROR_WRONG_CAPTCHA_ID"
        assert said(peer, base + "dance") == "ERROR_BAD_PARAMETERS"


# HTTP

def test_echo_shows_what_was_received_byte_for_byte(sim):
    headers = ["x-Odd:  a b\t", "Dup: 1", "dup: 2", "Content-Type: a/b", "Accept: \xe9"]
    with Peer(sim) as peer:
        echo = json.loads(said(peer, "/echo/p%20?q=+%2F&&", "PUT", b"\x00\r\nx", headers))
    assert echo["method"] == "PUT" and echo["target"] == "/echo/p%20?q=+%2F&&"
    assert echo["headers"][1:6] == [["x-Odd", "a b"], ["Dup", "1"], ["dup", "2"],
                                    ["Content-Type", "a/b"], ["Accept", "\xe9"]]
    assert "\r\nx-Odd:  a b\t\r\n" in echo["head"] and echo["framing"] == "length"
    assert echo["body_sha256"] == hashlib.sha256(b"\x00\r\nx").hexdigest()
    assert echo["body_length"] == 4


def test_bytes_head_and_unknown_paths(sim):
    with Peer(sim) as peer:
        assert peer.get("/bytes/100000")[1] == (b"0123456789abcdef" * 6250)
        head, _ = peer.get("/bytes/5", "HEAD")
        assert "Content-Length: 5\r\n" in head
        head, body = peer.get("/nothing")
        assert head.startswith("HTTP/1.1 404 ") and body.startswith(b"404 not found")


def test_chunked_requests_and_expect(sim):
    with Peer(sim) as peer:
        peer.request("/echo", "POST", headers=["Transfer-Encoding: chunked",
                                               "Expect: 100-continue"])
        assert peer.response()[0].startswith("HTTP/1.1 100 ")
        for byte in b"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n":
            peer.send(bytes([byte]))
        echo = json.loads(peer.response()[1])
    assert echo["framing"] == "chunked"
    assert echo["body_sha256"] == hashlib.sha256(b"abc0123456789").hexdigest()
    assert sim.counters()["requests"]["pipelined"] == 0


def test_pipelined_requests_are_answered_in_order_and_counted(sim):
    with Peer(sim) as peer:
        peer.send(b"".join(b"GET /echo/%d HTTP/1.1\r\nHost: h\r\n\r\n" % n for n in range(3)))
        assert [json.loads(peer.response()[1])["target"] for _ in range(3)] == \
            ["/echo/0", "/echo/1", "/echo/2"]
    assert sim.counters()["requests"]["pipelined"] == 2


@pytest.mark.parametrize("head", [
    "GET  / HTTP/1.1\r\nHost: h", "GET / HTTP/1.1", "GET / HTTP/1.1\r\nHost: h\r\nHost: h",
    "GET / HTTP/1.1\r\nHost : h", "GET / HTTP/1.1\r\nHost: h\r\n folded",
    "GET / HTTP/2.0\r\nHost: h",
    "GET / HTTP/1.1\r\nHost: h\nX: y", "GET / HTTP/1.1\r\nHost: h\r\nX: \x00",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked"])
def test_a_request_against_the_rules_is_answered_400_and_kept_as_a_violation(sim, head):
    with Peer(sim) as peer:
        peer.send(head.encode("latin-1") + b"\r\n\r\n")
        data, end = peer.rest()
    assert data.startswith(b"HTTP/1.1 400 ") and end == "fin"
    counters = sim.counters()
    assert len(counters["violations"]) == 1 and counters["requests"]["total"] == 0


def test_a_peer_that_leaves_within_its_request_is_counted_as_partial(sim):
    with Peer(sim) as peer:
        peer.request(f"/in.php?key={KEY}&uniq=p", "POST", headers=["Content-Length: 9"])
    sim.wait(lambda counters: counters["requests"]["partial"] == 1)
    assert sim.submits()["partial"] == {"p": 1} and sim.submits()["total"] == 0


def test_keep_alive_its_hint_and_its_bounds(sim):
    sim.set(keep_alive_hint=7, max_requests=2)
    with Peer(sim) as peer:
        assert "Keep-Alive: timeout=7\r\n" in peer.get("/bytes/1")[0]
        assert "Connection: close\r\n" in peer.get("/bytes/1")[0]
        assert peer.rest() == (b"", "fin")
    sim.set(connection_close=True)
    with Peer(sim) as peer:
        assert "Connection: close\r\n" in peer.get("/bytes/1")[0]
        assert peer.rest() == (b"", "fin")
    assert sim.counters()["requests_per_connection"]["2"] == 1


def test_http10_requests_end_the_connection_unless_they_ask_to_keep_it(sim):
    with Peer(sim) as peer:
        peer.send(b"GET /bytes/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert "Connection: keep-alive\r\n" in peer.response()[0]
        peer.send(b"GET /bytes/1 HTTP/1.0\r\n\r\n")
        assert peer.rest()[1] == "fin"


# Time

def test_an_answer_takes_the_time_that_is_set(sim):
    sim.set(delay_ms=80)
    with Peer(sim) as peer:
        start = time.monotonic()
        peer.get("/bytes/1")
        assert time.monotonic() - start >= 0.08


@pytest.mark.parametrize("tls_max, round_trips", [("1.3", 3), ("1.2", 4)])
def test_a_round_trip_is_paid_for_tcp_for_tls_and_for_each_request(tls_max, round_trips):
    with Simulator(rtt_ms=40, tls_max=tls_max) as sim:
        first, second = exchange_times(sim)
        assert round_trips * 0.04 <= first < (round_trips + 1) * 0.04
        assert 0.04 <= second < 0.08
        with Peer(sim) as peer:
            sim.wait(lambda counters: counters["handshakes"]["now"] == 0)
            assert sim.close_idle() == 1
            assert peer.rest(5) == (b"", "fin")


# Counters

def test_a_connection_that_is_closed_is_not_open_when_the_next_comes(sim):
    for _ in range(50):
        peer = Peer(sim)
        peer.get("/bytes/1")
        peer.send(b"GET /never-read")   # unread bytes lie before the FIN
        peer.close()
    assert sim.counters()["connections"]["max_open"] == 1
    assert sim.counters()["connections"]["total"] == 50


def test_connections_open_at_once_are_counted(sim):
    peers = [Peer(sim) for _ in range(20)]
    counters = sim.wait(lambda counters: counters["handshakes"]["full"] == 20)
    assert counters["connections"]["open"] == counters["connections"]["max_open"] == 20
    assert counters["handshakes"]["max"] == 1 and counters["accepts"] == 20
    for peer in peers:
        peer.close()
    assert sim.counters()["connections"]["open"] == 0
    sim.reset()
    assert sim.counters()["connections"]["max_open"] == 0


def test_handshakes_under_way_are_counted(sim):
    peers = [Peer(sim, secure=False) for _ in range(3)]
    sim.wait(lambda counters: counters["handshakes"]["now"] == 3)
    for peer in peers:
        peer.close()
    counters = sim.wait(lambda counters: counters["handshakes"]["now"] == 0)
    assert counters["handshakes"]["max"] == 3 and counters["handshakes"]["failed"] == 3


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_full_and_resumed_handshakes_are_counted_apart(sim, version):
    context = ssl.create_default_context(cafile=sim.ca_file)
    context.maximum_version = context.minimum_version = ssl.TLSVersion[version]
    with Peer(sim, context=context) as peer:
        peer.get("/bytes/1")
        session = peer.tls.session
    with Peer(sim, context=context, session=session) as peer:
        peer.get("/bytes/1")
        assert peer.tls.session_reused
        assert sim.connections()[-1]["resumed"]
        assert sim.connections()[-1]["server_name"] == "ocr.captchaai.com"
    handshakes = sim.counters()["handshakes"]
    assert (handshakes["full"], handshakes["resumed"]) == (1, 1)


# The program

def test_start_options_and_both_address_families(tmp_path):
    rules = tmp_path / "rules.json"
    rules.write_text('[{"action": "status", "status": 503}]', encoding="utf-8")
    with Simulator(bind=["127.0.0.1", "::1"], tls_min="1.3", tickets=0, alpn="h2,http/1.1",
                   dir=tmp_path, faults=rules, key=KEY[::-1], name="more.example") as sim:
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        context.set_alpn_protocols(["http/1.1"])
        with Peer(sim, address="::1", context=context) as peer:
            assert peer.get("/bytes/1")[0].startswith("HTTP/1.1 503 ")
            assert said(peer, f"/in.php?key={KEY}") == "ERROR_KEY_DOES_NOT_EXIST"
            assert peer.tls.selected_alpn_protocol() == "http/1.1"
            assert peer.tls.version() == "TLSv1.3" and not peer.tls.session.has_ticket
            names = [name for _, name in peer.tls.getpeercert()["subjectAltName"]]
            assert {"localhost", "ocr.captchaai.com", "127.0.0.1", "more.example"} <= set(names)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, Ended)):
            Peer(sim, context=context)


def test_plain_http_without_tls():
    with Simulator(plain=True) as sim, Peer(sim) as peer:
        assert sim.ca_file is None
        assert peer.get("/bytes/3")[1] == b"012"
        assert sim.close_idle() == 1
        assert peer.rest() == (b"", "fin_no_notify")


def test_it_ends_with_its_starter():
    sim = Simulator(plain=True)
    sim.process.stdin.close()
    assert sim.process.wait(20) == 0


@pytest.mark.parametrize("options, words", [
    ({"port": 99999}, "port"), ({"bind": "192.0.2.1"}, "cannot listen on 192.0.2.1"),
    ({"faults": "/dev/null"}, "Expecting value"), ({"nonsense": 1}, "unrecognized arguments")])
def test_a_failed_start_says_why(options, words):
    with pytest.raises(SimulatorError, match=words):
        Simulator(**options)


def test_wrong_commands_are_refused_in_words(sim):
    for command, words in ((lambda: sim.set(port=1), "cannot be changed"),
                           (lambda: sim.set(idle_close="x"), "one of"),
                           (lambda: sim.close_idle("x"), "how: one of"),
                           (lambda: sim.refuse(address="9"), "not one of the listening")):
        with pytest.raises(SimulatorError, match=words):
            command()


def test_the_readme_names_every_setting_action_and_parameter():
    shown = subprocess.run([RUN, "--help"], capture_output=True, text=True, check=True).stdout
    for row in ROWS:
        flag = "--" + row.name.replace("_", "-")
        assert flag in shown and f"`{flag}" in README, flag
    rules = README[README.index("## Fault rules"):]
    for action, (_phase, parameters) in ACTIONS.items():
        row = re.search(rf"^\| `{action}` \|.*$", rules, re.MULTILINE)
        assert row, action
        assert [name for name in parameters if f"`{name}" not in row[0]] == [], action
