"""pool.heartbeat keeps spares alive before a server that closes early."""
import concurrent.futures

from daemon import Warmpool
from replies import new_uniq, poll, submit
from simctl import Simulator

SPARES = 3
OPTIONS = {"pool.min_idle": SPARES, "pool.heartbeat": "1s"}


def _numbers(sim):
    return {connection["number"] for connection in sim.connections()}


def _beats(sim, numbers):
    """How many heartbeats each of them has carried."""
    heads = [row for row in sim.requests(path="/") if row["head"].startswith("HEAD / ")]
    return {number: sum(row["connection"] == number for row in heads) for number in numbers}


def _wait_beats(sim, numbers, least):
    sim.wait(lambda _: all(count >= least for count in _beats(sim, numbers).values()), timeout=20)


def test_spares_outlive_the_servers_idle_timeout():
    with Simulator(idle_timeout=4) as sim, Warmpool(sim, **OPTIONS) as wp:
        first = _numbers(sim)
        assert len(first) == SPARES
        _wait_beats(sim, first, 9)  # over eight seconds, twice what the server allows
        assert _numbers(sim) == first
        uniq = new_uniq()
        assert submit(wp, uniq).status_code == 200
        assert sim.requests(uniq=uniq)[0]["connection"] in first
        print(f"heartbeats by connection: {_beats(sim, first)}")
        wp.wait_log("class=submit")
        assert len(wp.access_lines()) == 1


def test_only_spares_are_kept(sim):
    with Warmpool(sim, **OPTIONS, **{"pool.idle_timeout": "3s"}) as wp:
        rule = sim.fault(action="hold", path="/res.php", times=10)
        with concurrent.futures.ThreadPoolExecutor(10) as many:
            answers = many.map(lambda _: poll(wp, None), range(10))
            sim.wait(lambda _: sim.acted(rule) == 10, timeout=20)
            sim.clear_faults()
            assert {answer.status_code for answer in answers} == {200}
        assert len(_numbers(sim)) >= 10
        sim.wait(lambda counters: counters["connections"]["open"] == SPARES, timeout=20)
        kept = _numbers(sim)
        _wait_beats(sim, kept, 6)
        assert _numbers(sim) == kept


def test_a_heartbeat_that_meets_a_dead_connection_costs_no_request(sim):
    with Warmpool(sim, **OPTIONS) as wp:
        first = _numbers(sim)
        for number in first:
            sim.fault(action="close_unread", how="rst", connection=number, times=-1)
        # Each beat finds one dead; others take their place.
        sim.wait(lambda counters: counters["connections"]["open"] == SPARES and not first & _numbers(sim), timeout=20)
        assert poll(wp, None).status_code == 200
        assert submit(wp, new_uniq()).status_code == 200
        wp.wait_log("class=submit")
        assert "retry=" not in wp.log() and " warning " not in wp.log()
