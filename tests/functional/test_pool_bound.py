"""The bound is hard: however many clients, the server never sees more than pool.size connections."""
import time

import pytest
import requests

import load
from admin_client import ON
from daemon import Warmpool
from simctl import Simulator


def _check(sim, result, expected, size):
    assert result.errors == []
    assert result.answered == expected
    assert set(result.statuses) == {200}
    counters = sim.counters()
    assert counters["connections"]["max_open"] <= size
    assert counters["violations"] == []
    assert counters["internal_errors"] == []


def test_1000_clients_share_25_connections():
    options = {"limits.clients": 1100, "queue.timeout": "60s"}
    with Simulator(delay_ms=5) as sim, Warmpool(sim, **options) as wp:
        _check(sim, load.run(wp, clients=1000, requests=3), 3000, 25)
        assert sim.counters()["connections"]["max_open"] > 4


@pytest.mark.parametrize("turnover", [{"max_requests": 3}, {"connection_close": True}])
def test_the_bound_holds_while_connections_turn_over(turnover):
    with Simulator(**turnover) as sim, Warmpool(sim, **{"pool.size": 5, "queue.timeout": "60s"}) as wp:
        _check(sim, load.run(wp, clients=50, requests=10), 500, 5)


def test_the_bound_holds_while_we_turn_connections_over(sim):
    options = {"pool.size": 5, "pool.max_requests": 3, "queue.timeout": "60s"}
    with Warmpool(sim, **options) as wp:
        _check(sim, load.run(wp, clients=50, requests=10), 500, 5)


def test_one_connection_serves_all(sim):
    with Warmpool(sim, **{"pool.size": 1, "queue.timeout": "60s"}) as wp:
        _check(sim, load.run(wp, clients=40, requests=5), 200, 1)
        assert sim.counters()["connections"]["total"] == 1


def _connections_of(wp, count):
    """On which connections so many requests, one after another, arrived."""
    return [requests.get(wp.url + f"/echo?{number}", timeout=10).json()["connection"] for number in range(count)]


def _wait_settled(wp):
    """Until nothing is being opened any more: a connection that comes up is lent first, too."""
    deadline = time.monotonic() + 20
    while True:
        states = requests.get(f"http://{wp.admin}/status", timeout=10).json()["pool"]["states"]
        if states["connecting"] + states["handshaking"] + states["leased"] == 0:
            return
        assert time.monotonic() < deadline, states
        time.sleep(0.01)


def test_the_most_recently_used_is_lent_first(sim):
    with Warmpool(sim, **ON, **{"pool.min_idle": 4}) as wp:
        load.run(wp, clients=4, requests=5)
        _wait_settled(wp)
        assert len(set(_connections_of(wp, 20))) == 1


def test_max_requests_is_exact(sim):
    with Warmpool(sim, **{"pool.size": 1, "pool.max_requests": 3}) as wp:
        used = _connections_of(wp, 9)
        assert [used.count(number) for number in sorted(set(used))] == [3, 3, 3]
        assert sim.counters()["connections"]["max_open"] == 1


def test_max_lifetime_replaces_used_connections_without_an_error(sim):
    with Warmpool(sim, **{"pool.size": 2, "pool.min_idle": 1, "pool.max_lifetime": "500ms"}) as wp:
        deadline = time.monotonic() + 9
        used = set()
        while len(used) < 4 and time.monotonic() < deadline:
            answer = requests.get(wp.url + "/echo?x", timeout=10)
            assert answer.status_code == 200
            used.add(answer.json()["connection"])
        assert len(used) >= 4
        assert sim.counters()["connections"]["max_open"] <= 2
