"""Waiting for a connection: timeout, overflow, hang-up."""
import concurrent.futures
import threading

import requests

from daemon import Warmpool, read_response


def _occupy(wp, sim, uniq="busy"):
    """Holds the pool's only connection until the simulator's rules are forgotten."""
    sim.fault(path="/echo", action="hold")
    sock = wp.connect(30)
    sock.sendall(f"GET /echo?{uniq} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    sim.wait(lambda counters: counters["requests"]["by_path"].get("GET /echo", 0) >= 1)
    return sock


def test_a_queue_timeout_says_so(sim):
    with Warmpool(sim, **{"pool.size": 1, "queue.timeout": "200ms"}) as wp:
        with _occupy(wp, sim) as busy:
            answer = requests.get(wp.url + "/res.php?action=get&id=1&json=1")
            assert answer.status_code == 503
            assert answer.json() == {"status": 0, "request": "ERROR_QUEUE_TIMEOUT"}
            assert "connection_limit_reached" in answer.headers["Proxy-Status"]
            assert int(answer.headers["Retry-After"]) >= 1
            sim.clear_faults()
            assert read_response(busy)[0] == 200


def test_an_overflow_is_refused_at_once(sim):
    with Warmpool(sim, **{"pool.size": 1, "queue.size": 2}) as wp:
        with _occupy(wp, sim) as busy:
            answers = []
            threads = [threading.Thread(target=lambda: answers.append(
                requests.get(wp.url + "/res.php?key=k&action=getbalance"))) for _ in range(3)]
            for thread in threads:
                thread.start()
            wp.wait_log("error=QUEUE_FULL")
            sim.clear_faults()
            assert read_response(busy)[0] == 200
            for thread in threads:
                thread.join()
        assert sorted(answer.status_code for answer in answers) == [200, 200, 503]
        refused = next(answer for answer in answers if answer.status_code == 503)
        assert refused.text == "ERROR_QUEUE_FULL"
        assert "Retry-After" in refused.headers


def test_who_hangs_up_while_queued_is_not_sent(sim):
    with Warmpool(sim, **{"pool.size": 1}) as wp:
        with _occupy(wp, sim) as busy:
            for _ in range(5):
                with wp.connect() as gone:
                    gone.sendall(b"GET /in.php?key=k&uniq=gone HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wp.wait_log("(?s)(QUEUE_LEFT.*){5}")
            sim.clear_faults()
            assert read_response(busy)[0] == 200
        assert requests.get(wp.url + "/res.php?key=k&action=getbalance").status_code == 200
        assert sim.submits()["by_uniq"] == {}


def test_solves_held_back_by_their_share_are_bounded_too(sim):
    options = {"pool.size": 4, "pool.min_idle": 2, "queue.size": 1}
    with Warmpool(sim, **options) as wp:
        sim.fault(path="/solve.php", action="hold", times=-1)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(requests.get(wp.url + "/solve.php?key=k").status_code))
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        wp.wait_log("(?s)(error=QUEUE_FULL.*){5}")
        sim.clear_faults()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [200] * 3 + [503] * 5  # two hold the pool's half, one waits


def test_requests_before_a_half_close_are_all_answered(wp):
    one = b"GET /echo?a HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = wp.raw(one * 3 + one[:20], shut=True)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 3


def test_the_end_of_the_warm_window_starves_nobody(sim):
    with Warmpool(sim, **{"pool.size": 1, "pool.min_idle": 1, "pool.warm_window": "1s", "queue.timeout": "10s"}) as wp:
        sim.fault(path="/echo", action="delay", ms=2000)
        with concurrent.futures.ThreadPoolExecutor(2) as two:
            first = two.submit(requests.get, wp.url + "/echo", timeout=20)
            sim.wait(lambda counters: counters["requests"]["total"] == 1)
            second = two.submit(requests.get, wp.url + "/res.php?key=k&action=getbalance", timeout=20)
            assert (first.result().status_code, second.result().status_code) == (200, 200)
        # It waited for the one connection; none was opened and dropped meanwhile.
        assert sim.counters()["connections"]["total"] <= 3
