"""Connections that the far side forgot: one request finds it out, the others are not tried."""
import re
import time

import pytest

from daemon import Warmpool
from replies import KEY, new_uniq, poll, submit

IDLE = 8


@pytest.fixture(name="forgotten", params=["rst", "fin", "fin_no_notify"])
def _forgotten(sim, request):
    """A daemon with eight idle connections, over a second old; the next request on any of them meets its end."""
    with Warmpool(sim, **{"pool.size": 25, "pool.min_idle": IDLE}) as wp:
        sim.wait(lambda counters: counters["connections"]["open"] == IDLE)
        old = {connection["number"] for connection in sim.connections()}
        time.sleep(1.2)  # their age is what the rule goes by
        rules = [sim.fault(action="close_unread", how=request.param, connection=number, times=-1) for number in old]
        yield wp, rules, old


def _assert_one_was_tried(sim, rules, old):
    tried = sum(sim.acted(rule) for rule in rules)
    answered_on = {row["connection"] for row in sim.requests()}
    print(f"{tried} of {IDLE} dead connections tried; answered on {sorted(answered_on)}, dead {sorted(old)}")
    assert tried == 1
    assert not answered_on & old


def test_dead_connections_cost_one_submit_at_most(sim, forgotten):
    wp, rules, old = forgotten
    uniqs = [new_uniq() for _ in range(IDLE + 2)]
    statuses = [submit(wp, uniq).status_code for uniq in uniqs]
    print(f"{len(uniqs)} submits: {statuses}")
    assert statuses.count(424) <= 1 and set(statuses) <= {200, 424}
    _assert_one_was_tried(sim, rules, old)
    assert sim.submits()["twice"] == []


def test_dead_connections_cost_no_poll(sim, forgotten):
    wp, rules, old = forgotten
    assert [poll(wp, None).status_code for _ in range(IDLE + 2)] == [200] * (IDLE + 2)
    _assert_one_was_tried(sim, rules, old)
    wp.wait_log("retry=unknown")
    assert wp.log().count("retry=unknown") == 1


def test_a_request_that_the_server_drops_leaves_the_others_alone(sim):
    with Warmpool(sim, **{"pool.size": 25, "pool.min_idle": IDLE}) as wp:
        sim.wait(lambda counters: counters["connections"]["open"] == IDLE)
        before = {connection["number"] for connection in sim.connections()}
        sim.fault(action="close", path="/in.php")
        # In one piece, so that the second finds the connection as the first has left it.
        answer = wp.raw(f"GET /res.php?key={KEY}&action=getbalance HTTP/1.1\r\nHost: localhost\r\n\r\n"
                        f"GET /in.php?key={KEY} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert re.findall(rb"HTTP/1.1 (\d+) ", answer) == [b"200", b"424"]
        # One ended and was replaced; it had rested for less than a second, so it says nothing of the others.
        sim.wait(lambda counters: counters["connections"]["open"] >= IDLE)
        assert len(before & {connection["number"] for connection in sim.connections()}) >= IDLE - 1
