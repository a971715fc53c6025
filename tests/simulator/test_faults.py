"""Each fault does on the wire what it says."""
import pathlib
import time

import pytest

from simulator.faults import ACTIONS
from simulator.peer import KEY, TCP_CLOSE, Peer, wait_for
from simulator.settings import ENDINGS

SUBMIT = f"/in.php?key={KEY}&uniq=u1"
BODY = b"0123456789abcdef"            # what /bytes/16 answers


def outcome(sim, rule, target="/bytes/16", **request):
    """(bytes, ending) that a request meets under a rule."""
    sim.fault(**rule)
    with Peer(sim) as peer:
        peer.request(target, **request)
        return peer.rest()


# Instead of an answer

# What a peer sees of an ending: a lingering close starts as a plain one.
SEEN = {how: "fin" if how == "linger" else how for how in ENDINGS}


@pytest.mark.parametrize("how", ENDINGS)
def test_close_after_reading_ends_as_told_and_the_submit_counts_once(sim, how):
    assert outcome(sim, {"action": "close", "how": how}, SUBMIT) == (b"", SEEN[how])
    submits = sim.submits()
    assert submits["by_uniq"] == {"u1": 1} and submits["made"] == {"u1": 1}


def test_bytes_after_a_close_meet_an_rst_but_not_after_a_lingering_one(sim):
    for how, end in (("fin", "rst"), ("linger", "open")):
        sim.fault(action="close", how=how)
        with Peer(sim) as peer:
            peer.request("/bytes/16")
            assert peer.has_fin()
            before = peer.bytes_acked()
            peer.send_raw(b"x" * 100)
            if end == "rst":
                assert wait_for(lambda: peer.tcp_state() == TCP_CLOSE)
            else:
                assert wait_for(lambda: peer.bytes_acked() == before + 100)
                assert peer.has_fin()


def test_a_rule_acts_as_often_as_times_says(sim):
    number = sim.fault(action="close", path="/in.php", times=2)
    for _ in range(2):
        with Peer(sim) as peer:
            peer.request(SUBMIT)
            assert peer.rest() == (b"", "fin")
    with Peer(sim) as peer:
        assert peer.get(SUBMIT)[1].startswith(b"OK|")
    assert sim.acted(number) == 2


def test_rst_after_the_request_and_within_its_body(sim):
    assert outcome(sim, {"action": "rst"}, SUBMIT) == (b"", "rst")
    sim.reset()
    half = 1_500_000
    sim.fault(action="rst", after_body=half, class_="submit")
    with Peer(sim) as peer:
        try:
            peer.request(SUBMIT, "POST", b"x" * 2 * half)
            assert peer.rest() == (b"", "rst")
        except (ConnectionResetError, BrokenPipeError):
            pass  # it came while the body was still being written
    submits = sim.submits()
    assert submits["partial"] == {"u1": 1} and submits["by_uniq"] == {}
    assert half <= sim.requests(last=1)[0]["body_length"] < 2 * half


def test_close_within_the_body(sim):
    sim.fault(action="close", how="linger", after_body=10)
    with Peer(sim) as peer:
        peer.request("/echo", "POST", headers=["Content-Length: 1000"])
        peer.send(b"x" * 10)
        assert peer.rest() == (b"", "fin")


def test_never_answers_and_keeps_the_connection(sim):
    assert outcome(sim, {"action": "never"}) == (b"", "open")


def test_half_a_head_and_half_a_body(sim):
    head, end = outcome(sim, {"action": "half_head", "how": "fin_no_notify"})
    assert end == "fin_no_notify" and head.startswith(b"HTTP/1.1 200") and b"\r\n\r\n" not in head
    data, end = outcome(sim, {"action": "half_body", "how": "rst"})
    assert end == "rst" and data.endswith(b"\r\n\r\n01234567")
    assert outcome(sim, {"action": "half_head", "bytes": 4}) == (b"HTTP", "fin")
    assert outcome(sim, {"action": "half_body", "bytes": 1})[0].endswith(b"\r\n\r\n0")


def test_garbage_and_raw_bytes(sim):
    assert outcome(sim, {"action": "garbage", "data": "\x00junk"}) == (b"\x00junk", "fin")
    assert outcome(sim, {"action": "raw", "data": "a", "more": "b", "delay_ms": 10,
                         "how": "rst"}) == (b"ab", "rst")
    assert outcome(sim, {"action": "raw", "data": "a"}) == (b"a", "open")


# A strange way of answering

def test_delay_and_drip_take_their_time(sim):
    for rule in ({"action": "delay", "ms": 120},
                 {"action": "drip", "chunk": 30, "interval_ms": 30}):
        sim.fault(**rule)
        with Peer(sim) as peer:
            start = time.monotonic()
            assert peer.get("/bytes/16")[1] == BODY
            assert time.monotonic() - start >= 0.08


