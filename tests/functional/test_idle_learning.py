"""The server's idle timeout is learned, from its hints or from its closes, and costs nothing meanwhile that matters."""
import asyncio
import collections
import re

import pytest

import distance
import traffic
from daemon import Warmpool
from replies import poll
from simctl import Simulator

_LEARNED = r"idle timeout is (\S+) source=(\w+)"
_SECONDS = 60
_POOL = {"pool.min_idle": 4, "pool.size": 10}


def test_a_hint_is_taken_less_a_margin():
    with Simulator(keep_alive_hint=5) as sim, Warmpool(sim) as wp:
        assert poll(wp, None).status_code == 200
        wp.wait_log("idle timeout is 3s source=hint")


def test_a_configured_idle_timeout_stops_the_learning():
    with Simulator(keep_alive_hint=5, idle_timeout=1.5) as sim, Warmpool(sim, **{"pool.idle_timeout": "2s"}) as wp:
        assert poll(wp, None).status_code == 200
        # Closes too, at an age where two of them would have been enough to learn from.
        sim.wait(lambda counters: counters["connections"]["ended_by_us"] >= 12, timeout=20)
        assert poll(wp, None).status_code == 200
        assert "idle timeout is" not in wp.stop()


def test_an_unused_pool_learns_from_the_closes_of_its_spares():
    with Simulator(idle_timeout=3) as sim, Warmpool(sim, **{"log.level": "debug"}) as wp:
        learned = wp.wait_log(_LEARNED, timeout=15)
        value, source = learned.groups()
        seen_s = [int(ms) / 1000 for ms in re.findall(r"idle close .* idle_ms=(\d+)", learned.string[:learned.start()])]
        print(f"learned {value} from {source}, seen {seen_s}")
        assert source == "observed"
        # A second before the earliest of those that have been judged by then; on a busy machine all of them come late.
        assert 2.9 <= min(seen_s) < 4
        assert 1.9 <= _seconds(value) <= max(2.1, max(seen_s) - 1)


def _seconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(ms|s|m)", text).groups()
    return float(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def mixed(far, seconds):
    paced = [traffic.Client(f"paced{n}", "/in.php" if n % 2 else "/res.php", lambda dice: dice.uniform(2.7, 3.3))
             for n in range(8)]
    # In step, so that a connection of that age is what they get, and so near that its FIN is on its way when they ask:
    # as long as the timeout is not known. A request sent from 2.96 s on meets a server that has closed.
    near = [traffic.Client(f"near{n}", "/in.php" if n % 2 else "/res.php", lambda dice: dice.uniform(2.96, 3.0), beat="near")
            for n in range(8)]
    busy = [traffic.Client(f"busy{n}", "/in.php" if n % 2 else "/res.php", lambda dice: dice.uniform(0.05, 0.4))
            for n in range(2)]
    # Two that work hard now and then: what they leave behind is idle for all lengths of time.
    gusts = [traffic.Client(f"gust{n}", "/res.php", lambda dice: 0 if dice.random() < 0.9 else dice.uniform(2.7, 6))
             for n in range(4)]
    with far.warmpool(**_POOL) as wp:
        outcomes = asyncio.run(traffic.run(wp, paced + near + busy + gusts, asyncio.sleep(seconds)))
        counters, submits = far.counters(), far.submits()
        log = wp.stop()
    return {"outcomes": [one._asdict() for one in outcomes], "log": log, "twice": submits["twice"],
            "connections": counters["connections"]}


@pytest.mark.slow
def test_traffic_around_an_idle_timeout_far_away_is_learned_from_and_loses_nothing():
    result = distance.over_wire(__file__, "mixed", delay_ms=20, simulator={"idle_timeout": 3}, seconds=_SECONDS)
    log = result["log"]
    learned = re.search(r"idle timeout is \S+ source=observed", log)
    access = re.findall(r" access .*", log)
    repeats = collections.Counter(found.group(1) for line in access if (found := re.search(r"retry=(\w+)", line)))
    polls = collections.Counter(one["status"] for one in result["outcomes"] if one["path"] == "/res.php")
    submits = collections.Counter(one["status"] for one in result["outcomes"] if one["path"] == "/in.php")
    unknown = [found.start() for found in re.finditer(r" access .*class=submit .*status=424.*", log)]
    print(*re.findall(r"idle timeout is .*", log), f"after {log.count(' access ', 0, learned.start() if learned else None)} requests",
          f"polls {dict(polls)}, submits {dict(submits)}, repeats {dict(repeats)}",
          result["connections"], f"conns {collections.Counter(re.findall(r' conn=(.)', log))}", sep="\n")
    assert set(polls) == {200}, [one for one in result["outcomes"] if one["path"] == "/res.php" and one["status"] != 200]
    assert set(submits) <= {200, 424}
    assert result["twice"] == []
    assert result["connections"]["max_open"] <= _POOL["pool.size"]
    assert learned, log[-4000:]
    late = [log[at:at + 300].splitlines()[0] for at in unknown if at > learned.start()]
    assert late == []
    assert len(unknown) == submits[424]


if __name__ == "__main__":
    distance.main(mixed)
