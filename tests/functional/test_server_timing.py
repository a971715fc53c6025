"""Server-Timing: where a request's time went, on responses to those who may know."""
import concurrent.futures
import re

import pytest

from admin_client import ON, ask
from daemon import Warmpool
from replies import KEY, poll, submit
from simctl import Simulator
from test_tokens import HERE

FORM = re.compile(r"queue;dur=([0-9]+\.[0-9]), connect;dur=([0-9]+\.[0-9]), upstream;dur=([0-9]+\.[0-9])$")


def durations(response):
    match = FORM.match(response.headers["server-timing"])
    assert match, response.headers
    return [float(value) for value in match.groups()]


def test_it_says_where_the_time_went():
    with Simulator(delay_ms=150) as sim, Warmpool(sim, **ON, **{"pool.size": 1, "pool.min_idle": 0}) as wp:
        queue, connect, upstream = durations(poll(wp, None))
        assert connect > 0 and queue >= connect and upstream >= 150
        sim.set(delay_ms=0)  # is held as soon as it has arrived
        sim.fault(action="hold", path="/res.php")
        with concurrent.futures.ThreadPoolExecutor(2) as pool, wp.connect() as first:
            first.sendall(f"GET /res.php?key={KEY}&action=getbalance HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            sim.wait(lambda counters: counters["requests"]["total"] >= 2)
            second = pool.submit(poll, wp, None)
            sim.wait(lambda _: 'warmpool_queue_length{class="poll"} 1\n' in ask(wp, path="/metrics")[2])
            sim.set(delay_ms=150)
            sim.clear_faults()
            queue, connect, upstream = durations(second.result())
        assert 0 < queue and connect == 0 and upstream >= 150


def test_an_error_has_one_too(sim):
    with Warmpool(sim) as wp:
        sim.fault(action="close", path="/in.php")
        response = submit(wp, "u-timing")
        assert response.status_code == 424
        assert durations(response)[2] >= 0


def test_the_api_s_own_stays(sim):
    with Warmpool(sim) as wp:
        sim.fault(action="headers", path="/res.php", headers=[["Server-Timing", "db;dur=5"]])
        assert poll(wp, None).headers["server-timing"].startswith("db;dur=5, queue;dur=")


def test_off(sim):
    with Warmpool(sim, **{"response.server_timing": "off"}) as wp:
        assert "server-timing" not in poll(wp, None).headers


@pytest.mark.skipif(HERE is None, reason="this machine has no address but loopback")
@pytest.mark.parametrize("setting, shown", [("loopback", False), ("on", True)])
def test_other_machines_are_told_only_when_it_is_on(sim, setting, shown):
    with Warmpool(sim, listen=f"{HERE}:0", **{"response.server_timing": setting, "access.allow": f"{HERE}/32,127.0.0.0/8"}) as wp:
        assert ("server-timing" in poll(wp, None).headers) == shown
