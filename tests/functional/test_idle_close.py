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
