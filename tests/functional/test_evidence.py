"""What a failed attempt proves: unsent and undelivered requests of any class are sent once more, unknown ones are not."""
import concurrent.futures
import contextlib
import signal
import socket
import struct
import time

import pytest

from daemon import Warmpool
from line import Line
from replies import KEY, arrived, assert_error, assert_unknown, new_uniq, poll, report, submit

BIG = b"b" * (3 << 20)
TINY_WINDOW = 64 << 10


@contextlib.contextmanager
def through_a_line(sim, near_buffer=None, **options):
    """(daemon, line), the daemon's first connection being ready and idle."""
    options = {"pool.size": 1, "pool.min_idle": 1, **options}
    with Line(sim.port, near_buffer) as line:
        with Warmpool(sim, secrets=[KEY], upstream=f"https://127.0.0.1:{line.port}", **options) as wp:
            # The server sends its session tickets when its side of the handshake is done.
            sim.wait(lambda counters: counters["handshakes"]["full"] == 1)
            yield wp, line


@contextlib.contextmanager
def in_background(call, *arguments, **options):
    """A future of the call's result."""
    with concurrent.futures.ThreadPoolExecutor(1) as one:
        yield one.submit(call, *arguments, **options)


CALLS = {"submit": submit, "report": report}


@pytest.mark.parametrize("what", CALLS)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("reused", [False, True], ids=["unused", "used"])
def test_a_fin_that_crosses_the_request_proves_it_undelivered(sim, what, method, reused):
    # The pool's bound is 1: the repeat's fresh connection takes the place of the dead one.
    uniq = new_uniq()
    with through_a_line(sim) as (wp, line):
        if reused:
            assert poll(wp, None).status_code == 200
        first = line.connections[0]
        first.go_deaf()
        with in_background(CALLS[what], wp, uniq, method=method) as answer:
            first.wait_lost()
            first.fin()
            assert answer.result().status_code == 200
        wp.wait_log(r"access .*retry=undelivered")
        assert len(line.connections) == 2
    assert arrived(sim, uniq) == 1


