"""The queue is fair between clients, and held-open solves leave room for the rest."""
import statistics
import threading
import time

import requests

from daemon import Warmpool
from simctl import Simulator


def _flood(url, count, stop):
    """Keeps `count` requests of one label waiting."""
    def work():
        session = requests.Session()
        while not stop.is_set():
            session.get(url + "/res.php?key=k&action=getbalance", timeout=30)
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_a_single_request_does_not_wait_behind_a_crowd():
    options = {"pool.size": 2, "pool.min_idle": 2, "queue.timeout": "30s"}
    with Simulator(delay_ms=50) as sim, Warmpool(sim, **options) as wp:
        stop = threading.Event()
        crowd = _flood(f"http://crowd:@{wp.host}:{wp.port}", 60, stop)
        try:
            wp.wait_log("client=crowd .*status=200")
            took = []
            for _ in range(15):
                began = time.monotonic()
                answer = requests.get(f"http://single:@{wp.host}:{wp.port}/res.php?key=k&action=getbalance", timeout=30)
                took.append(time.monotonic() - began)
                assert answer.status_code == 200
        finally:
            stop.set()
            for thread in crowd:
                thread.join()
        # A turn takes 50 ms; the crowd's own requests wait for about 30 of them.
        assert statistics.median(took) < 0.4, took


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