def test_held_answers_come_when_the_rules_are_forgotten(sim):
    sim.set(delay_ms=60_000)   # is not waited for
    number = sim.fault(action="hold", times=-1)
    with Peer(sim) as gone:
        gone.request("/bytes/16")
        assert wait_for(lambda: sim.acted(number) == 1)
    with Peer(sim) as peer:
        peer.request("/bytes/16")
        assert peer.rest(0.05) == (b"", "open") and sim.acted(number) == 2
        sim.clear_faults()
        assert peer.response()[1] == BODY
        sim.set(delay_ms=0)
        assert peer.get("/bytes/16")[1] == BODY


def test_lengths_that_lie(sim):
    data, end = outcome(sim, {"action": "wrong_length", "delta": 5, "how": "fin"})
    assert b"Content-Length: 21\r\n" in data and data.endswith(BODY) and end == "fin"
    data, end = outcome(sim, {"action": "wrong_length", "delta": -5})
    assert b"Content-Length: 11\r\n" in data and data.endswith(BODY) and end == "open"
    data, end = outcome(sim, {"action": "double_length", "delta": 1})
    assert b"Content-Length: 17\r\n" in data and b"Content-Length: 16\r\n" in data


def test_bytes_after_the_response_at_once_or_later(sim):
    assert outcome(sim, {"action": "extra", "data": "XX"})[0].endswith(BODY + b"XX")
    sim.fault(action="extra", data="YY", delay_ms=50)
    with Peer(sim) as peer:
        assert peer.get("/bytes/16")[1] == BODY
        assert peer.exactly(2) == b"YY"


@pytest.mark.parametrize("bad, end", [
    (None, b"4\r\ncdef\r\n0\r\n\r\n"), ("size", b"zz\r\n4\r\ncdef\r\n0\r\n\r\n"),
    ("huge", b"fffffffffffffffff\r\n4\r\ncdef\r\n0\r\n\r\n"),
    ("negative", b"-1\r\n4\r\ncdef\r\n0\r\n\r\n"), ("crlf", b"4\r\ncdefXX0\r\n\r\n"),
    ("truncated", b"4\r\ncde"), ("no_end", b"4\r\ncdef\r\n")])
def test_chunked_well_and_badly(sim, bad, end):
    data, ending = outcome(sim, {"action": "chunked", "size": 6, **({"bad": bad} if bad else {})})
    assert b"Transfer-Encoding: chunked\r\n" in data and b"Content-Length" not in data
    assert b"6\r\n012345\r\n6\r\n6789ab\r\n" in data and data.endswith(end)
    assert ending == ("fin" if bad else "open")


def test_chunk_extensions_and_trailers(sim):
    data, _ = outcome(sim, {"action": "chunked", "extension": ";a=b", "trailers": [["X-T", "1"]]})
    assert data.endswith(b"10;a=b\r\n" + BODY + b"\r\n0\r\nX-T: 1\r\n\r\n")


@pytest.mark.parametrize("how", ["fin", "fin_no_notify", "rst"])
def test_a_body_until_the_close(sim, how):
    data, end = outcome(sim, {"action": "until_close", "how": how})
    assert b"Content-Length" not in data and data.endswith(b"\r\n\r\n" + BODY) and end == how


def test_http10_with_and_without_keep_alive(sim):
    data, end = outcome(sim, {"action": "http10"})
    assert data.startswith(b"HTTP/1.0 200 ") and b"onnection" not in data and end == "fin"
    data, end = outcome(sim, {"action": "http10", "keep_alive": True})
    assert b"Connection: keep-alive\r\n" in data and end == "open"


def test_interim_responses_and_an_unasked_101(sim):
    data, _ = outcome(sim, {"action": "informational", "statuses": [100, 103]})
    heads = [part.split(b"\r\n")[0] for part in data.split(b"HTTP/1.1 ")[1:]]
    assert heads == [b"100 Continue", b"103 Early Hints", b"200 OK"] and data.endswith(BODY)
    data, end = outcome(sim, {"action": "switch"})
    assert data.startswith(b"HTTP/1.1 101 ") and b"Upgrade: something\r\n" in data
    assert end == "open"


def test_status_with_retry_after_and_without_a_body(sim):
    data, _ = outcome(sim, {"action": "status", "status": 429, "retry_after": "3", "body": "slow"},
                      SUBMIT)
    assert data.startswith(b"HTTP/1.1 429 ") and b"Retry-After: 3\r\n" in data
    assert data.endswith(b"\r\n\r\nslow") and sim.submits()["made"] == {}
    data, _ = outcome(sim, {"action": "status", "status": 204})
    assert data.startswith(b"HTTP/1.1 204 ") and b"Content" not in data.replace(b"No Content", b"")
    data, _ = outcome(sim, {"action": "status", "status": 304, "content_length": 99})
    assert b"Content-Length: 99\r\n" in data and data.endswith(b"\r\n\r\n")


