"""A connection that the server closed while idle costs no request."""
import random
import time

import pytest
import requests

from daemon import Warmpool
from simctl import Simulator


def _mixed_traffic(seconds):
    with Simulator(idle_timeout=1) as sim, Warmpool(sim) as wp:
        dice = random.Random(7)
        deadline = time.monotonic() + seconds
        count = 0
        while time.monotonic() < deadline:
            poll = requests.get(wp.url + "/res.php?key=k&action=getbalance", timeout=10)
            assert poll.status_code == 200
            if count % 4 == 0:
                submit = requests.get(wp.url + f"/in.php?key=k&method=userrecaptcha&uniq=u{count}", timeout=10)
                assert submit.status_code in (200, 424)
            count += 1
            # The traffic's own rhythm: near the server's idle timeout, on both sides of it.
            time.sleep(dice.uniform(0.9, 1.1))
        submits = sim.submits()
        assert submits["twice"] in ([], {}, 0)
        assert count > seconds / 2


def test_polls_around_the_idle_timeout_never_fail():
    _mixed_traffic(6)


@pytest.mark.slow
def test_polls_around_the_idle_timeout_never_fail_for_a_minute():
    _mixed_traffic(60)


@pytest.mark.parametrize("how", ["fin", "fin_no_notify", "rst", "notify_only"])
def test_an_idle_close_is_quiet(sim, how):
    with Warmpool(sim, **{"pool.min_idle": 3}) as wp:
        sim.close_idle(how)
        for _ in range(10):
            assert requests.get(wp.url + "/res.php?key=k&action=getbalance").status_code == 200
        assert " warning " not in wp.log()


def test_stray_bytes_on_an_idle_connection_end_it_quietly(sim):
    with Warmpool(sim, **{"pool.min_idle": 1, "pool.size": 1}) as wp:
        sim.fault(path="/echo", action="extra", data="HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong", delay_ms=100)
        first = requests.get(wp.url + "/echo?first").json()
        # Nobody asks anything meanwhile: the bytes alone end it, and a spare takes its place.
        sim.wait(lambda counters: counters["connections"]["total"] == 2 and counters["connections"]["open"] == 1)
        second = requests.get(wp.url + "/echo?second").json()
        assert second["target"] == "/echo?second"
        assert second["connection"] != first["connection"]
        assert " warning " not in wp.log()


def test_our_own_idle_timeout_replaces_a_connection_before_the_server_does(sim):
    with Warmpool(sim, **{"pool.min_idle": 1, "pool.size": 1, "pool.idle_timeout": "1s"}) as wp:
        first = requests.get(wp.url + "/echo?first").json()
        # Connections are numbered from 1, and that one may have been a replacement already.
        sim.wait(lambda counters: counters["connections"]["total"] > first["connection"])
        second = requests.get(wp.url + "/echo?second").json()
        assert second["connection"] > first["connection"]
        assert sim.counters()["connections"]["max_open"] == 1
