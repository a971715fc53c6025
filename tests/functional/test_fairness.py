"""The queue is fair between clients, and held-open solves leave room for the rest."""
import statistics
import threading
import time

import requests

from crowd import Crowd
from daemon import Warmpool
from replies import assert_error
from simctl import Simulator


def _ask(wp, label, path="/res.php?key=k&action=getbalance"):
    with requests.Session() as session:
        session.trust_env = False
        return session.get(f"http://{label}:@{wp.host}:{wp.port}{path}", timeout=60)


def test_a_single_request_does_not_wait_behind_five_hundred():
    options = {"pool.size": 10, "queue.timeout": "60s", "limits.clients": 1000}
    with Simulator(delay_ms=100) as sim, Warmpool(sim, **options) as wp:
        with Crowd(wp, "crowd", 500) as crowd:
            crowd.wait(lambda: crowd.asked >= 500 and sum(crowd.statuses.values()) > 20)
            took = []
            for _ in range(60):
                began = time.monotonic()
                assert _ask(wp, "single").status_code == 200
                took.append(time.monotonic() - began)
            answered = crowd.statuses
        assert set(answered) == {200}
        assert sim.counters()["connections"]["max_open"] <= 10
    print(f"single requests beside 500 queued: median {statistics.median(took) * 1000:.0f} ms, "
          f"longest of 60 {max(took) * 1000:.0f} ms; the crowd waits for about 5 s")
    assert statistics.median(took) <= 0.25
    assert max(took) <= 0.5


def test_alone_a_client_uses_the_whole_pool():
    with Simulator(delay_ms=50) as sim, Warmpool(sim, **{"pool.size": 10}) as wp:
        with Crowd(wp, "crowd", 40) as crowd:
            crowd.wait(lambda: sum(crowd.statuses.values()) > 200)
        assert sim.counters()["connections"]["max_open"] == 10


def _most_under_way(sim, uniq, delay_s):
    """The most requests of that mark at the server at a time: each stays for delay_s at least."""
    began = sorted(row["at"] for row in sim.requests(uniq=uniq))
    return max(sum(at - delay_s < other <= at for other in began) for at in began)


def test_max_inflight_bounds_one_client_only():
    options = {"pool.size": 10, "pool.min_idle": 0, "access.clients.crowd.max_inflight": 2}
    with Simulator(delay_ms=50) as sim, Warmpool(sim, **options) as wp:
        with Crowd(wp, "crowd", 40, "/res.php?action=getbalance&uniq=crowd") as crowd:
            crowd.wait(lambda: sum(crowd.statuses.values()) > 40)
            # Nothing was opened for those that may not use it.
            assert sim.counters()["connections"]["max_open"] == 2
            began = time.monotonic()
            assert _ask(wp, "single").status_code == 200
            assert time.monotonic() - began < 0.4
            with Crowd(wp, "others", 8, "/res.php?action=getbalance&uniq=others") as others:
                others.wait(lambda: sum(others.statuses.values()) > 80)
        most = {uniq: _most_under_way(sim, uniq, 0.045) for uniq in ("crowd", "others")}
        print(f"most under way: {most}")
        assert most == {"crowd": 2, "others": 8}
        assert sim.counters()["connections"]["max_open"] == 10


def _refused_at_once(wp):
    began = time.monotonic()
    answer = _ask(wp, "crowd")
    if answer.status_code == 200:
        return False  # the crowd had not filled its places yet
    assert time.monotonic() - began < 0.5
    assert_error(answer, 503, "CLIENT_QUEUE_FULL", "connection_limit_reached")
    return True


def test_max_queued_refuses_one_client_only():
    options = {"pool.size": 1, "queue.timeout": "60s", "access.clients.crowd.max_queued": 5}
    with Simulator(delay_ms=500) as sim, Warmpool(sim, **options) as wp, Crowd(wp, "crowd", 6) as crowd:
        # One is on its way and five wait: the seventh is one too many. Another client's waits and is answered.
        sim.wait(lambda counters: counters["requests"]["total"] == 1)
        crowd.wait(lambda: crowd.asked >= 6 and _refused_at_once(wp))
        assert _ask(wp, "single").status_code == 200


def test_weights_share_the_pool():
    options = {"pool.size": 4, "queue.timeout": "60s", "access.clients.heavy.weight": 3}
    with Simulator(delay_ms=20) as sim, Warmpool(sim, **options) as wp:
        with Crowd(wp, "heavy", 40) as heavy, Crowd(wp, "light", 40) as light:
            heavy.wait(lambda: min(heavy.statuses[200], light.statuses[200]) > 20)
            before = heavy.statuses[200], light.statuses[200]
            heavy.wait(lambda: light.statuses[200] > before[1] + 150)
            ratio = (heavy.statuses[200] - before[0]) / (light.statuses[200] - before[1])
    print(f"weight 3 against 1: {ratio:.2f} to 1")
    assert 2.5 <= ratio <= 3.5


def test_held_solves_leave_half_of_the_pool(sim):
    with Warmpool(sim, **{"pool.size": 4, "pool.min_idle": 1}) as wp:
        sim.fault(path="/solve.php", action="delay", ms=1500, times=-1)
        threads = [threading.Thread(target=requests.get, args=(wp.url + f"/solve.php?key=k&n={n}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        sim.wait(lambda counters: counters["requests"]["by_class"].get("solve", 0) == 2)
        for _ in range(20):
            assert requests.get(wp.url + "/res.php?key=k&action=getbalance", timeout=2).status_code == 200
        assert sim.counters()["requests"]["by_class"]["solve"] == 2
        sim.clear_faults()
        for thread in threads:
            thread.join()
        assert sim.counters()["requests"]["by_class"]["solve"] == 6