def test_api_error_in_both_shapes(sim):
    rule = {"action": "api_error", "code": "ERROR_NO_SLOT_AVAILABLE"}
    assert outcome(sim, rule, SUBMIT)[0].endswith(b"\r\n\r\nERROR_NO_SLOT_AVAILABLE")
    assert b'"request": "ERROR_NO_SLOT_AVAILABLE"' in outcome(sim, rule, SUBMIT + "&json=1")[0]


def test_large_heads_bodies_and_chosen_fields(sim):
    data, _ = outcome(sim, {"action": "big_head", "bytes": 100_000, "fields": 10})
    assert 100_000 < len(data) < 100_400 and data.count(b"\r\nX-0000") == 10
    data, _ = outcome(sim, {"action": "big_body", "bytes": 3_000_000})
    assert b"Content-Length: 3000000\r\n" in data and len(data) > 3_000_000
    data, _ = outcome(sim, {"action": "headers", "headers": [["X-A", "1"], ["X-A", "2"]]})
    assert b"\r\nX-A: 1\r\nX-A: 2\r\n" in data


def test_closing_after_an_answer_announced_or_not(sim):
    data, end = outcome(sim, {"action": "connection_close", "how": "fin_no_notify"})
    assert b"Connection: close\r\n" in data and data.endswith(BODY) and end == "fin_no_notify"
    for delay_ms in (0, 20):
        data, end = outcome(sim, {"action": "close_after_answer", "delay_ms": delay_ms})
        assert b"onnection" not in data and data.endswith(BODY) and end == "fin"


# Before the request is read whole

def test_an_early_answer_and_then(sim):
    for then, seen in (("read", "open"), ("linger", "fin"), ("rst", "rst")):
        sim.fault(action="early", status=413, then=then, after_body=3)
        with Peer(sim) as peer:
            peer.request("/echo", "POST", headers=["Content-Length: 10"])
            peer.send(b"123")
            assert peer.response()[0].startswith("HTTP/1.1 413 ")
            if then == "read":
                peer.send(b"4567890")
                assert b'"connection_request": 2' in peer.get("/echo")[1]
            assert peer.rest() == (b"", seen)


def test_an_early_answer_comes_in_place_of_the_100(sim):
    sim.fault(action="early", then="fin")
    with Peer(sim) as peer:
        peer.request("/echo", "POST", headers=["Content-Length: 10", "Expect: 100-continue"])
        assert peer.response()[0].startswith("HTTP/1.1 413 ")


def test_a_stalled_read_fills_the_peers_buffers_and_the_end_is_noticed(sim):
    sim.fault(action="stall_read", after_body=1)
    with Peer(sim) as peer:
        peer.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            peer.request("/echo", "POST", b"x" * 30_000_000)
    sim.wait(lambda counters: counters["requests"]["partial"] == 1)
    sim.wait(lambda counters: counters["connections"]["open"] == 0)


@pytest.mark.parametrize("how", ["rst", "fin", "fin_no_notify"])
def test_close_unread_at_reuse(sim, how):
    sim.fault(action="close_unread", how=how, reused=True)
    with Peer(sim) as peer:
        assert peer.get("/bytes/16")[1] == BODY
        before = peer.bytes_acked()
        peer.request(SUBMIT)
        assert peer.rest() == (b"", how)
        if how != "rst":
            assert peer.bytes_acked() > before  # acknowledged by the kernel, read by nobody
    assert sim.submits()["total"] == 0


def test_a_peers_close_is_not_taken_for_a_request(sim):
    number = sim.fault(action="close_unread", times=-1)
    with Peer(sim) as peer:
        sim.wait(lambda counters: counters["handshakes"]["full"] == 1)
        peer.send_close_notify()
    sim.wait(lambda counters: counters["connections"]["ended_by_peer"] == 1)
    assert sim.acted(number) == 0


# Idle connections

@pytest.mark.parametrize("how", ENDINGS)
def test_idle_timeout_ends_as_told(sim, how):
    sim.set(idle_timeout=0)              # until the request is on its way
    with Peer(sim) as peer:
        sim.set(idle_timeout=0.1, idle_close=how)
        start = time.monotonic()
        assert peer.get("/bytes/16")[1] == BODY
        assert peer.rest() == (b"", SEEN[how])
        assert time.monotonic() - start >= 0.1


def test_idle_too_long_ends_at_the_next_request(sim):
    sim.set(idle_timeout=0)              # until the request is on its way
    with Peer(sim) as peer:
        sim.set(idle_timeout=0.05, idle_close="reuse")
        assert peer.get("/bytes/16")[1] == BODY
        assert peer.rest(0.15) == (b"", "open")
        peer.request(SUBMIT)
        assert peer.rest() == (b"", "rst")
    assert sim.submits()["total"] == 0


