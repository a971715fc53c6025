"""Connections that the far side forgot: one request finds it out, the others are not tried."""
import time

import pytest

from daemon import Warmpool
from replies import new_uniq, poll, submit

IDLE = 8


@pytest.fixture(name="forgotten")
def _forgotten(sim):
    """A daemon with eight idle connections, over a second old; the next request on any of them meets a reset."""
    with Warmpool(sim, **{"pool.size": 25, "pool.min_idle": IDLE}) as wp:
        sim.wait(lambda counters: counters["connections"]["open"] == IDLE)
        old = {connection["number"] for connection in sim.connections()}
        time.sleep(1.2)  # their age is what the rule goes by
        rules = [sim.fault(action="close_unread", how="rst", connection=number, times=-1) for number in old]
        yield wp, rules


def _tried(sim, rules):
    return sum(sim.acted(rule) for rule in rules)


def test_dead_connections_cost_one_submit_at_most(sim, forgotten):
    wp, rules = forgotten
    uniqs = [new_uniq() for _ in range(IDLE + 2)]
    statuses = [submit(wp, uniq).status_code for uniq in uniqs]
    print(f"{IDLE} dead connections, {len(uniqs)} submits: {statuses}, {_tried(sim, rules)} of them tried")
    assert statuses.count(424) <= 1 and set(statuses) <= {200, 424}
    assert _tried(sim, rules) == 1
    assert sim.submits()["twice"] in ([], {}, 0)


def test_dead_connections_cost_no_poll(sim, forgotten):
    wp, rules = forgotten
    assert [poll(wp, None).status_code for _ in range(IDLE + 2)] == [200] * (IDLE + 2)
    assert _tried(sim, rules) == 1
    assert wp.log().count("retry=unknown") == 1


def test_a_request_that_the_server_drops_leaves_the_others_alone(sim):
    with Warmpool(sim, **{"pool.size": 25, "pool.min_idle": IDLE}) as wp:
        sim.wait(lambda counters: counters["connections"]["open"] == IDLE)
        before = {connection["number"] for connection in sim.connections()}
        poll(wp, None)
        sim.fault(action="close", path="/in.php")
        assert submit(wp, new_uniq()).status_code == 424
        # One ended and was replaced; it had rested for less than a second, so it says nothing of the others.
        sim.wait(lambda counters: counters["connections"]["open"] >= IDLE)
        assert len(before & {connection["number"] for connection in sim.connections()}) >= IDLE - 1