def test_a_client_that_leaves_before_the_repeat_is_no_unread_answer(sim):
    with through_a_line(sim) as (wp, line):
        first = line.connections[0]
        first.go_deaf()
        stall = sim.fault(action="stall_handshake", stage="start", times=-1)
        sock = wp.connect()
        sock.sendall(f"GET /in.php?key={KEY}&method=userrecaptcha HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        first.wait_lost()
        first.fin()
        sim.wait(lambda _counters: sim.acted(stall) >= 1)  # the repeat waits for a connection
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        wp.wait_log(r"access .*retry=undelivered client_left=yes")
        assert " ledger " not in wp.log()
    assert sim.submits()["made"] == {}


def test_a_second_one_in_a_row_is_not_repeated(sim):
    uniq = new_uniq()
    with through_a_line(sim) as (wp, line):
        with in_background(submit, wp, uniq) as answer:
            pass
        assert answer.result().status_code == 200
        first = line.connections[0]
        first.go_deaf()
        sim.fault(action="close", path="/in.php", times=-1)
        uniq = new_uniq()
        with in_background(submit, wp, uniq) as answer:
            first.wait_lost()
            first.fin()
            assert_unknown(answer.result())
        wp.wait_log(r"access .*retry=undelivered")
    assert arrived(sim, uniq) == 1


def test_a_big_body_of_which_nothing_came_is_undelivered(sim):
    uniq = new_uniq()
    with through_a_line(sim) as (wp, line):
        first = line.connections[0]
        first.go_deaf()
        with in_background(submit, wp, uniq, method="POST", body=BIG) as answer:
            first.wait_lost()
            first.fin()
            assert answer.result().status_code == 200
    assert arrived(sim, uniq) == 1


def test_a_fin_behind_acknowledged_bytes_is_unknown(sim):
    uniq = new_uniq()
    with through_a_line(sim) as (wp, line):
        first = line.connections[0]
        passed = first.passed_far
        sim.fault(action="never")
        with in_background(submit, wp, uniq) as answer:
            sim.wait(lambda counters: counters["requests"]["total"] == 1)
            assert first.passed_far > passed
            first.fin()
            assert_unknown(answer.result())
    assert arrived(sim, uniq) == 1


def test_a_close_notify_without_a_fin_is_unknown(sim):
    uniq = new_uniq()
    with through_a_line(sim) as (wp, line):
        first = line.connections[0]
        first.go_deaf()
        with in_background(submit, wp, uniq) as answer:
            first.wait_lost()
            assert sim.close_idle("notify_only") == 1
            assert_unknown(answer.result())
        assert "retry=" not in wp.wait_log("access .*class=submit.*").group(0)
        assert "acked_bytes" in wp.log()
    assert arrived(sim, uniq) == 0


def test_an_rst_is_unknown_even_with_nothing_acknowledged(sim):
    uniq = new_uniq()
    with through_a_line(sim) as (wp, line):
        first = line.connections[0]
        first.go_deaf()
        with in_background(submit, wp, uniq) as answer:
            first.wait_lost()
            first.rst()
            assert_unknown(answer.result())
    assert arrived(sim, uniq) == 0


def test_an_rst_behind_a_fin_is_unknown(sim):
    # The state has become TCP_CLOSE, and a read says 0 all the same.
    uniq = new_uniq()
    with through_a_line(sim) as (wp, line):
        first = line.connections[0]
        first.go_deaf()
        with in_background(submit, wp, uniq) as answer:
            first.wait_lost()
            wp.process.send_signal(signal.SIGSTOP)
            first.fin()
            first.rst()
            wp.process.send_signal(signal.SIGCONT)
            assert_unknown(answer.result())
    assert arrived(sim, uniq) == 0


@pytest.mark.parametrize("fault", [
    {"action": "rst"}, {"action": "close", "how": "fin"}, {"action": "close", "how": "fin_no_notify"},
    {"action": "close", "how": "notify_only"}, {"action": "close", "how": "linger"},
], ids=lambda fault: fault["action"] + "-" + fault.get("how", ""))
@pytest.mark.parametrize("after_body", [0, 1, 1 << 20])
def test_a_big_body_half_written_is_unknown(sim, wp, fault, after_body):
    uniq = new_uniq()
    sim.fault(path="/in.php", times=-1, after_body=after_body, **fault)
    assert_unknown(submit(wp, uniq, method="POST", body=BIG))
    # What came in part is counted when its connection has ended.
    sim.wait(lambda _: arrived(sim, uniq) > 0)
    assert arrived(sim, uniq) == 1


@pytest.mark.parametrize("ending", ["rst", "fin, then rst"])
def test_an_rst_that_a_write_has_consumed_is_unknown(sim, ending):
    # The server has read the submit (its parameters stand in the query) while the body is still being written: the write
    # that goes on takes the socket's error, and the read behind it sees nothing but an end.
    uniq = new_uniq()
    with through_a_line(sim, near_buffer=TINY_WINDOW) as (wp, line):
        first = line.connections[0]
        first.cut_after(32 << 10)
        with in_background(submit, wp, uniq, method="POST", body=BIG) as answer:
            sim.wait(lambda _: any(c["state"] == "reading" for c in sim.connections()))
            first.wait_stuck()
            wp.process.send_signal(signal.SIGSTOP)
            if ending != "rst":
                first.fin()
            first.rst()
            wp.process.send_signal(signal.SIGCONT)
            assert_unknown(answer.result())
    # What came in part is counted when its connection has ended.
    sim.wait(lambda _: arrived(sim, uniq) > 0)
    assert arrived(sim, uniq) == 1


@pytest.mark.parametrize("ending", ["rst", "fin, then rst"])
def test_a_poll_in_the_same_place_is_repeated(sim, ending):
    uniq = new_uniq()
    with through_a_line(sim, near_buffer=TINY_WINDOW) as (wp, line):
        first = line.connections[0]
        first.cut_after(32 << 10)
        with in_background(poll, wp, uniq, x="x" * 1_500_000) as answer:
            first.wait_stuck()
            wp.process.send_signal(signal.SIGSTOP)
            if ending != "rst":
                first.fin()
            first.rst()
            wp.process.send_signal(signal.SIGCONT)
            assert answer.result().status_code == 200
        wp.wait_log(r"access .*retry=unknown")
    assert arrived(sim, uniq) == 1


@pytest.mark.parametrize("how", ["fin", "fin_no_notify", "rst", "linger"])
def test_a_connection_found_dead_at_the_lease_is_no_repeat(sim, how):
    uniq = new_uniq()
    with Warmpool(sim, **{"pool.size": 1, "pool.min_idle": 1}) as wp:
        assert poll(wp, None).status_code == 200
        sim.wait(lambda _: sim.connections()[0]["idle_s"] > 0.15)
        wp.process.send_signal(signal.SIGSTOP)
        with in_background(submit, wp, uniq) as answer:
            wait_for_bytes(wp)
            assert sim.close_idle(how) == 1
            wp.process.send_signal(signal.SIGCONT)
            assert answer.result().status_code == 200
        assert "retry=" not in wp.wait_log("access .*class=submit.*").group(0)
    assert arrived(sim, uniq) == 1


def test_a_connection_reset_just_before_the_write_costs_nothing(sim):
    # Seldom looked at before it is lent, as it was used a moment ago: the write fails with nothing sent.
    with Warmpool(sim, **{"pool.size": 1, "pool.min_idle": 1}) as wp:
        for _ in range(10):
            uniq = new_uniq()
            assert poll(wp, None).status_code == 200
            wp.process.send_signal(signal.SIGSTOP)
            with in_background(submit, wp, uniq) as answer:
                wait_for_bytes(wp)
                sim.close_idle("rst")
                wp.process.send_signal(signal.SIGCONT)
                assert answer.result().status_code == 200
            assert arrived(sim, uniq) == 1
        assert "retry=unknown" not in wp.stop()


def test_a_repeat_gets_a_fresh_connection_though_many_are_idle(sim):
    # What else is idle may be as dead as the one that failed: an idle connection is no help, one has to be opened.
    uniq = new_uniq()
    with Warmpool(sim, **{"pool.size": 20, "pool.min_idle": 0, "queue.timeout": "8s"}) as wp:
        rule = sim.fault(action="hold", path="/res.php", times=-1)
        with concurrent.futures.ThreadPoolExecutor(10) as crowd:
            polls = [crowd.submit(poll, wp, None) for _ in range(10)]
            sim.wait(lambda _: sim.acted(rule) == 10)
            sim.clear_faults()
            assert all(one.result().status_code == 200 for one in polls)
        before = sim.counters()["connections"]
        assert before["open"] >= 10
        sim.fault(action="close", path="/res.php")
        began = time.monotonic()
        assert poll(wp, uniq).status_code == 200
        assert time.monotonic() - began < 5
        assert sim.counters()["connections"]["total"] == before["total"] + 1
    assert arrived(sim, uniq) == 2


def test_a_poll_that_fails_in_a_full_pool_is_repeated_ahead_of_the_queue(sim):
    with Warmpool(sim, **{"pool.size": 1, "pool.min_idle": 1}) as wp:
        uniq = new_uniq()
        sim.fault(action="raw", path="/res.php", delay_ms=200, how="fin")
        with concurrent.futures.ThreadPoolExecutor(6) as crowd:
            first = crowd.submit(poll, wp, uniq)
            sim.wait(lambda counters: counters["requests"]["total"] >= 1)
            others = [crowd.submit(poll, wp, f"other{number}") for number in range(5)]
            assert first.result().status_code == 200
            assert all(other.result().status_code == 200 for other in others)
        seen = [request["uniq"] for request in sim.requests(path="/res.php")]
        assert seen[:2] == [uniq, uniq]
        assert sim.counters()["connections"]["max_open"] == 1


def test_the_repeat_gets_what_is_left_of_the_deadline(sim):
    # queue 1 s + connect 0.5 s + response 3 s: the second attempt may not take its whole response timeout.
    uniq = new_uniq()
    options = {"timeouts.response": "3s", "queue.timeout": "1s", "timeouts.connect": "500ms"}
    with Warmpool(sim, **options) as wp:
        sim.fault(action="never", path="/res.php", times=-1)
        began = time.monotonic()
        assert_error(poll(wp, uniq), 504, "RESPONSE_TIMEOUT", "connection_read_timeout")
        assert 4.4 < time.monotonic() - began < 6
    assert arrived(sim, uniq) == 2


def wait_for_bytes(wp, timeout=15):
    """Until a request lies unread before the (stopped) daemon: connected and received."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with open("/proc/net/tcp", encoding="ascii") as table:
            for row in list(table)[1:]:
                fields = row.split()
                if int(fields[1].rpartition(":")[2], 16) == wp.port and int(fields[4].rpartition(":")[2], 16) > 100:
                    return
        time.sleep(0.002)
    raise AssertionError("no request lies before the daemon")