@pytest.mark.parametrize("how", ENDINGS)
def test_close_idle_spares_the_busy(sim, how):
    sim.fault(action="never")
    with Peer(sim) as busy, Peer(sim) as idle:
        busy.request("/bytes/16")
        assert wait_for(lambda: [one["state"] for one in sim.connections()]
                        == ["answering", "idle"])
        assert sim.close_idle(how) == 1
        assert idle.rest() == (b"", SEEN[how])
        assert busy.rest(0.05) == (b"", "open")
        assert sim.close_all("rst") >= 1
        assert busy.rest() == (b"", "rst")


# Rules

def test_conditions_choose_the_request(sim):
    for condition, target in (({"method": "POST"}, None), ({"class": "report"}, None),
                              ({"query": "z=9"}, "/bytes/16?z=9"), ({"path": "/by"}, "/bytes/16"),
                              ({"uniq": "q"}, "/bytes/16?uniq=q"), ({"conn_request": 2}, None),
                              ({"nth": 2}, "/bytes/16")):
        sim.clear_faults()
        rule = sim.fault(action="status", status=503, **condition)
        with Peer(sim) as peer:
            for _ in range(2):
                head, _ = peer.get(target or "/bytes/16")
        hit = target is not None or "conn_request" in condition
        assert sim.acted(rule) == int(hit), condition
        assert head.startswith("HTTP/1.1 503") == bool({"nth", "conn_request"} & set(condition))


def test_probability_is_repeatable_and_about_right(sim):
    rule = sim.fault(action="status", status=503, probability=0.3, times=-1)
    with Peer(sim) as peer:
        for _ in range(200):
            peer.get("/bytes/16")
    assert 30 < sim.acted(rule) < 90


@pytest.mark.parametrize("rule, words", [
    ({"action": "nonsense"}, "no action"), ({"action": "rst", "pth": "/"}, "pth"),
    ({"action": "close", "how": "x"}, "how is one of"),
    ({"action": "delay", "ms": "1"}, "ms takes"), ({"action": "certificate"}, "kind"),
    ({"action": "close_unread", "path": "/"}, "not known yet")])
def test_a_wrong_rule_is_refused_in_words(sim, rule, words):
    with pytest.raises(Exception, match=words):
        sim.fault(**rule)


def test_every_action_is_tried():
    files = pathlib.Path(__file__).parent.glob("test_*.py")
    tests = "".join(file.read_text(encoding="utf-8") for file in files)
    assert [name for name in ACTIONS if f'"{name}"' not in tests] == []



def test_rested_is_what_a_request_comes_to_after_a_while(sim):
    sim.fault(action="close_unread", rested=False, times=-1)
    with Peer(sim) as peer:
        for hit in (False, True):
            assert wait_for(lambda: (sim.connections()[0]["idle_s"] or 0) > 0.01)
            peer.request("/bytes/16")
            if hit:
                assert peer.rest() == (b"", "rst")
            else:
                assert peer.response()[1] == BODY
                sim.clear_faults()
                sim.fault(action="close_unread", rested=True)


def test_first_spares_a_request_that_is_sent_again(sim):
    sim.fault(action="close", first=True, times=-1)
    for uniq in ("u1", "u2"):
        with Peer(sim) as peer:
            peer.request(f"/in.php?key={KEY}&uniq={uniq}")
            assert peer.rest() == (b"", "fin")
        with Peer(sim) as peer:
            assert peer.get(f"/in.php?key={KEY}&uniq={uniq}")[1].startswith(b"OK|")


def test_only_those_that_have_been_idle_so_long_are_closed(sim):
    with Peer(sim) as peer:
        assert peer.get("/bytes/16")[1] == BODY
        assert sim.close_idle(idle_s=60) == 0
        assert peer.get("/bytes/16")[1] == BODY
        assert sim.close_idle(idle_s=0) == 1
        assert peer.rest() == (b"", "fin")


# A black hole

def test_in_a_black_hole_nothing_is_acknowledged_and_nobody_gets_in(sim):
    with Peer(sim) as peer:
        assert peer.get("/bytes/16")[1] == BODY
        before = peer.bytes_acked()
        sim.hole(True)
        try:
            peer.request(SUBMIT)
            with pytest.raises(TimeoutError):
                Peer(sim, timeout=0.3)
            assert peer.bytes_acked() == before
            assert sim.submits()["total"] == 0
        finally:
            sim.hole(False)
        assert peer.response()[1].startswith(b"OK|")   # the kernel sends it again
        assert sim.submits()["by_uniq"] == {"u1": 1}
    with Peer(sim) as peer:
        assert peer.get("/bytes/16")[1] == BODY
